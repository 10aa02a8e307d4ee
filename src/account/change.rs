//! What a sync does with one entry of a mirror.

use crate::tree::{FileKind, RelPath};

/// What a mirror does with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The path below the destination.
    pub path: RelPath<'a>,
    /// What the entry is; for a removed entry, what it was.
    pub kind: FileKind,
    /// What is done.
    pub deed: Deed,
    /// Whether nothing of this kind is at the path yet. Always true for [`Deed::Create`], and for [`Deed::Link`] if the
    /// name is new.
    pub is_new: bool,
    /// How the destination's entry differs. Empty if it is new or removed.
    pub differs: Aspects,
    /// A symlink's target; for [`Deed::Link`], the path of the entry that it is linked to; for
    /// [`Deed::Rename`], the path that it had.
    pub target: Option<&'a [u8]>,
    /// Length of the content in bytes.
    pub size: u64,
}

/// What a mirror does with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is created: there was none, or none of its kind.
    Create,
    /// It gets other content: a file's data, a symlink's target, a device's numbers.
    Update,
    /// It becomes another name of an inode.
    Link,
    /// Only metadata are set.
    SetMetadata,
    /// Only the case of its name changes, where the destination does not tell case apart.
    Rename,
    /// It is removed.
    Delete,
}

/// How an entry of the destination differs from the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aspects {
    /// Content was compared and differs; a symlink's target or a device's numbers differ.
    pub content: bool,
    /// Length.
    pub size: bool,
    /// Modification time, if it is to be kept.
    pub time: bool,
    /// Modification time, if it is not kept: it becomes the time of the transfer.
    pub time_of_transfer: bool,
    /// Mode.
    pub mode: bool,
    /// Owner.
    pub user: bool,
    /// Group.
    pub group: bool,
    /// Access time.
    pub atime: bool,
    /// An ACL.
    pub acl: bool,
    /// Another extended attribute.
    pub xattr: bool,
}

impl Aspects {
    /// Whether anything differs.
    pub fn any(self) -> bool {
        self != Aspects::default()
    }
}
