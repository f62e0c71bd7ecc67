//! Connections, and the limits that protect the service from slow and greedy clients.
//!
//! Uses `openapi` for its refusals. What is served on a connection is an endpoint that the caller gives.

mod accept;
mod acceptor;
mod bind;
mod body_limits;
mod event_stream;
mod fd_limit;
mod peer_limits;
mod refusal;
mod shared_stream;
mod write_timeout;

pub use bind::ServeError;

pub(crate) use accept::{ServeLimits, accept_loop};
pub(crate) use bind::bind;
pub(crate) use body_limits::BodyReader;
pub(crate) use fd_limit::FdNeeds;
pub(crate) use peer_limits::{PeerLimits, PeerPermit};
