//! The page's service: its files, and what it passes to the API.

mod assets;
mod docs;
mod proxy;
mod service;

pub use service::{BoundPage, page_app};

pub(crate) use assets::Assets;
pub(crate) use docs::Docs;
