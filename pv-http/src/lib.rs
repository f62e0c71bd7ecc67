//! The documented HTTP API of Prompt Valet, over `pv_lib`.
//!
//! A thin shell: an operation reads its values, calls one function of the library off the async runtime, and renders the
//! result. It never edits a record and never takes a lock.
//!
//! - [`app`] is the whole service as an endpoint, for tests and for embedding; [`Bound`] serves it on a socket, with
//!   limits that slow and greedy clients cannot wear down; [`serve`] is both in one call.
//! - `access/policy.rs` is the door that every request passes, `access/token.rs` the token behind it.
//! - [`BoundPage`] serves the page of `ui/` on a port of its own, and hands on to the API what the page asks
//!   (`page/proxy.rs`).
//! - Every refusal is made in `openapi/problem.rs`, where errors of the library become statuses.
//! - `query/job_index.rs` keeps lists fast, `streams/log_stream.rs` streams logs, `streams/sse.rs` frames their events.
//! - [`openapi_json`] is the documentation that clients are generated from; `openapi/prompt-valet.json` is a copy of it,
//!   which a test compares.

mod access;
mod api;
mod app;
mod context;
mod metrics;
mod openapi;
mod page;
mod query;
mod server;
mod service;
mod settings;
mod state;
mod streams;

pub use api::openapi_json;
pub use app::app;
pub use page::{BoundPage, page_app};
pub use server::ServeError;
pub use service::{Bound, serve};
pub use settings::{ApiSettings, Installation, UiSettings};
pub use state::AppState;
