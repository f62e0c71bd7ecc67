//! The page below any path: a proxy may put a path before all of it, and pass that on.
//!
//! The page's own links are relative, so that they lead to where it is. A proxy that takes its path away again needs
//! nothing more. Where it does not, what comes before a path that is known here is taken away, whatever it is. Who may ask
//! is decided without the path, and what may be asked for by what is left.

use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response,
    http::{Method, StatusCode, Uri, header},
};

use super::{
    assets::is_page_file,
    docs::{DOCS_FILES, PREFIX},
};

/// How many folders deep the page's files lie, at most.
const FILE_PARTS_MAX: usize = 6;

/// Wraps an endpoint of the page, so that it answers below any path as it does at `/`.
pub(crate) fn below_any_path<E>(endpoint: E) -> impl Endpoint<Output = Response> + 'static
where
    E: Endpoint<Output = Response> + 'static,
{
    endpoint.around(async |endpoint, mut request: Request| {
        let path = request.uri().path();
        if let Some(folder) = folder_without_slash(path).filter(|_| is_for_a_person(&request)) {
            // Relative links would lead to where the page is not.
            let location = format!("./{folder}/");
            return Ok(StatusCode::TEMPORARY_REDIRECT.with_header(header::LOCATION, location).into_response());
        }
        let known = known_path(path);
        if known.len() < path.len()
            && let Some(uri) = with_path(request.uri(), known)
        {
            *request.uri_mut() = uri;
        }
        endpoint.call(request).await
    })
}

/// Returns the end of a path that is known here; all of it where none is.
fn known_path(path: &str) -> &str {
    let is_operation = |at: &usize| path[at + PREFIX.len()..].is_empty() || path[at + PREFIX.len()..].starts_with('/');
    if let Some((at, _)) = path.match_indices(PREFIX).find(|(at, _)| is_operation(at)) {
        return &path[at..];
    }
    if path.ends_with('/') && !path.ends_with("/docs/") {
        return &path[path.len() - 1..];
    }
    let parts = path.rmatch_indices('/').take(FILE_PARTS_MAX).map(|(at, _)| &path[at..]);
    // The longest: `docs/…` may be a folder above the page, too.
    let known = parts.filter(|end| is_page_file(&end[1..]) || DOCS_FILES.contains(end));
    known.last().unwrap_or(path)
}

/// Returns the last part of a path where that may be a folder with the page in it, written without its slash.
fn folder_without_slash(path: &str) -> Option<&str> {
    let (_, last) = path.rsplit_once('/')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
    let is_folder = !last.is_empty() && last.bytes().all(is_plain) && known_path(path) == path;
    let is_known = path.starts_with(PREFIX) || ["/docs", "/metrics"].contains(&path);
    (is_folder && !is_known).then_some(last)
}

/// Tells whether a browser asks for a page to show.
fn is_for_a_person(request: &Request) -> bool {
    let accepts_pages = request.header(header::ACCEPT).is_some_and(|accept| accept.contains("text/html"));
    matches!(*request.method(), Method::GET | Method::HEAD) && accepts_pages
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c25_what_a_proxy_puts_before_a_known_path_is_taken_away() {
        for (path, expected) in [
            ("/", "/"),
            ("/pv/", "/"),
            ("/a/b/c/", "/"),
            ("/pv/index.html", "/index.html"),
            ("/pv/js/main.js", "/js/main.js"),
            ("/pv/js/views/job/job.js", "/js/views/job/job.js"),
            ("/pv/js/views/job/none.js", "/pv/js/views/job/none.js"),
            ("/pv/css/base.css", "/css/base.css"),
            ("/favicon.svg", "/favicon.svg"),
            ("/pv/api/v1/jobs/a/log", "/api/v1/jobs/a/log"),
            ("/pv/api/v1", "/api/v1"),
            ("/api/v1/jobs/api/v1", "/api/v1/jobs/api/v1"),
            ("/api/v12/api/v1/jobs", "/api/v1/jobs"),
            ("/pv/api/v12", "/pv/api/v12"),
            ("/docs", "/docs"),
            ("/pv/docs", "/docs"),
            ("/pv/docs/", "/docs/"),
            ("/pv/docs/start.js", "/docs/start.js"),
            ("/docs/docs/start.js", "/docs/start.js"),
            ("/docs/js/main.js", "/js/main.js"),
            ("/docs/pv/", "/"),
            ("/metrics", "/metrics"),
            ("/pv/metrics", "/pv/metrics"),
            ("/pv/../Cargo.toml", "/pv/../Cargo.toml"),
            ("//etc/passwd", "//etc/passwd"),
            ("/xjs/main.js", "/xjs/main.js"),
        ] {
            assert_eq!(known_path(path), expected, "{path}");
        }
        let long = "/x".repeat(30_000) + "/js/main.js";
        assert_eq!(known_path(&long), "/js/main.js");
    }

    #[test]
    fn c25_a_folder_without_its_slash_is_one_that_is_not_known_otherwise() {
        for (path, folder) in [
            ("/pv", Some("pv")),
            ("/a/my-pv_1", Some("my-pv_1")),
            ("/", None),
            ("/pv/", None),
            ("/docs", None),
            ("/pv/docs", None),
            ("/metrics", None),
            ("/api/v1", None),
            ("/api/v1/jobs", None),
            ("/nope.js", None),
            ("/js/main.js", None),
            ("/%0d%0a", None),
            ("/a:b", None),
            ("/..", None),
            ("//evil", Some("evil")),
        ] {
            assert_eq!(folder_without_slash(path), folder, "{path}");
        }
    }
}
