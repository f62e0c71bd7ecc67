//! The bodies of requests; one that cannot be used is refused in the shape that clients parse.

use poem::{FromRequest, Request, RequestBody, http::StatusCode, web};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, Multipart,
    payload::Payload,
    registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry},
    types::{Type, multipart::Upload},
};

use pv_lib::prompt::VerificationChoice;

use super::{
    fields::{FieldValue, Fields, SmallValue},
    problem::{Issue, Problem},
    schema::NewJob,
};

/// How many files one upload may hold.
const MAX_FILES: usize = 1000;

/// The raw body of `POST /jobs`. It may be large, so it is parsed off the async runtime.
#[derive(Debug)]
pub(crate) struct SubmitBody {
    content_type: Option<String>,
    bytes: Vec<u8>,
}

/// The fields of the body of `POST /jobs`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SubmitFields {
    pub(crate) repo: String,
    pub(crate) branch: String,
    pub(crate) markdown_text: String,
    pub(crate) filename: Option<String>,
    pub(crate) verification: VerificationChoice,
}

impl SubmitBody {
    /// Parses the body, in memory of no more than its own size.
    ///
    /// # Errors
    /// 422 with a list of the values that cannot be used.
    pub(crate) fn parse(&self) -> Result<SubmitFields, Problem> {
        let refuse = |kind, msg: String| Problem::validation(vec![Issue::new(&["body"], kind, msg)]);
        if !self.content_type.as_deref().is_some_and(is_json) {
            let msg = "Input should be a JSON object, sent with `Content-Type: application/json`";
            return Err(refuse("model_attributes_type", msg.into()));
        }
        if self.bytes.is_empty() {
            return Err(Problem::validation(vec![Issue::missing(&["body"])]));
        }
        match serde_json::from_slice::<Fields>(&self.bytes) {
            Ok(fields) => SubmitFields::from_fields(fields),
            Err(error) if error.is_data() => {
                Err(refuse("model_attributes_type", "Input should be a JSON object".into()))
            }
            Err(error) => Err(refuse("json_invalid", format!("JSON decode error: {error}"))),
        }
    }
}

impl SubmitFields {
    fn from_fields(fields: Fields) -> Result<Self, Problem> {
        let mut issues = Vec::new();
        let mut text = |key: &str, value: FieldValue, optional: bool| match value {
            FieldValue::Text(text) => Some(text),
            FieldValue::Missing | FieldValue::Null if optional => None,
            FieldValue::Missing => {
                issues.push(Issue::missing(&["body", key]));
                None
            }
            FieldValue::Null | FieldValue::Other => {
                issues.push(Issue::new(&["body", key], "string_type", "Input should be a valid string"));
                None
            }
        };
        let repo = text("repo", fields.repo, false);
        let branch = text("branch", fields.branch, false);
        let markdown_text = text("markdown_text", fields.markdown_text, false);
        let filename = text("filename", fields.filename, true);
        let verification = verification(fields.checks, &fields.attempts, &mut issues);
        match (repo, branch, markdown_text) {
            (Some(repo), Some(branch), Some(markdown_text)) if issues.is_empty() => {
                Ok(Self { repo, branch, markdown_text, filename, verification })
            }
            _ => Err(Problem::validation(issues)),
        }
    }
}

fn verification(checks: SmallValue, attempts: &SmallValue, issues: &mut Vec<Issue>) -> VerificationChoice {
    let checks = match checks {
        SmallValue::Missing | SmallValue::Null => Vec::new(),
        SmallValue::Texts(names) => names,
        SmallValue::Number(_) | SmallValue::Other => {
            issues.push(Issue::new(&["body", "checks"], "list_type", "Input should be a list of names of checks"));
            Vec::new()
        }
    };
    let attempts = match attempts {
        SmallValue::Missing | SmallValue::Null => None,
        SmallValue::Number(number) => u32::try_from(*number).ok().or(Some(u32::MAX)),
        SmallValue::Texts(_) | SmallValue::Other => {
            issues.push(Issue::new(&["body", "attempts"], "int_type", "Input should be a whole number"));
            None
        }
    };
    VerificationChoice { checks, attempts }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

impl<'a> ApiExtractor<'a> for SubmitBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        NewJob::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(request_meta("application/json", NewJob::schema_ref()))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        Ok(Self { content_type: request.content_type().map(str::to_owned), bytes })
    }
}

/// The body of `POST /jobs/upload`.
#[derive(Debug)]
pub(crate) struct UploadBody {
    pub(crate) repo: String,
    pub(crate) branch: String,
    pub(crate) verification: VerificationChoice,
    /// Name and bytes of each.
    pub(crate) files: Vec<(String, Vec<u8>)>,
}

/// How the documentation describes [`UploadBody`].
#[derive(Multipart)]
#[expect(dead_code, reason = "only its documentation is used: the body is read by hand, to refuse in the right shape")]
struct UploadForm {
    /// The repository: a bare name, or `owner/name`.
    #[oai(validator(pattern = r"[^\s\u0085]"))]
    repo: String,
    /// The branch to work on.
    #[oai(validator(pattern = r"[^\s\u0085]"))]
    branch: String,
    /// The names of the checks that run on the work of each, with commas between them.
    #[oai(validator(pattern = r"^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64}){0,19}$"))]
    checks: Option<String>,
    /// How often the agent may be run for each, at most as often as the settings allow.
    #[oai(validator(pattern = "^([1-9]|10)?$"))]
    attempts: Option<String>,
    /// One or more Markdown files in UTF-8, each with a name that ends with `.md`; each becomes a job.
    #[oai(validator(min_items = "1", max_items = "1000"))]
    files: Vec<Upload>,
}

