//! `haul pack --delta`, and archives that are unpacked one over the other.

use crate::change::as_nobody;
use crate::props::{Edit, apply, draft, edit, few, tree};
use crate::support::mirror::count;
use crate::support::oracle::{Outcome, exact, haul, haul_command, peer, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{Node, build, file, hard_link, keeps_xattr, symlink};
use crate::support::trees::{noise, text};
use crate::update::{damage, frames};
use proptest::prelude::*;
use proptest::sample::Index;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tree, an archive of it, and deltas over that.
struct Stack {
    scratch: Scratch,
    tree: PathBuf,
    layers: Vec<PathBuf>,
}

impl Stack {
    fn of(nodes: &[Node]) -> Self {
        let scratch = Scratch::in_memory();
        let (tree, old) = (scratch.join("tree"), scratch.join("old.tar.zst"));
        build(&tree, nodes);
        haul!["pack", &tree, &old].expect(0);
        Self { scratch, tree, layers: vec![old] }
    }

    fn delta_command(&self, args: &[&str], delta: &Path) -> Command {
        let mut command = haul_command();
        command.arg("pack").args(args);
        for layer in &self.layers {
            command.arg("--delta").arg(layer);
        }
        command.arg(&self.tree).arg(delta);
        command
    }

    /// Packs what is new, and puts it on top.
    fn put(&mut self, args: &[&str]) -> Outcome {
        let delta = self.scratch.join(&format!("delta-{}.tar.zst", self.layers.len()));
        let outcome = run(&mut self.delta_command(args, &delta), None);
        self.layers.push(delta);
        outcome
    }

    fn unpack(&self, args: &[&str], dst: &Path) -> Outcome {
        let mut command = haul_command();
        command.arg("unpack").args(exact()).args(args).args(&self.layers);
        run(command.arg(dst), None)
    }

    fn top(&self) -> &Path {
        self.layers.last().unwrap()
    }

    /// The names that the topmost layer holds.
    fn held(&self) -> Vec<String> {
        haul!["list", self.top()].expect(0).lines()
    }

    /// What it removes.
    fn removed(&self) -> Vec<String> {
        let lines = haul!["list", "--json", self.top()].expect(0).lines();
        let values = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let removed = values.filter(|value| value["removed"] == true);
        removed.map(|value| value["path"].as_str().unwrap().to_owned()).collect()
    }

    /// All layers together are the tree.
    #[track_caller]
    fn assert_tree(&self) {
        let dst = self.scratch.join("unpacked");
        self.unpack(&[], &dst).expect(0);
        Snapshot::of(&self.tree).assert_same(&Snapshot::of(&dst), Fields::ALL);
        std::fs::remove_dir_all(&dst).unwrap();
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.tree.join(name), content).unwrap();
    }
}

#[test]
fn a_delta_holds_what_has_changed_and_what_is_above_it() {
    let nodes = [file("a", "a"), file("d/e/f", "f"), file("d/g", "g"), file("h/i", "i"), file("z/y/x", "x")];
    let mut stack = Stack::of(&nodes);
    stack.write("d/e/new", "new");
    std::fs::remove_file(stack.tree.join("a")).unwrap();
    std::fs::remove_dir_all(stack.tree.join("z/y")).unwrap();
    stack.put(&[]).expect(0);
    assert_eq!(stack.held(), ["./", "d/", "d/e/", "d/e/new", "z/"]);
    assert_eq!(stack.removed(), ["a", "z/y"]);
    let long = haul!["list", "-l", stack.top()].expect(0).lines();
    assert_eq!(long[long.len() - 2..], ["removed a", "removed z/y"]);
    haul!["verify", stack.top()].expect(0);
    stack.assert_tree();
}

#[test]
fn a_delta_of_nothing_new_holds_the_root() {
    let mut stack = Stack::of(&[file("a", "a"), file("d/e", "e"), hard_link("l", "a"), symlink("s", "a")]);
    stack.put(&[]).expect(0);
    assert_eq!((stack.held(), stack.removed()), (vec!["./".to_owned()], vec![]));
    stack.put(&["--checksum"]).expect(0);
    assert_eq!(stack.held(), ["./"]);
    stack.assert_tree();
}

