//! Jobs for coding agents, kept as plain files.
//!
//! A prompt is handed over ([`prompt`]), becomes a job ([`job`]), and everything that is known about
//! it lives in a folder a person can read with `cat` ([`layout`], [`store`]). There is no database:
//! truth is a fresh look at the disk, through one small trait ([`fs::Fs`]) whose in-memory
//! implementation can enumerate every state that a power cut may leave behind.
//!
//! Three rings, each knowing only those inside it:
//! - values: [`job`], [`prompt`], [`target`], [`text`], [`time`], [`unusable`] (no I/O, no clock, no environment);
//! - procedures: [`fs`], [`layout`], [`store`], [`supervise`], [`config`] (they take `&dyn Fs` and `now`), and [`api`] above
//!   [`store`]: the JSON that shells show;
//! - shells: the other packages of this workspace, or your own program.
//!
//! The only places here that touch the real world are [`fs::OsFs`] and [`host`].

pub mod api;
pub mod config;
mod error;
pub mod fs;
pub mod host;
pub mod inbox_tree;
pub mod job;
pub mod layout;
pub mod limits;
pub mod prompt;
pub mod store;
pub mod supervise;
pub mod target;
pub mod text;
pub mod time;

pub use error::{Error, ErrorKind, Result, unusable};
