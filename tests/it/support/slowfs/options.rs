//! What is odd about the file system.

use super::faults::Fault;
use fuser::Errno;
use std::time::Duration;

/// The steps in which times are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStep {
    #[default]
    Nanosecond,
    /// As on NTFS and Azure Files.
    HundredNanoseconds,
    /// As on FAT.
    TwoSeconds,
}

/// One oddness a field. By default there is none, and no latency.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long each request takes, but for those that nobody waits for.
    pub delay: Duration,
    /// How long the kernel may keep a name.
    pub entry_timeout: Duration,
    /// How long the kernel may keep attributes.
    pub attr_timeout: Duration,
    /// Whether a listing brings the attributes along. Decided when mounting.
    pub readdirplus: bool,
    /// Whether files are read and written past the page cache.
    pub direct_io: bool,
    /// Setting a mode fails.
    pub chmod: Option<Errno>,
    /// Setting a mode does nothing.
    pub chmod_ignored: bool,
    /// Setting an owner or a group fails.
    pub chown: Option<Errno>,
    /// Setting an owner or a group does nothing.
    pub chown_ignored: bool,
    /// Setting times fails.
    pub utimes: Option<Errno>,
    /// Creating a symlink fails.
    pub symlink: Option<Errno>,
    /// Creating a hard link fails; each file is shown with one name.
    pub link: Option<Errno>,
    /// Creating a fifo, a device or a socket fails.
    pub mknod: Option<Errno>,
    /// Everything about extended attributes fails.
    pub xattr: Option<Errno>,
    /// Only extended attributes whose names begin so are kept; others get EOPNOTSUPP.
    pub xattr_only: Option<&'static str>,
    /// Names that differ in case (of ASCII letters) are one name. A file keeps the spelling it was created with.
    pub case_insensitive: bool,
    /// Names that Windows does not have cannot be created: EINVAL.
    pub forbidden_names: bool,
    /// How exactly times are kept.
    pub times: TimeStep,
    /// Times that were set between a write and the close are lost: the close stamps a file that was written through it.
    pub times_lost_on_close: bool,
    /// The mode that everything is shown with, owned by root.
    pub fixed_mode: Option<u32>,
    /// A file without any write bit is marked read-only: it is neither opened for writing nor removed nor replaced (EACCES),
    /// until a write bit is set, which also works where modes are otherwise ignored.
    pub read_only_mark: bool,
    /// A file that somebody has open is neither replaced nor removed: EACCES.
    pub busy: bool,
    /// Renaming over something that exists fails.
    pub rename_over: Option<Errno>,
    /// Renaming with flags (exchange, without replacing) fails with EINVAL.
    pub no_rename_flags: bool,
    /// Ranges are copied by the file system itself, as NFS 4.2 and SMB servers do.
    pub copies_ranges: bool,
    /// Operations that fail or hang.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self {
            delay: Duration::ZERO,
            entry_timeout: second,
            attr_timeout: second,
            readdirplus: true,
            direct_io: false,
            chmod: None,
            chmod_ignored: false,
            chown: None,
            chown_ignored: false,
            utimes: None,
            symlink: None,
            link: None,
            mknod: None,
            xattr: None,
            xattr_only: None,
            case_insensitive: false,
            forbidden_names: false,
            times: TimeStep::Nanosecond,
            times_lost_on_close: false,
            fixed_mode: None,
            read_only_mark: false,
            busy: false,
            rename_over: None,
            no_rename_flags: false,
            copies_ranges: false,
            faults: Vec::new(),
        }
    }
}

impl Options {
    /// All of Azure Files' oddities together, in their worst form. `Options { utimes: None, ..Options::azure() }` is a share
    /// whose times can be set.
    pub fn azure() -> Self {
        Self {
            chmod_ignored: true,
            chown: Some(Errno::EPERM),
            utimes: Some(Errno::EPERM),
            symlink: Some(Errno::EOPNOTSUPP),
            link: Some(Errno::EOPNOTSUPP),
            mknod: Some(Errno::EPERM),
            xattr: Some(Errno::EOPNOTSUPP),
            case_insensitive: true,
            forbidden_names: true,
            times: TimeStep::HundredNanoseconds,
            times_lost_on_close: true,
            fixed_mode: Some(0o777),
            read_only_mark: true,
            busy: true,
            no_rename_flags: true,
            ..Self::default()
        }
    }

    /// Every request takes so many milliseconds.
    pub fn delayed(milliseconds: u64) -> Self {
        Self { delay: Duration::from_millis(milliseconds), ..Self::default() }
    }
}
