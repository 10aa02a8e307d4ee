//! Trees that change while they are packed, and trees that cannot be read in full.
//!
//! No sleeps: haul writes into a pipe that nobody reads. The tree's first file is larger than everything that haul may
//! hold in memory, so while the pipe is full, haul waits in the middle of that file, and has not reached the files
//! after it.

use crate::support::oracle::{Outcome, finish, haul, haul_command, is_root, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Kind, Snapshot};
use crate::support::tree::{build, dir, fifo, file, symlink};
use crate::support::trees::noise;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LARGE: usize = 256 << 20;

struct Packing {
    scratch: Scratch,
    tree: PathBuf,
}

impl Packing {
    fn new() -> Self {
        let scratch = Scratch::new();
        let tree = scratch.join("tree");
        let mut nodes = vec![file("a-large", noise(1, LARGE))];
        for i in 0..20 {
            nodes.push(file(format!("z{i:02}"), format!("content {i}")));
            nodes.push(file(format!("zdir/{i:02}"), format!("content {i}")));
        }
        build(&tree, &nodes);
        Self { scratch, tree }
    }

    /// Packs, and runs `change` while haul is inside the large file. Returns how haul ended and what a valid archive
    /// holds.
    fn pack_while(&self, change: impl FnOnce(&Path)) -> (Outcome, PathBuf) {
        let mut command = haul_command();
        command.args(["pack", "-j", "2", "--level", "1"]).arg(&self.tree).arg("-");
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdout.take().unwrap();
        let archive = self.scratch.join("a.tar.zst");
        let mut first = [0; 4096];
        pipe.read_exact(&mut first).unwrap();
        change(&self.tree);
        let mut out = File::create(&archive).unwrap();
        out.write_all(&first).unwrap();
        std::io::copy(&mut pipe, &mut out).unwrap();
        let outcome = finish(child, &format!("{command:?}"));
        haul!["verify", &archive].expect(0);
        let copy = self.scratch.join("copy");
        haul!["unpack", &archive, &copy].expect(0);
        (outcome, copy)
    }

    /// Asserts that all is in the copy as it was, but for `changed`.
    fn assert_rest_intact(copy: &Path, changed: &[&str]) {
        for i in 0..20 {
            for name in [format!("z{i:02}"), format!("zdir/{i:02}")] {
                if !changed.iter().any(|changed| name.starts_with(changed)) {
                    assert_eq!(std::fs::read_to_string(copy.join(&name)).unwrap(), format!("content {i}"));
                }
            }
        }
    }
}

