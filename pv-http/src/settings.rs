//! What the service is told: values only, so that tests can give it their own clock and ids.

use pv_lib::{
    host,
    job::{JobId, Thresholds},
    time::Timestamp,
};

/// The settings of the service.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The address to bind: an IP address or a host name.
    pub bind_host: String,
    /// The port to bind; 0 takes any free one.
    pub bind_port: u16,
    /// Whether an address beyond loopback may be bound (`PV_ALLOW_INSECURE_BIND`).
    pub allow_insecure_bind: bool,
    /// After how long a silence counts.
    pub thresholds: Thresholds,
    /// The version that `/healthz` tells.
    pub version: String,
    /// How many connections may be open at once; further ones wait. Three quarters of them may be log streams. Fewer are
    /// used where the system grants fewer descriptors.
    pub max_connections: usize,
    /// Returns the present time.
    pub clock: fn() -> Timestamp,
    /// Mints the id of a new job.
    pub mint: fn() -> JobId,
}

impl Default for ApiSettings {
    /// `127.0.0.1:8888`, the default thresholds, this host's clock and ids, 2048 connections.
    fn default() -> Self {
        Self {
            bind_host: "127.0.0.1".into(),
            bind_port: 8888,
            allow_insecure_bind: false,
            thresholds: Thresholds::default(),
            version: env!("CARGO_PKG_VERSION").into(),
            max_connections: 2048,
            clock: host::now,
            mint: host::new_job_id,
        }
    }
}
