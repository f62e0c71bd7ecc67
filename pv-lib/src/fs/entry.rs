//! What is known of an entry of a folder, and of the file system that holds it.

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link, whatever it points at.
    Link,
    /// A device, a pipe or a socket.
    Other,
    /// An entry whose name is not UTF-8: shown, with `\u{fffd}` for what is not, but not to be opened.
    NotUtf8,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What is known of an entry without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub len: u64,
    /// When its contents last changed, in nanoseconds since the epoch.
    pub modified_ns: i128,
    /// When its contents, owner, mode or links last changed, in nanoseconds since the epoch.
    pub changed_ns: i128,
    /// Its number on its file system: a replaced file has another.
    pub inode: u64,
    /// How many names it has: more than one if there are hard links to it.
    pub links: u64,
}

/// How much space a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What unprivileged writers may still use, in bytes.
    pub available: u64,
    /// Its size, in bytes.
    pub total: u64,
    /// How many files it can still hold; `None` where only their bytes count.
    pub inodes: Option<Inodes>,
}

/// How many files a file system can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inodes {
    /// How many more unprivileged writers may make.
    pub available: u64,
    /// How many there can be altogether.
    pub total: u64,
}

impl Space {
    /// Returns the space of a file system on which only bytes count.
    #[must_use]
    pub fn of_bytes(available: u64, total: u64) -> Self {
        Self { available, total, inodes: None }
    }
}
