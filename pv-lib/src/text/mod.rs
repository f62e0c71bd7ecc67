//! Text from elsewhere, made safe to show: one list of invisible characters, one way to show them, URLs without
//! credentials.

mod credentials;
mod log_text;
mod visible;

pub use credentials::without_credentials;
pub use log_text::LogText;
pub use visible::{changes_direction, is_invisible, one_line, source_line, without_invisible};