fn append(path: &Path, bytes: &[u8]) {
    File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_file_that_grows_while_it_is_packed_is_named_and_stored_with_the_size_it_had() {
    let packing = Packing::new();
    let (outcome, copy) = packing.pack_while(|tree| append(&tree.join("a-large"), &noise(2, 5 << 20)));
    outcome.expect(3).expect_once("a-large");
    assert!(std::fs::read(copy.join("a-large")).unwrap() == noise(1, LARGE), "the old part is stored");
    Packing::assert_rest_intact(&copy, &[]);
}

#[test]
fn a_file_that_shrinks_while_it_is_packed_is_named_and_filled_up_with_zeros() {
    let packing = Packing::new();
    let left = 5 << 20;
    let (outcome, copy) = packing.pack_while(|tree| {
        File::options().write(true).open(tree.join("a-large")).unwrap().set_len(left as u64).unwrap();
    });
    outcome.expect(3).expect_once("a-large");
    let stored = std::fs::read(copy.join("a-large")).unwrap();
    assert_eq!(stored.len(), LARGE, "the size in the header is exact");
    assert!(stored[..left] == noise(1, left)[..]);
    assert!(stored[LARGE - (1 << 20)..].iter().all(|&b| b == 0));
    Packing::assert_rest_intact(&copy, &[]);
}

#[test]
fn a_file_that_is_overwritten_while_it_is_packed_is_named() {
    let packing = Packing::new();
    let (outcome, copy) = packing.pack_while(|tree| {
        let mut large = File::options().write(true).open(tree.join("a-large")).unwrap();
        large.write_all(b"changed").unwrap();
    });
    outcome.expect(3).expect_once("a-large");
    Packing::assert_rest_intact(&copy, &[]);
}

#[test]
fn a_file_that_vanishes_is_named_once_and_left_out() {
    let packing = Packing::new();
    let (outcome, copy) = packing.pack_while(|tree| std::fs::remove_file(tree.join("z07")).unwrap());
    outcome.expect(3).expect_once("z07");
    assert!(!copy.join("z07").is_file());
    Packing::assert_rest_intact(&copy, &["z07"]);
}

#[test]
fn several_files_that_vanish_are_each_named_once() {
    let packing = Packing::new();
    let (outcome, copy) = packing.pack_while(|tree| {
        for name in ["z03", "z04", "z19"] {
            std::fs::remove_file(tree.join(name)).unwrap();
        }
    });
    outcome.expect(3).expect_once("z03").expect_once("z04").expect_once("z19");
    Packing::assert_rest_intact(&copy, &["z03", "z04", "z19"]);
}

/// A directory may have been read before it vanished, or not; either way nothing is skipped silently.
#[test]
fn a_directory_that_vanishes_is_named() {
    let packing = Packing::new();
    let (outcome, copy) = packing.pack_while(|tree| std::fs::remove_dir_all(tree.join("zdir")).unwrap());
    let outcome = outcome.expect(3);
    assert!(outcome.stderr.contains("zdir"), "{outcome}");
    Packing::assert_rest_intact(&copy, &["zdir"]);
}

#[test]
fn a_file_that_becomes_something_else_is_named_and_neither_followed_nor_waited_for() {
    let packing = Packing::new();
    let secret = packing.scratch.write("secret", "not in the tree");
    let (outcome, copy) = packing.pack_while(|tree| {
        let names = ["z01", "z02", "z03"];
        for name in names {
            std::fs::remove_file(tree.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(&secret, tree.join("z01")).unwrap();
        let status = Command::new("mkfifo").arg(tree.join("z02")).status().unwrap();
        assert!(status.success());
        std::fs::create_dir(tree.join("z03")).unwrap();
    });
    outcome.expect(3).expect_once("z01").expect_once("z02").expect_once("z03");
    let stored = Snapshot::of(&copy);
    for name in ["z01", "z02", "z03"] {
        assert!(
            !stored.0.contains_key(name.as_bytes()) || !matches!(stored.get(name).kind, Kind::Symlink(_))
        );
    }
    Packing::assert_rest_intact(&copy, &["z01", "z02", "z03"]);
}

#[test]
fn a_directory_that_becomes_a_symlink_is_not_followed() {
    let packing = Packing::new();
    let outside = packing.scratch.mkdir("outside");
    for i in 0..20 {
        std::fs::write(outside.join(format!("{i:02}")), "secret").unwrap();
    }
    let (outcome, copy) = packing.pack_while(|tree| {
        std::fs::rename(tree.join("zdir"), packing.scratch.join("moved")).unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("zdir")).unwrap();
    });
    // haul holds a descriptor of the directory, wherever it is now: then nothing is missing.
    assert!(matches!(outcome.code(), Some(0 | 3)), "{outcome}");
    for (path, _) in Snapshot::of(&copy).0.iter().filter(|(path, _)| path.starts_with(b"zdir/")) {
        let path = copy.join(std::str::from_utf8(path).unwrap());
        assert!(std::fs::read_to_string(path).unwrap().starts_with("content"));
    }
}

/// haul, run as a user who may not read everything.
pub fn as_nobody(scratch: &Scratch, args: &[&Path]) -> Outcome {
    if !is_root() {
        return run(haul_command().args(args), None);
    }
    // The binary may lie where only root can reach it.
    let binary = scratch.join("haul");
    if !binary.is_file() {
        std::fs::copy(env!("CARGO_BIN_EXE_haul"), &binary).unwrap();
    }
    run(Command::new(binary).args(args).uid(65_534).gid(65_534), None)
}

#[test]
fn what_cannot_be_read_is_named_once_and_the_rest_is_packed() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    build(
        &tree,
        &[
            file("a", "readable"),
            file("secret-file", "x").mode(0),
            file("secret-dir/inside", "x"),
            dir("secret-dir").mode(0),
            fifo("unreadable-fifo").mode(0),
            symlink("link", "secret-file"),
            file("z/b", "readable too"),
        ],
    );
    let outcome = as_nobody(&scratch, &["pack".as_ref(), &tree, "-".as_ref()]).expect(3);
    let outcome = outcome.expect_once("secret-file").expect_once("secret-dir");
    assert_eq!(outcome.stderr.matches("EACCES").count(), 2, "{outcome}");
    let copy = scratch.join("copy");
    run(haul_command().arg("unpack").arg("-").arg(&copy), Some(&outcome.stdout)).expect(0);
    // It has its original mode, so this test may need access, too.
    if copy.join("secret-dir").is_dir() {
        std::fs::set_permissions(copy.join("secret-dir"), PermissionsExt::from_mode(0o700)).unwrap();
    }
    let mut paths = Snapshot::of(&copy).paths();
    // The directory's own name and metadata are known; nothing can be kept of the file.
    paths.retain(|path| path != "secret-dir");
    assert_eq!(paths, ["a", "link", "unreadable-fifo", "z", "z/b"]);
}

#[test]
fn a_root_that_cannot_be_read_cannot_be_packed() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    build(&tree, &[dir("").mode(0)]);
    let outcome = as_nobody(&scratch, &["pack".as_ref(), &tree, "-".as_ref()]).expect(1);
    assert!(outcome.stderr.contains("EACCES") && outcome.stdout.is_empty(), "{outcome}");
}

