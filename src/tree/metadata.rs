//! What is kept of an entry besides its content.

use std::sync::Arc;

/// Metadata of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Permission bits with setuid, setgid and sticky: the low 12 bits of `st_mode`.
    pub mode: u32,
    /// Owner and group. Shared, because a tree has few owners and many entries.
    pub owner: Arc<Owner>,
    /// Time of last modification.
    pub mtime: Timestamp,
    /// Extended attributes, sorted by name, including POSIX ACLs in the kernel's form.
    pub xattrs: Box<[Xattr]>,
}

/// A user and a group, as numbers and, where known, as names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The user's name; empty when unknown or not wanted.
    pub user: Box<[u8]>,
    /// The group's name; empty when unknown or not wanted.
    pub group: Box<[u8]>,
}

/// A point in time: seconds since 1970 (negative before), plus nanoseconds (less than one thousand million).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Seconds since the epoch.
    pub seconds: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nanos: u32,
}

impl Timestamp {
    /// The whole time in nanoseconds.
    pub(crate) fn nanos_since_epoch(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// One extended attribute, as xattr(7) names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xattr {
    /// The full name with its namespace, for example `user.comment`.
    pub name: Box<[u8]>,
    /// The value.
    pub value: Box<[u8]>,
}

/// The xattr that holds the access ACL.
pub const ACL_ACCESS: &[u8] = b"system.posix_acl_access";
/// The xattr that holds a directory's default ACL.
pub const ACL_DEFAULT: &[u8] = b"system.posix_acl_default";

impl Xattr {
    /// Whether this is a POSIX ACL in the kernel's form.
    pub fn is_acl(&self) -> bool {
        *self.name == *ACL_ACCESS || *self.name == *ACL_DEFAULT
    }

    /// Whether this shows something a second time that another attribute holds: XFS lists ACLs as `trusted.SGI_ACL_*`, too,
    /// for root. Such an attribute is never read, kept or removed by itself.
    pub fn is_second_view(&self) -> bool {
        is_second_view(&self.name)
    }

    /// Whether any owner of a file may set it: the `user.` namespace and ACLs. The others (`security.`, `trusted.`) can
    /// grant privileges, as setuid does.
    pub fn is_unprivileged(&self) -> bool {
        self.name.starts_with(b"user.") || self.is_acl()
    }
}

/// Whether an attribute of this name shows what another one holds ([`Xattr::is_second_view`]).
pub(crate) fn is_second_view(name: &[u8]) -> bool {
    name.starts_with(b"trusted.SGI_ACL_")
}
