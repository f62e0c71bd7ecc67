//! The documentation: the OpenAPI description, and Swagger UI, which works offline.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use poem::{Route, endpoint::BoxEndpoint, get, http::Method};
use poem_openapi::{
    OpenApi, OpenApiService,
    registry::{MetaApi, MetaMediaType, MetaResponse, MetaSecurityScheme, Registry},
    types::Type,
};
use pv_lib::{
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Limits, Store},
};
use tokio_util::sync::CancellationToken;

use super::schema;
use crate::{api, page::Asset, settings::ApiSettings, state::AppState};

const ABOUT: &str = "Hand Markdown prompts to coding agents, follow their work, stop it. \
    Every error is `{\"detail\": \"…\"}` with a sentence that says what to do; with status 422, `detail` is a list. \
    Times are RFC 3339 in UTC. Where the service was given a token, everything but `/healthz` and this \
    description needs it as `Authorization: Bearer TOKEN`. A `Host` by which the service does not go is refused with 421.";

/// What the description calls the token.
const TOKEN: &str = "token";
/// The one operation that needs none.
const OPEN_OPERATION: &str = "health";

/// Returns the documented operations.
pub(crate) fn service(state: &AppState) -> OpenApiService<impl OpenApi + 'static, ()> {
    OpenApiService::new(Guarded(api::all(state)), "Prompt Valet", env!("CARGO_PKG_VERSION"))
        .description(ABOUT)
        .license("MIT")
        .server("/api/v1")
}

/// Operations that may need the token, which their description tells.
struct Guarded<T>(T);

impl<T: OpenApi> OpenApi for Guarded<T> {
    fn meta() -> Vec<MetaApi> {
        let mut groups = T::meta();
        let operations = groups.iter_mut().flat_map(|group| &mut group.paths).flat_map(|path| &mut path.operations);
        for operation in operations.filter(|operation| operation.operation_id != Some(OPEN_OPERATION)) {
            operation.security = vec![HashMap::new(), HashMap::from([(TOKEN, Vec::new())])];
            operation.responses.responses.extend([
                refusal(401, "The service asks for a token, and this is none or another one"),
                refusal(403, "A page from elsewhere, or another host, may not do this"),
            ]);
        }
        groups
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        schema::Refused::register(registry);
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
        registry.create_security_scheme(TOKEN, scheme);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(routes);
    }
}

fn refusal(status: u16, description: &'static str) -> MetaResponse {
    let content = vec![MetaMediaType { content_type: "application/json", schema: schema::Refused::schema_ref() }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers: vec![] }
}

/// Returns the OpenAPI description, pretty-printed, as committed in `openapi/prompt-valet.json`. Touches nothing.
#[must_use]
pub fn openapi_json() -> String {
    pretty(&service(&nowhere()).spec())
}

/// A service over nothing, for its description.
fn nowhere() -> AppState {
    let layout = Layout::under("/srv/prompt-valet".into(), InboxMode::MultiOwner);
    let store = Store::new(Arc::new(OsFs), layout, Limits::default(), "");
    AppState::new(ApiSettings::default(), store, CancellationToken::new())
}

/// Returns JSON in its one committed form: indented, keys sorted, a newline at the end.
pub(crate) fn pretty(json: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    value.sort_all_objects();
    format!("{value:#}\n")
}

/// The description, and Swagger UI as files: a page without inline script or style, which a strict policy lets a browser
/// show.
///
/// The description is in one of the page's files too, since it is the same everywhere and says nothing of an installation: people read it
/// before they give a token.
#[derive(Debug)]
pub(crate) struct Docs {
    page: Asset,
    style: Asset,
    script: Asset,
    start: Asset,
    json: Asset,
    yaml: Asset,
}

impl Docs {
    /// Returns the documentation of this version's API, which is made once.
    pub(crate) fn of_this_version() -> &'static Self {
        static MADE: LazyLock<Docs> = LazyLock::new(Docs::make);
        &MADE
    }

    fn make() -> Self {
        let service = service(&nowhere());
        let all_in_one = service.swagger_ui_html();
        let part = |from, to| between(&all_in_one, from, to).to_owned();
        let spec = pretty(&service.spec());
        let start = format!(r##"SwaggerUIBundle({{ dom_id: "#ui", deepLinking: true, spec: {spec} }});"##);
        const CSS: &str = "text/css; charset=utf-8";
        const JS: &str = "text/javascript; charset=utf-8";
        Self {
            page: Asset::new("text/html; charset=utf-8", include_str!("docs.html")),
            style: Asset::new(CSS, part(r#"<style charset="UTF-8">"#, "</style>")),
            script: Asset::new(JS, part(r#"<script charset="UTF-8">"#, "</script>")),
            start: Asset::new(JS, start),
            json: Asset::new("application/json", spec),
            yaml: Asset::new("application/yaml", service.spec_yaml()),
        }
    }

    /// Adds the description to the API's calls.
    pub(crate) fn beside(&self, calls: Route) -> Route {
        calls.at("/openapi.json", get(self.json.clone())).at("/openapi.yaml", get(self.yaml.clone()))
    }

    /// Adds the page to a service, at `/docs`.
    pub(crate) fn at(&self, route: Route) -> Route {
        route
            .at("/docs", get(self.page.clone()))
            .at("/docs/", get(self.page.clone()))
            .at("/docs/swagger-ui.css", get(self.style.clone()))
            .at("/docs/swagger-ui.js", get(self.script.clone()))
            .at("/docs/start.js", get(self.start.clone()))
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).map_or("", |(_, rest)| rest);
    rest.split_once(to).map_or("", |(part, _)| part)
}

#[cfg(test)]
mod tests {
    use poem::test::TestClient;

    use super::*;

    #[tokio::test]
    async fn the_documentation_is_in_files_that_a_strict_policy_allows() {
        let client = TestClient::new(Docs::of_this_version().at(Route::new()));
        let read = async |path: &str| {
            let response = client.get(path).send().await;
            response.assert_status_is_ok();
            response.0.into_body().into_string().await.unwrap()
        };
        for path in ["/docs", "/docs/"] {
            let page = read(path).await;
            assert!(
                page.contains(r#"src="/docs/swagger-ui.js""#) && page.contains(r#"src="/docs/start.js""#),
                "{page}"
            );
            assert!(!page.contains("<style") && !page.contains("<script>") && !page.contains(" style="), "{page}");
        }
        assert!(read("/docs/swagger-ui.css").await.contains(".swagger-ui"));
        assert!(read("/docs/swagger-ui.js").await.contains("SwaggerUIBundle"));
        let start = read("/docs/start.js").await;
        assert!(start.contains(r#""openapi": "3.0.0""#), "{start}");
    }
}
