//! What is kept of the entries of an archive: all that sync keeps, under the same names.

use clap::Args;
use haul::ops::unpack::UnpackOptions;
use haul::options::Insist;

/// Which metadata is kept: all, unless a flag says no.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Metadata")]
pub(crate) struct UnpackKeepArgs {
    /// Give entries the owners in the archive (the default for root)
    #[arg(long, overrides_with = "no_same_owner")]
    pub(crate) same_owner: bool,
    /// Give entries to the running user (the default for anyone but root)
    #[arg(long)]
    pub(crate) no_same_owner: bool,
    /// Set modes exactly, including setuid and setgid (the default for root)
    #[arg(long, overrides_with = "no_same_permissions")]
    pub(crate) same_permissions: bool,
    /// Apply the umask to modes (the default for anyone but root)
    #[arg(long)]
    pub(crate) no_same_permissions: bool,
    /// Use the archive's user and group numbers even if it has names
    #[arg(long)]
    pub(crate) numeric_owner: bool,
    /// Do not set modes: new entries get their mode less the umask, old ones keep theirs
    #[arg(long, overrides_with = "perms")]
    pub(crate) no_perms: bool,
    /// Do not set owners
    #[arg(long, overrides_with = "owner")]
    pub(crate) no_owner: bool,
    /// Do not set groups
    #[arg(long, overrides_with = "group")]
    pub(crate) no_group: bool,
    /// Do not set modification times
    #[arg(long, overrides_with = "times")]
    pub(crate) no_times: bool,
    /// Do not set modification times of directories
    #[arg(short = 'O', long)]
    pub(crate) omit_dir_times: bool,
    /// Do not set extended attributes
    #[arg(long, overrides_with = "xattrs")]
    pub(crate) no_xattrs: bool,
    /// Do not set POSIX ACLs
    #[arg(long, overrides_with = "acls")]
    pub(crate) no_acls: bool,
    /// Leave out symlinks
    #[arg(long, overrides_with = "links")]
    pub(crate) no_links: bool,
    /// Make every hard link a separate file
    #[arg(long, overrides_with = "hard_links")]
    pub(crate) no_hard_links: bool,
    #[command(flatten)]
    pub(crate) insist: InsistArgs,
}

/// What is kept anyway, and asked for by name here: a file system that does not keep it is an error.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct InsistArgs {
    /// Set extended attributes; a file system that does not keep them is an error (by default one warning)
    #[arg(long, overrides_with = "no_xattrs")]
    pub(crate) xattrs: bool,
    /// Set POSIX ACLs; a file system that does not keep them is an error (by default one warning)
    #[arg(long, overrides_with = "no_acls")]
    pub(crate) acls: bool,
    /// Set modes
    #[arg(long, hide = true, overrides_with = "no_perms")]
    pub(crate) perms: bool,
    /// Set owners
    #[arg(long, hide = true, overrides_with = "no_owner")]
    pub(crate) owner: bool,
    /// Set groups
    #[arg(long, hide = true, overrides_with = "no_group")]
    pub(crate) group: bool,
    /// Set modification times
    #[arg(long, hide = true, overrides_with = "no_times")]
    pub(crate) times: bool,
    /// Create symlinks
    #[arg(long, hide = true, overrides_with = "no_links")]
    pub(crate) links: bool,
    /// Create hard links
    #[arg(long, hide = true, overrides_with = "no_hard_links")]
    pub(crate) hard_links: bool,
}

impl UnpackKeepArgs {
    /// Sets what is kept.
    pub(super) fn apply(&self, options: &mut UnpackOptions, is_root: bool) {
        options.same_owner = either(self.same_owner, self.no_same_owner, is_root);
        options.same_permissions = either(self.same_permissions, self.no_same_permissions, is_root);
        options.numeric_owner = self.numeric_owner;
        options.modes = !self.no_perms;
        options.users = !self.no_owner;
        options.groups = !self.no_group;
        options.times = !self.no_times;
        options.omit_dir_times = self.omit_dir_times;
        options.xattrs = !self.no_xattrs;
        options.acls = !self.no_acls;
        options.symlinks = !self.no_links;
        options.hard_links = !self.no_hard_links;
    }

    /// What was asked for by name must be kept.
    pub(super) fn insist(&self) -> Insist {
        let InsistArgs { xattrs, acls, perms, owner, group, times, links, hard_links } = self.insist;
        Insist {
            modes: perms || self.same_permissions,
            owners: owner || group || self.same_owner,
            times,
            symlinks: links,
            hard_links,
            xattrs,
            acls,
            ..Insist::default()
        }
    }
}

/// Of a pair of flags that undo each other, the parser keeps only the last.
fn either(yes: bool, no: bool, default: bool) -> bool {
    yes || (default && !no)
}
