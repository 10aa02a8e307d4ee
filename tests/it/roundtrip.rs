//! What goes in comes out.

use crate::support::oracle::{Outcome, assert_rsync_agrees, exact, haul, haul_command, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Snapshot};
use crate::support::tree::{build, dir, fifo, file, hard_link, socket, symlink};
use crate::support::trees::{beyond_peers, deep, everything, modest, text, wide};
use std::path::{Path, PathBuf};

/// A tree with everything, and the place where its archive and its copy go.
struct Case {
    scratch: Scratch,
    tree: PathBuf,
    archive: PathBuf,
    copy: PathBuf,
}

impl Case {
    fn of(make: impl FnOnce(&Path)) -> Self {
        let scratch = Scratch::new();
        let (tree, archive, copy) = (scratch.join("tree"), scratch.join("a.tar.zst"), scratch.join("copy"));
        make(&tree);
        Self { scratch, tree, archive, copy }
    }

    fn pack(&self, options: &[&str]) -> Outcome {
        let mut command = haul_command();
        run(command.arg("pack").args(options).arg(&self.tree).arg(&self.archive), None)
    }

    fn unpack(&self, options: &[&str]) -> Outcome {
        unpack(options, &self.archive, &self.copy)
    }

    fn assert_same(&self) {
        Snapshot::of(&self.tree).assert_same(&Snapshot::of(&self.copy), Fields::ALL);
    }
}

/// Unpacks with exact modes: another user than root gets them only on request.
fn unpack(options: &[&str], archive: &Path, copy: &Path) -> Outcome {
    let mut command = haul_command();
    command.arg("unpack").args(exact());
    run(command.args(options).arg(archive).arg(copy), None)
}

/// Packs and unpacks everything with these options, and compares by snapshot and by rsync.
fn everything_survives(pack: &[&str], unpack: &[&str]) {
    let case = Case::of(everything);
    case.pack(pack).expect(0);
    case.unpack(unpack).expect(0);
    case.assert_same();
    assert_rsync_agrees(&case.tree, &case.copy);
}

#[test]
fn everything_survives_with_the_default_options() {
    everything_survives(&[], &[]);
}

#[test]
fn everything_survives_with_one_thread() {
    everything_survives(&["-j", "1"], &["-j", "1"]);
}

#[test]
fn everything_survives_with_two_threads() {
    everything_survives(&["-j", "2"], &["-j", "2"]);
}

#[test]
fn everything_survives_with_more_threads_than_processors() {
    everything_survives(&["-j", "8"], &["-j", "8"]);
}

#[test]
fn everything_survives_in_a_single_frame() {
    everything_survives(&["--single-frame"], &[]);
}

#[test]
fn everything_survives_being_made_durable() {
    everything_survives(&["--fsync"], &["--fsync"]);
}

#[test]
fn everything_survives_a_pipe() {
    let case = Case::of(everything);
    let packed = haul!["pack", &case.tree, "-"].expect(0);
    let mut command = haul_command();
    command.arg("unpack").args(exact()).arg("-").arg(&case.copy);
    run(&mut command, Some(&packed.stdout)).expect(0);
    case.assert_same();
    assert_rsync_agrees(&case.tree, &case.copy);
}

#[test]
fn an_archive_has_the_same_bytes_in_a_file_and_in_a_pipe() {
    let case = Case::of(|root| build(root, &modest()));
    case.pack(&[]).expect(0);
    let piped = haul!["pack", &case.tree, "-"].expect(0);
    assert!(piped.stdout == std::fs::read(&case.archive).unwrap(), "the two archives differ");
}

#[test]
fn every_level_keeps_the_tree() {
    let case = Case::of(|root| build(root, &modest()));
    for level in ["-7", "-5", "-1", "1", "3", "9", "19"] {
        case.pack(&[&format!("--level={level}")]).expect(0);
        let copy = case.scratch.join(&format!("copy{level}"));
        unpack(&[], &case.archive, &copy).expect(0);
        Snapshot::of(&case.tree).assert_same(&Snapshot::of(&copy), Fields::ALL);
    }
}

