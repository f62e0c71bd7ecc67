//! Integration tests.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests do")]

mod harness;
mod hostile;
mod lists;
mod openapi;
mod patches;
mod refusals;
mod routes;
mod sockets;
mod streams;
