//! A browser cannot be used against the services.

use pv_http::{ApiSettings, UiSettings};
use reqwest::Method;

use crate::services::{PROMPT, Services, secret};

/// One request, as a browser or a program may send it.
#[derive(Debug)]
struct Cell<'a> {
    host: (String, bool),
    origin: (Option<String>, bool),
    site: (Option<&'a str>, bool),
    content_type: Option<&'a str>,
    method: &'a Method,
}

impl Cell<'_> {
    /// Tells what should happen, by what each part is meant to be.
    fn should_pass(&self) -> bool {
        let right_method = match *self.method {
            Method::GET => true,
            Method::POST => self.content_type == Some("application/json"),
            _ => false,
        };
        self.host.1 && self.origin.1 && self.site.1 && right_method
    }
}

#[tokio::test]
async fn g28_only_the_allowed_cells_pass() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    for service in [services.api, services.page] {
        let port = service.port();
        let (mut cells, mut passed, mut submitted) = (0, 0, 0);
        let before = services.jobs();
        for host in [
            (format!("127.0.0.1:{port}"), true),
            (format!("localhost:{port}"), true),
            ("evil.example".to_owned(), false),
            (format!("127.0.0.1.evil.example:{port}"), false),
        ] {
            let same = format!("http://{}", host.0);
            for origin in [
                (None, true),
                (Some(same), true),
                (Some("http://evil.example".to_owned()), false),
                (Some("http://localhost:1".to_owned()), false),
                (Some("null".to_owned()), false),
            ] {
                for site in [
                    (None, true),
                    (Some("same-origin"), true),
                    (Some("none"), true),
                    (Some("same-site"), false),
                    (Some("cross-site"), false),
                ] {
                    for content_type in
                        [None, Some("application/json"), Some("text/plain"), Some("application/x-www-form-urlencoded")]
                    {
                        for method in [&Method::GET, &Method::POST, &Method::OPTIONS] {
                            let cell = Cell { host: host.clone(), origin: origin.clone(), site, content_type, method };
                            let mut request =
                                services.request_to(service, method.clone(), "/api/v1/jobs").header("host", &host.0);
                            for (name, value) in [
                                ("origin", origin.0.as_deref()),
                                ("sec-fetch-site", site.0),
                                ("content-type", content_type),
                            ] {
                                request =
                                    value.map_or(request.try_clone().unwrap(), |value| request.header(name, value));
                            }
                            if *method == Method::POST {
                                request = request.body(PROMPT);
                            }
                            let answer = request.send().await.unwrap();
                            let (status, headers) = (answer.status(), answer.headers().clone());
                            assert_eq!(status.is_success(), cell.should_pass(), "{status} for {cell:?}");
                            assert!(status.is_success() || status.is_client_error(), "{status} for {cell:?}");
                            let allows = |name: &str| name.starts_with("access-control");
                            assert!(!headers.keys().any(|name| allows(name.as_str())), "{cell:?}");
                            assert_eq!(headers["cross-origin-resource-policy"], "same-origin", "{cell:?}");
                            cells += 1;
                            passed += usize::from(status.is_success());
                            submitted += usize::from(status.as_u16() == 201);
                        }
                    }
                }
            }
        }
        // Two hosts, two origins and three sites: read with any content type, submit with one.
        assert_eq!((cells, passed, submitted), (1200, 2 * 2 * 3 * (4 + 1), 2 * 2 * 3));
        assert_eq!(services.jobs() - before, submitted, "what was refused made no job");
    }
}

#[tokio::test]
async fn g28_every_write_is_checked_alike() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    let posted: serde_json::Value =
        serde_json::from_slice(&services.submit_to(services.api).send().await.unwrap().bytes().await.unwrap()).unwrap();
    let id = posted["job_id"].as_str().unwrap();
    for service in [services.api, services.page] {
        for path in ["/jobs", "/jobs/upload", &format!("/jobs/{id}/abort"), &format!("/jobs/{id}/retry")] {
            for (name, value) in
                [("origin", "http://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
            {
                let request = services.request_to(service, Method::POST, &format!("/api/v1{path}")).header(name, value);
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 403, "{path} {name}: {value}");
            }
            let answer =
                services.request_to(service, Method::POST, &format!("/api/v1{path}")).header("host", "evil.example");
            assert_eq!(answer.send().await.unwrap().status(), 421, "{path}");
        }
    }
    assert!(!services.store.abort_requested(&id.parse().unwrap()).unwrap(), "no abort was requested");
    assert_eq!(services.jobs(), 1);
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let services = Services::start(ApiSettings::default(), UiSettings::default()).await;
    for service in [services.api, services.page] {
        for (path, status) in
            [("/", 200), ("/docs", 200), ("/docs/start.js", 200), ("/api/v1/jobs", 200), ("/nope", 404)]
        {
            let answer = services.request_to(service, Method::GET, path).send().await.unwrap();
            let headers = answer.headers();
            assert_eq!(answer.status(), status, "{path}");
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(headers[name], value, "{path}");
            }
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(headers.get_all("content-security-policy").iter().count(), 1, "{path}");
            let cached = if path.starts_with("/api") || path == "/nope" { "no-store" } else { "no-cache" };
            assert_eq!(headers["cache-control"], cached, "{path}");
        }
    }
}

