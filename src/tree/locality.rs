//! Whether a file system is on this machine.

/// Whether a file system is on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Locality {
    /// A known one of this machine's kernel, which keeps and can do what POSIX says, fast.
    Local,
    /// A known one of another machine: each call may cost milliseconds.
    Network,
    /// One that may be either, such as one in user space (FUSE).
    #[default]
    Unknown,
}
