//! Access: which host names, pages and peers a request may come by, and with which token.
//!
//! Uses `openapi` for its refusals.

mod headers;
mod hosts;
mod policy;
mod token;

pub(crate) use hosts::Hosts;
pub(crate) use policy::{AccessPolicy, RemoteAccess, ip};
pub(crate) use token::Token;
