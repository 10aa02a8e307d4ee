//! Which programs are compared, and how each is called.
//!
//! A call is a template: `TREE`, `ARCHIVE` and `OUT` stand for paths and `LEVEL` for the level, so that a report can show
//! how a program was called without naming a path of the machine. Every peer is called as its users call it; where it
//! then keeps less than haul, it has less to do, and the report says so.

use serde::Serialize;
use std::ffi::OsString;
use std::path::Path;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Pack,
    Unpack,
    /// A mirror where nothing was.
    Sync,
    /// The same again: nothing is to be done.
    Resync,
    /// The same again, with every content compared.
    Recheck,
    List,
    Verify,
}

impl Verb {
    /// Those in which haul has peers, in the order of a report.
    pub const CONTESTED: [Verb; 5] = [Verb::Pack, Verb::Unpack, Verb::Sync, Verb::Resync, Verb::Recheck];

    /// Whether an archive is written or read.
    pub fn has_archive(self) -> bool {
        !matches!(self, Verb::Sync | Verb::Resync | Verb::Recheck)
    }

    /// Whether a run begins where the one before has ended.
    pub fn goes_on(self) -> bool {
        matches!(self, Verb::Resync | Verb::Recheck)
    }
}

type Template = &'static [&'static str];

/// An archiver, or a program that copies trees.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// What reports call it.
    pub name: &'static str,
    /// The programs that it needs.
    pub programs: &'static [&'static str],
    /// How it is called for what it does, and does not do just as an earlier tool does.
    pub calls: &'static [(Verb, Template)],
    /// Whether the directory to unpack into must exist.
    pub needs_out: bool,
    /// What it does not keep, or does otherwise.
    pub notes: &'static str,
}

pub const HAUL: Tool = Tool {
    name: "haul",
    programs: &[],
    calls: &[
        (Verb::Pack, &["haul", "pack", "-q", "--level", "LEVEL", "TREE", "ARCHIVE"]),
        (Verb::Unpack, &["haul", "unpack", "-q", "ARCHIVE", "OUT"]),
        (Verb::Sync, &["haul", "sync", "-q", "TREE", "OUT"]),
        (Verb::Resync, &["haul", "sync", "-q", "TREE", "OUT"]),
        (Verb::Recheck, &["haul", "sync", "-q", "-c", "TREE", "OUT"]),
        // Nobody else has an index to list from, or digests to check.
        (Verb::List, &["haul", "list", "ARCHIVE"]),
        (Verb::Verify, &["haul", "verify", "-q", "ARCHIVE"]),
    ],
    needs_out: false,
    notes: "",
};

