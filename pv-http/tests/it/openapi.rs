//! The description: committed, complete, and true to the responses.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::{Value, json};

use crate::fixture::Fixture;

#[test]
fn the_committed_description_is_the_services() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openapi/prompt-valet.json");
    let current = pv_http::openapi_json();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == current,
        "openapi/prompt-valet.json is out of date: UPDATE_OPENAPI=1 cargo test -p pv-http --test it openapi"
    );
}

#[test]
fn references_stand_alone_as_client_generators_want_them() {
    assert!(!pv_http::openapi_json().contains("\"allOf\""), "a field of a documented type has a comment of its own");
}

#[test]
fn every_operation_has_an_id_a_summary_and_documented_errors() {
    let spec: Value = serde_json::from_str(&pv_http::openapi_json()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, methods) in spec["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(operation["summary"].is_string(), "{id} has no summary");
            let responses = operation["responses"].as_object().unwrap();
            assert!(id == "health" || responses.contains_key("500"), "{id} documents no errors");
            if path.contains("{job_id}") {
                assert!(responses.contains_key("404"), "{id} documents no 404");
            }
            for (status, response) in responses {
                assert!(!response["description"].as_str().unwrap_or_default().is_empty(), "{id} {status}");
            }
        }
    }
    let expected = [
        "abort_job",
        "config",
        "get_job",
        "get_job_last_message",
        "get_job_log",
        "get_job_patch",
        "get_job_prompt",
        "get_job_push_log",
        "health",
        "lift_hold",
        "list_holds",
        "list_jobs",
        "list_targets",
        "retry_job",
        "status",
        "stream_events",
        "stream_job_log",
        "submit_job",
        "upload_jobs",
    ];
    assert_eq!(
        ids,
        expected.map(String::from).into(),
        "an operation in another group of the same path is not described"
    );
}

