//! The plain page at `/`: whether the service answers, and where its documentation is.

/// The page. It asks for nothing beyond this service.
pub(crate) const PAGE: &str = include_str!("ui.html");
