//! Hostile requests.

use poem::http::{HeaderName, HeaderValue, Method, Uri};
use serde_json::json;

use crate::fixture::{Fixture, answer};

const TEXTS: &[&str] = &[
    "",
    "'; DROP TABLE jobs; --",
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%00",
    "%ff%fe%fd",
    "%0d%0aSet-Cookie:%20a=b",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "\u{202e}evil",
    "-1",
    "99999999999999999999999999",
    "NaN",
    "[[[[[[[[",
    "a&b=c&a=d",
    "%%%",
    ".",
    "..",
    "CON",
    "\u{0}",
];

#[tokio::test]
async fn g27_two_hundred_hostile_requests_do_nothing() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({ "state": "failed" }));
    fixture.put_log("a", "x\n");
    let before = fixture.everything();
    let mut sent = 0;
    for text in TEXTS {
        let quoted: String = text
            .chars()
            .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
            .collect();
        let requests = [
            (Method::GET, format!("/api/v1/jobs/{quoted}"), String::new()),
            (Method::GET, format!("/api/v1/jobs/{quoted}/log/stream"), String::new()),
            (Method::GET, format!("/api/v1/jobs?state={quoted}&limit={quoted}&stalled={quoted}"), String::new()),
            (Method::GET, format!("/api/v1/jobs?repo={quoted}&branch={quoted}"), String::new()),
            (Method::GET, format!("/api/v1/jobs/a/log?lines={quoted}"), String::new()),
            (Method::POST, format!("/api/v1/jobs/{quoted}/abort"), (*text).to_owned()),
            (Method::POST, format!("/api/v1/jobs/{quoted}/retry"), (*text).to_owned()),
            (Method::POST, "/api/v1/jobs".into(), (*text).to_owned()),
            (
                Method::POST,
                "/api/v1/jobs".into(),
                json!({ "repo": text, "branch": text, "markdown_text": text, "filename": text }).to_string(),
            ),
            (
                Method::POST,
                "/api/v1/jobs".into(),
                json!({ "repo": "o/r", "branch": text, "markdown_text": "x" }).to_string(),
            ),
            (Method::POST, "/api/v1/jobs/upload".into(), format!("--XX\r\n{text}\r\n\r\n{text}\r\n--XX--")),
            (Method::PATCH, format!("/{quoted}"), (*text).to_owned()),
        ];
        for (method, path, body) in requests {
            let Ok(path) = path.parse::<Uri>() else { continue };
            let kind =
                if path.path().ends_with("upload") { "multipart/form-data; boundary=XX" } else { "application/json" };
            let mut request =
                fixture.client().request(method.clone(), path.to_string()).content_type(kind).body(body.clone());
            for header in ["last-event-id", "range", "x-forwarded-for", "cookie", "if-none-match"] {
                if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                    request = request.header(HeaderName::from_static(header), value);
                }
            }
            let answered = answer(request).await;
            assert!(answered.status.as_u16() < 500, "{method} {path} {body}: {answered:?}");
            assert_ne!(answered.status.as_u16(), 201, "{method} {path} {body}: {answered:?}");
            sent += 1;
        }
    }
    assert!(sent >= 200, "{sent} sent");
    assert_eq!(fixture.everything(), before, "nothing is written");
}

#[tokio::test]
async fn g31_deep_and_long_bodies_are_bounded() {
    let fixture = Fixture::new();
    for body in [
        "[".repeat(50_000),
        format!("{{\"repo\":{}1", "{\"a\":".repeat(10_000)),
        format!("{{{}}}", (0..5_000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")),
    ] {
        let request = fixture.client().post("/api/v1/jobs").content_type("application/json").body(body);
        assert_eq!(answer(request).await.status.as_u16(), 422);
    }
}
