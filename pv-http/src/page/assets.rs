//! The page's files: those in `ui/`, which are part of the program.
//!
//! Only their names are answered, so no path of a request is ever looked up on a disk. A build for development reads
//! the files where they lie instead, to show a change at the next reload.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, OnceLock},
};

use hyper::body::Bytes;
use poem::{
    Endpoint, Request, Response,
    error::{MethodNotAllowedError, NotFoundError},
    http::{HeaderValue, Method, StatusCode, header},
};

/// The files that stood in `ui/` when this was compiled: name and contents.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));

/// What files are, by the end of their name.
const CONTENT_TYPES: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
    ("woff2", "font/woff2"),
];

/// A file that is answered as it is, or with 304 to a client that has it already.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    content_type: &'static str,
    bytes: Bytes,
    /// Made for the first request: the bytes of a file that nobody asks for stay on the disk.
    etag: Arc<OnceLock<HeaderValue>>,
}

impl Asset {
    /// Makes one with these contents.
    pub(crate) fn new(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self { content_type, bytes: bytes.into(), etag: Arc::default() }
    }

    /// Returns what tells these contents from others.
    fn etag(&self) -> &HeaderValue {
        self.etag.get_or_init(|| {
            let mut hasher = DefaultHasher::new();
            self.bytes.hash(&mut hasher);
            let etag = format!("\"{:x}-{:016x}\"", self.bytes.len(), hasher.finish());
            HeaderValue::from_str(&etag).unwrap_or(HeaderValue::from_static("\"\""))
        })
    }

    /// Answers a request for it.
    pub(crate) fn respond(&self, request: &Request) -> Response {
        let etag = self.etag();
        let is_cached = request.headers().get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, etag));
        let mut response = Response::builder()
            .content_type(self.content_type)
            // Revalidated each time, which costs a 304, so that a page never loads modules of another version.
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::ETAG, etag);
        if is_cached {
            response = response.status(StatusCode::NOT_MODIFIED);
            return response.finish();
        }
        response.body(self.bytes.clone())
    }
}

/// Tells whether a condition (`*`, or a list of tags, weak or strong) names this tag.
fn names(condition: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(condition), Ok(etag)) = (condition.to_str(), etag.to_str()) else { return false };
    let mut tags = condition.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// All files of the page, as an endpoint for the paths below `/`.
#[derive(Debug)]
pub(crate) struct Assets(HashMap<&'static str, Asset>);

impl Assets {
    /// Returns the files that are part of the program.
    pub(crate) fn new() -> Self {
        let asset = |(name, bytes): &(&'static str, &'static [u8])| (*name, Asset::new(content_type(name), *bytes));
        Self(FILES.iter().map(asset).collect())
    }

    fn get(&self, path: &str) -> Option<Asset> {
        let name = path.strip_prefix('/').unwrap_or(path);
        let name = if name.is_empty() { "index.html" } else { name };
        on_disk(name).or_else(|| self.0.get(name).cloned())
    }
}

impl Endpoint for Assets {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let asset = self.get(request.uri().path()).ok_or(NotFoundError)?;
        match *request.method() {
            Method::GET => Ok(asset.respond(&request)),
            Method::HEAD => {
                let mut response = asset.respond(&request);
                response.set_body(());
                Ok(response)
            }
            _ => Err(MethodNotAllowedError.into()),
        }
    }
}

/// Tells whether there is a file of the page of this name, such as `js/main.js`.
pub(super) fn is_page_file(name: &str) -> bool {
    FILES.binary_search_by(|(known, _)| (*known).cmp(name)).is_ok()
}

fn content_type(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    CONTENT_TYPES.iter().find(|(known, _)| *known == end).map_or("application/octet-stream", |(_, kind)| kind)
}

/// Reads a file as it is now, in builds for development.
#[cfg(debug_assertions)]
fn on_disk(name: &str) -> Option<Asset> {
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '%', '\0']);
    if !name.split('/').all(is_plain) {
        return None;
    }
    let bytes = std::fs::read(format!("{}/ui/{name}", env!("CARGO_MANIFEST_DIR"))).ok()?;
    Some(Asset::new(content_type(name), bytes))
}

#[cfg(not(debug_assertions))]
fn on_disk(_name: &str) -> Option<Asset> {
    None
}

#[cfg(test)]
mod tests {
    use poem::{EndpointExt, test::TestClient};

    use super::*;

    fn client() -> TestClient<impl Endpoint> {
        TestClient::new(poem::Route::new().at("/", Assets::new()).at("/*path", Assets::new()).boxed())
    }

    #[test]
    fn every_file_is_of_a_known_kind() {
        assert!(FILES.is_sorted_by_key(|(name, _)| *name) && FILES.iter().all(|(name, _)| is_page_file(name)));
        assert!(FILES.iter().any(|(name, _)| *name == "index.html"), "there is a page");
        for (name, _) in FILES {
            assert_ne!(content_type(name), "application/octet-stream", "{name}: add its kind to CONTENT_TYPES");
        }
    }

    #[tokio::test]
    async fn files_are_answered_by_name_and_nothing_else_is() {
        let client = client();
        for (name, bytes) in FILES {
            let response = client.get(format!("/{name}")).send().await;
            response.assert_content_type(content_type(name));
            response.assert_bytes(*bytes).await;
        }
        for path in ["/nope.js", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/..%2fCargo.toml", "//etc/passwd", "/."] {
            client.get(path).send().await.assert_status(StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test]
    async fn a_client_that_has_a_file_gets_304() {
        let client = client();
        let first = client.get("/").send().await;
        first.assert_content_type("text/html; charset=utf-8");
        let etag = first.0.headers()["etag"].to_str().unwrap().to_owned();
        for cached in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
            let response = client.get("/").header("if-none-match", &cached).send().await;
            response.assert_status(StatusCode::NOT_MODIFIED);
            response.assert_header("etag", &etag);
        }
        for other in ["\"x\"".into(), etag.trim_matches('"').to_owned(), String::new()] {
            client.get("/").header("if-none-match", other).send().await.assert_status_is_ok();
        }
        client.head("/").send().await.assert_header("etag", &etag);
        client.post("/").send().await.assert_status(StatusCode::METHOD_NOT_ALLOWED);
        client.post("/nope.js").send().await.assert_status(StatusCode::NOT_FOUND);
    }
}
