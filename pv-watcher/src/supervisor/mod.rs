//! One job from its claim to its end.

pub(crate) mod sequence;

pub use sequence::{SuperviseError, supervise};
