//! Below any path: the same answers as at `/`, to the same people.

use pv_http::{ApiSettings, UiSettings};
use reqwest::Method;

use crate::services::{PROMPT, Services, secret};

#[tokio::test]
async fn c25_below_a_path_there_is_what_there_is_at_the_root() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    for service in [services.api, services.page] {
        for path in [
            "/",
            "/index.html",
            "/js/main.js",
            "/css/base.css",
            "/favicon.svg",
            "/docs/start.js",
            "/api/v1/jobs?limit=1",
        ] {
            let at_root = services.request_to(service, Method::GET, path).send().await.unwrap();
            assert_eq!(at_root.status(), 200, "{path}");
            let at_root = at_root.bytes().await.unwrap();
            for below in ["/pv", "/a/b-c/d", "/docs/pv", "/js"] {
                let found = services.request_to(service, Method::GET, &format!("{below}{path}")).send().await.unwrap();
                assert_eq!(
                    (found.status().as_u16(), found.bytes().await.unwrap()),
                    (200, at_root.clone()),
                    "{below}{path}"
                );
            }
        }
        let page = services.request_to(service, Method::GET, "/").send().await.unwrap().text().await.unwrap();
        let absolute = [r#"href="/"#, r#"src="/"#, r#"href="http"#, r#"src="http"#];
        assert!(absolute.iter().all(|link| !page.contains(link)), "every link is relative: {page}");
    }
}

#[tokio::test]
async fn c25_a_folder_without_its_slash_leads_a_browser_to_the_page_and_a_program_nowhere() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    let get = |path: &str| services.request(Method::GET, path);
    let redirected = get("/tools/pv").header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!((redirected.status().as_u16(), redirected.headers()["location"].to_str().unwrap()), (307, "./pv/"));
    for (path, accept) in [("/tools/pv", "*/*"), ("/tools/pv.js", "text/html"), ("/metrics", "text/html")] {
        assert_eq!(get(path).header("accept", accept).send().await.unwrap().status(), 404, "{path}");
    }
    let posted = services.request(Method::POST, "/tools/pv").header("accept", "text/html").send().await.unwrap();
    assert_ne!(posted.status(), 307);
}

#[tokio::test]
async fn c25_below_a_path_nobody_may_do_more() {
    let with_token = ApiSettings { token: secret(), ..ApiSettings::default() };
    let services = Services::start(with_token, UiSettings::default()).await;
    for service in [services.api, services.page] {
        for path in ["/pv/api/v1/jobs", "/docs/api/v1/status", "/pv/js/api/v1/config", "/api/v1/api/v1/jobs"] {
            let bare = services.request_to(service, Method::GET, path).send().await.unwrap();
            assert_eq!(bare.status(), 401, "{path}");
        }
        let submit = || {
            let request = services.request_to(service, Method::POST, "/pv/api/v1/jobs");
            request.header("content-type", "application/json").body(PROMPT)
        };
        assert_eq!(submit().send().await.unwrap().status(), 401);
        for (name, value, status) in [
            ("origin", "http://evil.example", 403),
            ("sec-fetch-site", "cross-site", 403),
            ("host", "evil.example", 421),
        ] {
            let refused = submit().bearer_auth("s3cret").header(name, value).send().await.unwrap();
            assert_eq!(refused.status(), status, "{name}: {value}");
        }
        assert_eq!(submit().bearer_auth("s3cret").send().await.unwrap().status(), 201);
        let metrics = services.request_to(service, Method::GET, "/pv/metrics").send().await.unwrap();
        assert_eq!(metrics.status(), 404, "it is no part of the page");
    }
    // Through a proxy, the page's service shows only.
    let proxied = services.request(Method::POST, "/pv/api/v1/jobs").header("x-forwarded-for", "192.0.2.7").body(PROMPT);
    assert_eq!(proxied.bearer_auth("s3cret").send().await.unwrap().status(), 403);
    for path in ["/pv/api/v1/../../metrics", "/pv/%2e%2e/metrics", "/pv/../Cargo.toml", "/pv//etc/passwd"] {
        let answer = services.request(Method::GET, path).send().await.unwrap();
        assert!(matches!(answer.status().as_u16(), 401 | 404), "{path}: {}", answer.status());
    }
    assert_eq!(services.jobs(), 2);
}
