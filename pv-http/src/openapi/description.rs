//! The description of the operations: what holds for all of them, and the form in which it is committed.

use std::collections::HashMap;

use poem::{endpoint::BoxEndpoint, http::Method};
use poem_openapi::{
    OpenApi, OpenApiService,
    registry::{MetaApi, MetaMediaType, MetaResponse, MetaSecurityScheme, Registry},
    types::Type,
};

use super::schema;

const ABOUT: &str = "Hand Markdown prompts to coding agents, follow their work, stop it. \
    Every error is `{\"detail\": \"…\"}` with a sentence that says what to do; with status 422, `detail` is a list. \
    Times are RFC 3339 in UTC. Where the service was given a token, everything but `/healthz` and this \
    description needs it as `Authorization: Bearer TOKEN`. A `Host` that is no name of the service is refused with 421.";

/// The name of the token's security scheme.
const SECURITY_SCHEME: &str = "token";
/// The one operation that needs no token.
const OPEN_OPERATION: &str = "health";

/// Returns operations as a service with its description.
pub(crate) fn describe<T: OpenApi + 'static>(operations: T) -> OpenApiService<impl OpenApi + 'static, ()> {
    OpenApiService::new(Secured(operations), "Prompt Valet", env!("CARGO_PKG_VERSION"))
        .description(ABOUT)
        .license("MIT")
        .server("/api/v1")
}

/// Adds to the description of operations that they may need the token, and how requests without it are refused.
struct Secured<T>(T);

impl<T: OpenApi> OpenApi for Secured<T> {
    fn meta() -> Vec<MetaApi> {
        let mut groups = T::meta();
        let operations = groups.iter_mut().flat_map(|group| &mut group.paths).flat_map(|path| &mut path.operations);
        for operation in operations.filter(|operation| operation.operation_id != Some(OPEN_OPERATION)) {
            operation.security = vec![HashMap::new(), HashMap::from([(SECURITY_SCHEME, Vec::new())])];
            operation.responses.responses.extend([
                error(401, "The service asks for a token, and this is none or another one"),
                error(403, "A page from elsewhere, or another host, may not do this"),
            ]);
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

fn error(status: u16, description: &'static str) -> MetaResponse {
    let content = vec![MetaMediaType { content_type: "application/json", schema: schema::ErrorDetail::schema_ref() }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers: vec![] }
}

/// Returns JSON in its one committed form: indented, keys sorted, a newline at the end.
pub(crate) fn pretty(json: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    value.sort_all_objects();
    format!("{value:#}\n")
}
