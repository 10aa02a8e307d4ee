//! `haul pack --base`: what an earlier archive already has is reused.

use crate::props::{Edit, apply, draft, edit, few, set_mtime, tree};
use crate::support::mirror::count;
use crate::support::oracle::{Outcome, haul, haul_command, peer, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::Snapshot;
use crate::support::trace;
use crate::support::tree::{Node, build, file, hard_link, keeps_xattr, sparse};
use crate::support::trees::{everything, noise, text};
use crate::update::frames;
use haul::account::{End, Event, Observer};
use haul::cancel::Cancel;
use haul::ops::pack;
use proptest::prelude::*;
use proptest::sample::Index;
use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

fn pack_command(args: &[&str], tree: &Path, archive: &Path) -> Command {
    let mut command = haul_command();
    command.arg("pack").args(args).arg(tree).arg(archive);
    command
}

fn pack(args: &[&str], tree: &Path, archive: &Path) -> Outcome {
    run(&mut pack_command(args, tree, archive), None)
}

fn repack_command(args: &[&str], base: &Path, tree: &Path, archive: &Path) -> Command {
    let mut command = pack_command(args, tree, archive);
    command.args(["--json", "--base"]).arg(base);
    command
}

fn repack(args: &[&str], base: &Path, tree: &Path, archive: &Path) -> Outcome {
    run(&mut repack_command(args, base, tree, archive), None)
}

/// Packs the tree in full, and asserts that `archive` is the same.
#[track_caller]
fn assert_as_in_full(scratch: &Scratch, args: &[&str], tree: &Path, archive: &Path) {
    let full = scratch.join("full.tar.zst");
    pack(args, tree, &full).expect(0);
    assert!(std::fs::read(&full).unwrap() == std::fs::read(archive).unwrap(), "not as packed in full");
}

/// A tree of several frames, with a large file in the midst.
fn several_frames() -> Vec<Node> {
    let small = |i: u64| file(format!("{}/{i:04}", if i < 300 { "a" } else { "z" }), noise(i, 20_000));
    let nodes = (0..600).map(small);
    nodes.chain([file("m-large", noise(9, 13 << 20)), hard_link("n-link", "a/0000")]).collect()
}

/// The data frames of an archive.
fn data_frames(archive: &Path) -> Vec<(usize, usize)> {
    let mut frames = frames(&std::fs::read(archive).unwrap());
    // The last one ends the tar.
    frames.pop();
    frames
}

struct Packed {
    scratch: Scratch,
    tree: PathBuf,
    base: PathBuf,
    new: PathBuf,
}

impl Packed {
    fn of(nodes: &[Node]) -> Self {
        let scratch = Scratch::in_memory();
        let tree = scratch.join("tree");
        build(&tree, nodes);
        let (base, new) = (scratch.join("base.tar.zst"), scratch.join("new.tar.zst"));
        pack(&[], &tree, &base).expect(0);
        Self { scratch, tree, base, new }
    }

    fn repack(&self, args: &[&str]) -> Outcome {
        repack(args, &self.base, &self.tree, &self.new)
    }

    #[track_caller]
    fn assert_as_in_full(&self) {
        assert_as_in_full(&self.scratch, &[], &self.tree, &self.new);
        haul!["verify", &self.new, &self.tree].expect(0);
    }
}

#[test]
fn an_unchanged_tree_is_taken_over_as_a_whole() {
    let packed = Packed::of(&several_frames());
    let outcome = packed.repack(&[]).expect(0);
    let all = data_frames(&packed.base).len() as u64;
    assert!(all > 5, "{all} frames");
    assert_eq!(count(&outcome, "reused_frames"), all);
    packed.assert_as_in_full();
    assert_eq!(std::fs::read(&packed.base).unwrap(), std::fs::read(&packed.new).unwrap());
}

/// What is done to a tree.
type Change<'a> = (&'a str, &'a dyn Fn(&Path));

#[test]
fn a_change_costs_the_frames_around_it() {
    let changes: [Change<'_>; 6] = [
        ("content", &|tree| std::fs::write(tree.join("a/0100"), "new").unwrap()),
        ("a new entry", &|tree| std::fs::write(tree.join("a/0100-new"), "new").unwrap()),
        ("one less", &|tree| std::fs::remove_file(tree.join("z/0400")).unwrap()),
        ("a name", &|tree| std::fs::rename(tree.join("z/0400"), tree.join("z/0400-other")).unwrap()),
        ("a link", &|tree| std::fs::hard_link(tree.join("z/0400"), tree.join("z/0400-link")).unwrap()),
        ("a directory", &|tree| std::fs::create_dir(tree.join("z/0400-dir")).unwrap()),
    ];
    for (what, change) in changes {
        let packed = Packed::of(&several_frames());
        change(&packed.tree);
        let outcome = packed.repack(&[]).expect(0);
        let all = data_frames(&packed.base).len() as u64;
        let reused = count(&outcome, "reused_frames");
        // The directory above has another time, too; and the first frame has the root's.
        assert!(reused < all && reused + 4 >= all, "{what}: {reused} of {all}");
        packed.assert_as_in_full();
    }
}

#[test]
fn a_large_file_that_was_touched_is_packed_anew_and_what_shares_its_frames_too() {
    let packed = Packed::of(&several_frames());
    let large = packed.tree.join("m-large");
    let mut content = std::fs::read(&large).unwrap();
    content[7 << 20] ^= 1;
    std::fs::write(&large, content).unwrap();
    let reused = count(&packed.repack(&[]).expect(0), "reused_frames");
    assert!(reused > 0);
    packed.assert_as_in_full();
}

/// The last frame of the large file holds small ones, too: the rest of its frames are taken over, and its digest is
/// that of all of them.
#[test]
fn a_large_file_keeps_its_frames_where_only_its_neighbour_changes() {
    let nodes = [file("m-large", noise(9, 21 << 20)), file("n-small", "small"), file("o", "o")];
    let packed = Packed::of(&nodes);
    std::fs::write(packed.tree.join("n-small"), "other").unwrap();
    assert!(count(&packed.repack(&[]).expect(0), "reused_frames") >= 4);
    packed.assert_as_in_full();
}

#[test]
fn what_is_unchanged_is_not_opened() {
    let packed = Packed::of(&several_frames());
    std::fs::write(packed.tree.join("a/0100"), "new").unwrap();
    let log = packed.scratch.join("strace");
    if !peer("strace") {
        return;
    }
    let repack = repack_command(&[], &packed.base, &packed.tree, &packed.new);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=openat,openat2", "-o"]).arg(&log).arg(repack.get_program());
    run(strace.args(repack.get_args()), None).expect(0);
    let log = std::fs::read_to_string(log).unwrap();
    let opened = |name: &str| log.contains(&format!("\"{name}\""));
    assert!(opened("0100"), "the changed file was not opened");
    assert!(!opened("m-large") && !opened("0599"), "an unchanged file was opened");
}

#[test]
fn the_base_may_be_the_file_that_is_replaced() {
    let packed = Packed::of(&several_frames());
    std::fs::write(packed.tree.join("z/0400"), "new").unwrap();
    let outcome = repack(&[], &packed.base, &packed.tree, &packed.base).expect(0);
    assert!(count(&outcome, "reused_frames") > 0);
    assert_as_in_full(&packed.scratch, &[], &packed.tree, &packed.base);
}

#[test]
fn threads_do_not_matter() {
    let packed = Packed::of(&several_frames());
    std::fs::write(packed.tree.join("z/0400"), "new").unwrap();
    for threads in ["1", "2", "8"] {
        packed.repack(&["-j", threads]).expect(0);
        packed.assert_as_in_full();
    }
}

/// What another level compressed is reused as it is: every entry is the same, but not every byte.
#[test]
fn a_base_of_another_level_gives_the_same_entries() {
    let packed = Packed::of(&several_frames());
    std::fs::write(packed.tree.join("z/0400"), "new").unwrap();
    assert!(count(&packed.repack(&["--level", "9"]).expect(0), "reused_frames") > 0);
    haul!["verify", &packed.new, &packed.tree].expect(0);
    let list = |archive: &Path| haul!["list", "--json", archive].expect(0).stdout;
    let full = packed.scratch.join("full.tar.zst");
    pack(&["--level", "9"], &packed.tree, &full).expect(0);
    assert_eq!(list(&packed.new), list(&full));
}

#[test]
fn entries_are_compared_as_this_archive_shows_them() {
    let packed = Packed::of(&several_frames());
    let owner = ["--owner", "x:7", "--group", "y:8"];
    assert_eq!(count(&packed.repack(&owner).expect(0), "reused_frames"), 0);
    assert_as_in_full(&packed.scratch, &owner, &packed.tree, &packed.new);
    let without = ["--exclude", "/a/"];
    assert!(count(&packed.repack(&without).expect(0), "reused_frames") > 0);
    assert_as_in_full(&packed.scratch, &without, &packed.tree, &packed.new);
}

/// A time that `SOURCE_DATE_EPOCH` has set back does not show whether the content is the same.
#[test]
fn where_times_are_not_shown_as_they_are_contents_are_compared() {
    let packed = Packed::of(&[file("a", "one").mtime(1_700_000_000, 0), file("b", "b").mtime(1_000, 0)]);
    let with_epoch = |command: &mut Command| run(command.env("SOURCE_DATE_EPOCH", "1600000000"), None);
    with_epoch(&mut pack_command(&[], &packed.tree, &packed.base)).expect(0);
    let again = || with_epoch(&mut repack_command(&[], &packed.base, &packed.tree, &packed.new)).expect(0);
    assert_eq!(count(&again(), "reused_frames"), 1);
    let root = packed.tree.metadata().unwrap();
    std::fs::remove_file(packed.tree.join("a")).unwrap();
    build(&packed.tree, &[file("a", "two").mtime(1_800_000_000, 0)]);
    set_mtime(&packed.tree, (root.mtime(), u32::try_from(root.mtime_nsec()).unwrap()));
    assert_eq!(count(&again(), "reused_frames"), 0);
    let full = packed.scratch.join("full.tar.zst");
    with_epoch(&mut pack_command(&[], &packed.tree, &full)).expect(0);
    assert_eq!(std::fs::read(full).unwrap(), std::fs::read(&packed.new).unwrap());
}

#[test]
fn a_content_that_was_changed_behind_its_time_is_seen_with_checksum() {
    let packed = Packed::of(&[file("a", "one").mtime(1_000, 0), file("b", "b").mtime(1_000, 0)]);
    let root = packed.tree.metadata().unwrap();
    std::fs::remove_file(packed.tree.join("a")).unwrap();
    build(&packed.tree, &[file("a", "two").mtime(1_000, 0)]);
    set_mtime(&packed.tree, (root.mtime(), u32::try_from(root.mtime_nsec()).unwrap()));
    assert_eq!(count(&packed.repack(&[]).expect(0), "reused_frames"), 1, "by size and time it is the same");
    assert_eq!(count(&packed.repack(&["--checksum"]).expect(0), "reused_frames"), 0);
    packed.assert_as_in_full();
    let outcome = repack(&["--checksum"], &packed.new, &packed.tree, &packed.base).expect(0);
    assert_eq!(count(&outcome, "reused_frames"), 1);
}

#[test]
fn holes_are_part_of_what_is_compared() {
    let nodes = |at| [sparse("s", 12 << 20, &[(at, b"data")]), sparse("t", 1 << 20, &[(at, b"data")])];
    let packed = Packed::of(&nodes(1 << 19));
    assert_eq!(count(&packed.repack(&[]).expect(0), "reused_frames"), 1);
    packed.assert_as_in_full();
    for name in ["s", "t"] {
        std::fs::remove_file(packed.tree.join(name)).unwrap();
    }
    build(&packed.tree, &nodes(1 << 18));
    packed.repack(&[]).expect(0);
    packed.assert_as_in_full();
}

/// A frame that is damaged in the base never comes into a new archive.
#[test]
fn a_damaged_base_gives_no_archive() {
    let packed = Packed::of(&several_frames());
    let whole = std::fs::read(&packed.base).unwrap();
    let places = data_frames(&packed.base);
    std::fs::write(packed.tree.join("z/0400"), "new").unwrap();
    for (number, &(at, len)) in places.iter().enumerate() {
        let mut damaged = whole.clone();
        damaged[at + len * number / places.len()] ^= 1 << (number % 8);
        std::fs::write(&packed.base, &damaged).unwrap();
        let outcome = packed.repack(&[]);
        match outcome.code() {
            // This frame is packed again.
            Some(0) => packed.assert_as_in_full(),
            code => {
                assert_eq!(code, Some(5), "{outcome}");
                assert!(outcome.to_string().contains("base.tar.zst"), "{outcome}");
                assert!(!packed.new.exists());
            }
        }
        let _ = std::fs::remove_file(&packed.new);
    }
    // The index.
    let mut damaged = whole.clone();
    let at = whole.len() - 9 - 8 * 4 - 200;
    damaged[at] ^= 1;
    std::fs::write(&packed.base, &damaged).unwrap();
    packed.repack(&[]).expect(5);
    assert!(!packed.new.exists());
}

/// Asks for the end at the first entry that is done.
struct EndAtOnce(Cancel, AtomicUsize);

impl Observer for EndAtOnce {
    fn event(&self, event: Event<'_>) {
        if let Event::Done(_) = event {
            self.0.set();
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn taking_over_frames_ends_when_it_is_asked_to() {
    let packed = Packed::of(&several_frames());
    let mut options = pack::PackOptions::default();
    options.threads = NonZeroUsize::MIN;
    options.base = Some(pack::BaseOptions::new(&packed.base));
    let watch = EndAtOnce(Cancel::default(), AtomicUsize::new(0));
    let report =
        pack::pack(&packed.tree, pack::Target::Path(&packed.new), &options, &watch.0, &watch).unwrap();
    assert!(matches!(report.end, End::Interrupted), "{:?}", report.end);
    assert!(!packed.new.exists());
    let done = watch.1.into_inner();
    assert!((1..300).contains(&done), "{done} entries were taken over after all");
}

#[test]
fn a_trusted_base_is_taken_over_unread() {
    let packed = Packed::of(&several_frames());
    std::fs::write(packed.tree.join("a/0100"), noise(1_000, 20_000)).unwrap();
    let outcome = packed.repack(&["--trust-base"]).expect(0);
    assert!(count(&outcome, "reused_frames") > 3, "{outcome}");
    assert_as_in_full(&packed.scratch, &[], &packed.tree, &packed.new);
    // From another file system, and to where there is no file to copy to.
    let elsewhere = Scratch::new();
    let base = elsewhere.join("base.tar.zst");
    std::fs::copy(&packed.base, &base).unwrap();
    repack(&["--trust-base"], &base, &packed.tree, &packed.new).expect(0);
    assert_as_in_full(&packed.scratch, &[], &packed.tree, &packed.new);
    let mut piped = haul_command();
    piped.args(["pack", "--trust-base", "--base"]).arg(&base).arg(&packed.tree).arg("-");
    assert!(run(&mut piped, None).expect(0).stdout == std::fs::read(&packed.new).unwrap());
    // Damage is carried over unnoticed, and the new archive is found to be damaged.
    let whole = std::fs::read(&packed.base).unwrap();
    let (at, len) = data_frames(&packed.base).into_iter().last().unwrap();
    let mut damaged = whole.clone();
    damaged[at + len / 2] ^= 1;
    std::fs::write(&packed.base, damaged).unwrap();
    packed.repack(&[]).expect(5);
    packed.repack(&["--trust-base"]).expect(0);
    haul!["verify", &packed.new].expect(5);
}

#[test]
fn the_kernel_copies_what_a_trusted_base_has() {
    let packed = Packed::of(&several_frames());
    let Some((outcome, calls)) =
        trace::counts(&repack_command(&["--trust-base", "-j", "1"], &packed.base, &packed.tree, &packed.new))
    else {
        return;
    };
    let frames = count(&outcome.expect(0), "reused_frames");
    assert!(
        frames > 3 && calls.get("copy_file_range").is_some_and(|&calls| calls >= frames.cast_signed()),
        "{calls:?}"
    );
}

#[test]
fn a_base_needs_an_index() {
    let packed = Packed::of(&[file("a", "a")]);
    pack(&["--single-frame"], &packed.tree, &packed.base).expect(0);
    packed.repack(&[]).expect(1).expect_once("it has no index");
    std::fs::remove_file(&packed.base).unwrap();
    packed.repack(&[]).expect(1).expect_once("base.tar.zst");
    assert!(!packed.new.exists());
}

#[test]
fn a_tree_of_everything_is_taken_over() {
    let scratch = Scratch::new();
    let tree = scratch.join("tree");
    everything(&tree);
    let (base, new) = (scratch.join("base.tar.zst"), scratch.join("new.tar.zst"));
    let code = pack(&[], &tree, &base).code();
    assert_eq!(repack(&[], &base, &tree, &new).code(), code);
    assert_eq!(std::fs::read(&base).unwrap(), std::fs::read(&new).unwrap());
}

proptest! {
    #![proptest_config(few(48))]

    #[test]
    fn any_edits_give_what_packing_in_full_gives(
        drafts in prop::collection::vec(draft(), 1..30),
        edits in prop::collection::vec((any::<Index>(), edit()), 0..6),
        checksum in any::<bool>(),
        more in prop::option::of(0..3_000_000usize),
    ) {
        let scratch = Scratch::in_memory();
        let root = scratch.join("tree");
        let mut nodes = tree(&drafts, keeps_xattr(scratch.path(), "user.probe", b""));
        nodes.extend(more.map(|len| file("zz-more", text(5, len))));
        build(&root, &nodes);
        let (base, new) = (scratch.join("base.tar.zst"), scratch.join("new.tar.zst"));
        pack(&[], &root, &base).expect(0);
        for (which, edit) in edits {
            let snapshot = Snapshot::of(&root);
            let paths: Vec<_> = snapshot.0.keys().filter(|path| !path.is_empty()).collect();
            // Content that changes without its time is noticed only with --checksum.
            if !paths.is_empty() && (checksum || !matches!(edit, Edit::FlipByte)) {
                let name: &&Vec<u8> = which.get(&paths);
                let path = Path::new(OsStr::from_bytes(name));
                apply(&root, path, edit);
            }
        }
        let args = if checksum { &["--checksum"][..] } else { &[] };
        repack(args, &base, &root, &new).expect(0);
        assert_as_in_full(&scratch, &[], &root, &new);
        haul!["verify", &new, &root].expect(0);
    }
}
