//! A file system in memory whose every state after a power cut can be enumerated.
//!
//! # The model
//! There is a live tree, which programs see, a durable tree, and the changes of names between them. A power cut
//! leaves the durable tree plus *any* subset of the pending changes that respects this order, and no other:
//! - changes of one entry (one name in one folder) survive in the order in which they were made;
//! - a rename within a folder, and every rename of a folder, is one change: both names change, or neither does;
//! - a rename of a file into another folder is two: the new name appears, then the old one goes. So a cut may leave both
//!   names (of one file), and never none; syncing the old folder alone makes the new name durable too;
//! - a folder is gone only if all that was moved out of it or removed from it is;
//! - folders that move between folders keep their order.
//!
//! Everything else is independent, also within one folder. An entry is found again only if the names of all folders
//! above it survived: what was moved into a folder whose own name is not durable can be lost with it.
//!
//! Contents that were not synced are found as they last were, empty, half written, as zeros, or new, whatever became
//! of the names.
//!
//! This is what POSIX leaves open once renames are atomic within a folder (Pillai and others, "All File Systems Are Not
//! Created Equal", OSDI 2014, sections 3 and 4; man 2 fsync: syncing a file does not sync its name). It is stricter
//! than ext4, XFS, btrfs and f2fs, which all keep the order of metadata changes (D. Chinner, linux-kernel, 14 September
//! 2018), and whose renames are atomic; two names of one file are also what a kill leaves where a rename without
//! replacement must be made of a hard link and an unlink.

mod cut;
mod disk;
mod mem_fs;
mod test_api;

pub use cut::{MAX_IMAGES, MAX_PENDING_NAMES};
pub use disk::LostSyncs;
pub use mem_fs::MemFs;