#[test]
fn what_no_peer_carries_survives() {
    for options in [&[][..], &["-j", "1"], &["--single-frame"]] {
        let case = Case::of(beyond_peers);
        case.pack(options).expect(0);
        case.unpack(
            options.iter().copied().filter(|o| *o != "--single-frame").collect::<Vec<_>>().as_slice(),
        )
        .expect(0);
        case.assert_same();
    }
}

#[test]
fn a_path_beyond_4096_bytes_survives_a_pipe() {
    let case = Case::of(beyond_peers);
    let packed = haul!["pack", &case.tree, "-"].expect(0);
    run(haul_command().arg("unpack").arg("-").arg(&case.copy), Some(&packed.stdout)).expect(0);
    case.assert_same();
}

#[test]
fn hard_links_of_symlinks_and_fifos_stay_links() {
    let case = Case::of(|root| {
        build(
            root,
            &[
                symlink("symlink", "target"),
                hard_link("dir/symlink-too", "symlink"),
                fifo("fifo"),
                hard_link("dir/fifo-too", "fifo"),
            ],
        );
    });
    case.pack(&[]).expect(0);
    case.unpack(&[]).expect(0);
    case.assert_same();
}

#[test]
fn an_empty_tree_survives_with_the_metadata_of_its_root() {
    let case = Case::of(|root| build(root, &[dir("").mode(0o2750).mtime(1_000_000_001, 2)]));
    case.pack(&[]).expect(0);
    case.unpack(&[]).expect(0);
    case.assert_same();
}

#[test]
fn a_socket_is_skipped_and_named() {
    let case = Case::of(|root| build(root, &[socket("the-socket"), file("file", "x")]));
    case.pack(&[]).expect(0).expect_once("the-socket");
    case.unpack(&[]).expect(0);
    assert_eq!(Snapshot::of(&case.copy).paths(), ["file"]);
}

#[test]
fn an_existing_empty_directory_is_filled() {
    let case = Case::of(everything);
    std::fs::create_dir(&case.copy).unwrap();
    case.pack(&[]).expect(0);
    case.unpack(&[]).expect(0);
    case.assert_same();
}

#[test]
fn unpacking_twice_changes_nothing() {
    let case = Case::of(everything);
    case.pack(&[]).expect(0);
    case.unpack(&[]).expect(0);
    case.unpack(&[]).expect(0);
    case.assert_same();
    assert_rsync_agrees(&case.tree, &case.copy);
}

/// Who unpacks into `.` did not ask for other rights on `.`.
#[test]
fn an_existing_root_keeps_its_own_metadata_unless_exact_modes_are_wanted() {
    let case = Case::of(|root| build(root, &[dir("").mode(0o700).mtime(1_000_000_000, 0), file("a", "x")]));
    case.pack(&[]).expect(0);
    build(&case.copy, &[dir("").mode(0o751)]);
    haul!["unpack", "--no-same-permissions", &case.archive, &case.copy].expect(0);
    assert_eq!(Snapshot::of(&case.copy).get("").mode, 0o751);
    haul!["unpack", "--same-permissions", &case.archive, &case.copy].expect(0);
    case.assert_same();
}

/// A tree whose entries all differ from [`modest`]'s, in kind or in content, and strangers among them.
fn in_the_way() -> Vec<crate::support::tree::Node> {
    vec![
        file("hello.txt", "old content, longer than the new one").mode(0o600),
        symlink("empty", "stranger"),
        file("dir/below/file", "old"),
        fifo("dir/script"),
        file("dir/link", "a file where a symlink goes"),
        file("dir/same", "not linked yet"),
        hard_link("many/3", "dir/same"),
        symlink("large", "nowhere"),
        file("noise", ""),
        file("stranger", "keep me").mode(0o604).mtime(1_234_567_890, 1),
        file("dir/stranger", "keep me too"),
        hard_link("dir/linked-stranger", "many/5"),
        file("many/5", "shared with a stranger"),
        dir("strange-dir/empty").mode(0o700),
    ]
}

