//! How a destination is treated: the same in every verb that writes one.

pub use crate::plan::names::OddNames;

/// How a destination is treated. Begin with [`DestinationOptions::default`] and set what is to be different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationOptions {
    /// What it is assumed to lack, without asking it.
    pub without: Vec<Capability>,
    /// What it must keep: without it, each entry is a failure.
    pub insist: Insist,
    /// What is done with names that it does not take.
    pub names: OddNames,
}

/// Something that not every file system can keep or do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability {
    /// Keeps modes, chmod(2).
    Modes,
    /// Keeps owners and groups, chown(2).
    Owners,
    /// Keeps modification times, utimensat(2).
    Times,
    /// Keeps the times of symbolic links.
    SymlinkTimes,
    /// Has symbolic links.
    Symlinks,
    /// Has hard links. Without them, each name of a file is a copy.
    HardLinks,
    /// Keeps extended attributes of any namespace.
    Xattrs,
    /// Keeps POSIX ACLs.
    Acls,
    /// Exchanges two names atomically, renameat2(2).
    Exchange,
    /// Shares blocks between files, `FICLONERANGE`.
    Reflink,
    /// Copies inside the kernel or the server, `copy_file_range(2)` and sendfile(2).
    KernelCopy,
    /// Keeps times that are set before the file is closed. Without it, they are set again afterwards, by name.
    TimesBeforeClose,
    /// Renames without replacing what has the name, renameat2(2).
    NoReplace,
    /// Renames over a file that another process has open.
    ReplaceOpen,
    /// Tells names that differ only in case apart.
    CaseSensitive,
    /// Has names with any byte but `/` and NUL. Without it, those that Windows forbids are forbidden.
    AnyName,
}

/// What must not be left out even if the destination cannot keep it: every entry that lacks it is then a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Insist {
    /// Extended attributes.
    pub xattrs: bool,
    /// POSIX ACLs.
    pub acls: bool,
}