/// What any request may meet, before an operation sees it, is described with every operation; and all errors have one
/// schema, since generators give each operation one type of error.
#[test]
fn every_operation_documents_what_any_request_may_meet() {
    let spec: Value = serde_json::from_str(&pv_http::openapi_json()).unwrap();
    for (path, methods) in spec["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            let mut wanted = vec!["403", "421", "503"];
            if operation["operationId"] != "health" {
                wanted.push("401");
            }
            if method == "post" {
                wanted.extend(["400", "408", "413"]);
            }
            for status in wanted {
                assert!(responses.contains_key(status), "{method} {path} documents no {status}");
            }
            for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/ErrorDetail", "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn media_types_are_named_without_parameters_and_limits_as_whole_numbers() {
    let text = pv_http::openapi_json();
    let spec: Value = serde_json::from_str(&text).unwrap();
    let log = &spec["paths"]["/jobs/{job_id}/log"]["get"]["responses"];
    for status in ["200", "206"] {
        let kinds: Vec<_> = log[status]["content"].as_object().unwrap().keys().collect();
        assert_eq!(kinds, ["text/plain"], "{status}");
    }
    assert!(!text.contains("charset"));
    assert!(text.contains("\"minimum\": 1") && !text.contains("\"minimum\": 1."), "some generators read no `1.0`");
}

#[tokio::test]
async fn the_description_is_served_in_both_forms() {
    let fixture = Fixture::new();
    let served = fixture.get("/api/v1/openapi.json").await;
    assert_eq!(served.text(), pv_http::openapi_json());
    assert_eq!(served.json()["servers"], json!([{ "url": "/api/v1" }]));
}

#[tokio::test]
async fn the_yaml_says_what_the_json_says() {
    let fixture = Fixture::new();
    let yaml = fixture.get("/api/v1/openapi.yaml").await;
    assert_eq!(yaml.content_type, "application/yaml");
    assert!(
        yaml.text().contains("\nopenapi: 3.0.0\n") || yaml.text().contains("\nopenapi: \"3.0.0\"\n"),
        "{}",
        yaml.text()
    );
    let read: Value = serde_saphyr::from_str(yaml.text()).unwrap();
    assert_eq!(read, fixture.get("/api/v1/openapi.json").await.json());
}

/// Every key of a response is documented, with its type.
#[tokio::test]
async fn answers_have_the_documented_shape() {
    let fixture = Fixture::new();
    let posted = fixture.submit(&json!({ "repo": "o/r", "branch": "main", "markdown_text": "# x\n" })).await.json();
    fixture.put_job(
        "b",
        &json!({ "state": "failed", "reason": "exit", "exit_code": 3, "usage": { "tokens": 1 }, "pid": 7 }),
    );
    let spec: Value = serde_json::from_str(&pv_http::openapi_json()).unwrap();
    check(&spec, "SubmitReceipt", &posted);
    check(&spec, "Job", &fixture.get("/api/v1/jobs/b").await.json());
    check(&spec, "Status", &fixture.get("/api/v1/status").await.json());
    check(&spec, "HoldList", &crate::shapes::fixture().get("/api/v1/holds").await.json());
    check(&spec, "Health", &fixture.get("/api/v1/healthz").await.json());
    check(&spec, "TargetItem", &fixture.get("/api/v1/targets").await.json()[0]);
    check(
        &spec,
        "AbortReceipt",
        &fixture.post(&format!("/api/v1/jobs/{}/abort", posted["job_id"].as_str().unwrap())).await.json(),
    );
    check(&spec, "ErrorDetail", &fixture.get("/api/v1/jobs/none").await.json());
    let refused = fixture.get("/api/v1/jobs?limit=0").await.json();
    check(&spec, "ErrorDetail", &refused);
    check(&spec, "ValidationError", &refused["detail"][0]);
}

/// The earlier service wrote null where there was nothing, and numbers of any size; such records are passed on as they are,
/// and clients that were generated must be able to read them.
#[tokio::test]
async fn records_of_the_earlier_service_have_the_documented_shape() {
    let fixture = Fixture::new();
    let spec: Value = serde_json::from_str(&pv_http::openapi_json()).unwrap();
    let derived = ["job_id", "state", "stalled", "quiet", "age_seconds", "abort_requested"];
    let keys = spec["components"]["schemas"]["Job"]["properties"].as_object().unwrap().keys();
    let nulls: serde_json::Map<_, _> =
        keys.filter(|key| !derived.contains(&key.as_str())).map(|key| (key.clone(), Value::Null)).collect();
    assert!(nulls.len() > 20, "{nulls:?}");
    fixture.put_job("20251205-1216-32", &json!({ "state": "succeeded", "pid": 4_294_967_297_i64 }));
    for state in ["succeeded", "running"] {
        let mut record = nulls.clone();
        record.insert("job_id".into(), state.into());
        record.insert("state".into(), state.into());
        fixture.fs.put(format!("/pv/runs/{state}/job.json"), Value::Object(record).to_string());
        check(&spec, "Job", &fixture.get(&format!("/api/v1/jobs/{state}")).await.json());
    }
    let list = fixture.get("/api/v1/jobs").await.json();
    assert_eq!(list["jobs"].as_array().unwrap().len(), 3);
    check(&spec, "JobList", &list);
}

/// A status with something of everything has every key that is documented, and no other.
#[tokio::test]
async fn a_status_has_every_documented_key() {
    let spec: Value = serde_json::from_str(&pv_http::openapi_json()).unwrap();
    let status = crate::shapes::fixture().get("/api/v1/status").await.json();
    check(&spec, "Status", &status);
    for (name, place) in [
        ("Status", ""),
        ("StatusConfig", "/config"),
        ("StatusJobs", "/jobs"),
        ("StatusTargets", "/targets"),
        ("StatusRoots", "/roots"),
        ("StatusWatcher", "/watcher"),
        ("Hold", "/watcher/holds/0"),
        ("StatusDisk", "/disk"),
        ("StatusUnusable", "/unusable"),
        ("StatusUnusableEntry", "/unusable/entries/0"),
        ("StatusKeptCheckout", "/kept_checkouts/0"),
        ("StatusMirrors", "/mirrors"),
        ("StatusMirror", "/mirrors/largest/0"),
    ] {
        let documented = spec["components"]["schemas"][name]["properties"].as_object().unwrap().keys();
        let sent = status.pointer(place).unwrap_or_else(|| panic!("no {place}")).as_object().unwrap().keys();
        assert_eq!(documented.collect::<BTreeSet<_>>(), sent.collect::<BTreeSet<_>>(), "{name}");
    }
}

fn check(spec: &Value, name: &str, answer: &Value) {
    let schema = &spec["components"]["schemas"][name];
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(
            !answer[required.as_str().unwrap()].is_null() || required == "owner",
            "{name} has no {required}: {answer}"
        );
    }
    for (key, value) in answer.as_object().unwrap() {
        let property = &schema["properties"][key];
        assert!(!property.is_null(), "{name}.{key} is not documented");
        let inner = |schema: &Value| schema["$ref"].as_str().and_then(|at| at.rsplit('/').next()).map(str::to_owned);
        if let Some(inner) = inner(property).filter(|_| value.is_object()) {
            check(spec, &inner, value);
        }
        if let Some(inner) = inner(&property["items"]) {
            value.as_array().into_iter().flatten().for_each(|item| check(spec, &inner, item));
        }
        let expected = match property["type"].as_str() {
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64() || value.is_i64(),
            Some("boolean") => value.is_boolean(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            _ => true,
        };
        assert!(expected || (value.is_null() && property["nullable"] == true), "{name}.{key} is {value}");
    }
}
