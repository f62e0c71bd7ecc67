//! The documented HTTP API of Prompt Valet, over `pv_lib`.
//!
//! A thin shell: an operation reads its parameters, calls one function of the library off the async runtime, and
//! renders the result. It never edits a record and never takes a lock.
//!
//! [`app`] is the whole service as an endpoint, for tests and for embedding; [`Bound`] serves it on a socket; [`serve`]
//! is both in one call. [`BoundPage`] serves the page of `ui/` on a port of its own. [`openapi_json`] is the
//! description that clients are generated from; `openapi/prompt-valet.json` is a copy of it, which a test compares.
//!
//! The folders, from the lowest to the highest; each uses only those before it, which a test checks
//! (`pv-lib/tests/it/structure/`):
//!
//! - `openapi`: the shapes of requests and responses, their description, and `problem.rs`, where errors become
//!   statuses;
//! - `context.rs`: the store, the settings, the clock, and blocking work off the async runtime;
//! - `query`: the job index behind lists, cursors, parameters, ranges;
//! - `client.rs`: clients of an API, for the page's service and the command line;
//! - `access`: the policy that every request is checked by, host names, the token;
//! - `server`: the accept loop, and limits of connections, peers, writes, bodies and descriptors;
//! - `streams`: the event log with its change detector, and log streams, as server-sent events;
//! - `state.rs`: the parts of one service;
//! - `api`: the operations; `metrics.rs`: `/metrics`;
//! - `page`: the page's service, its files and `/docs`, and the proxy that forwards to the API;
//! - `app.rs` and `service.rs`: all of it together.

mod access;
mod api;
mod app;
mod client;
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
pub use client::{NoCertificates, api_client, tls_problem};
pub use page::{BoundPage, page_app};
pub use server::ServeError;
pub use service::{Bound, serve};
pub use settings::{ApiSettings, Installation, UiSettings};
pub use state::AppState;
