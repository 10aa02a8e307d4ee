//! Random trees over random trees: haul compared with rsync, and with the source itself.
//!
//! The names are few, so that kinds clash and hard links cross. Known differences between the two are avoided here and
//! have their own tests: rsync leaves names joined that the source has apart, so destinations that it shares have no
//! hard links of their own; and times are either the same or no cut of each other.

use crate::support::mirror::{Pair, Rivals, SHARED};
use crate::support::oracle::{is_root, peer, peer_run, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tree::{
    Make, Node, acl, block_device, char_device, dir, fifo, file, hard_link, keeps_xattr, socket, sparse,
    symlink,
};
use crate::support::trees::noise;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::process::Command;

/// An entry before it is known whether it has a place.
#[derive(Clone)]
struct Draft {
    path: Vec<u8>,
    what: What,
    mode: u32,
    mtime: (i64, u32),
    owner: (u32, u32),
    xattr: Option<Xattr>,
}

/// On one line, since a case has many.
impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = String::from_utf8_lossy(&self.path);
        let Self { what, mode, mtime, owner, xattr, .. } = self;
        f.write_str(&format!("{path:?} {what:?} {mode:o} {mtime:?} {owner:?} {xattr:?}"))
    }
}

#[derive(Debug, Clone)]
enum What {
    File(usize, u64),
    Sparse(u64),
    Directory,
    Symlink(&'static str),
    HardLink(Index),
    Fifo,
    Socket,
    Device(bool, u32),
}

#[derive(Debug, Clone, Copy)]
enum Xattr {
    User(&'static str, &'static str),
    Access(u16),
    Default(u16),
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let name = select(vec!["a", "b", "c", "d-", "d.", "\u{fc}\n"]);
    prop::collection::vec(name, 1..4).prop_map(|names| names.join("/").into_bytes())
}

fn what() -> impl Strategy<Value = What> {
    // Files of few sizes and contents, so that many are alike in one and not in the other.
    let size = prop_oneof![4 => select(vec![0, 1, 7]), 2 => select(vec![4096, 5000]), 1 => select(vec![40_000, 200_000])];
    prop_oneof![
        8 => (size, 0..3u64).prop_map(|(size, seed)| What::File(size, seed)),
        1 => (1..5u64).prop_map(|size| What::Sparse(size * 40_000)),
        6 => Just(What::Directory),
        3 => select(vec!["a", "b", "../a", "nowhere", "/etc/hostname", "../../out", "."]).prop_map(What::Symlink),
        3 => any::<Index>().prop_map(What::HardLink),
        1 => Just(What::Fifo),
        1 => Just(What::Socket),
        1 => (any::<bool>(), 1..4u32).prop_map(|(block, minor)| What::Device(block, minor)),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let mode = select(vec![0o644, 0o600, 0o755, 0o444, 0o777, 0o4755, 0o2711, 0o1700]);
    let mtime = select(vec![
        (1_600_000_001, 123_456_789),
        (1_600_000_001, 123_456_788),
        (1_600_000_003, 123_456_789),
        (1_700_000_000, 987_654_321),
        (-5, 11),
        (5_000_000_000, 7),
    ]);
    let owner = select(vec![(0, 0), (0, 0), (1000, 1000), (65_534, 1000), (4_000_000_000, 2)]);
    let xattr = prop_oneof![
        (select(vec!["user.a", "user.b"]), select(vec!["", "v", "w"]))
            .prop_map(|(name, value)| Xattr::User(name, value)),
        (0..8u16).prop_map(Xattr::Access),
        (0..8u16).prop_map(Xattr::Default),
    ];
    (path(), what(), mode, mtime, owner, prop::option::weighted(0.25, xattr))
        .prop_map(|(path, what, mode, mtime, owner, xattr)| Draft { path, what, mode, mtime, owner, xattr })
}

/// A source, and a destination made of some of its entries and some of its own.
#[derive(Clone)]
struct Trees {
    src: Vec<Draft>,
    dst: Vec<Draft>,
    /// Which of the source's entries the destination has already.
    shared: Vec<Index>,
}

fn trees() -> impl Strategy<Value = Trees> {
    let drafts = |count| prop::collection::vec(draft(), count);
    (drafts(0..25), drafts(0..20), prop::collection::vec(any::<Index>(), 0..15))
        .prop_map(|(src, dst, shared)| Trees { src, dst, shared })
}

/// What the machine's user and file system can make.
#[derive(Debug, Clone, Copy)]
struct Abilities {
    root: bool,
    xattrs: bool,
    acls: bool,
}

impl Abilities {
    fn here() -> Self {
        let scratch = Scratch::in_memory();
        let value = permissions(7);
        Self {
            root: is_root(),
            xattrs: keeps_xattr(scratch.path(), "user.probe", b""),
            acls: keeps_xattr(scratch.path(), "system.posix_acl_access", &value),
        }
    }
}

/// An ACL that gives user 1000 these permissions.
fn permissions(perm: u16) -> Vec<u8> {
    acl(&[(1, 7, !0), (2, perm, 1000), (4, 4, !0), (16, 7, !0), (32, 0, !0)])
}

impl std::fmt::Debug for Trees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dst: Vec<_> = self.shared().chain(&self.dst).collect();
        f.debug_map().entry(&"src", &self.src).entry(&"dst", &dst).finish()
    }
}

