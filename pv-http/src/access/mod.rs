//! Who may ask, from which page, by which name, with which token.

mod hosts;
mod policy;
mod token;

pub(crate) use hosts::Hosts;
pub(crate) use policy::{Guard, Strangers, ip};
pub(crate) use token::Token;
