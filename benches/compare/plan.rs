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
    List,
    Verify,
}

type Template = &'static [&'static str];

/// An archiver.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// What reports call it.
    pub name: &'static str,
    /// The programs that it needs.
    pub programs: &'static [&'static str],
    pub pack: Template,
    /// Empty when it unpacks just as an earlier tool does.
    pub unpack: Template,
    /// Whether the directory to unpack into must exist.
    pub needs_out: bool,
    /// What it does not keep, or does otherwise.
    pub notes: &'static str,
}

pub const HAUL: Tool = Tool {
    name: "haul",
    programs: &[],
    pack: &["haul", "pack", "-q", "--level", "LEVEL", "TREE", "ARCHIVE"],
    unpack: &["haul", "unpack", "-q", "ARCHIVE", "OUT"],
    needs_out: false,
    notes: "",
};

const HAUL_LIST: Template = &["haul", "list", "ARCHIVE"];
const HAUL_VERIFY: Template = &["haul", "verify", "-q", "ARCHIVE"];

const PEERS: &[Tool] = &[
    Tool {
        name: "tar, zstd",
        programs: &["tar", "zstd"],
        pack: &["tar", "-I", "zstd -LEVEL", "-cf", "ARCHIVE", "-C", "TREE", "."],
        unpack: &["tar", "-I", "zstd", "-xf", "ARCHIVE", "-C", "OUT"],
        needs_out: true,
        notes: "without fractions of seconds, xattrs, ACLs and holes, which take flags",
    },
    Tool {
        name: "tar, zstd -T0",
        programs: &["tar", "zstd"],
        pack: &["tar", "-I", "zstd -T0 -LEVEL", "-cf", "ARCHIVE", "-C", "TREE", "."],
        unpack: &[],
        needs_out: true,
        notes: "as tar, zstd; unpacks as that does",
    },
    Tool {
        name: "tar, gzip",
        programs: &["tar", "gzip"],
        pack: &["tar", "-I", "gzip", "-cf", "ARCHIVE", "-C", "TREE", "."],
        unpack: &["tar", "-I", "gzip", "-xf", "ARCHIVE", "-C", "OUT"],
        needs_out: true,
        notes: "as tar, zstd; at gzip's own level 6",
    },
    Tool {
        name: "bsdtar, zstd",
        programs: &["bsdtar"],
        pack: &[
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
        unpack: &["bsdtar", "-xf", "ARCHIVE", "-C", "OUT"],
        needs_out: true,
        notes: "on one thread; fractions of seconds only of entries with xattrs or ACLs",
    },
    Tool {
        name: "squashfs, zstd",
        programs: &["mksquashfs", "unsquashfs"],
        pack: &[
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
        unpack: &["unsquashfs", "-no-progress", "-d", "OUT", "ARCHIVE"],
        needs_out: false,
        notes: "whole seconds, up to 2106; no ACLs; stores equal files once, for a mount",
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
        let template = match verb {
            Verb::Pack => tool.pack,
            Verb::Unpack => tool.unpack,
            // Nobody else has an index to list from, or digests to check.
            Verb::List => HAUL_LIST,
            Verb::Verify => HAUL_VERIFY,
        };
        (!template.is_empty()).then_some(Call(template))
    }

    /// The program and its arguments. haul is the one that was built with this bench.
    pub fn arguments(self, places: &Places<'_>) -> Vec<OsString> {
        let level = places.level.to_string();
        let argument = |&text: &&str| match text {
            "haul" => env!("CARGO_BIN_EXE_haul").into(),
            "TREE" => places.tree.into(),
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