impl Trees {
    /// Which of the source's entries the destination has.
    fn shared(&self) -> impl Iterator<Item = &Draft> {
        self.shared.iter().filter(|_| !self.src.is_empty()).map(|index| index.get(&self.src))
    }

    /// The nodes of the source.
    fn source(&self, can: Abilities) -> Vec<Node> {
        nodes(self.src.iter(), can, true)
    }

    /// The nodes of the destination, with hard links of its own or without.
    fn destination(&self, can: Abilities, links: bool) -> Vec<Node> {
        nodes(self.shared().chain(&self.dst), can, links)
    }
}

/// Gives drafts their places, in order, and drops those that have none: whose name is taken, or is below a file.
fn nodes<'a>(drafts: impl Iterator<Item = &'a Draft>, can: Abilities, links: bool) -> Vec<Node> {
    let mut made: BTreeMap<Vec<u8>, Node> = BTreeMap::new();
    let mut directories = BTreeSet::from([Vec::new()]);
    let mut files: Vec<Vec<u8>> = Vec::new();
    for draft in drafts {
        let above: Vec<_> = (0..draft.path.len())
            .filter(|&i| draft.path[i] == b'/')
            .map(|i| draft.path[..i].to_vec())
            .collect();
        let taken = made.contains_key(&draft.path) || directories.contains(&draft.path);
        if taken || above.iter().any(|path| made.contains_key(path) && !directories.contains(path)) {
            continue;
        }
        let Some(node) = node(draft, can, if links { &files } else { &[] }) else { continue };
        directories.extend(above);
        match node.make {
            Make::Directory => drop(directories.insert(draft.path.clone())),
            Make::File(_) => files.push(draft.path.clone()),
            _ => {}
        }
        made.insert(draft.path.clone(), node);
    }
    made.into_values().collect()
}

fn node(draft: &Draft, can: Abilities, files: &[Vec<u8>]) -> Option<Node> {
    let path = &draft.path;
    let node = match &draft.what {
        What::File(size, seed) => file(path, noise(*seed, *size)),
        What::Sparse(size) => sparse(path, *size, &[(size / 2, b"data")]),
        What::Directory => dir(path),
        What::Symlink(target) => symlink(path, target),
        What::HardLink(_) if files.is_empty() => return None,
        What::HardLink(to) => return Some(hard_link(path, to.get(files))),
        What::Fifo => fifo(path),
        What::Socket => socket(path),
        What::Device(..) if !can.root => return None,
        What::Device(true, minor) => block_device(path, 7, *minor),
        What::Device(false, minor) => char_device(path, 1, *minor),
    };
    let is_directory = matches!(node.make, Make::Directory);
    let mode = if is_directory && !can.root { draft.mode | 0o700 } else { draft.mode };
    let mut node = node.mode(mode).mtime(draft.mtime.0, draft.mtime.1);
    if can.root {
        node = node.owner(draft.owner.0, draft.owner.1);
    }
    let is_plain = is_directory || matches!(node.make, Make::File(_) | Make::Sparse(..));
    Some(match draft.xattr {
        Some(Xattr::User(name, value)) if is_plain && can.xattrs => node.xattr(name, value),
        Some(Xattr::Access(perm)) if is_plain && can.acls => {
            node.xattr("system.posix_acl_access", permissions(perm))
        }
        Some(Xattr::Default(perm)) if is_directory && can.acls => {
            node.xattr("system.posix_acl_default", permissions(perm))
        }
        _ => node,
    })
}

/// The same cases every time, so that a failure is due to the tested change; if `PROPTEST_CASES` is set, that many new
/// ones.
fn check<S: Strategy>(default: u32, strategy: S, test: impl Fn(S::Value) -> TestCaseResult) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = ProptestConfig {
        cases: asked.unwrap_or(default),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    };
    let mut runner = if asked.is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    runner.run(&strategy, test).unwrap_or_else(|failure| panic!("{failure}"));
}

