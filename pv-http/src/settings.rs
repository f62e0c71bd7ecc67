//! The settings of the API and of the page's service: values only, so that tests can use their own clock and ids.

use std::{fmt::Debug, sync::Arc, time::Duration};

use pv_lib::{
    config::Secret,
    host,
    job::{JobId, Thresholds},
    time::Timestamp,
};
use serde_json::{Map, Value};

/// What the program around the API knows of its installation.
pub trait Installation: Debug + Send + Sync {
    /// Returns the body of `GET /config`: every setting with its value and origin, the agents, and what a checkup finds
    /// now. Holds no secret, and nothing that agents are called with. May take as long as the disk does.
    fn describe(&self) -> Map<String, Value>;
}

/// The settings of the API.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The address to bind: an IP address or a host name.
    pub bind_host: String,
    /// The port to bind; 0 takes any free one.
    pub bind_port: u16,
    /// Whether an address beyond loopback may be bound (`PV_ALLOW_INSECURE_BIND`).
    pub allow_insecure_bind: bool,
    /// The token that everything but `/healthz`, the description and the page's own files needs, if there is one.
    pub token: Option<Secret>,
    /// The name of this host, which requests may name as `Host`.
    pub host_name: String,
    /// Further names that requests may name, with or without a port (`PV_ALLOWED_HOSTS`).
    pub allowed_hosts: Vec<String>,
    /// After how long without a heartbeat or output a job is stalled or quiet.
    pub thresholds: Thresholds,
    /// The version that `/healthz` returns.
    pub version: String,
    /// The commit that the program was built from, where that is known.
    pub commit: Option<String>,
    /// How many connections may be open at once; further clients wait a little, and then get 503. Three quarters of them
    /// may be streams. Fewer are used where the system grants fewer descriptors.
    pub max_connections: usize,
    /// How many requests may use the disk at once; further ones wait for their turn. Fewer may where the system grants
    /// fewer descriptors.
    pub max_disk_requests: usize,
    /// The installation that this service is part of, if it is part of one.
    pub installation: Option<Arc<dyn Installation>>,
    /// Returns the present time.
    pub clock: fn() -> Timestamp,
    /// Mints the id of a new job.
    pub mint: fn() -> JobId,
}

impl Default for ApiSettings {
    /// `127.0.0.1:8888`, no token, the default thresholds, this host's clock and ids, 8192 connections, 64 requests
    /// on the disk.
    fn default() -> Self {
        Self {
            bind_host: "127.0.0.1".into(),
            bind_port: 8888,
            allow_insecure_bind: false,
            token: None,
            host_name: host::name(),
            allowed_hosts: Vec::new(),
            thresholds: Thresholds::default(),
            version: env!("CARGO_PKG_VERSION").into(),
            commit: None,
            max_connections: 8192,
            max_disk_requests: 64,
            installation: None,
            clock: host::now,
            mint: host::new_job_id,
        }
    }
}

/// The settings of the page's service.
#[derive(Debug, Clone)]
pub struct UiSettings {
    /// The address to bind: an IP address or a host name.
    pub bind_host: String,
    /// The port to bind; 0 takes any free one.
    pub bind_port: u16,
    /// Where the API's calls are, such as `http://127.0.0.1:8888/api/v1`.
    pub api_base: String,
    /// How long the API may take until its response begins.
    pub api_timeout: Duration,
    /// The longest prompt that the API takes, in bytes.
    pub prompt_bytes: u64,
    /// The name of this host, which requests may name as `Host`.
    pub host_name: String,
    /// Further names that requests may name, with or without a port (`PV_ALLOWED_HOSTS`).
    pub allowed_hosts: Vec<String>,
    /// The API's token, if this service has it: remote clients that send it may write.
    pub token: Option<Secret>,
    /// Whether all remote clients may write (`PV_UI_ALLOW_REMOTE_WRITE`).
    pub allow_remote_write: bool,
    /// How many connections may be open at once, as of the API. Each may take a second descriptor, to the API.
    pub max_connections: usize,
}

impl Default for UiSettings {
    /// Every address, port 8080, the API of this host, no token; remote clients may only read; 256
    /// connections.
    fn default() -> Self {
        Self {
            bind_host: "0.0.0.0".into(),
            bind_port: 8080,
            api_base: "http://127.0.0.1:8888/api/v1".into(),
            api_timeout: Duration::from_secs(5),
            prompt_bytes: 16 << 20,
            host_name: host::name(),
            allowed_hosts: Vec::new(),
            token: None,
            allow_remote_write: false,
            max_connections: 256,
        }
    }
}
