//! What a mirror is to be like: the options that decisions depend on.
//!
//! Values only. Each field is one rule of the mirror that a front end can choose; nothing of rsync's behaviour is taken
//! for granted where an option has to say.

pub use crate::rules::chmod::{Chmod, ChmodError, ChmodFault};
pub use crate::rules::ids::{IdMap, IdMapError, IdMapFault, LookUp};

/// Everything that the decision about one entry depends on, beside the entry.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// When a regular file counts as unchanged.
    pub compare: Compare,
    /// Times that differ by at most this many nanoseconds are equal. With 0, a time that the destination's file system
    /// may have cut to a coarser unit is still equal to the full one.
    pub modify_window: u64,
    /// Leave regular files alone that are newer than the source's.
    pub update: bool,
    /// Make nothing that is not there yet.
    pub existing: bool,
    /// Leave alone what is there already, but for directories.
    pub ignore_existing: bool,
    /// Of regular files, take only those of at most so many bytes.
    pub max_size: Option<u64>,
    /// Of regular files, take only those of at least so many bytes.
    pub min_size: Option<u64>,
    /// A directory that is not empty gives way to what is no directory.
    pub force: bool,
    /// Which metadata are kept, and how they are changed.
    pub keep: Keep,
    /// What becomes of symlinks.
    pub symlinks: Symlinks,
}

/// When a regular file of the same length counts as unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compare {
    /// When its time is the same.
    #[default]
    Quick,
    /// When its content is the same.
    Checksum,
    /// Always.
    SizeOnly,
    /// Never.
    Never,
}

/// Which metadata of an entry the destination gets.
#[derive(Debug, Clone)]
pub struct Keep {
    /// Modes. Without it new entries get the source's mode less the umask, and old ones keep theirs.
    pub modes: bool,
    /// Without `modes`: whether a file can be executed at all.
    pub executability: bool,
    /// Owners. Only root can give a file away.
    pub users: bool,
    /// Groups. Who is not root can choose among their own.
    pub groups: bool,
    /// Modification times.
    pub times: bool,
    /// Not those of directories.
    pub omit_dir_times: bool,
    /// Not those of symlinks.
    pub omit_link_times: bool,
    /// Access times.
    pub atimes: bool,
    /// Extended attributes, but for ACLs.
    pub xattrs: bool,
    /// POSIX ACLs.
    pub acls: bool,
    /// Which names are one inode.
    pub hard_links: bool,
    /// Device nodes; without it they are left out.
    pub devices: bool,
    /// Fifos and sockets; without it they are left out.
    pub specials: bool,
    /// Nobody has a name where owners and groups are changed (`--numeric-ids`).
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

/// What becomes of symlinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Symlinks {
    /// Leave out those that point outside of the tree (`--safe-links`).
    pub safe: bool,
    /// Take what they point to in their place (`--copy-links`).
    pub copy: bool,
    /// The same for those that point outside of the tree (`--copy-unsafe-links`).
    pub copy_unsafe: bool,
    /// The same for those that point to a directory (`--copy-dirlinks`).
    pub copy_dirs: bool,
    /// In the destination, a symlink to a directory counts as one (`--keep-dirlinks`).
    pub keep_dirs: bool,
}
