//! Pull requests: asking a git host to take a branch that was pushed.
//!
//! [`Method::choose`] says how, from values alone. [`Rest`] asks the host's API itself; [`Gh`] builds the call of the
//! program `gh` and reads what it said, for whoever supervises processes. Both are safe to repeat, also after a crash: one
//! that is open for the same branches is found and used, and a second one is never made.
//!
//! The words come from the job and its agent, see [`Work`]. They are shown to people who have not asked for them, by a
//! host that acts on some of them, so that nothing in them mentions anybody, closes anything, or hides.

mod api;
mod extras;
#[cfg(feature = "testing")]
pub mod fake;
mod gh;
mod gh_login;
mod markdown;
mod method;
mod refusal;
mod request;
mod rest;
mod sanitize;
mod text;
mod token;
mod verified;

pub use extras::Extras;
pub use gh::{Gh, GhAnswer};
pub use gh_login::GhLogin;
pub use method::{Method, SkipReason};
pub use refusal::{Refusal, RestError};
pub use request::{Opened, PullRequest, page_address};
pub use rest::{Patience, Rest};
pub use text::Work;
pub use token::{TokenError, read_token};
pub use verified::Verified;