#[test]
fn a_delta_is_as_small_as_the_change() {
    let nodes: Vec<_> = (0..200u64).map(|i| file(format!("d/{i:03}"), noise(i, 20_000))).collect();
    let mut stack = Stack::of(&nodes);
    stack.write("d/100", "changed");
    let outcome = stack.put(&["--json"]).expect(0);
    let len = |path: &Path| path.metadata().unwrap().len();
    assert!(len(stack.top()) * 100 < len(&stack.layers[0]), "{}", len(stack.top()));
    assert_eq!(count(&outcome, "files"), 1);
    stack.assert_tree();
}

#[test]
fn kinds_change_into_each_other() {
    let nodes = [
        file("file-to-dir", "f"),
        file("dir-to-file/a/b", "b"),
        file("dir-to-link/a", "a"),
        symlink("link-to-dir", "dir-to-link"),
        file("dir-to-file.x", "beside"),
    ];
    let mut stack = Stack::of(&nodes);
    for name in ["file-to-dir", "link-to-dir"] {
        std::fs::remove_file(stack.tree.join(name)).unwrap();
        std::fs::create_dir(stack.tree.join(name)).unwrap();
        stack.write(&format!("{name}/inside"), name);
    }
    std::fs::remove_dir_all(stack.tree.join("dir-to-file")).unwrap();
    stack.write("dir-to-file", "now a file");
    std::fs::remove_dir_all(stack.tree.join("dir-to-link")).unwrap();
    std::os::unix::fs::symlink("file-to-dir", stack.tree.join("dir-to-link")).unwrap();
    stack.put(&[]).expect(0);
    // What is replaced need not be listed.
    assert_eq!(stack.removed(), Vec::<String>::new());
    stack.assert_tree();
    let dst = stack.scratch.join("old");
    haul!["unpack", &stack.layers[0], &dst].expect(0);
    stack.unpack(&["--update", "--delete"], &dst).expect(0);
    Snapshot::of(&stack.tree).assert_same(&Snapshot::of(&dst), Fields::ALL);
}

