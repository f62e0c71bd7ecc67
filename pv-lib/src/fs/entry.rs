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

/// How much space a file system has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What unprivileged writers may still use.
    pub available: u64,
    /// Its size.
    pub total: u64,
}
