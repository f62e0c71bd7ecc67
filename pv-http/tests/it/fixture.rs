//! A service over a disk in memory, with its own clock and ids.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use poem::{
    Endpoint, EndpointExt, Response,
    endpoint::BoxEndpoint,
    http::StatusCode,
    test::{TestClient, TestRequestBuilder},
};
use pv_http::{ApiSettings, AppState, app};
use pv_lib::{
    fs::{FsExt, MemFs},
    job::JobId,
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
    time::Timestamp,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// 2026-01-31T12:00:00Z, which it always is here.
pub(crate) const NOW: i64 = 1_769_860_800;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW)
}

pub(crate) fn mint() -> JobId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:032x}", NEXT.fetch_add(1, Ordering::Relaxed)).parse().unwrap()
}

pub(crate) fn settings() -> ApiSettings {
    ApiSettings { version: "1.2.3".into(), commit: Some("abcdef1".into()), clock: now, mint, ..ApiSettings::default() }
}

pub(crate) struct Fixture {
    pub(crate) fs: Arc<MemFs>,
    pub(crate) store: Store,
    pub(crate) stop: CancellationToken,
    client: TestClient<BoxEndpoint<'static, Response>>,
}

/// Returns a client whose `Host` is one of the service.
pub(crate) fn client(app: impl Endpoint<Output = Response> + 'static) -> TestClient<BoxEndpoint<'static, Response>> {
    TestClient::new(app.boxed()).default_header("host", "127.0.0.1:8888")
}

/// A response that was read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.content_type, "application/json", "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Fixture {
    /// An inbox with three targets, and no jobs. Everything on the disk has been there for a while.
    pub(crate) fn new() -> Self {
        Self::with_limits(StoreLimits { prompt_bytes: 10_000, disk_floor_bytes: None })
    }

    pub(crate) fn with_limits(limits: StoreLimits) -> Self {
        let fs = Arc::new(MemFs::new());
        fs.set_now(Timestamp::from_unix_seconds(NOW - 1000));
        let layout = Layout::under("/pv".into(), InboxMode::MultiOwner);
        for target in ["o/r/main", "o/other/main", "p/r/dev", "p/twin/main", "o/twin/main"] {
            fs.put_dir(layout.inbox.join(target));
        }
        fs.put_dir(&layout.runs);
        let store = Store::new(fs.clone(), layout, limits, "host");
        let stop = CancellationToken::new();
        let state = AppState::new(settings(), store.clone(), stop.clone());
        Self { fs, store, stop, client: client(app(&state)) }
    }

    pub(crate) fn client(&self) -> &TestClient<impl Endpoint + use<>> {
        &self.client
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.client.get(path)).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        answer(self.client.post(path)).await
    }

    pub(crate) async fn submit(&self, body: &Value) -> Answer {
        answer(self.client.post("/api/v1/jobs").content_type("application/json").body(body.to_string())).await
    }

    /// Writes a record as somebody else would.
    pub(crate) fn put_job(&self, id: &str, fields: &Value) {
        let mut record = json!({
            "schema_version": 1, "job_id": id, "state": "running", "git_owner": "o", "repo_name": "r",
            "branch_name": "main", "created_at": "2026-01-31T11:59:00Z", "heartbeat_at": "2026-01-31T11:59:59Z",
        });
        record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.fs.put(self.store.layout().runs.join(id).join("job.json"), record.to_string());
    }

    pub(crate) fn put_log(&self, id: &str, log: impl AsRef<[u8]>) {
        self.fs.put(self.store.layout().runs.join(id).join("job.log"), log);
    }

    /// Returns every file on the disk with its contents, to compare.
    pub(crate) fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let read = |path: camino::Utf8PathBuf| (path.to_string(), self.fs.read(&path, 1 << 20).unwrap_or_default());
        self.fs.files().into_iter().map(read).collect()
    }
}

pub(crate) async fn answer<E: Endpoint>(request: TestRequestBuilder<'_, E>) -> Answer {
    let response = request.send().await.0;
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (content_type, location) = (header("content-type").unwrap_or_default(), header("location"));
    let status = response.status();
    let body = tokio::time::timeout(std::time::Duration::from_secs(20), response.into_body().into_bytes());
    Answer { status, content_type, location, body: body.await.expect("a body that ends").unwrap().to_vec() }
}