/// Ways to mirror that must all end in the source itself.
fn exact_options() -> impl Strategy<Value = Vec<&'static str>> {
    let when =
        select(vec!["--delete", "--delete-before", "--delete-during", "--delete-delay", "--delete-after"]);
    let threads = select(vec!["-j1", "-j2", "-j8"]);
    let others = subsequence(
        vec![
            "--detect-renames",
            "--partial",
            "--preallocate",
            "--delta",
            "--fsync",
            "--backup-dir=../backup",
        ],
        0..3,
    );
    (when, threads, others).prop_map(|(when, threads, others)| [vec![when, threads, "-c"], others].concat())
}

#[test]
fn any_tree_over_any_tree_becomes_that_tree() {
    let can = Abilities::here();
    check(600, (trees(), exact_options()), |(trees, options)| {
        let pair = Pair::over(&trees.source(can), &trees.destination(can, true));
        let options = [options, vec!["--allow-empty-source"]].concat();
        let outcome = pair.mirror(&options);
        prop_assert_eq!(outcome.code(), Some(0), "{}", outcome);
        let source = Snapshot::of(&pair.src);
        let diff = source.diff(&Snapshot::of(&pair.dst), Fields::ALL);
        prop_assert!(diff.is_empty(), "{}{}", outcome, diff.join("\n"));
        prop_assert!(rsync_sees(&pair).is_empty(), "rsync sees {}", rsync_sees(&pair));
        let again = pair.mirror(&[&options[..], &["-i"]].concat());
        prop_assert_eq!((again.code(), again.text()), (Some(0), String::new()));
        Ok(())
    });
}

/// What rsync would still do.
fn rsync_sees(pair: &Pair) -> String {
    if !peer("rsync") {
        return String::new();
    }
    let (src, dst) = (pair.src.join(""), pair.dst.join(""));
    let args = ["-aHAXni", "--delete", "-c"].map(OsStr::new);
    let output = peer_run("rsync", &[&args[..], &[src.as_os_str(), dst.as_os_str()]].concat(), None);
    String::from_utf8_lossy(&output).into_owned()
}

/// Options with which rsync and haul do the same. `--no-perms` is not among them: rsync then gives what replaces a
/// symlink that one's mode, and sets modes where it sets xattrs. Nor is `-K`: it then fails at the metadata of what a
/// symlink to a directory stands for. What is left out of the metadata of a hard-link group depends on which of its
/// names comes first, and so does what of it other trees (`--link-dest`) serve for, and what of it is backed up.
fn shared_options() -> impl Strategy<Value = Vec<&'static str>> {
    let delete = select(vec![
        &[][..],
        &["--delete"],
        &["--delete-before"],
        &["--delete-during"],
        &["--delete-after"],
        &["--delete-excluded"],
        &["--force"],
    ]);
    let compare = select(vec![&[][..], &[], &["-c"], &["--size-only"], &["--ignore-times"], &["-u"]]);
    let metadata = subsequence(
        vec![
            "--omit-dir-times",
            "--omit-link-times",
            "--no-devices",
            "--no-specials",
            "--chmod=Dg+s,F640",
            "--max-size=10k",
            "--min-size=1",
        ],
        0..3,
    );
    let links = select(vec![&[][..], &[], &["--safe-links"], &["--copy-unsafe-links"]]);
    let rules = select(vec![
        &[][..],
        &[],
        &["--exclude=a"],
        &["--exclude=/b/"],
        &["--include=a/", "--include=b", "--exclude=*"],
        &["--filter=P c"],
        &["--filter=H a/b"],
        &["--filter=- *.", "-m"],
    ]);
    (delete, compare, metadata, links, rules).prop_map(|(a, b, c, d, e)| [a, b, &c, d, e].concat())
}

#[test]
fn any_options_make_what_rsync_makes_with_them() {
    if !peer("rsync") {
        return;
    }
    eprintln!("{}", run(Command::new("rsync").arg("--version"), None).lines()[0]);
    let can = Abilities::here();
    check(200, (trees(), shared_options()), |(trees, options)| {
        let (src, dst) = (trees.source(can), trees.destination(can, false));
        // rsync has no rule against an empty source, and haul has.
        prop_assume!(!src.is_empty());
        prop_assume!(!options.contains(&"-u") || !same_second(&src, &dst));
        let rivals = Rivals::new(&src, &dst);
        let made = rivals.run(&options);
        // After an error haul leaves more alone than rsync does, so only whole runs can be compared.
        prop_assume!(made.rsync.code() == Some(0));
        prop_assert_eq!(made.haul.code(), Some(0), "{}{}", made.haul, made.rsync);
        // Where a hard-link group has an old name, haul may begin with another one, which shows in the times of
        // directories, if these are not kept.
        let directory_mtime = !options.contains(&"--omit-dir-times");
        let diff = made.theirs.diff(&made.ours, Fields { directory_mtime, ..SHARED });
        prop_assert!(diff.is_empty(), "{}rsync's result, and haul's:\n{}", made.haul, diff.join("\n"));
        Ok(())
    });
}

