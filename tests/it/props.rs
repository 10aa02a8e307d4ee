//! Random trees, and random edits of them.

use crate::support::oracle::{exact, haul, haul_command, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{Make, Node, build, dir, fifo, file, hard_link, keeps_xattr, sparse, symlink};
use crate::support::trees::{noise, text};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rustix::fs::{AtFlags, Timespec, Timestamps, utimensat};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A node without its place.
#[derive(Debug, Clone)]
pub struct Draft {
    parent: Index,
    name: Vec<u8>,
    what: What,
    mode: u32,
    mtime: (i64, u32),
    xattr: Option<(String, Vec<u8>)>,
}

#[derive(Debug, Clone)]
pub enum What {
    Text(usize),
    Noise(usize),
    Sparse(u64, Vec<(u64, usize)>),
    Directory,
    Symlink(Vec<u8>),
    HardLink(Index),
    Fifo,
}

/// Names from few characters, so that prefixes and order are put to the test, and some of any bytes.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let any_byte = (1u8..=255).prop_filter("a name has no slash", |b| *b != b'/');
    prop_oneof![
        6 => "[ab.-]{1,4}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any_byte.clone(), 1..20),
        1 => prop::collection::vec(any_byte, 90..256),
    ]
    .prop_filter("a name is not a dot", |name| name != b"." && name != b"..")
}

fn what() -> impl Strategy<Value = What> {
    let size =
        prop_oneof![8 => 0..5000usize, 1 => select(vec![511, 512, 513, 1 << 20, (4 << 20) + 1, 9 << 20])];
    prop_oneof![
        6 => size.clone().prop_map(What::Text),
        2 => size.prop_map(What::Noise),
        1 => (0..1u64 << 24, prop::collection::vec((0..1u64 << 24, 1..70_000usize), 0..4))
            .prop_map(|(size, data)| What::Sparse(size, data)),
        4 => Just(What::Directory),
        1 => prop::collection::vec(1u8..=255, 1..150).prop_map(What::Symlink),
        2 => any::<Index>().prop_map(What::HardLink),
        1 => Just(What::Fifo),
    ]
}

pub fn draft() -> impl Strategy<Value = Draft> {
    let mode = select(vec![0o644, 0o600, 0o755, 0o777, 0o4755, 0o2711, 0o1700]);
    let mtime = ((-1i64 << 31)..(1 << 33), prop_oneof![Just(0), 0..1_000_000_000u32]);
    let xattr = prop::option::weighted(0.2, ("user\\.[a-z]{1,8}", prop::collection::vec(any::<u8>(), 0..40)));
    (any::<Index>(), name(), what(), mode, mtime, xattr)
        .prop_map(|(parent, name, what, mode, mtime, xattr)| Draft { parent, name, what, mode, mtime, xattr })
}

/// Puts drafts into directories that come before them, and drops those whose name is taken.
pub fn tree(drafts: &[Draft], xattrs: bool) -> Vec<Node> {
    let mut dirs = vec![Vec::new()];
    let mut files: Vec<Vec<u8>> = Vec::new();
    let mut taken = BTreeSet::new();
    let mut nodes = vec![dir("")];
    for (i, draft) in drafts.iter().enumerate() {
        let parent: &Vec<u8> = draft.parent.get(&dirs);
        let path =
            if parent.is_empty() { draft.name.clone() } else { [parent, &b"/"[..], &draft.name].concat() };
        if !taken.insert(path.clone()) {
            continue;
        }
        let node = match &draft.what {
            What::Text(len) => file(&path, text(i as u64, *len)),
            What::Noise(len) => file(&path, noise(i as u64, *len)),
            What::Sparse(size, data) => {
                let data: Vec<_> = data.iter().map(|(at, len)| (*at, text(*at, *len))).collect();
                let data: Vec<_> = data.iter().map(|(at, bytes)| (*at, &bytes[..])).collect();
                sparse(&path, *size, &data)
            }
            What::Directory => dir(&path),
            What::Symlink(target) => symlink(&path, target),
            What::HardLink(_) if files.is_empty() => continue,
            What::HardLink(to) => hard_link(&path, to.get(&files)),
            What::Fifo => fifo(&path),
        };
        match node.make {
            Make::Directory => dirs.push(path),
            Make::File(_) | Make::Sparse(..) => files.push(path),
            _ => {}
        }
        let plain = matches!(node.make, Make::File(_) | Make::Sparse(..) | Make::Directory);
        let mode = if matches!(node.make, Make::Directory) { draft.mode | 0o700 } else { draft.mode };
        let mut node = node.mode(mode).mtime(draft.mtime.0, draft.mtime.1);
        if let (true, true, Some((name, value))) = (plain, xattrs, &draft.xattr) {
            node = node.xattr(name, value);
        }
        nodes.push(node);
    }
    nodes
}

/// A change of one entry that touches nothing else.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    FlipByte,
    Append,
    Mode,
    Mtime,
    Remove,
    Add,
    Retarget,
    MakeDirectory,
}

