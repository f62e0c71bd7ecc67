//! Integration tests.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests do")]

mod doors;
mod events;
mod harness;
mod hostile;
mod lists;
mod metrics;
mod openapi;
mod pair;
mod patches;
mod proxy;
mod ranges;
mod refusals;
mod routes;
mod sockets;
mod streams;
mod unusable;