const PEERS: &[Tool] = &[
    Tool {
        name: "tar, zstd",
        programs: &["tar", "zstd"],
        calls: &[
            (Verb::Pack, &["tar", "-I", "zstd -LEVEL", "-cf", "ARCHIVE", "-C", "TREE", "."]),
            (Verb::Unpack, &["tar", "-I", "zstd", "-xf", "ARCHIVE", "-C", "OUT"]),
        ],
        needs_out: true,
        notes: "without fractions of seconds, xattrs, ACLs and holes, which take flags",
    },
    Tool {
        name: "tar, zstd -T0",
        programs: &["tar", "zstd"],
        calls: &[(Verb::Pack, &["tar", "-I", "zstd -T0 -LEVEL", "-cf", "ARCHIVE", "-C", "TREE", "."])],
        needs_out: true,
        notes: "as tar, zstd; unpacks as that does",
    },
    Tool {
        name: "tar, gzip",
        programs: &["tar", "gzip"],
        calls: &[
            (Verb::Pack, &["tar", "-I", "gzip", "-cf", "ARCHIVE", "-C", "TREE", "."]),
            (Verb::Unpack, &["tar", "-I", "gzip", "-xf", "ARCHIVE", "-C", "OUT"]),
        ],
        needs_out: true,
        notes: "as tar, zstd; at gzip's own level 6",
    },
    Tool {
        name: "bsdtar, zstd",
        programs: &["bsdtar"],
        calls: &[
            (
                Verb::Pack,
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
            (Verb::Unpack, &["bsdtar", "-xf", "ARCHIVE", "-C", "OUT"]),
        ],
        needs_out: true,
        notes: "on one thread; fractions of seconds only of entries with xattrs or ACLs",
    },
    Tool {
        name: "squashfs, zstd",
        programs: &["mksquashfs", "unsquashfs"],
        calls: &[
            (
                Verb::Pack,
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
            (Verb::Unpack, &["unsquashfs", "-no-progress", "-d", "OUT", "ARCHIVE"]),
        ],
        needs_out: false,
        notes: "whole seconds, up to 2106; no ACLs; stores equal files once, for a mount",
    },
    Tool {
        name: "rsync",
        programs: &["rsync"],
        calls: &[
            (Verb::Sync, &["rsync", "-a", "TREE/", "OUT"]),
            (Verb::Resync, &["rsync", "-a", "TREE/", "OUT"]),
            (Verb::Recheck, &["rsync", "-ac", "TREE/", "OUT"]),
        ],
        needs_out: false,
        notes: "without hard links, xattrs, ACLs and holes, which take flags; compares whole seconds",
    },
    Tool {
        name: "rsync -HAX",
        programs: &["rsync"],
        calls: &[
            (Verb::Sync, &["rsync", "-aHAX", "TREE/", "OUT"]),
            (Verb::Resync, &["rsync", "-aHAX", "TREE/", "OUT"]),
            (Verb::Recheck, &["rsync", "-aHAXc", "TREE/", "OUT"]),
        ],
        needs_out: false,
        notes: "without holes; compares whole seconds",
    },
    Tool {
        name: "cp",
        programs: &["cp"],
        calls: &[(Verb::Sync, &["cp", "-a", "TREE", "OUT"])],
        needs_out: false,
        notes: "",
    },
    Tool {
        name: "cpz",
        programs: &["cpz"],
        calls: &[(Verb::Sync, &["cpz", "TREE", "OUT"])],
        needs_out: false,
        notes: "keeps modes only: no times, owners, hard links, xattrs, ACLs or holes",
    },
];

/// The peers whose programs are there.
pub fn installed_peers() -> Vec<Tool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    PEERS.iter().filter(|tool| tool.programs.iter().all(|program| is_there(program))).copied().collect()
}

/// A program and its arguments, still as a template.
#[derive(Debug, Clone, Copy)]
pub struct Call(Template);

/// What the names in a template stand for.
pub struct Places<'a> {
    pub tree: &'a Path,
    pub archive: &'a Path,
    pub out: &'a Path,
    pub level: u32,
}

impl Call {
    /// How a tool does what `verb` says; `None` when that is not to be timed.
    pub fn of(tool: &Tool, verb: Verb) -> Option<Self> {
        tool.calls.iter().find(|(called, _)| *called == verb).map(|&(_, template)| Call(template))
    }

    /// The program and its arguments. haul is the one that was built with this bench.
    pub fn arguments(self, places: &Places<'_>) -> Vec<OsString> {
        let level = places.level.to_string();
        let argument = |&text: &&str| match text {
            "haul" => env!("CARGO_BIN_EXE_haul").into(),
            "TREE" => places.tree.into(),
            "TREE/" => places.tree.join("").into(),
            "ARCHIVE" => places.archive.into(),
            "OUT" => places.out.into(),
            text => text.replace("LEVEL", &level).into(),
        };
        self.0.iter().map(argument).collect()
    }

    /// The call as a report shows it.
    pub fn shown(self, level: u32) -> String {
        let quoted = |text: &&str| if text.contains(' ') { format!("'{text}'") } else { (*text).to_owned() };
        let words: Vec<_> = self.0.iter().map(quoted).collect();
        words.join(" ").replace("LEVEL", &level.to_string())
    }
}
