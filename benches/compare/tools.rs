//! The programs that are compared, and what each of them does not keep.
//!
//! Owns their names and notes; how each is called for a task is in [`crate::tasks`].

/// Where a program is used as it is called here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suits {
    Disks,
    Mounts,
    Both,
}

impl Suits {
    pub fn is_for(self, mount: bool) -> bool {
        self == Self::Both || (self == Self::Mounts) == mount
    }
}

/// An archiver, or a program that copies trees.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name in reports and `--peers`.
    pub name: &'static str,
    /// The programs that it needs.
    pub programs: &'static [&'static str],
    /// Whether the directory to unpack into must exist.
    pub needs_out: bool,
    /// What it does not keep, or does differently.
    pub notes: &'static str,
    pub suits: Suits,
}

impl Tool {
    const fn new(name: &'static str, programs: &'static [&'static str], notes: &'static str) -> Self {
        Tool { name, programs, needs_out: false, notes, suits: Suits::Disks }
    }

    const fn suits(self, suits: Suits) -> Self {
        Tool { suits, ..self }
    }

    /// A tool that unpacks into an existing directory.
    const fn into_out(self) -> Self {
        Tool { needs_out: true, ..self }
    }

    /// Whether all its programs are on the search path.
    pub fn is_installed(&self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = |program: &&str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
        self.programs.iter().all(is_there)
    }
}

pub static HAUL: Tool = Tool::new("haul", &[], "");

/// haul itself, without an earlier result.
pub static HAUL_WHOLE: Tool = Tool::new("haul-whole", &[], "starts from nothing");

const PLAIN: &str = "without fractions of seconds, xattrs, ACLs and holes, which take flags";

pub static TAR_ZSTD: Tool = Tool::new("tar-zstd", &["tar", "zstd"], PLAIN).into_out().suits(Suits::Both);
pub static TAR_ZSTD_T0: Tool =
    Tool::new("tar-zstd-T0", &["tar", "zstd"], "as tar-zstd; a frame is unpacked on one thread").into_out();
/// tar with the flags for what haul keeps.
pub static TAR_FULL: Tool = Tool::new("tar-zstd-full", &["tar", "zstd"], "keeps what haul keeps").into_out();
pub static TAR_LZ4: Tool =
    Tool::new("tar-lz4", &["tar", "lz4"], "as tar-zstd; at lz4's own level 1").into_out();
pub static TAR_GZIP: Tool =
    Tool::new("tar-gzip", &["tar", "gzip"], "as tar-zstd; at gzip's own level 6").into_out();
pub static TAR_PIGZ: Tool =
    Tool::new("tar-pigz", &["tar", "pigz"], "as tar-gzip; compresses on all processors").into_out();
pub static BSDTAR: Tool = Tool::new(
    "bsdtar-zstd",
    &["bsdtar"],
    "on one thread; fractions of seconds only of entries with xattrs or ACLs",
)
.into_out();
pub static SQUASHFS: Tool = Tool::new(
    "squashfs",
    &["mksquashfs", "unsquashfs"],
    "whole seconds, up to 2106; no ACLs; stores equal files once, for a mount",
);
pub static ZSTD: Tool =
    Tool::new("zstd", &["tar", "zstd"], "checks zstd's own checksums, not individual members; on one thread");
pub static RSYNC: Tool = Tool::new(
    "rsync",
    &["rsync"],
    "without hard links, xattrs, ACLs and holes, which take flags; compares whole seconds",
);
pub static RSYNC_FULL: Tool = Tool::new("rsync-HAX", &["rsync"], "without holes; compares whole seconds");
pub static RSYNC_LINK: Tool = Tool::new(
    "rsync-link-dest",
    &["rsync"],
    "readers follow a symbolic link, which is what changes; the previous version is removed",
);
pub static CP: Tool = Tool::new("cp", &["cp"], "");
pub static CPZ: Tool =
    Tool::new("cpz", &["cpz"], "keeps modes only: no times, owners, hard links, xattrs, ACLs or holes");
pub static XCP: Tool = Tool::new("xcp", &["xcp"], "no hard links");
pub static FCP: Tool =
    Tool::new("fcp", &["fcp"], "keeps modes only: no times, owners, hard links, xattrs, ACLs or holes");
/// rsync and cp as they are called for mounts that keep little.
pub static RSYNC_INPLACE: Tool =
    Tool::new("rsync-inplace", &["rsync"], "keeps content and whole seconds only; writes in place")
        .suits(Suits::Mounts);
pub static RSYNC_CONTENT: Tool =
    Tool::new("rsync-rc", &["rsync"], "keeps content only, and reads all of it on both sides")
        .suits(Suits::Mounts);
pub static CP_PLAIN: Tool = Tool::new("cp-r", &["cp"], "keeps content and modes only").suits(Suits::Mounts);
pub static RCLONE: Tool =
    Tool::new("rclone", &["rclone"], "keeps content and times only; 64 transfers at once")
        .suits(Suits::Mounts);

/// All peers, in the order of a report.
pub static PEERS: [&Tool; 21] = [
    &HAUL_WHOLE,
    &TAR_ZSTD,
    &TAR_ZSTD_T0,
    &TAR_FULL,
    &TAR_LZ4,
    &TAR_GZIP,
    &TAR_PIGZ,
    &BSDTAR,
    &SQUASHFS,
    &ZSTD,
    &RSYNC,
    &RSYNC_FULL,
    &RSYNC_LINK,
    &CP,
    &CPZ,
    &XCP,
    &FCP,
    &RSYNC_INPLACE,
    &RSYNC_CONTENT,
    &CP_PLAIN,
    &RCLONE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_installed_when_all_its_programs_are() {
        assert!(CP.is_installed() && HAUL.is_installed());
        assert!(!Tool::new("x", &["cp", "no-such-program-anywhere"], "").is_installed());
    }
}