#[test]
fn hard_link_groups_change_as_a_whole() {
    let group = [file("a", "group"), hard_link("b", "a"), hard_link("c", "a"), file("other", "other")];
    let change = |change: &dyn Fn(&Path), held: &[&str], removed: &[&str]| {
        let mut stack = Stack::of(&group);
        change(&stack.tree);
        stack.put(&[]).expect(0);
        assert_eq!((stack.held(), stack.removed()), (words(held), words(removed)));
        stack.assert_tree();
    };
    let remove = |path: PathBuf| std::fs::remove_file(path).unwrap();
    let link =
        |root: &Path, from: &str, to: &str| std::fs::hard_link(root.join(from), root.join(to)).unwrap();
    // Its content, seen under one name, is that of all.
    change(&|root| std::fs::write(root.join("b"), "changed").unwrap(), &["./", "a", "b", "c"], &[]);
    // A name more, and a name less.
    change(&|root| link(root, "b", "d"), &["./", "a", "b", "c", "d"], &[]);
    change(&|root| remove(root.join("c")), &["./"], &["c"]);
    // The first name goes: another one is the first.
    change(&|root| remove(root.join("a")), &["./", "b", "c"], &["a"]);
    // One leaves the group, and one joins it.
    let leave = |root: &Path| {
        remove(root.join("b"));
        std::fs::write(root.join("b"), "group").unwrap();
    };
    change(&leave, &["./", "b"], &[]);
    let join = |root: &Path| {
        remove(root.join("other"));
        link(root, "a", "other");
    };
    change(&join, &["./", "a", "b", "c", "other"], &[]);
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn stock_tar_unpacks_a_delta_over_what_it_is_a_delta_of() {
    for program in ["tar", "bsdtar"] {
        if !peer(program) || !peer("zstd") {
            continue;
        }
        let nodes =
            [file("a", "a"), file("d/e", "e"), file("d/gone", "x"), file("g", "g"), hard_link("h", "g")];
        let mut stack = Stack::of(&nodes);
        stack.write("a", "changed");
        stack.write("d/new", "new");
        stack.write("g", "group");
        std::fs::remove_file(stack.tree.join("d/gone")).unwrap();
        stack.put(&[]).expect(0);
        let dst = stack.scratch.mkdir("by-tar");
        for layer in &stack.layers {
            run(Command::new(program).arg("-xpf").arg(layer).arg("-C").arg(&dst), None).expect(0);
        }
        for path in stack.removed() {
            std::fs::remove_file(dst.join(path)).unwrap();
        }
        let fields = Fields { directory_mtime: false, mtime_slack: Some(1_000_000_000), ..Fields::ALL };
        Snapshot::of(&stack.tree).assert_same(&Snapshot::of(&dst), fields);
    }
}

#[test]
fn archives_that_make_no_stack_are_refused_before_anything_is_touched() {
    let mut stack = Stack::of(&[file("a", "a"), file("b", "b")]);
    stack.write("a", "1");
    stack.put(&[]).expect(0);
    stack.write("a", "22");
    stack.put(&[]).expect(0);
    let [old, one, two] = &stack.layers[..] else { panic!() };
    let other = stack.scratch.join("other.tar.zst");
    haul!["pack", "--level", "1", &stack.tree, &other].expect(0);
    let plain = stack.scratch.join("plain.tar.zst");
    haul!["pack", "--single-frame", &stack.tree, &plain].expect(0);
    let dst = stack.scratch.join("dst");
    let refused = |layers: &[&Path], text: &str| {
        let mut command = haul_command();
        command.arg("unpack").args(layers).arg(&dst);
        run(&mut command, None).expect(1).expect_once(text);
        assert!(!dst.exists());
    };
    refused(&[one], "delta-1.tar.zst: it is a delta");
    refused(&[one, two], "delta-1.tar.zst: it is a delta");
    refused(&[old, two], "delta-2.tar.zst: it is a delta of another archive than");
    refused(&[old, two, one], "delta-2.tar.zst: it is a delta of another archive than");
    refused(&[&other, one], "delta-1.tar.zst: it is a delta of another archive than");
    refused(&[old, &other], "other.tar.zst: it is not a delta");
    refused(&[old, &plain], "plain.tar.zst: it has no index");
    refused(&[&plain, one], "plain.tar.zst: it has no index");
    // From a pipe, a delta is recognised only at its end.
    let bytes = std::fs::read(one).unwrap();
    run(haul_command().args(["unpack", "-"]).arg(&dst), Some(&bytes)).expect(5).expect_once("it is a delta");
    assert!(!dst.exists());
    let old_bytes = std::fs::read(old).unwrap();
    let piped = run(haul_command().args(["unpack", "-"]).arg(one).arg(&dst), Some(&old_bytes));
    piped.expect(2).expect_once("needs an archive with an index");
    // A stack needs a directory after it.
    haul!["unpack", old, one].expect(2).expect_once("expected a directory to unpack into after");
    assert_eq!(std::fs::read(one).unwrap(), bytes);
}

#[test]
fn a_delta_is_no_tree_by_itself() {
    let mut stack = Stack::of(&[file("a", "a")]);
    stack.write("a", "1");
    stack.put(&[]).expect(0);
    let (old, delta, new) = (&stack.layers[0], stack.top(), stack.scratch.join("new.tar.zst"));
    haul!["verify", delta].expect(0);
    haul!["verify", delta, &stack.tree].expect(1).expect_once("it is a delta");
    haul!["verify", old, delta].expect(0);
    haul!["verify", old, delta, &stack.tree].expect(0);
    haul!["verify", old, &stack.tree].expect(4);
    haul!["verify", old, delta, &stack.tree, "more"].expect(2).expect_once("unexpected argument");
    run(haul_command().args(["verify", "-"]).arg(delta), Some(&std::fs::read(old).unwrap())).expect(2);
    haul!["diff", old, delta].expect(2).expect_once("expected a second side");
    haul!["diff", delta, &stack.tree].expect(1).expect_once("it is a delta");
    haul!["diff", old, delta, &stack.tree].expect(0);
    haul!["diff", &stack.tree, old, delta].expect(0);
    haul!["diff", old, delta, old, delta].expect(0);
    let lines = haul!["diff", old, delta, old].expect(4).lines();
    assert!(lines.iter().any(|line| line.ends_with(" a")) && lines.len() <= 2, "{lines:?}");
    haul!["diff", &stack.tree, delta, old].expect(1).expect_once("it has no index");
    haul!["diff", old, &stack.tree, "more"].expect(2).expect_once("unexpected argument");
    haul!["pack", "--base", delta, &stack.tree, &new].expect(1).expect_once("it is a delta");
    haul!["pack", "--delta", delta, &stack.tree, &new].expect(1).expect_once("it is a delta");
    assert!(!new.exists());
}

#[test]
fn a_delta_does_not_replace_what_it_is_a_delta_of() {
    let stack = Stack::of(&[file("a", "a")]);
    let before = std::fs::read(&stack.layers[0]).unwrap();
    let alias = stack.scratch.join("alias");
    std::os::unix::fs::symlink("old.tar.zst", &alias).unwrap();
    for target in [&stack.layers[0], &alias] {
        run(&mut stack.delta_command(&[], target), None)
            .expect(1)
            .expect_once("cannot be replaced by a delta");
    }
    assert_eq!(std::fs::read(&stack.layers[0]).unwrap(), before);
}

#[test]
fn flags_that_a_delta_cannot_have_are_refused() {
    let stack = Stack::of(&[file("a", "a")]);
    let new = stack.scratch.join("new.tar.zst");
    for flags in [&["--single-frame"][..], &["--base", stack.layers[0].to_str().unwrap()]] {
        run(&mut stack.delta_command(flags, &new), None).expect(2);
    }
    haul!["pack", "--checksum", &stack.tree, &new].expect(2);
    let plain = stack.scratch.join("plain.tar.zst");
    haul!["pack", "--single-frame", &stack.tree, &plain].expect(0);
    haul!["pack", "--delta", &plain, &stack.tree, &new].expect(1).expect_once("it has no index");
    assert!(!new.exists());
}

#[test]
fn only_the_frames_of_what_is_left_are_read() {
    let large = |seed| noise(seed, 9 << 20);
    let mut stack = Stack::of(&[file("a-large", large(1)), file("b", "b"), file("c-large", large(2))]);
    stack.write("a-large", large(3));
    stack.put(&[]).expect(0);
    let whole = std::fs::read(&stack.layers[0]).unwrap();
    // All frames but the last three are those of the large file that is replaced, and of the root.
    let count = frames(&whole).len();
    damage(&stack.layers[0], |frame| frame == 0);
    stack.assert_tree();
    std::fs::write(&stack.layers[0], &whole).unwrap();
    damage(&stack.layers[0], |frame| frame + 2 == count);
    let dst = stack.scratch.join("dst");
    stack.unpack(&[], &dst).expect(5).expect_once("old.tar.zst");
    assert!(!dst.exists());
    std::fs::write(&stack.layers[0], &whole).unwrap();
    damage(stack.top(), |frame| frame == 0);
    stack.unpack(&[], &dst).expect(5).expect_once("delta-1.tar.zst");
    assert!(!dst.exists());
}

#[test]
fn an_update_by_a_stack_writes_the_change_alone() {
    let mut stack = Stack::of(&[file("a", "a"), file("b", "b"), file("gone/c", "c")]);
    let dst = stack.scratch.join("dst");
    stack.unpack(&[], &dst).expect(0);
    stack.write("a", "changed");
    std::fs::remove_dir_all(stack.tree.join("gone")).unwrap();
    stack.put(&[]).expect(0);
    // Nothing of the old archive is read: what is in it is there already.
    damage(&stack.layers[0], |_| true);
    let outcome = stack.unpack(&["--update", "--delete", "--json"], &dst).expect(0);
    assert_eq!((count(&outcome, "updated"), count(&outcome, "deleted")), (1, 2));
    Snapshot::of(&stack.tree).assert_same(&Snapshot::of(&dst), Fields::ALL);
}

#[test]
fn the_note_of_a_tree_tells_a_stack_from_what_is_below_its_top() {
    let mut stack = Stack::of(&[file("a", "a")]);
    let dst = stack.scratch.join("dst");
    let flags = ["--update", "--delete", "--if-changed", "--json"];
    stack.unpack(&flags, &dst).expect(0);
    stack.write("a", "changed");
    stack.put(&[]).expect(0);
    assert_eq!(count(&stack.unpack(&flags, &dst).expect(0), "updated"), 1);
    // Checked by what is not noticed.
    std::fs::write(dst.join("a"), "CHANGED").unwrap();
    assert_eq!(count(&stack.unpack(&flags, &dst).expect(0), "updated"), 0);
    stack.layers.pop();
    assert_eq!(count(&stack.unpack(&flags, &dst).expect(0), "updated"), 1);
    assert_eq!(std::fs::read(dst.join("a")).unwrap(), b"a");
}

#[test]
fn a_stack_is_unpacked_with_every_flag() {
    let mut stack = Stack::of(&[file("a", "a"), file("d/b", "b"), file("d/c", "c"), file("z", "z")]);
    stack.write("d/c", "changed");
    stack.write("d/new", "new");
    stack.put(&[]).expect(0);
    let dst = stack.scratch.join("selected");
    let mut command = haul_command();
    command.arg("unpack").args(&stack.layers).arg(&dst).args(["d", "--exclude", "b"]);
    run(&mut command, None).expect(0);
    assert_eq!(Snapshot::of(&dst).paths(), ["d", "d/c", "d/new"]);
    assert_eq!(std::fs::read(dst.join("d/c")).unwrap(), b"changed");

    let list = stack.scratch.write("list", "d/b\nd/new\n");
    let dst = stack.scratch.join("prefetched");
    let outcome = stack.unpack(&["--prefetch", list.to_str().unwrap()], &dst).expect(0);
    assert_eq!(outcome.lines(), ["ready"]);
    Snapshot::of(&stack.tree).assert_same(&Snapshot::of(&dst), Fields::ALL);

    let dst = stack.scratch.join("published");
    std::fs::create_dir(&dst).unwrap();
    std::fs::write(dst.join("older"), "x").unwrap();
    stack.unpack(&["--atomic"], &dst).expect(0);
    let now = Snapshot::of(&dst).without(|path, _| path == b"older");
    Snapshot::of(&stack.tree).without_root().assert_same(&now.without_root(), Fields::ALL);
}

#[test]
fn a_delta_is_the_same_with_any_number_of_threads() {
    let nodes: Vec<_> = (0..300u64).map(|i| file(format!("d{}/{i:03}", i % 7), text(i, 30_000))).collect();
    let stack = Stack::of(&nodes);
    for i in (0..300).step_by(2) {
        stack.write(&format!("d{}/{i:03}", i % 7), text(1_000 + i, 30_001));
    }
    let packed = ["1", "8"].map(|threads| {
        let delta = stack.scratch.join(threads);
        run(&mut stack.delta_command(&["-j", threads], &delta), None).expect(0);
        std::fs::read(delta).unwrap()
    });
    assert!(packed[0] == packed[1]);
}

#[test]
fn nothing_counts_as_removed_where_the_tree_could_not_be_read() {
    let scratch = Scratch::new();
    let (tree, old, delta) = (scratch.join("tree"), scratch.join("old"), scratch.join("delta"));
    build(&tree, &[file("a", "a"), file("gone", "x"), file("secret/inside", "x")]);
    haul!["pack", &tree, &old].expect(0);
    std::fs::remove_file(tree.join("gone")).unwrap();
    std::fs::set_permissions(tree.join("secret"), PermissionsExt::from_mode(0o000)).unwrap();
    std::fs::set_permissions(scratch.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let flag = Path::new("--delta");
    as_nobody(&scratch, &["pack".as_ref(), flag, &old, &tree, &delta]).expect(3).expect_once("secret");
    std::fs::set_permissions(tree.join("secret"), PermissionsExt::from_mode(0o700)).unwrap();
    let listed = haul!["list", "-l", &delta].expect(0).text();
    assert!(!listed.contains("removed"), "{listed}");
}

#[test]
fn the_document_is_enough_to_read_a_delta() {
    if !peer("python3") || !peer("zstd") {
        return;
    }
    let mut stack = Stack::of(&[file("a", "a"), file("d/e", "e"), file("d/f/g", "g"), file("z", "z")]);
    stack.write("d/e", "changed");
    std::fs::remove_dir_all(stack.tree.join("d/f")).unwrap();
    std::fs::remove_file(stack.tree.join("z")).unwrap();
    stack.put(&[]).expect(0);
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/read_archive.py");
    let told = run(Command::new("python3").arg(reader).arg(stack.top()), None).expect(0).lines();
    let told: Vec<serde_json::Value> = told.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let paths: Vec<_> = told.iter().filter_map(|value| value["path"].as_str()).collect();
    assert_eq!(paths, [".", "d", "d/e", "d/f", "z"]);
    // The base is the archive whose locator has this digest.
    let old = std::fs::read(&stack.layers[0]).unwrap();
    let base = told.iter().find(|value| value["base_hex"].is_string()).unwrap();
    assert_eq!(base["base_length"], old.len());
    let lines = u32::from_le_bytes(old[old.len() - 9..old.len() - 5].try_into().unwrap()) as usize;
    let locator = old.len() - 17 - 8 * lines - 64;
    let digest = u128::from_le_bytes(old[locator + 40..locator + 56].try_into().unwrap());
    assert_eq!(base["base_hex"].as_str().unwrap(), format!("{digest:032x}"));
}

proptest! {
    #![proptest_config(few(40))]

    #[test]
    fn any_edits_come_back_from_a_stack(
        drafts in prop::collection::vec(draft(), 1..30),
        rounds in prop::collection::vec(prop::collection::vec((any::<Index>(), edit()), 0..6), 1..4),
        checksum in any::<bool>(),
        threads in 1..4u32,
    ) {
        let scratch = Scratch::in_memory();
        let root = scratch.join("tree");
        build(&root, &tree(&drafts, keeps_xattr(scratch.path(), "user.probe", b"")));
        let old = scratch.join("old.tar.zst");
        haul!["pack", &root, &old].expect(0);
        let mut stack = Stack { scratch, tree: root, layers: vec![old] };
        let updated = stack.scratch.join("updated");
        stack.unpack(&[], &updated).expect(0);
        let threads = threads.to_string();
        let mut args = vec!["-j", &threads];
        args.extend(checksum.then_some("--checksum"));
        for edits in rounds {
            for (which, edit) in edits {
                let snapshot = Snapshot::of(&stack.tree);
                let paths: Vec<_> = snapshot.0.keys().filter(|path| !path.is_empty()).collect();
                // Content that changes without its time is noticed only with --checksum.
                if !paths.is_empty() && (checksum || !matches!(edit, Edit::FlipByte)) {
                    let name: &&Vec<u8> = which.get(&paths);
                    apply(&stack.tree, Path::new(OsStr::from_bytes(name)), edit);
                }
            }
            stack.put(&args).expect(0);
            if Snapshot::of(&stack.tree).0.len() == 1 {
                // Nothing at all would be left, which is refused.
                break;
            }
            let mut update = vec!["--update", "--delete", "-j", &threads];
            update.extend(checksum.then_some("--checksum"));
            stack.unpack(&update, &updated).expect(0);
            let diff = Snapshot::of(&stack.tree).diff(&Snapshot::of(&updated), Fields::ALL);
            prop_assert!(diff.is_empty(), "updated: {}", diff.join("\n"));
        }
        let fresh = stack.scratch.join("fresh");
        stack.unpack(&["-j", &threads], &fresh).expect(0);
        let diff = Snapshot::of(&stack.tree).diff(&Snapshot::of(&fresh), Fields::ALL);
        prop_assert!(diff.is_empty(), "fresh: {}", diff.join("\n"));
    }
}
