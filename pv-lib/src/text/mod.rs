//! Text from elsewhere, made safe to show: one list of invisible characters, one way to show them, URLs without
//! credentials.

mod credentials;
mod log_text;
mod visible;

pub use credentials::without_credentials;
pub use log_text::LogText;
pub use visible::{is_invisible, one_line, source_line, turns_text, without_invisible};
