//! Integration tests.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic, as tests do")]

mod access;
mod below_a_path;
mod events;
mod fixture;
mod freshness;
mod holds;
mod hostile;
mod lists;
mod metrics;
mod openapi;
mod patches;
mod proxy;
mod ranges;
mod refusals;
mod routes;
mod services;
mod shapes;
mod sockets;
mod streams;
mod texts;
mod unusable;
mod verified;
