//! The table of timed tasks: add new tasks here.
//!
//! A task is a row: what it begins with, what it leaves, and how haul and each peer are called for it. [`crate::call`]
//! explains the calls. Every peer is called as its users call it; if it then keeps less than haul, it has less to do,
//! and the report says so.

use crate::call::{Call, Template};
use crate::tools::{
    BSDTAR, CP, CP_PLAIN, CPZ, FCP, HAUL, HAUL_WHOLE, RCLONE, RSYNC, RSYNC_CONTENT, RSYNC_FULL,
    RSYNC_INPLACE, RSYNC_LINK, SQUASHFS, TAR_FULL, TAR_GZIP, TAR_LZ4, TAR_PIGZ, TAR_ZSTD, TAR_ZSTD_T0, Tool,
    XCP, ZSTD,
};

/// What a run begins with, and leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// From the tree to an archive.
    MakesArchive,
    /// From an archive, made beforehand, to a tree.
    MakesTree,
    /// Reads an archive, made beforehand.
    ReadsArchive,
    /// From the tree to a copy of it.
    Copies,
    /// From the tree to an existing copy: that of the first run.
    CopiesAgain,
    /// From a version of the tree to an archive, with an archive of the previous version.
    Repacks,
    /// From a version of the tree to a copy of the previous version: that of the last run, or a new one.
    Updates,
}

impl Course {
    pub fn has_archive(self) -> bool {
        matches!(self, Course::MakesArchive | Course::MakesTree | Course::ReadsArchive | Course::Repacks)
    }

    /// Whether each run leaves an archive.
    pub fn leaves_archive(self) -> bool {
        matches!(self, Course::MakesArchive | Course::Repacks)
    }

    /// Whether it goes from one version of the tree to the other.
    pub fn has_versions(self) -> bool {
        matches!(self, Course::Repacks | Course::Updates)
    }

    /// Whether each run leaves a tree that must be like the one it was given.
    pub fn leaves_tree(self) -> bool {
        matches!(self, Course::MakesTree | Course::Copies)
    }
}

#[derive(Debug)]
pub struct Task {
    /// Its name in reports and `--only`.
    pub name: &'static str,
    /// Its description in a report.
    pub about: &'static str,
    pub course: Course,
    pub calls: &'static [(&'static Tool, Template)],
}

impl Task {
    pub fn named(name: &str) -> Option<&'static Task> {
        TASKS.iter().find(|task| task.name == name)
    }

    /// How `tool` does it; `None` if it cannot.
    pub fn call(&self, tool: &Tool) -> Option<Call> {
        self.calls.iter().find(|(called, _)| *called == tool).map(|&(_, template)| Call::new(template))
    }
}