#[tokio::test]
async fn with_a_token_set_everything_but_health_description_and_page_needs_it() {
    let with_token = || ApiSettings { token: secret(), ..ApiSettings::default() };
    // The page's service only forwards the token, and need not have it.
    let services = Services::start(with_token(), UiSettings::default()).await;
    for service in [services.api, services.page] {
        for (path, is_open) in [
            ("/", true),
            ("/docs", true),
            ("/docs/start.js", true),
            ("/api/v1/healthz", true),
            ("/api/v1/jobs", false),
            ("/api/v1/status", false),
            ("/api/v1/targets", false),
            ("/api/v1/holds", false),
            ("/api/v1/events", false),
            ("/api/v1/config", false),
            ("/api/v1/openapi.json", true),
            ("/api/v1/openapi.yaml", true),
            ("/api/v1/openapi.json/", false),
            ("/api/v1/nope", false),
            ("/metrics", service == services.page),
            ("/api/v1/healthz/", false),
            ("/api/v1/jobs/healthz", false),
        ] {
            let bare = services.request_to(service, Method::GET, path).send().await.unwrap();
            assert_eq!(bare.status() != 401, is_open, "{path}: {}", bare.status());
            for wrong in ["Bearer secret", "Bearer ", "Basic s3cret", "s3cret"] {
                let refused = services
                    .request_to(service, Method::GET, path)
                    .header("authorization", wrong)
                    .send()
                    .await
                    .unwrap();
                assert_eq!(refused.status() != 401, is_open, "{path}, {wrong}: a wrong token is never anonymous");
            }
            if !is_open {
                assert!(bare.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"), "{path}");
                let detail = bare.text().await.unwrap();
                assert!(detail.contains("PV_API_TOKEN_FILE") && !detail.contains("s3cret"), "{detail}");
                let right = services.request_to(service, Method::GET, path).bearer_auth("s3cret").send().await.unwrap();
                assert_ne!(right.status(), 401, "{path}");
            }
        }
        assert_eq!(services.submit_to(service).send().await.unwrap().status(), 401);
        assert_eq!(services.submit_to(service).bearer_auth("s3cret").send().await.unwrap().status(), 201);
    }
    assert_eq!(services.jobs(), 2);
}

#[tokio::test]
async fn requests_through_a_proxy_read_and_write_by_token_or_setting_only() {
    let token = || UiSettings { token: secret(), ..UiSettings::default() };
    let open = || UiSettings { allow_remote_write: true, ..UiSettings::default() };
    for (settings, without_token, with_token) in
        [(UiSettings::default(), 403, 403), (token(), 403, 201), (open(), 201, 201)]
    {
        let services = Services::start(ApiSettings::default(), settings).await;
        let send_proxied = |request: reqwest::RequestBuilder| request.header("x-forwarded-for", "10.0.0.9").send();
        let read = send_proxied(services.request(Method::GET, "/api/v1/jobs")).await.unwrap();
        assert_eq!(read.status(), 200);
        let bare = send_proxied(services.submit_to(services.page)).await.unwrap();
        assert_eq!(bare.status(), without_token);
        if without_token == 403 {
            let detail = bare.text().await.unwrap();
            assert!(detail.contains("PV_API_TOKEN_FILE") && detail.contains("PV_UI_ALLOW_REMOTE_WRITE"), "{detail}");
        }
        let wrong = send_proxied(services.submit_to(services.page).bearer_auth("wrong")).await.unwrap();
        assert_eq!(wrong.status(), without_token, "a token that is not compared allows nothing");
        assert_eq!(
            send_proxied(services.submit_to(services.page).bearer_auth("s3cret")).await.unwrap().status(),
            with_token
        );
        assert_eq!(services.submit_to(services.page).send().await.unwrap().status(), 201, "from this host");
    }
}