impl UploadBody {
    async fn read(mut form: web::Multipart) -> Result<Self, Problem> {
        let (mut repo, mut branch, mut files) = (None, None, Vec::new());
        let mut verification = VerificationChoice::default();
        while let Some(field) = form.next_field().await.map_err(|error| broken_form(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            let filename = field.file_name().map(str::to_owned);
            if !matches!(name.as_str(), "repo" | "branch" | "checks" | "attempts" | "files") {
                continue;
            }
            let bytes = field.bytes().await.map_err(|error| broken_form(&error))?;
            match name.as_str() {
                "repo" => repo = Some(form_text("repo", bytes)?),
                "branch" => branch = Some(form_text("branch", bytes)?),
                "checks" => verification.checks = names_in(&form_text("checks", bytes)?),
                "attempts" => verification.attempts = attempts_in(&form_text("attempts", bytes)?)?,
                _ if files.len() == MAX_FILES => {
                    let msg = format!("at most {MAX_FILES} files at once");
                    return Err(Problem::validation(vec![Issue::new(&["body", "files"], "too_long", msg)]));
                }
                // An empty name would ask the service to choose one, which only the JSON body may.
                _ => match filename.filter(|filename| !filename.is_empty()) {
                    Some(filename) => files.push((filename, bytes)),
                    None => return Err(Problem::new(StatusCode::BAD_REQUEST, "Filename cannot be empty.")),
                },
            }
        }
        let present = [("repo", repo.is_some()), ("branch", branch.is_some()), ("files", !files.is_empty())];
        match (repo, branch) {
            (Some(repo), Some(branch)) if !files.is_empty() => Ok(Self { repo, branch, verification, files }),
            _ => {
                let missing = present
                    .iter()
                    .filter(|(_, is_present)| !is_present)
                    .map(|(name, _)| Issue::missing(&["body", name]));
                Err(Problem::validation(missing.collect()))
            }
        }
    }
}

/// Returns the names in a text with commas, each once: a pattern cannot say that none is there twice.
fn names_in(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn attempts_in(text: &str) -> Result<Option<u32>, Problem> {
    let refuse =
        |_| Problem::validation(vec![Issue::new(&["body", "attempts"], "int_type", "Input should be a whole number")]);
    if text.trim().is_empty() { Ok(None) } else { text.trim().parse().map(Some).map_err(refuse) }
}

fn form_text(name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    let refuse = |_| Problem::validation(vec![Issue::new(&["body", name], "string_unicode", "Input should be UTF-8")]);
    String::from_utf8(bytes).map_err(refuse)
}

fn broken_form(error: &impl std::fmt::Display) -> Problem {
    let msg = format!("Input should be a form, sent as `multipart/form-data` with a boundary: {error}");
    Problem::validation(vec![Issue::new(&["body"], "multipart_invalid", msg)])
}

impl<'a> ApiExtractor<'a> for UploadBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <UploadForm as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(request_meta("multipart/form-data", <UploadForm as Payload>::schema_ref()))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let form = <web::Multipart as FromRequest>::from_request(request, body).await;
        let form = form.map_err(|error| broken_form(&error))?;
        Ok(Self::read(form).await?)
    }
}

fn request_meta(content_type: &'static str, schema: MetaSchemaRef) -> MetaRequest {
    MetaRequest { description: None, content: vec![MetaMediaType { content_type, schema }], required: true }
}

#[cfg(test)]
mod tests {
    use poem::IntoResponse;

    use super::*;

    fn body_of(content_type: Option<&str>, body: &[u8]) -> SubmitBody {
        SubmitBody { content_type: content_type.map(str::to_owned), bytes: body.to_vec() }
    }

    async fn issues(content_type: Option<&str>, body: &str) -> String {
        let problem = body_of(content_type, body.as_bytes()).parse().unwrap_err();
        problem.into_response().into_body().into_string().await.unwrap()
    }

    #[tokio::test]
    async fn says_which_fields_cannot_be_used() {
        let json = Some("application/json");
        for (content_type, body, part) in [
            (json, "{}", r#"["body","markdown_text"],"msg":"Field required","type":"missing""#),
            (
                json,
                r#"{"repo":1,"branch":"b","markdown_text":"m"}"#,
                r#"["body","repo"],"msg":"Input should be a valid string","type":"string_type""#,
            ),
            (json, r#"{"repo":null,"branch":"b","markdown_text":"m"}"#, r#""type":"string_type""#),
            (json, r#"{"repo":"r","branch":"b","markdown_text":"m","filename":7}"#, r#"["body","filename"]"#),
            (json, "", r#"["body"],"msg":"Field required","type":"missing""#),
            (json, "{", "json_invalid"),
            (json, "[]", "model_attributes_type"),
            (json, r#""text""#, "model_attributes_type"),
            (json, r#"{"repo":{"a":[1]},"branch":[],"markdown_text":1e3}"#, r#"["body","branch"]"#),
            (json, r#"{"repo":"r","branch":"b","markdown_text":"m"} x"#, "json_invalid"),
            (json, r#"{"repo":"r","branch":"b","markdown_text":"m","more":[1,}"#, "json_invalid"),
            (Some("text/plain"), "{}", "Content-Type: application/json"),
            (None, "{}", "Content-Type: application/json"),
        ] {
            let issues = issues(content_type, body).await;
            assert!(issues.contains(part), "{body}: {issues}");
        }
    }

    #[test]
    fn accepts_every_media_type_of_json() {
        let body = br#"{"repo":"r","branch":"b","markdown_text":"m","filename":null,"more":1}"#;
        for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.x+json"] {
            let read = body_of(Some(content_type), body).parse().unwrap();
            assert_eq!((read.repo.as_str(), read.filename), ("r", None));
        }
    }
}