#[test]
fn unpacking_over_a_tree_replaces_what_the_archive_holds_and_keeps_strangers() {
    let case = Case::of(|root| build(root, &modest()));
    build(&case.copy, &in_the_way());
    let before = Snapshot::of(&case.copy);
    case.pack(&[]).expect(0);
    case.unpack(&[]).expect(0);
    let after = Snapshot::of(&case.copy);
    let is_stranger = |path: &[u8]| path.windows(5).any(|w| w == b"stran");
    Snapshot::of(&case.tree).assert_same(&after.clone().without(|path, _| is_stranger(path)), Fields::ALL);
    // A stranger that was a name of a replaced file keeps the old inode, whose other name is gone.
    let strangers = before.without(|path, _| !is_stranger(path));
    let fields = Fields { names: false, ..Fields::ALL };
    strangers.assert_same(&after.without(|path, _| !is_stranger(path)), fields);
}

#[test]
fn a_directory_in_the_place_of_a_file_is_not_removed_with_what_it_holds() {
    let case = Case::of(|root| build(root, &[file("a", "file"), file("b", "file")]));
    build(&case.copy, &[file("a/precious", "keep me")]);
    case.pack(&[]).expect(0);
    case.unpack(&[]).expect(3).expect_once(" a:");
    assert_eq!(std::fs::read(case.copy.join("a/precious")).unwrap(), b"keep me");
    assert_eq!(std::fs::read(case.copy.join("b")).unwrap(), b"file");
}

#[test]
fn keep_existing_leaves_what_exists_as_it_is() {
    let case = Case::of(|root| build(root, &modest()));
    build(&case.copy, &in_the_way());
    let before = Snapshot::of(&case.copy);
    case.pack(&[]).expect(0);
    case.unpack(&["--keep-existing"]).expect(0);
    let after = Snapshot::of(&case.copy);
    let kept = after.clone().without(|path, _| !before.0.contains_key(path));
    // A directory gets new entries, and with them a new mtime.
    before.assert_same(&kept, Fields { directory_mtime: false, names: false, ..Fields::ALL });
    let added = after.without(|path, _| before.0.contains_key(path));
    let expected = Snapshot::of(&case.tree).without(|path, _| before.0.contains_key(path));
    expected.assert_same(&added, Fields { names: false, ..Fields::ALL });
}

#[test]
fn few_descriptors_suffice_for_a_deep_and_wide_tree() {
    let case = Case::of(|root| {
        let mut nodes = wide(2000);
        nodes.push(deep(300));
        for i in 0..100 {
            nodes.push(file(format!("dirs/{i}/{i}/file"), text(i, 3000)));
        }
        build(root, &nodes);
    });
    let limited = |args: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new("prlimit");
        command.arg("--nofile=64").arg(env!("CARGO_BIN_EXE_haul")).args(args);
        run(&mut command, None).expect(0);
    };
    limited(&["pack".as_ref(), "-j".as_ref(), "8".as_ref(), case.tree.as_os_str(), case.archive.as_os_str()]);
    limited(&[
        "unpack".as_ref(),
        "-j".as_ref(),
        "8".as_ref(),
        case.archive.as_os_str(),
        case.copy.as_os_str(),
    ]);
    case.assert_same();
}

#[test]
fn an_archive_is_replaced_and_a_failed_pack_leaves_the_old_one() {
    let case = Case::of(|root| build(root, &modest()));
    std::fs::write(&case.archive, "old").unwrap();
    haul!["pack", &case.scratch.join("missing"), &case.archive].expect(1);
    assert_eq!(std::fs::read(&case.archive).unwrap(), b"old");
    case.pack(&[]).expect(0);
    case.unpack(&[]).expect(0);
    case.assert_same();
}

#[test]
fn the_roots_may_be_symlinks() {
    let case = Case::of(|root| build(root, &modest()));
    std::fs::create_dir(&case.copy).unwrap();
    let link = |name: &str, target: &Path| {
        let path = case.scratch.join(name);
        std::os::unix::fs::symlink(target, &path).unwrap();
        path
    };
    let (tree, copy) = (link("tree-link", &case.tree), link("copy-link", &case.copy));
    haul!["pack", &tree, &case.archive].expect(0);
    unpack(&[], &case.archive, &copy).expect(0);
    case.assert_same();
}
