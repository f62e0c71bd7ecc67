//! Text from elsewhere, made safe to show: one list of invisible characters, one way to show them, URLs without
//! credentials, words without what git hosts do because of them.

mod credentials;
mod host_actions;
mod log_text;
mod visible;

pub use credentials::without_credentials;
pub use host_actions::{is_host_reference, without_host_actions};
pub use log_text::LogText;
pub use visible::{changes_direction, is_invisible, one_line, source_line, without_invisible};
