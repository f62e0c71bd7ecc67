//! The documentation for people: the OpenAPI description in Swagger UI, which works offline.

use std::sync::LazyLock;

use poem::{Endpoint, Request, Route, endpoint::make_sync, get, http::HeaderValue};

use super::assets::Asset;
use crate::{api, openapi::Description};

const SWAGGER_UI_JS: &str = include_str!("../../vendor/swagger-ui/swagger-ui-bundle.js");
/// What shows the description. The operations are beside this page, whatever a proxy puts before both.
const START: &str = r##"const spec = SPEC;
const folder = new URL(location.pathname.endsWith("/") ? ".." : ".", location.href);
spec.servers = [{ url: new URL("api/v1", folder).pathname }];
SwaggerUIBundle({ dom_id: "#ui", deepLinking: true, spec });
"##;
const SWAGGER_UI_CSS: &str = include_str!("../../vendor/swagger-ui/swagger-ui.css");

/// The page with the description, and its files.
pub(super) const DOCS_FILES: [&str; 5] =
    ["/docs", "/docs/", "/docs/swagger-ui.css", "/docs/swagger-ui.js", "/docs/start.js"];
/// The path of the API's operations, the same at the page's service.
pub(super) const PREFIX: &str = "/api/v1";

/// The methods of everything that is only read.
pub(super) const READ_ONLY: HeaderValue = HeaderValue::from_static("GET, HEAD");

/// The description, and Swagger UI as files: a page without inline script or style, as the content security policy of
/// every response demands.
///
/// The description is in one of the page's files too, so that people read it before they have a token: it is the same
/// everywhere, and says nothing of an installation.
#[derive(Debug)]
pub(crate) struct Docs {
    /// At `/docs`, and with its links relative to `/docs/`.
    pages: [Asset; 2],
    style: Asset,
    script: Asset,
    start: Asset,
    json: Asset,
    yaml: Asset,
    description: Description,
}

impl Docs {
    /// Returns the documentation of this version's API, which is built when it is first asked for: a service that nobody asks
    /// for it starts sooner, and takes less memory.
    fn current() -> &'static Self {
        static CURRENT: LazyLock<Docs> = LazyLock::new(Docs::build);
        &CURRENT
    }

    fn build() -> Self {
        let description = api::description();
        let spec = &description.json;
        let start = START.replace("SPEC", spec);
        const CSS: &str = "text/css; charset=utf-8";
        const JS: &str = "text/javascript; charset=utf-8";
        Self {
            pages: ["docs/", ""].map(|folder| {
                Asset::new("text/html; charset=utf-8", include_str!("docs.html").replace("FOLDER/", folder))
            }),
            style: Asset::new(CSS, SWAGGER_UI_CSS),
            script: Asset::new(JS, SWAGGER_UI_JS),
            start: Asset::new(JS, start),
            json: Asset::new("application/json", spec.clone()),
            yaml: Asset::new("application/yaml", description.yaml.clone()),
            description,
        }
    }

    /// Adds the description to the API's operations.
    pub(crate) fn add_description(operations: Route) -> Route {
        operations.at("/openapi.json", get(file(|docs| &docs.json))).at("/openapi.yaml", get(file(|docs| &docs.yaml)))
    }

    /// Returns the value of `Allow` for a path of the API, with its prefix; `None` where the API has no such path.
    pub(crate) fn allow(path: &str) -> Option<HeaderValue> {
        let path = path.strip_prefix(PREFIX)?;
        match path {
            "/openapi.json" | "/openapi.yaml" => Some(READ_ONLY),
            path => Self::current().description.allow(path).cloned(),
        }
    }

    /// Adds the page to a service, at `/docs`.
    pub(crate) fn add_page(route: Route) -> Route {
        let files: [fn(&Self) -> &Asset; DOCS_FILES.len()] =
            [|docs| &docs.pages[0], |docs| &docs.pages[1], |docs| &docs.style, |docs| &docs.script, |docs| &docs.start];
        DOCS_FILES.into_iter().zip(files).fold(route, |route, (path, of)| route.at(path, get(file(of))))
    }
}

/// Answers with one of the documentation's files.
fn file(of: fn(&Docs) -> &Asset) -> impl Endpoint + 'static {
    make_sync(move |request: Request| of(Docs::current()).respond(&request))
}

#[cfg(test)]
mod tests {
    use poem::test::TestClient;

    use super::*;

    #[tokio::test]
    async fn the_documentation_is_in_files_that_the_content_security_policy_allows() {
        let client = TestClient::new(Docs::add_page(Route::new()));
        let read = async |path: &str| {
            let response = client.get(path).send().await;
            response.assert_status_is_ok();
            response.0.into_body().into_string().await.unwrap()
        };
        for (path, folder) in [("/docs", "docs/"), ("/docs/", "")] {
            let page = read(path).await;
            for file in ["src=\"FOLDERswagger-ui.js\"", "src=\"FOLDERstart.js\"", "href=\"FOLDERswagger-ui.css\""] {
                assert!(page.contains(&file.replace("FOLDER", folder)), "{path}: {page}");
            }
            assert!(!page.contains("<style") && !page.contains("<script>") && !page.contains(" style="), "{page}");
        }
        assert!(read("/docs/swagger-ui.css").await.contains(".swagger-ui"));
        assert!(read("/docs/swagger-ui.js").await.contains("SwaggerUIBundle"));
        let start = read("/docs/start.js").await;
        assert!(start.contains(r#""openapi": "3.0.0""#), "{start}");
    }
}
