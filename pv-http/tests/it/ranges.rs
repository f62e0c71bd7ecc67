//! Bytes of a log by `Range`.

use serde_json::json;

use crate::fixture::Fixture;

#[tokio::test]
async fn bytes_of_a_log_are_answered_as_they_are() {
    let fixture = Fixture::new();
    fixture.put_job("a", &json!({}));
    let log = b"one\ntw\xff\xc3\xa4\nend";
    fixture.put_log("a", log);
    fixture.put_job("empty", &json!({}));
    fixture.put_log("empty", "");
    for (id, query, range, status, content_range, body) in [
        ("a", "", "bytes=0-2", 206, Some("bytes 0-2/13"), &log[0..3]),
        ("a", "", "bytes=4-", 206, Some("bytes 4-12/13"), &log[4..]),
        ("a", "", "bytes=-3", 206, Some("bytes 10-12/13"), &log[10..]),
        ("a", "", "bytes=7-7", 206, Some("bytes 7-7/13"), b"\xc3"),
        ("a", "", "bytes=12-999", 206, Some("bytes 12-12/13"), b"d"),
        ("a", "", "bytes=13-", 416, Some("bytes */13"), b""),
        ("a", "", "bytes=-0", 416, Some("bytes */13"), b""),
        ("empty", "", "bytes=0-", 416, Some("bytes */0"), b""),
        ("a", "?lines=1", "bytes=0-2", 200, None, b"end"),
        ("a", "", "bytes=5-2", 200, None, "one\ntw\u{fffd}ä\nend".as_bytes()),
        ("a", "", "bytes=0-1,3-4", 200, None, "one\ntw\u{fffd}ä\nend".as_bytes()),
        ("a", "", "lines=0-1", 200, None, "one\ntw\u{fffd}ä\nend".as_bytes()),
    ] {
        let request = fixture.client().get(format!("/api/v1/jobs/{id}/log{query}")).header("range", range);
        let response = request.send().await.0;
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            (response.status().as_u16(), header("content-range").as_deref()),
            (status, content_range),
            "{range}"
        );
        assert_eq!(header("accept-ranges").is_some(), status == 200, "{range}");
        let got = response.into_body().into_bytes().await.unwrap();
        if status == 416 {
            assert!(String::from_utf8_lossy(&got).contains("detail"), "{range}");
        } else {
            assert_eq!(&got[..], body, "{range}");
        }
    }
}
