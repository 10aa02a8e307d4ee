//! On a real SMB server.

use crate::support::oracle::haul;
use crate::support::samba::Share;
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{build, dir, file};
use std::fs;
use std::path::{Path, PathBuf};

/// What any file system keeps: directories, and files of all sizes.
fn source(scratch: &Scratch, name: &str) -> PathBuf {
    let src = scratch.join(name);
    let mut nodes =
        vec![dir("d"), dir("d/e"), dir("empty"), file("d/large", vec![7; 3 << 20]), file("zero", "")];
    nodes.extend((0..40).map(|n| file(format!("d/e/{n}"), n.to_string().repeat(100))));
    build(&src, &nodes);
    src
}

#[test]
fn an_archive_is_packed_to_a_server_and_unpacked_from_it() {
    let Some(share) = Share::mount() else { return };
    let scratch = Scratch::in_memory();
    let src = source(&scratch, "src");
    let archive = share.path().join("a.tar.zst");
    for run in ["first", "again"] {
        haul!["pack", &src, &archive].expect(0);
        haul!["verify", &archive, &src].expect(0);
        let back = scratch.join(&format!("{run}.tar.zst"));
        share.client(&format!("get a.tar.zst {}", back.display()));
        haul!["verify", &back, &src].expect(0);
        let out = scratch.join(run);
        haul!["unpack", &archive, &out].expect(0);
        Snapshot::of(&src).assert_same(&Snapshot::of(&out), Fields::ALL);
        assert_eq!(names(&share.served()), ["a.tar.zst"]);
        fs::write(src.join("new"), run).unwrap();
    }
}

fn names(dir: &Path) -> Vec<String> {
    crate::support::process::names_in(dir)
}
