//! The description of the operations: what holds for all of them, and its two forms.

use std::collections::HashMap;

use poem::{
    endpoint::BoxEndpoint,
    http::{HeaderValue, Method},
};
use poem_openapi::{
    LicenseObject, OpenApi, OpenApiService,
    registry::{MetaApi, MetaOperation, MetaSecurityScheme, Registry},
    types::Type,
};
use serde_json::{Value, json};

use super::{methods::Methods, operation_error::error_meta, schema};

const ABOUT: &str = "Hand Markdown prompts to coding agents, follow their work, stop it. \
    Every error is `{\"detail\": \"…\"}` with a sentence that says what to do; with status 422, `detail` is a list. \
    Times are RFC 3339 in UTC. Where the service was given a token, everything but `/healthz` and this \
    description needs it as `Authorization: Bearer TOKEN`. A method that a path does not have is refused with 405, and \
    `Allow` names those that it has. Through the page's service, any request may also meet 502, where the API cannot be \
    reached, and 504, where it does not answer in time.";

/// The name of the token's security scheme.
const SECURITY_SCHEME: &str = "token";
/// The one operation that needs no token.
const OPEN_OPERATION: &str = "health";

/// What any request may meet before an operation sees it.
const ANY: [(u16, &str); 3] = [
    (403, "A page from elsewhere, or another host, may not do this"),
    (421, "`Host` is no name of this service"),
    (503, "The service has too much to do: try again later, as `Retry-After` says"),
];
/// What an operation that wants the token may meet.
const WITHOUT_TOKEN: (u16, &str) = (401, "The service asks for a token, and this is none or another one");
/// What a request with a body may meet while that arrives.
const WITH_BODY: [(u16, &str); 3] = [
    (400, "The request's body broke off"),
    (408, "The request's body did not arrive in time"),
    (413, "The request's body is larger than a prompt may be (`limits.prompt_bytes`)"),
];

/// Returns operations as a service with its description.
pub(crate) fn describe<T: OpenApi + 'static>(operations: T) -> OpenApiService<impl OpenApi + 'static, ()> {
    OpenApiService::new(WithCommonErrors(operations), "Prompt Valet", env!("CARGO_PKG_VERSION"))
        .description(ABOUT)
        .license(LicenseObject::new("MIT").url("https://opensource.org/license/mit"))
        .server("/api/v1")
}

/// Adds to the description of operations that they may need the token, and the errors that any of them may answer.
struct WithCommonErrors<T>(T);

impl<T: OpenApi> OpenApi for WithCommonErrors<T> {
    fn meta() -> Vec<MetaApi> {
        let mut groups = T::meta();
        let operations = groups.iter_mut().flat_map(|group| &mut group.paths).flat_map(|path| &mut path.operations);
        for operation in operations {
            add_errors(operation, &ANY);
            if operation.method == Method::POST {
                add_errors(operation, &WITH_BODY);
            }
            // Empty: without the token.
            operation.security = vec![HashMap::new()];
            if operation.operation_id != Some(OPEN_OPERATION) {
                operation.security.push(HashMap::from([(SECURITY_SCHEME, Vec::new())]));
                add_errors(operation, &[WITHOUT_TOKEN]);
            }
        }
        groups
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        schema::ErrorDetail::register(registry);
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("The token that the service was given, if it was given one"),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(SECURITY_SCHEME, scheme);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(routes);
    }
}

/// Adds errors that the operation does not document itself, which says more of them.
fn add_errors(operation: &mut MetaOperation, errors: &[(u16, &'static str)]) {
    let responses = &mut operation.responses.responses;
    for error in errors {
        if responses.iter().all(|response| response.status != Some(error.0)) {
            responses.push(error_meta(*error));
        }
    }
}

/// The description in its two forms, which say the same.
#[derive(Debug)]
pub(crate) struct Description {
    /// Indented JSON, keys sorted, a newline at the end.
    pub(crate) json: String,
    /// The same as YAML, which reads the same in 1.1 and 1.2.
    pub(crate) yaml: String,
    methods: Methods,
}

impl Description {
    /// Makes it of what the framework generated.
    pub(crate) fn of(generated: &str) -> Self {
        let mut value: Value = serde_json::from_str(generated).unwrap_or_default();
        describe_upload(&mut value);
        allow_blank_parameters(&mut value);
        whole_numbers(&mut value);
        value.sort_all_objects();
        Self {
            json: format!("{value:#}\n"),
            yaml: serde_saphyr::to_string(&value).unwrap_or_default(),
            methods: Methods::of(&value),
        }
    }

    /// Returns the value of `Allow` for a path below the API's; `None` where there is no such path.
    pub(crate) fn allow(&self, path: &str) -> Option<&HeaderValue> {
        self.methods.allow(path)
    }
}

/// Says of an upload what the framework does not: that its files are Markdown, and named so; and that the form is to have
/// no other fields, since nothing is known of them. They are ignored, as by the earlier service, where they can be read.
fn describe_upload(description: &mut Value) {
    let form = &mut description["paths"]["/jobs/upload"]["post"]["requestBody"]["content"]["multipart/form-data"];
    form["schema"]["additionalProperties"] = false.into();
    form["encoding"] = json!({ "files": {
        "contentType": "text/markdown",
        "headers": { "Content-Disposition": {
            "description": "With the file's name, which ends with `.md`",
            "schema": { "type": "string" },
            "example": "form-data; name=\"files\"; filename=\"changelog.md\"",
        } },
    } });
}

/// Says of the parameters of queries that a blank one counts as missing.
fn allow_blank_parameters(description: &mut Value) {
    let paths = description["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    let operations = paths.filter_map(Value::as_object_mut).flat_map(|operations| operations.values_mut());
    for parameter in operations.filter_map(|operation| operation.get_mut("parameters")?.as_array_mut()).flatten() {
        if parameter["in"] == "query" {
            parameter["allowEmptyValue"] = true.into();
        }
    }
}

/// Writes limits as whole numbers: some generators read `1.0` as no integer.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        Value::Array(list) => list.iter_mut().for_each(whole_numbers),
        Value::Number(number) => {
            if let Some(whole) =
                number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15)
            {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole, and within an i64")]
                let whole = whole as i64;
                *value = whole.into();
            }
        }
        _ => {}
    }
}