#[test]
fn what_is_no_directory_cannot_be_packed() {
    let scratch = Scratch::new();
    let archive = scratch.join("a.tar.zst");
    let plain = scratch.write("plain", "x");
    haul!["pack", &plain, &archive].expect(1);
    haul!["pack", &scratch.join("missing"), &archive].expect(1);
    assert!(!archive.is_file());
}

#[test]
fn another_user_unpacks_what_a_user_can_have() {
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    let mut nodes = vec![
        file("setuid", "x").mode(0o4755),
        file("plain", "x").mode(0o666),
        dir("read-only").mode(0o555),
        file("read-only/file", "x").mode(0o444),
    ];
    if is_root() {
        nodes.push(file("foreign", "x").owner(1234, 4321));
    }
    build(&tree, &nodes);
    haul!["pack", &tree, &archive].expect(0);
    let place = scratch.mkdir("place");
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
    let copy = place.join("copy");
    as_nobody(&scratch, &["unpack".as_ref(), &archive, &copy]).expect(0);
    let copy = Snapshot::of(&copy);
    // Only root can give owners and setuid; the rest is kept, under the umask.
    assert_eq!(copy.get("setuid").mode & 0o6000, 0);
    assert_eq!(copy.get("plain").mode & !0o022, 0o644);
    assert_eq!((copy.get("read-only").mode, copy.get("read-only/file").mode), (0o555, 0o444));
    assert!(copy.0.values().all(|node| node.uid == copy.get("").uid));
}

#[test]
fn another_user_unpacks_closed_directories_on_many_threads() {
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    // Enough of one depth for several threads, closed at every depth.
    let modes = [0o755, 0o555, 0o500, 0o700, 0o1755];
    let names = || (0..240).map(|i| (format!("{}/{i:03}", i % 3), modes[i % modes.len()]));
    let nodes = names().flat_map(|(name, mode)| {
        let inner = format!("{name}/inner");
        let file = file(format!("{inner}/file"), name.clone()).mode(0o444);
        [file, dir(inner).mode(mode), dir(name).mode(mode)]
    });
    build(&tree, &nodes.chain([dir("0").mode(0o555)]).collect::<Vec<_>>());
    haul!["pack", &tree, &archive].expect(0);
    let place = scratch.mkdir("place");
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
    let copy = place.join("copy");
    let args: [&Path; 5] = ["unpack".as_ref(), "-j".as_ref(), "8".as_ref(), &archive, &copy];
    as_nobody(&scratch, &args).expect(0);
    let (src, dst) = (Snapshot::of(&tree), Snapshot::of(&copy));
    for (name, mode) in names() {
        for path in [name.clone(), format!("{name}/inner")] {
            // The sticky bit is not for others to give.
            assert_eq!(dst.get(&path).mode, mode & 0o777, "{path}");
            assert_eq!(dst.get(&path).mtime, src.get(&path).mtime, "{path}");
        }
        assert_eq!(dst.get(format!("{name}/inner/file")).mode, 0o444);
    }
    assert_eq!(dst.get("0").mode, 0o555);
}
