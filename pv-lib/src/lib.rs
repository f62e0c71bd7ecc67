//! Jobs for coding agents, kept as plain files.
//!
//! A prompt is submitted ([`prompt`]) and becomes a job ([`job`]). Everything that is known about the job is in a
//! folder that a person can read with `cat` ([`layout`], [`store`]). There is no database: the state is read from the
//! disk each time, through one small trait ([`fs::Fs`]) whose in-memory implementation can enumerate every state that a
//! power cut may leave.
//!
//! Three rings, each of which knows only those inside it:
//! - values: [`job`], [`prompt`], [`target`], [`text`], [`time`], [`layout`], [`limits`], [`inbox_tree`], the errors and
//!   [`unusable`] (no I/O, no clock, no environment);
//! - procedures: [`fs`], [`store`], [`supervise`], [`config`] (they take `&dyn Fs` and `now`), and [`api`] above [`store`]:
//!   the JSON that shells show;
//! - shells: the other packages of this workspace, or your own program.
//!
//! The only places here with I/O of their own are [`fs::OsFs`] and [`host`].

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
