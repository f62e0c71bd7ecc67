//! Connections and their limits: what slow and greedy clients cannot wear down.

mod accept;
mod bind;
mod body_limits;
mod fd_limit;
mod peer_limits;
mod write_timeout;

pub use bind::ServeError;

pub(crate) use accept::{ServeLimits, accept_loop};
pub(crate) use bind::bind;
pub(crate) use body_limits::BodyReader;
pub(crate) use fd_limit::room_for;
pub(crate) use peer_limits::{Peers, Place};
