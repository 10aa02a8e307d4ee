//! How a destination is treated: the same in every verb that writes one.

pub use crate::plan::names::OddNames;

use std::num::NonZeroUsize;

/// How a destination is treated. Begin with [`DestinationOptions::default`] and set what is to be different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationOptions {
    /// How many requests are in flight at a time. `None`: on file systems of this machine one for each thread; on others, or
    /// if the source is on another, as many as help, up to 64, by what requests take.
    pub in_flight: Option<NonZeroUsize>,
    /// What it is assumed to lack, without asking it.
    pub without: Vec<Capability>,
    /// What it is assumed to have, whatever a profile or a probe says.
    pub with: Vec<Capability>,
    /// How the rest is found out.
    pub profile: Profile,
    /// What it must keep: without it, each entry is a failure.
    pub insist: Insist,
    /// What is done with names that it does not take.
    pub names: OddNames,
}

/// How it is found out what a destination keeps and can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// It is tried out, in a hidden directory that is removed again, unless it is on a local file system that is known
    /// to do what POSIX says.
    #[default]
    Auto,
    /// Nothing is tried out: it does what POSIX says.
    Local,
    /// Nothing is tried out: it does what an SMB server can do, such as Azure Files.
    Smb,
    /// Nothing is tried out: it does what an NFS server can do.
    Nfs,
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
    /// Keeps times that are set before the file is closed. Without it, they are set afterwards, by name.
    TimesBeforeClose,
    /// Renames without replacing what has the name, renameat2(2).
    NoReplace,
    /// Renames over a file that another process has open.
    ReplaceOpen,
    /// Tells names that differ only in case apart.
    CaseSensitive,
    /// Has names with any byte but `/` and NUL. Without it, those that Windows forbids are forbidden.
    AnyName,
    /// Has fifos and sockets.
    Specials,
    /// Has device nodes.
    Devices,
}

impl Capability {
    /// Each of them, in the order of their numbers.
    pub const ALL: [Capability; 18] = [
        Capability::Modes,
        Capability::Owners,
        Capability::Times,
        Capability::SymlinkTimes,
        Capability::Symlinks,
        Capability::HardLinks,
        Capability::Xattrs,
        Capability::Acls,
        Capability::Exchange,
        Capability::Reflink,
        Capability::KernelCopy,
        Capability::TimesBeforeClose,
        Capability::NoReplace,
        Capability::ReplaceOpen,
        Capability::CaseSensitive,
        Capability::AnyName,
        Capability::Specials,
        Capability::Devices,
    ];

    /// Its name: the same on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Modes => "modes",
            Capability::Owners => "owners",
            Capability::Times => "times",
            Capability::SymlinkTimes => "symlink-times",
            Capability::Symlinks => "symlinks",
            Capability::HardLinks => "hard-links",
            Capability::Xattrs => "xattrs",
            Capability::Acls => "acls",
            Capability::Exchange => "exchange",
            Capability::Reflink => "reflink",
            Capability::KernelCopy => "kernel-copy",
            Capability::TimesBeforeClose => "times-before-close",
            Capability::NoReplace => "no-replace",
            Capability::ReplaceOpen => "replace-open",
            Capability::CaseSensitive => "case-sensitive",
            Capability::AnyName => "any-name",
            Capability::Specials => "specials",
            Capability::Devices => "devices",
        }
    }
}

impl Profile {
    /// What a destination with this profile is known to lack.
    pub(super) fn lacks(self) -> &'static [Capability] {
        match self {
            Profile::Auto | Profile::Local => &[],
            Profile::Smb => &[
                Capability::Modes,
                Capability::Owners,
                Capability::SymlinkTimes,
                Capability::Symlinks,
                Capability::HardLinks,
                Capability::Xattrs,
                Capability::Acls,
                Capability::Exchange,
                Capability::Reflink,
                Capability::TimesBeforeClose,
                Capability::NoReplace,
                Capability::ReplaceOpen,
                Capability::CaseSensitive,
                Capability::AnyName,
                Capability::Specials,
                Capability::Devices,
            ],
            Profile::Nfs => &[Capability::Exchange, Capability::NoReplace],
        }
    }
}

/// What must not be left out even if the destination cannot keep it: every entry that lacks it is then a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Insist {
    /// Modes.
    pub modes: bool,
    /// Owners and groups.
    pub owners: bool,
    /// Modification times.
    pub times: bool,
    /// Symbolic links.
    pub symlinks: bool,
    /// Hard links: a copy in the place of one is a failure, too.
    pub hard_links: bool,
    /// Device nodes.
    pub devices: bool,
    /// Fifos and sockets.
    pub specials: bool,
    /// Extended attributes.
    pub xattrs: bool,
    /// POSIX ACLs.
    pub acls: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_capability_is_at_its_number_and_has_a_name_of_its_own() {
        let mut names: Vec<_> = Capability::ALL.iter().map(|capability| capability.name()).collect();
        for (number, capability) in Capability::ALL.into_iter().enumerate() {
            assert_eq!(capability as usize, number);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Capability::ALL.len());
    }
}