pub fn edit() -> impl Strategy<Value = Edit> {
    use Edit::{Add, Append, FlipByte, MakeDirectory, Mode, Mtime, Remove, Retarget};
    select(vec![FlipByte, Append, Mode, Mtime, Remove, Add, Retarget, MakeDirectory])
}

pub fn set_mtime(path: &Path, (seconds, nanos): (i64, u32)) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(rustix::fs::CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Edits the entry at `path`; false when this edit cannot be made to it.
pub fn apply(root: &Path, path: &Path, edit: Edit) -> bool {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let full = root.join(path);
    let meta = full.symlink_metadata().unwrap();
    let old = (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap());
    let parent = full.parent().unwrap().to_owned();
    let parent_meta = parent.symlink_metadata().unwrap();
    let single = meta.is_dir() || meta.nlink() == 1;
    match edit {
        Edit::FlipByte if meta.is_file() && single && meta.len() > 0 && meta.len() < 1 << 25 => {
            let mut content = std::fs::read(&full).unwrap();
            let at = content.len() / 2;
            content[at] ^= 1;
            std::fs::write(&full, content).unwrap();
            set_mtime(&full, old);
        }
        Edit::Append if meta.is_file() && single => {
            use std::io::Write;
            std::fs::File::options().append(true).open(&full).unwrap().write_all(b"x").unwrap();
            set_mtime(&full, old);
        }
        Edit::Mode if !meta.is_symlink() && single => {
            std::fs::set_permissions(&full, PermissionsExt::from_mode(meta.mode() & 0o7777 ^ 0o001)).unwrap();
        }
        Edit::Mtime if single => set_mtime(&full, (old.0, old.1 ^ 1)),
        Edit::Remove if single && !meta.is_dir() => std::fs::remove_file(&full).unwrap(),
        Edit::Add if !full.with_file_name("added").exists() => {
            std::fs::write(full.with_file_name("added"), "").unwrap();
        }
        Edit::Retarget if meta.is_symlink() => {
            std::fs::remove_file(&full).unwrap();
            std::os::unix::fs::symlink("another target that no tree has", &full).unwrap();
            set_mtime(&full, old);
        }
        Edit::MakeDirectory if single && !meta.is_dir() => {
            std::fs::remove_file(&full).unwrap();
            std::fs::create_dir(&full).unwrap();
        }
        _ => return false,
    }
    set_mtime(&parent, (parent_meta.mtime(), u32::try_from(parent_meta.mtime_nsec()).unwrap()));
    true
}

pub fn few(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 300, ..ProptestConfig::default() }
}

fn built(drafts: &[Draft]) -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    let root = scratch.join("tree");
    build(&root, &tree(drafts, keeps_xattr(scratch.path(), "user.probe", b"")));
    (scratch, root)
}

proptest! {
    #![proptest_config(few(48))]

    #[test]
    fn a_random_tree_is_unpacked_as_it_was_packed(
        drafts in prop::collection::vec(draft(), 0..40),
        threads in 1..5u32,
        single_frame in any::<bool>(),
        piped in any::<bool>(),
    ) {
        let (scratch, root) = built(&drafts);
        let (archive, copy) = (scratch.join("a.tar.zst"), scratch.join("copy"));
        let mut pack = haul_command();
        pack.args(["pack", "-j", &threads.to_string()]).args(single_frame.then_some("--single-frame"));
        run(pack.arg(&root).arg(&archive), None).expect(0);
        let bytes = std::fs::read(&archive).unwrap();
        let mut unpack = haul_command();
        unpack.args(["unpack", "-j", &threads.to_string()]).args(exact());
        unpack.arg(if piped { OsStr::new("-") } else { archive.as_os_str() }).arg(&copy);
        run(&mut unpack, piped.then_some(&bytes)).expect(0);
        let diff = Snapshot::of(&root).diff(&Snapshot::of(&copy), Fields::ALL);
        prop_assert!(diff.is_empty(), "{}", diff.join("\n"));
        haul!["verify", &archive, &root].expect(0);
    }

    #[test]
    fn verify_names_the_one_entry_that_was_edited(
        drafts in prop::collection::vec(draft(), 1..20),
        which in any::<Index>(),
        edit in edit(),
    ) {
        let (scratch, root) = built(&drafts);
        let archive = scratch.join("a.tar.zst");
        haul!["pack", &root, &archive].expect(0);
        let snapshot = Snapshot::of(&root);
        let paths = snapshot.0.keys().filter(|path| !path.is_empty());
        let paths: Vec<PathBuf> = paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
        prop_assume!(!paths.is_empty());
        let path = which.get(&paths).as_path();
        prop_assume!(apply(&root, path, edit));
        let expected = match edit {
            Edit::Add => path.with_file_name("added"),
            _ => path.to_owned(),
        };
        let outcome = haul!["verify", "--json", &archive, &root].expect(4);
        let report: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
        let named: Vec<_> = report["differences"].as_array().unwrap().iter().map(|d| d["path"].as_str().unwrap()).collect();
        let shown = haul::tree::path::escape(expected.as_os_str().as_bytes()).into_owned();
        prop_assert_eq!(named, [shown], "{:?}: {}", edit, report);
    }
}
