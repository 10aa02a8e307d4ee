//! What a mirror should be like: the options that decisions depend on.
//!
//! Values only. Each field is one rule of the mirror that a front end can choose; nothing of rsync's behaviour is
//! assumed where an option can decide.

pub use crate::rules::chmod::{Chmod, ChmodError, ChmodFault};
pub use crate::rules::ids::{IdMap, IdMapError, IdMapFault, LookUp};

/// Everything that the decision about one entry depends on, besides the entry.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// When a regular file counts as unchanged.
    pub compare: Compare,
    /// Times that differ by at most this many nanoseconds are equal. With 0, a time that the destination's file system
    /// may have rounded down to a coarser unit still counts as equal.
    pub modify_window: u64,
    /// Leave regular files alone if they are newer than the source's.
    pub update: bool,
    /// Create nothing that does not exist yet.
    pub existing: bool,
    /// Leave existing entries alone, except directories.
    pub ignore_existing: bool,
    /// Copy only regular files of at most this many bytes.
    pub max_size: Option<u64>,
    /// Copy only regular files of at least this many bytes.
    pub min_size: Option<u64>,
    /// Let other entries replace non-empty directories.
    pub force: bool,
    /// Which metadata is kept, and how it is changed.
    pub keep: Keep,
    /// How symlinks are treated.
    pub symlinks: Symlinks,
}

/// When a regular file of the same length counts as unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compare {
    /// If its time is the same.
    #[default]
    Quick,
    /// If its content is the same.
    Checksum,
    /// Always.
    SizeOnly,
    /// Never.
    Never,
}

/// Which metadata of an entry is kept.
#[derive(Debug, Clone)]
pub struct Keep {
    /// Modes. Without it new entries get the source's mode less the umask, and old ones keep theirs.
    pub modes: bool,
    /// Without `modes`: whether a file is executable at all.
    pub executability: bool,
    /// Owners. Only root can give a file away.
    pub users: bool,
    /// Groups. A user other than root can choose among their own.
    pub groups: bool,
    /// Modification times.
    pub times: bool,
    /// Except those of directories.
    pub omit_dir_times: bool,
    /// Except those of symlinks.
    pub omit_link_times: bool,
    /// Access times.
    pub atimes: bool,
    /// Extended attributes, except ACLs.
    pub xattrs: bool,
    /// POSIX ACLs.
    pub acls: bool,
    /// Symbolic links; otherwise they are left out.
    pub symlinks: bool,
    /// Hard links: which names are one inode.
    pub hard_links: bool,
    /// Device nodes; otherwise they are left out.
    pub devices: bool,
    /// Fifos and sockets; otherwise they are left out.
    pub specials: bool,
    /// Ignore names when owners and groups are changed (`--numeric-ids`).
    pub numeric_ids: bool,
    /// Changes of modes.
    pub chmod: Chmod,
    /// Changes of owners.
    pub user_map: IdMap,
    /// Changes of groups.
    pub group_map: IdMap,
}

impl Default for Keep {
    /// Everything but access times, which reading changes.
    fn default() -> Self {
        Keep {
            modes: true,
            executability: false,
            users: true,
            groups: true,
            times: true,
            omit_dir_times: false,
            omit_link_times: false,
            atimes: false,
            xattrs: true,
            acls: true,
            symlinks: true,
            hard_links: true,
            devices: true,
            specials: true,
            numeric_ids: false,
            chmod: Chmod::default(),
            user_map: IdMap::default(),
            group_map: IdMap::default(),
        }
    }
}

/// How symlinks are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Symlinks {
    /// Leave out those that point outside the tree (`--safe-links`).
    pub safe: bool,
    /// Use what they point to instead (`--copy-links`).
    pub copy: bool,
    /// The same for those that point outside the tree (`--copy-unsafe-links`).
    pub copy_unsafe: bool,
    /// The same for those that point to a directory (`--copy-dirlinks`).
    pub copy_dirs: bool,
    /// In the destination, a symlink to a directory counts as one (`--keep-dirlinks`).
    pub keep_dirs: bool,
}