/// In the order of a report. The first call of each row is haul's. A tool that has a call to read archives also has one
/// to make them.
pub static TASKS: &[Task] = &[
    Task {
        name: "pack",
        about: "An archive of the tree.",
        course: Course::MakesArchive,
        calls: &[
            (&HAUL, &["haul", "pack", "-q", "--level", "LEVEL", "TREE", "ARCHIVE"]),
            (&TAR_ZSTD, &["tar", "-I", "zstd -LEVEL", "-cf", "ARCHIVE", "-C", "TREE", "."]),
            (&TAR_ZSTD_T0, &["tar", "-I", "zstd -T0 -LEVEL", "-cf", "ARCHIVE", "-C", "TREE", "."]),
            (
                &TAR_FULL,
                &[
                    "tar",
                    "--format=posix",
                    "--xattrs",
                    "--acls",
                    "-S",
                    "-I",
                    "zstd -T0 -LEVEL",
                    "-cf",
                    "ARCHIVE",
                    "-C",
                    "TREE",
                    ".",
                ],
            ),
            (&TAR_LZ4, &["tar", "-I", "lz4", "-cf", "ARCHIVE", "-C", "TREE", "."]),
            (&TAR_GZIP, &["tar", "-I", "gzip", "-cf", "ARCHIVE", "-C", "TREE", "."]),
            (&TAR_PIGZ, &["tar", "-I", "pigz", "-cf", "ARCHIVE", "-C", "TREE", "."]),
            (
                &BSDTAR,
                &[
                    "bsdtar",
                    "--zstd",
                    "--options",
                    "zstd:compression-level=LEVEL",
                    "-cf",
                    "ARCHIVE",
                    "-C",
                    "TREE",
                    ".",
                ],
            ),
            (
                &SQUASHFS,
                &[
                    "mksquashfs",
                    "TREE",
                    "ARCHIVE",
                    "-comp",
                    "zstd",
                    "-Xcompression-level",
                    "LEVEL",
                    "-noappend",
                    "-no-progress",
                ],
            ),
        ],
    },
    Task {
        name: "unpack",
        about: "The tree of an archive that the same tool has packed.",
        course: Course::MakesTree,
        calls: &[
            (&HAUL, &["haul", "unpack", "-q", "ARCHIVE", "OUT"]),
            (&TAR_ZSTD, &["tar", "-I", "zstd", "-xf", "ARCHIVE", "-C", "OUT"]),
            (&TAR_FULL, &["tar", "--xattrs", "--acls", "-I", "zstd", "-xf", "ARCHIVE", "-C", "OUT"]),
            (&TAR_LZ4, &["tar", "-I", "lz4", "-xf", "ARCHIVE", "-C", "OUT"]),
            (&TAR_GZIP, &["tar", "-I", "gzip", "-xf", "ARCHIVE", "-C", "OUT"]),
            (&TAR_PIGZ, &["tar", "-I", "pigz", "-xf", "ARCHIVE", "-C", "OUT"]),
            (&BSDTAR, &["bsdtar", "-xf", "ARCHIVE", "-C", "OUT"]),
            (&SQUASHFS, &["unsquashfs", "-no-progress", "-d", "OUT", "ARCHIVE"]),
        ],
    },
    Task {
        name: "sync",
        about: "A mirror into an empty place.",
        course: Course::Copies,
        calls: &[
            (&HAUL, &["haul", "sync", "-q", "TREE", "OUT"]),
            (&RSYNC, &["rsync", "-a", "TREE/", "OUT"]),
            (&RSYNC_FULL, &["rsync", "-aHAX", "TREE/", "OUT"]),
            (&CP, &["cp", "-a", "TREE", "OUT"]),
            (&CPZ, &["cpz", "TREE", "OUT"]),
            (&XCP, &["xcp", "--recursive", "--ownership", "--no-target-directory", "TREE", "OUT"]),
            (&FCP, &["fcp", "TREE", "OUT"]),
            (&RSYNC_INPLACE, &["rsync", "-rt", "--inplace", "TREE/", "OUT"]),
            (&CP_PLAIN, &["cp", "-r", "TREE", "OUT"]),
            (&RCLONE, RCLONE_COPY),
        ],
    },
    Task {
        name: "resync",
        about: "The same again: nothing to do.",
        course: Course::CopiesAgain,
        calls: &[
            (&HAUL, &["haul", "sync", "-q", "TREE", "OUT"]),
            (&RSYNC, &["rsync", "-a", "TREE/", "OUT"]),
            (&RSYNC_FULL, &["rsync", "-aHAX", "TREE/", "OUT"]),
            (&RSYNC_INPLACE, &["rsync", "-rt", "--inplace", "TREE/", "OUT"]),
            (&RSYNC_CONTENT, &["rsync", "-rc", "--inplace", "TREE/", "OUT"]),
            (&RCLONE, RCLONE_COPY),
        ],
    },
    Task {
        name: "recheck",
        about: "The same again, with every content compared.",
        course: Course::CopiesAgain,
        calls: &[
            (&HAUL, &["haul", "sync", "-q", "-c", "TREE", "OUT"]),
            (&RSYNC, &["rsync", "-ac", "TREE/", "OUT"]),
            (&RSYNC_FULL, &["rsync", "-aHAXc", "TREE/", "OUT"]),
            (&RSYNC_CONTENT, &["rsync", "-rc", "--inplace", "TREE/", "OUT"]),
        ],
    },
    Task {
        name: "repack",
        about: "An archive of the tree after one file in a hundred has changed, with the archive of the previous version.",
        course: Course::Repacks,
        calls: &[
            (&HAUL, &["haul", "pack", "-q", "--level", "LEVEL", "--base", "BASE", "VERSION", "ARCHIVE"]),
            (&HAUL_WHOLE, &["haul", "pack", "-q", "--level", "LEVEL", "VERSION", "ARCHIVE"]),
            (&TAR_ZSTD, &["tar", "-I", "zstd -LEVEL", "-cf", "ARCHIVE", "-C", "VERSION", "."]),
        ],
    },
    Task {
        name: "delta",
        about: "The same change as a delta of that archive.",
        course: Course::Repacks,
        calls: &[
            (&HAUL, &["haul", "pack", "-q", "--level", "LEVEL", "--delta", "BASE", "VERSION", "ARCHIVE"]),
            (&HAUL_WHOLE, &["haul", "pack", "-q", "--level", "LEVEL", "VERSION", "ARCHIVE"]),
        ],
    },
    Task {
        name: "update",
        about: "The tree of an archive, over the previous version.",
        course: Course::Updates,
        calls: &[
            (&HAUL, &["haul", "unpack", "-q", "--update", "--delete", "PACKED", "OUT"]),
            (&HAUL_WHOLE, &["haul", "unpack", "-q", "PACKED", "NEW"]),
        ],
    },
    Task {
        name: "publish",
        about: "A new version in place of the previous one, in one step for readers.",
        course: Course::Updates,
        calls: &[
            (&HAUL, &["haul", "sync", "-q", "--delete", "--atomic", "--reuse=hardlink", "VERSION/", "OUT"]),
            (&RSYNC_LINK, &["sh", "-ec", LINK_DEST, "sh", "VERSION/", "OUT"]),
        ],
    },
    Task {
        name: "open",
        about: "Opening an archive and printing nothing: reading and checking its index.",
        course: Course::ReadsArchive,
        calls: &[(&HAUL, &["haul", "list", "--exclude", "*", "ARCHIVE"])],
    },
    Task {
        name: "list",
        about: "The names in an archive. haul and unsquashfs read an index; a tar is read completely.",
        course: Course::ReadsArchive,
        calls: &[
            (&HAUL, &["haul", "list", "ARCHIVE"]),
            (&TAR_ZSTD, &["tar", "-I", "zstd", "-tf", "ARCHIVE"]),
            (&BSDTAR, &["bsdtar", "-tf", "ARCHIVE"]),
            (&SQUASHFS, &["unsquashfs", "-l", "ARCHIVE"]),
        ],
    },
    Task {
        name: "verify",
        about: "An archive read completely and checked.",
        course: Course::ReadsArchive,
        calls: &[(&HAUL, &["haul", "verify", "-q", "ARCHIVE"]), (&ZSTD, &["zstd", "-tq", "ARCHIVE"])],
    },
];

