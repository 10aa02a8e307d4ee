//! What is timed: the one table to which a new task is added.
//!
//! A task is a row: what it begins with, what it leaves, and how haul and each peer are called for it. [`crate::call`]
//! explains the calls. Every peer is called as its users call it; where it then
//! keeps less than haul, it has less to do, and the report says so.

use crate::call::{Call, Template};
use crate::tools::{
    BSDTAR, CP, CPZ, FCP, HAUL, RSYNC, RSYNC_FULL, SQUASHFS, TAR_FULL, TAR_GZIP, TAR_LZ4, TAR_PIGZ, TAR_ZSTD,
    TAR_ZSTD_T0, Tool, XCP, ZSTD,
};

/// What a run begins with, and leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// From the tree to an archive.
    MakesArchive,
    /// From an archive, which is made before, to a tree.
    MakesTree,
    /// Looks at an archive, which is made before.
    ReadsArchive,
    /// From the tree to a copy of it.
    Copies,
    /// From the tree to a copy that stands already: the one of the first run.
    CopiesAgain,
}

impl Course {
    pub fn has_archive(self) -> bool {
        matches!(self, Course::MakesArchive | Course::MakesTree | Course::ReadsArchive)
    }

    /// Whether each run leaves a tree that must be like the one it was given.
    pub fn leaves_tree(self) -> bool {
        matches!(self, Course::MakesTree | Course::Copies)
    }
}

#[derive(Debug)]
pub struct Task {
    /// What reports and `--only` call it.
    pub name: &'static str,
    /// What it is, for the reader of a report.
    pub about: &'static str,
    pub course: Course,
    pub calls: &'static [(&'static Tool, Template)],
}

impl Task {
    pub fn named(name: &str) -> Option<&'static Task> {
        TASKS.iter().find(|task| task.name == name)
    }

    /// How `tool` does it; `None` when it cannot.
    pub fn call(&self, tool: &Tool) -> Option<Call> {
        self.calls.iter().find(|(called, _)| *called == tool).map(|&(_, template)| Call::new(template))
    }
}

/// In the order of a report. The first call of each row is haul's, and of those that make archives and those that read
/// them each tool has one.
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
        about: "A mirror where nothing was.",
        course: Course::Copies,
        calls: &[
            (&HAUL, &["haul", "sync", "-q", "TREE", "OUT"]),
            (&RSYNC, &["rsync", "-a", "TREE/", "OUT"]),
            (&RSYNC_FULL, &["rsync", "-aHAX", "TREE/", "OUT"]),
            (&CP, &["cp", "-a", "TREE", "OUT"]),
            (&CPZ, &["cpz", "TREE", "OUT"]),
            (&XCP, &["xcp", "--recursive", "--ownership", "--no-target-directory", "TREE", "OUT"]),
            (&FCP, &["fcp", "TREE", "OUT"]),
        ],
    },
    Task {
        name: "resync",
        about: "The same again: nothing is to be done.",
        course: Course::CopiesAgain,
        calls: &[
            (&HAUL, &["haul", "sync", "-q", "TREE", "OUT"]),
            (&RSYNC, &["rsync", "-a", "TREE/", "OUT"]),
            (&RSYNC_FULL, &["rsync", "-aHAX", "TREE/", "OUT"]),
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
        ],
    },
    Task {
        name: "open",
        about: "An archive opened, and nothing shown: reading and checking its index.",
        course: Course::ReadsArchive,
        calls: &[(&HAUL, &["haul", "list", "--exclude", "*", "ARCHIVE"])],
    },
    Task {
        name: "list",
        about: "The names in an archive. haul and unsquashfs read an index, a tar is read whole.",
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
        about: "An archive read whole and checked.",
        course: Course::ReadsArchive,
        calls: &[(&HAUL, &["haul", "verify", "-q", "ARCHIVE"]), (&ZSTD, &["zstd", "-tq", "ARCHIVE"])],
    },
];

/// How `tool` makes the archive that it is then to read.
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
