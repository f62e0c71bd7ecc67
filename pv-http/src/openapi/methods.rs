//! Which methods a path of the API has: what `Allow` says to a request with another one.

use poem::http::HeaderValue;
use serde_json::Value;

/// The methods of every path, as the description names them.
#[derive(Debug)]
pub(super) struct Methods(Vec<(String, HeaderValue)>);

impl Methods {
    /// Reads the paths of a description.
    pub(super) fn of(description: &Value) -> Self {
        let paths = description["paths"].as_object().into_iter().flatten();
        let mut methods: Vec<_> = paths.map(|(path, operations)| (path.clone(), allow(operations))).collect();
        // A path is matched by its most literal template, as the router does.
        methods.sort_by_key(|(path, _)| path.matches('{').count());
        Self(methods)
    }

    /// Returns the value of `Allow` for a path below the API's; `None` where there is no such path.
    pub(super) fn allow(&self, path: &str) -> Option<&HeaderValue> {
        self.0.iter().find(|(template, _)| matches(template, path)).map(|(_, allow)| allow)
    }
}

/// Lists the methods of a path; whoever answers GET answers HEAD.
fn allow(operations: &Value) -> HeaderValue {
    let mut names: Vec<_> =
        operations.as_object().into_iter().flat_map(|methods| methods.keys()).map(|name| name.to_uppercase()).collect();
    if names.iter().any(|name| name == "GET") {
        names.push("HEAD".into());
    }
    names.sort_unstable();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    let is_match = wanted
        .by_ref()
        .zip(given.by_ref())
        .all(|(wanted, given)| if wanted.starts_with('{') { !given.is_empty() } else { wanted == given });
    is_match && template.matches('/').count() == path.matches('/').count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_path_has_the_methods_of_its_most_literal_template() {
        let (get, post, delete) = (json!({ "get": {} }), json!({ "post": {} }), json!({ "delete": {} }));
        let methods = Methods::of(&json!({ "paths": {
            "/jobs": { "get": {}, "post": {} },
            "/jobs/{job_id}": get, "/jobs/upload": post, "/jobs/{job_id}/abort": post, "/holds/{kind}/{scope}": delete,
        } }));
        for (path, allow) in [
            ("/jobs", Some("GET, HEAD, POST")),
            ("/jobs/upload", Some("POST")),
            ("/jobs/uploads", Some("GET, HEAD")),
            ("/jobs/a%2Fb", Some("GET, HEAD")),
            ("/jobs/a/abort", Some("POST")),
            ("/holds/auth/codex", Some("DELETE")),
            ("/jobs/", None),
            ("/jobs/a/b", None),
            ("/jobs/a/abort/", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(methods.allow(path).map(|allow| allow.to_str().unwrap()), allow, "{path}");
        }
    }
}