const RCLONE_COPY: Template = &[
    "rclone",
    "copy",
    "-q",
    "--config=/dev/null",
    "--create-empty-src-dirs",
    "--transfers=64",
    "--checkers=64",
    "TREE",
    "OUT",
];

/// Hard-links the previous version into a new directory, and renames a symbolic link.
const LINK_DEST: &str = "mkdir -p \"$2\"; old=$(readlink \"$2/current\" || true); \
    rsync -aHAX ${old:+--link-dest=\"$2/$old\"} \"$1\" \"$2/$$\"; \
    ln -s $$ \"$2/next\"; mv -T \"$2/next\" \"$2/current\"; rm -rf \"${old:+$2/$old}\"";

/// How `tool` makes the archive that it then reads.
pub fn packing(tool: &Tool) -> Option<Call> {
    let tool = if *tool == ZSTD { &TAR_ZSTD } else { tool };
    Task::named("pack").and_then(|pack| pack.call(tool))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::PEERS;

    #[test]
    fn every_task_is_one_of_haul_and_of_known_peers() {
        for task in TASKS {
            assert_eq!(task.calls[0].0, &HAUL, "{}", task.name);
            for (tool, template) in &task.calls[1..] {
                assert!(PEERS.contains(tool), "{}", tool.name);
                if task.course.has_versions() {
                    let has_version =
                        template.iter().any(|word| word.starts_with("VERSION") || *word == "PACKED");
                    assert!(has_version, "{} {}", task.name, tool.name);
                    continue;
                }
                assert_eq!(
                    task.course.has_archive(),
                    template.contains(&"ARCHIVE"),
                    "{} {}",
                    task.name,
                    tool.name
                );
                assert_eq!(
                    task.course.has_archive() && task.course != Course::MakesArchive,
                    !template.iter().any(|word| word.starts_with("TREE")),
                    "{} {}",
                    task.name,
                    tool.name
                );
                assert!(!task.course.has_archive() || packing(tool).is_some(), "{}", tool.name);
            }
        }
    }
}
