//! Reading single entries of an archive, as a user of the library does.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr, clippy::missing_panics_doc)]

use haul::cancel::Cancel;
use haul::error::{Act, Error};
use haul::tree::{Digest, Kind, RelPath};
use haul::{ArchiveReader, PackOptions, Target, pack};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A tree and an archive of it.
struct Packed {
    scratch: TempDir,
    archive: PathBuf,
}

/// Bytes that neither compress nor repeat.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

impl Packed {
    fn new(make: impl FnOnce(&Path)) -> Self {
        let scratch = TempDir::new().unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir(&tree).unwrap();
        make(&tree);
        let archive = scratch.path().join("a.tar.zst");
        let packed = Packed { scratch, archive };
        packed.pack(&tree, false);
        packed
    }

    fn pack(&self, tree: &Path, single_frame: bool) {
        let mut options = PackOptions::default();
        (options.level, options.single_frame) = (1, single_frame);
        pack(tree, Target::Path(&self.archive), &options, &Cancel::default(), &()).unwrap();
    }

    fn tree(&self) -> PathBuf {
        self.scratch.path().join("tree")
    }

    fn open(&self) -> ArchiveReader {
        ArchiveReader::open(&self.archive).unwrap()
    }
}

fn path(text: &str) -> RelPath<'_> {
    RelPath::new(text.as_bytes()).unwrap()
}

/// Small files, one of several frames, one with holes, an empty one, a link of each sort.
fn make_all(tree: &Path) {
    fs::create_dir(tree.join("d")).unwrap();
    fs::write(tree.join("d/a"), "first").unwrap();
    fs::write(tree.join("empty"), "").unwrap();
    fs::write(tree.join("large"), noise(11 << 20)).unwrap();
    fs::hard_link(tree.join("large"), tree.join("linked")).unwrap();
    fs::write(tree.join("z"), "last").unwrap();
    std::os::unix::fs::symlink("d/a", tree.join("symlink")).unwrap();
    let sparse = File::create(tree.join("sparse")).unwrap();
    sparse.write_all_at(&noise(5 << 20), 3 << 20).unwrap();
    sparse.write_all_at(b"end", 20 << 20).unwrap();
    sparse.set_len((20 << 20) + 10_000).unwrap();
}

#[test]
fn every_file_is_read_as_it_was_packed() {
    let packed = Packed::new(make_all);
    let archive = packed.open();
    let mut files = 0;
    for listed in archive.entries() {
        let at = listed.entry.path.as_path();
        if matches!(listed.entry.kind, Kind::File { .. } | Kind::HardLink(_)) {
            let expected = fs::read(packed.tree().join(at.as_os_str())).unwrap();
            assert!(archive.read(at).unwrap() == expected, "{}", at.display());
            let mut copied = Vec::new();
            assert_eq!(archive.copy(at, &mut copied).unwrap(), expected.len() as u64, "{}", at.display());
            assert!(copied == expected, "{}", at.display());
            files += 1;
        }
    }
    assert_eq!(files, 6);
}

#[test]
fn entries_are_found_by_their_paths() {
    let packed = Packed::new(make_all);
    let archive = packed.open();
    let names: Vec<_> =
        archive.entries().map(|listed| listed.entry.path.as_path().display().into_owned()).collect();
    assert_eq!(names, [".", "d", "d/a", "empty", "large", "linked", "sparse", "symlink", "z"]);
    let found = archive.entry(path("d/a")).unwrap();
    assert_eq!((found.entry.kind.size(), found.digest), (5, Some(Digest::of_content(5, None, b"first"))));
    assert!(archive.entry(path("d/b")).is_none());
}

#[test]
fn what_is_no_file_is_an_error_with_its_errno() {
    let packed = Packed::new(make_all);
    let archive = packed.open();
    for (name, errno) in [("none", "ENOENT"), ("d", "EISDIR"), ("symlink", "EINVAL")] {
        let error = archive.read(path(name)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(errno) && text.contains(&format!("a.tar.zst/{name}")), "{text}");
    }
}

#[test]
fn damage_is_an_error_and_only_where_it_is() {
    let packed = Packed::new(|tree| {
        fs::write(tree.join("a"), noise(5 << 20)).unwrap();
        fs::write(tree.join("b"), noise(5 << 20)).unwrap();
    });
    let file = File::options().read(true).write(true).open(&packed.archive).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 100_000).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 100_000).unwrap();
    let archive = packed.open();
    assert!(matches!(archive.read(path("a")), Err(Error::Malformed { .. })));
    assert!(archive.read(path("b")).unwrap() == noise(5 << 20));
}

#[test]
fn an_error_of_whoever_takes_the_content_is_theirs() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let packed = Packed::new(make_all);
    let error = packed.open().copy(path("z"), &mut Full).unwrap_err();
    assert!(matches!(error, Error::Io { act: Act::Write, .. }), "{error}");
}

#[test]
fn an_archive_without_an_index_is_not_opened() {
    let packed = Packed::new(make_all);
    packed.pack(&packed.tree(), true);
    let error = ArchiveReader::open(&packed.archive).unwrap_err();
    assert_eq!(error.kind(), "no-index");
    assert!(matches!(ArchiveReader::open("/nowhere/at-all"), Err(Error::Io { act: Act::Open, .. })));
}
