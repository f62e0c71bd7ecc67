//! The page's service: its files, the documentation, and the proxy to the API.
//!
//! Uses `access` and `server` as the API's service does, and of `api` only the description.

mod assets;
mod below;
mod docs;
mod errors;
mod proxy;
mod service;

pub use service::{BoundPage, page_app};

pub(crate) use assets::Assets;
pub(crate) use below::below_any_path;
pub(crate) use docs::Docs;
pub(crate) use errors::with_error_responses;