/// Options whose effect on a hard-link group depends on which of its names comes first, so that the two agree only on
/// trees without groups.
fn options_without_groups() -> impl Strategy<Value = Vec<&'static str>> {
    let history = select(vec![
        &[][..],
        &["--link-dest=../base"],
        &["--copy-dest=../base"],
        &["--compare-dest=../base"],
        &["--backup", "-O"],
        &["--backup-dir=../backup", "--backup"],
    ]);
    let delete = select(vec![
        &[][..],
        &["--delete"],
        &["--delete-before"],
        &["--delete-after"],
        &["--delete-excluded"],
    ]);
    let compare = select(vec![&[][..], &[], &["-c"], &["--size-only"], &["-I"], &["-u"]]);
    let metadata = subsequence(
        vec![
            "--no-owner",
            "--no-group",
            "--no-xattrs",
            "--no-acls",
            "--executability",
            "--omit-dir-times",
            "--omit-link-times",
        ],
        0..3,
    );
    let choice = select(vec![
        &[][..],
        &[],
        &[],
        &["--existing"],
        &["--ignore-existing"],
        &["-k"],
        &["-L"],
        &["-m"],
        &["--exclude=a"],
        &["--filter=P c"],
        &["--max-size=10k"],
    ]);
    (history, delete, compare, metadata, choice).prop_map(|(a, b, c, d, e)| [a, b, c, &d, e].concat())
}

/// Whether a time differs in its fraction alone: with `-u` rsync does not look at that.
fn same_second(src: &[Node], dst: &[Node]) -> bool {
    let times: BTreeMap<_, _> = src.iter().map(|node| (&node.path, node.mtime)).collect();
    let is_near = |(a, b): ((i64, u32), (i64, u32))| a.0 == b.0 && a.1 != b.1;
    dst.iter().any(|node| times.get(&node.path).is_some_and(|&time| is_near((time, node.mtime))))
}

/// Whether something else is where a directory belongs: with `--ignore-existing` rsync leaves it there, but gives it the
/// directory's time.
fn clash(src: &[Node], dst: &[Node]) -> bool {
    let directories = |nodes: &[Node]| -> BTreeSet<Vec<u8>> {
        let above = nodes.iter().flat_map(|node| {
            let ends = node.path.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
            ends.map(|(end, _)| node.path[..end].to_vec()).collect::<Vec<_>>()
        });
        let own = nodes.iter().filter(|node| matches!(node.make, Make::Directory));
        above.chain(own.map(|node| node.path.clone())).collect()
    };
    let (wanted, there) = (directories(src), directories(dst));
    dst.iter().any(|node| wanted.contains(&node.path) && !there.contains(&node.path))
}

#[test]
fn any_options_make_what_rsync_makes_where_there_are_no_hard_links() {
    if !peer("rsync") {
        return;
    }
    let can = Abilities::here();
    check(600, (trees(), trees(), options_without_groups()), |(trees, base, options)| {
        let (src, dst) = (nodes(trees.src.iter(), can, false), trees.destination(can, false));
        prop_assume!(!src.is_empty());
        prop_assume!(!options.contains(&"-u") || !same_second(&src, &dst));
        prop_assume!(!options.contains(&"--ignore-existing") || !clash(&src, &dst));
        let rivals = Rivals::new(&src, &dst);
        let shared = base.shared.iter().map(|index| index.get(&trees.src));
        rivals.beside("base", &nodes(shared.chain(&base.dst), can, false));
        let mut made = rivals.run(&options);
        prop_assume!(made.rsync.code() == Some(0));
        prop_assert_eq!(made.haul.code(), Some(0), "{}{}", made.haul, made.rsync);
        // A directory in which backups are has what its original had before the run; rsync gives it part of the new.
        for made in [&mut made.ours, &mut made.theirs] {
            made.0.retain(|path, node| !path.starts_with(b"backup") || node.kind != Kind::Directory);
        }
        // Of a symlink that it follows rsync takes the link's own extended attributes.
        let xattrs = !options.contains(&"-L") && !options.contains(&"-k");
        let diff = made.theirs.diff(&made.ours, Fields { xattrs, ..SHARED });
        prop_assert!(diff.is_empty(), "{}rsync's result, and haul's:\n{}", made.haul, diff.join("\n"));
        Ok(())
    });
}
