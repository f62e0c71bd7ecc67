//! The file system as this library sees it: eleven verbs, and what they promise about power cuts.
//!
//! File contents and directory entries become durable separately, as on a real disk. *Contents* are durable when
//! [`Fs::create_new`] returns; *names* (created, renamed, removed) only after [`Fs::sync_dir`] of the folder that
//! holds them. The composite operations that get this right live in [`durable`], the only place that calls
//! `rename` and `sync_dir`.
//!
//! The behaviour of every verb is pinned by the conformance suite (feature `testing`), which the real disk
//! ([`OsFs`]) and the in-memory implementation both pass. The in-memory one is the stricter: it can enumerate every
//! image that a power cut may leave.

#[cfg(feature = "testing")]
pub mod conformance;
pub mod durable;
mod entry;
#[cfg(feature = "testing")]
mod fault;
#[cfg(feature = "testing")]
mod mem;
mod os;
#[cfg(feature = "testing")]
pub mod sweep;
mod verbs;

pub use crate::error::{FsError, FsResult};
pub use entry::{Entry, Inodes, Kind, Space, Stat};
#[cfg(feature = "testing")]
pub use fault::{Fault, FaultCause, FaultFs, Verb};
#[cfg(feature = "testing")]
pub use mem::{LostSyncs, MAX_IMAGES, MAX_PENDING_NAMES, MemFs};
pub use os::OsFs;
pub use verbs::{Fs, FsExt, LockGuard, Replace, optional, regular};
