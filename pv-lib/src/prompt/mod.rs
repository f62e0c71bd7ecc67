//! The prompt: its text, its front matter, its file name, and its submission.
//!
//! A prompt is Markdown with optional YAML front matter. Its file name says how far it has come:
//! `demo.prompt.md` waits, `demo-<id>.running.md` is claimed, `demo.done.md` is over ([`classify`]).
//! Whatever submits a prompt builds a [`Submission`], which becomes a [`Draft`], ready to be written, or an error that
//! says what to change. [`check`] applies the same rules to a prompt that was dropped into the inbox by hand.

mod edit;
mod endings;
mod front_matter;
mod front_matter_error;
mod ignored;
mod name;
mod outline;
mod service_fields;
mod source;
mod splice;
mod submission;
mod title;
mod verification;

pub(crate) use edit::set_checks_only;
pub use front_matter::{Choices, Deliver, Parts, SERVICE_FIELDS_BYTES_MAX, Settings, choose, merge, settings, split};
pub use front_matter_error::{FrontMatterError, MAX_FRONT_MATTER_BYTES};
pub use ignored::{IgnoreReason, NameNotice, name_notice};
pub use name::{
    FinishedSuffix, InvalidFileName, MAX_NAME_BYTES, MAX_STEM_BYTES, NameKind, classify, dropped_name, finished_name,
    running_name, stem_of, waiting_name,
};
pub use service_fields::{ParsedServiceFields, ServiceFields};
pub use source::Source;
pub use submission::{Draft, ParsedPrompt, Submission, check};
pub use verification::{ATTEMPTS_MAX, CHECKS_MAX, VerificationChoice, is_check_name};
