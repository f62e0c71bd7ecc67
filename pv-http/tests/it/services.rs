//! The API and the page's service on real sockets, over one root.

use std::{net::SocketAddr, sync::Arc};

use camino::Utf8PathBuf;
use pv_http::{ApiSettings, Bound, BoundPage, UiSettings, api_client};
use pv_lib::{
    config::Secret,
    fs::OsFs,
    layout::{InboxMode, Layout},
    store::{Store, StoreLimits},
};
use reqwest::{Client, Method, RequestBuilder};
use tokio::{sync::oneshot, task::JoinHandle};

/// The longest prompt that these services take.
pub(crate) const PROMPT_BYTES: u64 = 10_000;

pub(crate) struct Services {
    pub(crate) api: SocketAddr,
    pub(crate) page: SocketAddr,
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) stop_page: oneshot::Sender<()>,
    pub(crate) page_task: JoinHandle<()>,
    _stop_api: oneshot::Sender<()>,
    _root: tempfile::TempDir,
}

pub(crate) fn secret() -> Option<Secret> {
    Some(Secret::new("s3cret".into()))
}

impl Services {
    /// Starts both; the page's service forwards to this API.
    pub(crate) async fn start(api: ApiSettings, page: UiSettings) -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(root.path().to_owned()).unwrap();
        let layout = Layout::under(&path, InboxMode::MultiOwner);
        std::fs::create_dir_all(layout.inbox.join("o/r/main")).unwrap();
        let limits = StoreLimits { prompt_bytes: PROMPT_BYTES, disk_floor_bytes: Some(0) };
        let store = Store::new(Arc::new(OsFs), layout, limits, "host");
        let bound = Bound::new(ApiSettings { bind_port: 0, ..api }).await.unwrap();
        let api = bound.address();
        let (stop_api, stopped) = oneshot::channel::<()>();
        tokio::spawn(bound.run(store.clone(), async {
            let _ = stopped.await;
        }));
        let api_base = format!("http://{api}/api/v1");
        let (page, stop_page, page_task) =
            start_page(UiSettings { api_base, prompt_bytes: PROMPT_BYTES, ..page }).await;
        let client = api_client("http://").unwrap().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { api, page, store, client, stop_page, page_task, _stop_api: stop_api, _root: root }
    }

    /// Prepares a request to the page's service.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_to(self.page, method, path)
    }

    pub(crate) fn request_to(&self, service: SocketAddr, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{service}{path}"))
    }

    /// Prepares a submission.
    pub(crate) fn submit_to(&self, service: SocketAddr) -> RequestBuilder {
        self.request_to(service, Method::POST, "/api/v1/jobs").header("content-type", "application/json").body(PROMPT)
    }

    /// Returns how many jobs there are.
    pub(crate) fn jobs(&self) -> usize {
        self.store.run_ids().unwrap().len()
    }
}

pub(crate) const PROMPT: &str = r##"{"repo":"o/r","branch":"main","markdown_text":"# x\n"}"##;

/// Starts the page's service alone, on loopback.
pub(crate) async fn start_page(settings: UiSettings) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let settings = UiSettings { bind_host: "127.0.0.1".into(), bind_port: 0, ..settings };
    let bound = BoundPage::new(settings).await.unwrap();
    let address = bound.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let runs = tokio::spawn(async {
        let stopped = async {
            let _ = stopped.await;
        };
        bound.run(stopped).await.unwrap();
    });
    (address, stop, runs)
}
