//! The documented HTTP API of Prompt Valet, over `pv_lib`.
//!
//! A thin shell: an operation reads its values, calls one function of the library off the async runtime, and renders the
//! result. It never edits a record and never takes a lock.
//!
//! - [`app`] is the whole service as an endpoint, for tests and for embedding; [`Bound`] serves it on a socket, with
//!   limits that slow and greedy clients cannot wear down; [`serve`] is both in one call.
//! - `guard.rs` is the door that every request passes, `token.rs` the token behind it.
//! - [`BoundPage`] serves the page of `ui/` on a port of its own, and hands on to the API what the page asks (`proxy.rs`).
//! - Every refusal is made in `problem.rs`, where errors of the library become statuses.
//! - `index.rs` keeps lists fast, `follow.rs` streams logs, `sse.rs` frames their events.
//! - [`openapi_json`] is the documentation that clients are generated from; `openapi/prompt-valet.json` is a copy of it,
//!   which a test compares.

mod api;
mod app;
mod assets;
mod body;
mod bound;
mod cursor;
mod descriptors;
mod docs;
mod feed;
mod fields;
mod follow;
mod guard;
mod hosts;
mod index;
mod metrics;
mod params;
mod patient;
mod payload;
mod peers;
mod problem;
mod proxy;
mod range;
mod reading;
mod schema;
mod serve;
mod settings;
mod sse;
mod state;
mod teller;
mod token;
mod ui;
mod wake;

pub use app::app;
pub use bound::{Bound, ServeError, serve};
pub use docs::openapi_json;
pub use settings::{ApiSettings, Installation, UiSettings};
pub use state::AppState;
pub use ui::{BoundPage, page_app};
