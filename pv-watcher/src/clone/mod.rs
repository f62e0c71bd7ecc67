//! The clone in which a person stands: what is known of it, which repository and branch a job there is for, and how an
//! installation gets to know it.
//!
//! Everything is asked of git in machine-readable form ([`find_clone`]) and becomes a value, [`FoundClone`]; what follows
//! from it is decided without I/O ([`decide`]). The clone's files, its index and its HEAD are never written.

mod decide;
mod find;
mod found;
mod names;
mod register;
mod start;

pub use decide::{Decision, Wish, decide};
pub use find::find_clone;
pub use found::{CloneKind, Dirty, FoundClone, FoundRemote, NoClone, Upstream};
pub use register::{RegisterError, Registered, is_of_this_user, name_clone, register_clone, usual_name};
pub use start::{LocalWork, take_local_start};
