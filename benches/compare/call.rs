//! How a program is called.
//!
//! A call is a template: `TREE`, `ARCHIVE` and `OUT` stand for paths and `LEVEL` for the level, so that a report can
//! show how a program was called without naming a path of the machine. Where there are versions of the tree, `VERSION`
//! is the tree of this run, `PACKED` an archive of it, and `BASE` an archive of the previous version.

use crate::versions::Version;
use std::ffi::OsString;
use std::path::Path;

/// A program and its arguments, as a template.
pub type Template = &'static [&'static str];

/// A program and its arguments, still as a template.
#[derive(Debug, Clone, Copy)]
pub struct Call(Template);

/// What the names in a template stand for.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    pub tree: &'a Path,
    pub archive: &'a Path,
    pub out: &'a Path,
    pub level: u32,
    /// The version of this run, and the previous one.
    pub version: Option<(&'a Version, &'a Version)>,
}

impl Call {
    pub fn new(template: Template) -> Self {
        Call(template)
    }

    /// The program and its arguments. haul is the one that was built with this bench.
    pub fn arguments(self, places: Places<'_>) -> Vec<OsString> {
        let level = places.level.to_string();
        let (now, before) = places.version.unzip();
        let of = |version: Option<&Version>, path: fn(&Version) -> &Path| {
            version.map_or(places.tree, path).as_os_str().to_owned()
        };
        let argument = |&text: &&str| match text {
            "haul" => env!("CARGO_BIN_EXE_haul").into(),
            "TREE" => places.tree.into(),
            "TREE/" => places.tree.join("").into(),
            "ARCHIVE" => places.archive.into(),
            "OUT" | "NEW" => places.out.into(),
            "VERSION" => of(now, |version| &version.tree),
            "VERSION/" => Path::new(&of(now, |version| &version.tree)).join("").into(),
            "PACKED" => of(now, |version| &version.archive),
            "BASE" => of(before, |version| &version.archive),
            text => text.replace("LEVEL", &level).into(),
        };
        self.0.iter().map(argument).collect()
    }

    /// Whether it makes a new copy, `NEW`, in each run, instead of changing an existing one.
    pub fn makes_new(self) -> bool {
        self.0.contains(&"NEW")
    }

    /// The call as a report shows it.
    pub fn shown(self, level: u32) -> String {
        let quoted = |text: &&str| {
            if text.contains([' ', '*', '"']) { format!("'{text}'") } else { (*text).to_owned() }
        };
        let words: Vec<_> = self.0.iter().map(quoted).collect();
        words.join(" ").replace("LEVEL", &level.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Task;
    use crate::tools::{RSYNC, TAR_ZSTD};

    #[test]
    fn a_call_is_shown_without_paths_and_made_with_them() {
        let call = Task::named("pack").unwrap().call(&TAR_ZSTD).unwrap();
        assert_eq!(call.shown(3), "tar -I 'zstd -3' -cf ARCHIVE -C TREE .");
        let places = Places {
            tree: Path::new("/t"),
            archive: Path::new("/a"),
            out: Path::new("/o"),
            level: 9,
            version: None,
        };
        assert_eq!(call.arguments(places), ["tar", "-I", "zstd -9", "-cf", "/a", "-C", "/t", "."]);
        let sync = Task::named("sync").unwrap().call(&RSYNC).unwrap();
        assert_eq!(sync.arguments(places), ["rsync", "-a", "/t/", "/o"]);
    }
}
