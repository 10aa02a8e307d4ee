//! Runs that are stopped, killed, or out of space.

use crate::support::oracle::{
    Outcome, exact, finish, haul, haul_command, in_private_mounts, run as run_to_end,
};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tree::{build, file};
use crate::support::trees::{noise, text};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// Starts a child that reacts to signals.
///
/// Tests started in the background of a shell, or with nohup, inherit SIGINT or SIGHUP as ignored, and haul leaves an
/// ignored signal ignored. A signal that is caught here, though, has its default action in a child: execve(2) resets
/// it.
fn spawn(command: &mut Command) -> Child {
    static HEEDED: Once = Once::new();
    HEEDED.call_once(|| {
        let ignored = signal_mask("self", "SigIgn:");
        for signal in [Signal::HUP, Signal::INT, Signal::TERM].map(Signal::as_raw) {
            if ignored & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn unpack() -> Command {
    let mut command = haul_command();
    command.arg("unpack").args(exact());
    command
}

fn send(child: &Child, signal: Signal) {
    // A child that has ended and was waited for no longer exists (ESRCH).
    let _ = kill_process(Pid::from_child(child), signal);
}

/// Waits until `ready` holds, or the child has ended, or a second is over.
fn wait_until(child: &mut Child, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() && child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a process has its handler for SIGTERM, the last that haul installs, and sleeps: `proc_pid_status(5)`.
fn waits_ready_for_signals(id: u32) -> bool {
    signal_mask(&id.to_string(), "SigCgt:") & (1 << 14) != 0
        && status_field(&id.to_string(), "State:").starts_with('S')
}

/// A mask of signals in the status of a process: bit 0 for signal 1.
fn signal_mask(process: &str, name: &str) -> u64 {
    u64::from_str_radix(&status_field(process, name), 16).unwrap_or(0)
}

fn status_field(process: &str, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned()
}

fn names_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn is_temporary(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').any(|component| component.starts_with(b".haul-"))
}

/// A tree and its archive.
struct Case {
    scratch: Scratch,
    tree: PathBuf,
    archive: PathBuf,
    original: Snapshot,
}

impl Case {
    fn new() -> Self {
        let scratch = Scratch::in_memory();
        let (tree, archive) = (scratch.join("tree"), scratch.join("whole.tar.zst"));
        let mut nodes: Vec<_> =
            (0..1500).map(|i| file(format!("{}/{i}", i % 50), text(i, 2000 + i as usize % 5000))).collect();
        nodes.push(file("large", noise(1, 24 << 20)));
        nodes.push(file("text", text(1, 16 << 20)));
        build(&tree, &nodes);
        haul!["pack", &tree, &archive].expect(0);
        let original = Snapshot::of(&tree);
        Self { scratch, tree, archive, original }
    }

    /// Whether a run that unpacks has made anything: a new directory gets its name last.
    fn has_begun(&self) -> bool {
        names_in(self.scratch.path()).iter().any(|name| name.starts_with(".haul-"))
    }

    /// Asserts that every file of `copy` that has its final name is the original one.
    #[track_caller]
    fn assert_final_names_whole(&self, copy: &Path, outcome: &Outcome) -> Snapshot {
        if !copy.is_dir() {
            return Snapshot(std::collections::BTreeMap::new());
        }
        let snapshot = Snapshot::of(copy).without(|path, _| is_temporary(path));
        for (path, node) in &snapshot.0 {
            let original = &self.original.get(path).kind;
            let same = match (&node.kind, original) {
                (Kind::File(size, hash, _), Kind::File(s, h, _)) => (size, hash) == (s, h),
                (a, b) => a == b,
            };
            assert!(
                same,
                "{} is not whole: {:?} for {original:?}\n{outcome}",
                path.escape_ascii(),
                node.kind
            );
        }
        snapshot
    }
}

#[track_caller]
fn assert_no_temporary(dir: &Path, outcome: &Outcome) {
    let left: Vec<_> = Snapshot::of(dir).0.into_keys().filter(|path| is_temporary(path)).collect();
    assert!(left.is_empty(), "left behind: {:?}\n{outcome}", left[0].escape_ascii().to_string());
}

#[test]
fn a_stopped_pack_leaves_nothing() {
    let case = Case::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = case.scratch.mkdir(&format!("place{code}"));
        let mut command = haul_command();
        // Level 19 takes many seconds for this tree.
        command.args(["pack", "--level", "19"]).arg(&case.tree).arg(place.join("a.tar.zst"));
        let mut child = spawn(&mut command);
        wait_until(&mut child, || !names_in(&place).is_empty());
        send(&child, signal);
        let outcome = finish(child, "haul pack").expect(code);
        assert_eq!(names_in(&place), [] as [&str; 0], "{outcome}");
    }
}

#[test]
fn a_stopped_pack_leaves_the_old_archive() {
    let case = Case::new();
    let old = case.scratch.write("a.tar.zst", "the old archive");
    let mut child = spawn(haul_command().args(["pack", "--level", "19"]).arg(&case.tree).arg(&old));
    wait_until(&mut child, || names_in(case.scratch.path()).len() > 3);
    send(&child, Signal::INT);
    finish(child, "haul pack").expect(130);
    assert_eq!(std::fs::read(&old).unwrap(), b"the old archive");
}

#[test]
fn a_stopped_unpack_leaves_whole_files_and_no_temporary_ones() {
    let case = Case::new();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // A run may be over before the signal comes: that says nothing, so it is tried again.
        let stopped = (0..20).any(|i| {
            let copy = case.scratch.join(&format!("copy{code}-{i}"));
            let mut child = spawn(haul_command().args(["unpack", "-j", "1"]).arg(&case.archive).arg(&copy));
            wait_until(&mut child, || case.has_begun());
            send(&child, signal);
            let outcome = finish(child, "haul unpack");
            case.assert_final_names_whole(&copy, &outcome);
            assert_no_temporary(case.scratch.path(), &outcome);
            assert!(outcome.code() == Some(0) || outcome.code() == Some(code), "{outcome}");
            outcome.code() == Some(code)
        });
        assert!(stopped, "no run was slow enough to be stopped");
    }
}

/// The signal arrives while haul waits for input that does not come.
#[test]
fn a_run_that_waits_for_a_pipe_can_be_stopped() {
    let case = Case::new();
    let archive = std::fs::read(&case.archive).unwrap();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for fed in [0, 100, archive.len() / 2, archive.len() - 1] {
            let copy = case.scratch.join(&format!("copy{code}-{fed}"));
            let mut child = spawn(haul_command().arg("unpack").arg("-").arg(&copy));
            let mut pipe = child.stdin.take().unwrap();
            pipe.write_all(&archive[..fed]).unwrap();
            let id = child.id();
            wait_until(
                &mut child,
                || if fed > 1000 { case.has_begun() } else { waits_ready_for_signals(id) },
            );
            send(&child, signal);
            let outcome = finish(child, "haul unpack -").expect(code);
            drop(pipe);
            case.assert_final_names_whole(&copy, &outcome);
            assert_no_temporary(case.scratch.path(), &outcome);
        }
    }
}

#[test]
fn a_comparison_that_waits_for_a_pipe_can_be_stopped() {
    let case = Case::new();
    let mut child = spawn(haul_command().arg("diff").arg(&case.archive).arg("-"));
    let pipe = child.stdin.take().unwrap();
    let id = child.id();
    wait_until(&mut child, || waits_ready_for_signals(id));
    send(&child, Signal::INT);
    let outcome = finish(child, "haul diff ARCHIVE -").expect(130);
    drop(pipe);
    assert_eq!(outcome.text(), "");
}

/// The signal arrives while haul waits for a reader that does not read.
#[test]
fn a_pack_into_a_full_pipe_can_be_stopped() {
    let case = Case::new();
    let mut child = spawn(haul_command().arg("pack").arg(&case.tree).arg("-"));
    let pipe = child.stdout.take();
    wait_until(&mut child, || false);
    send(&child, Signal::INT);
    finish(child, "haul pack -").expect(130);
    drop(pipe);
}

/// How long an undisturbed run takes, and then runs that are killed all over that time, and a bit earlier.
fn kill_at_many_moments(run: impl Fn() -> Child, check: impl Fn(&Outcome)) {
    let start = Instant::now();
    finish(run(), "undisturbed").expect(0);
    let whole = start.elapsed();
    for i in 0..16 {
        let child = run();
        std::thread::sleep(whole * i / 16);
        send(&child, Signal::KILL);
        check(&finish(child, "killed"));
    }
}

#[test]
fn a_killed_pack_leaves_no_archive_or_a_whole_one() {
    let case = Case::new();
    let place = case.scratch.mkdir("place");
    let archive = place.join("a.tar.zst");
    let whole = std::fs::read(&case.archive).unwrap();
    let run = || {
        let _ = std::fs::remove_file(&archive);
        spawn(haul_command().arg("pack").arg(&case.tree).arg(&archive))
    };
    kill_at_many_moments(run, |outcome| {
        if let Ok(bytes) = std::fs::read(&archive) {
            assert!(bytes == whole, "{} of {} bytes\n{outcome}", bytes.len(), whole.len());
        }
    });
    // Whatever is left is recognisable, and does no harm.
    assert!(names_in(&place).iter().all(|name| name == "a.tar.zst" || name.starts_with(".haul-")));
    haul!["pack", &case.tree, &archive].expect(0);
    assert!(std::fs::read(&archive).unwrap() == whole);
}

#[test]
fn a_killed_unpack_leaves_whole_files_and_is_completed_by_a_second_run() {
    let case = Case::new();
    let copy = case.scratch.join("copy");
    let run = || {
        let _ = std::fs::remove_dir_all(&copy);
        spawn(unpack().arg(&case.archive).arg(&copy))
    };
    kill_at_many_moments(run, |outcome| {
        case.assert_final_names_whole(&copy, outcome);
        run_to_end(unpack().arg(&case.archive).arg(&copy), None).expect(0);
        let copy = Snapshot::of(&copy).without(|path, _| is_temporary(path));
        case.original.assert_same(&copy, Fields::ALL);
    });
}

/// Killed while it replaces: each file is the old one or the new one.
#[test]
fn a_killed_unpack_over_an_old_tree_leaves_old_or_new_files() {
    let case = Case::new();
    let copy = case.scratch.join("copy");
    let old: Vec<_> = (0..1500).map(|i| file(format!("{}/{i}", i % 50), format!("old {i}"))).collect();
    let old = [&old[..], &[file("large", "old"), file("text", "old")]].concat();
    let run = || {
        let _ = std::fs::remove_dir_all(&copy);
        build(&copy, &old);
        spawn(haul_command().arg("unpack").arg(&case.archive).arg(&copy))
    };
    let old_snapshot = {
        build(&case.scratch.join("old"), &old);
        Snapshot::of(&case.scratch.join("old"))
    };
    kill_at_many_moments(run, |outcome| {
        for (path, node) in Snapshot::of(&copy).without(|path, _| is_temporary(path)).0 {
            let is = |snapshot: &Snapshot| match (&node.kind, &snapshot.get(&path).kind) {
                (Kind::File(size, hash, _), Kind::File(s, h, _)) => (size, hash) == (s, h),
                (a, b) => a == b,
            };
            assert!(is(&case.original) || is(&old_snapshot), "{} is neither: {outcome}", path.escape_ascii());
        }
    });
}

#[test]
fn a_full_disk_stops_a_pack_and_leaves_nothing() {
    let case = Case::new();
    case.scratch.mkdir("full");
    let script = "mount -t tmpfs -o size=4m none full || exit 99\n\
        $HAUL pack tree full/a.tar.zst; code=$?; find full -mindepth 1; exit $code";
    let Some(outcome) = in_private_mounts(case.scratch.path(), script) else { return };
    let outcome = outcome.expect(1);
    assert!(outcome.stderr.contains("ENOSPC"), "{outcome}");
    assert_eq!(outcome.text(), "", "left behind: {outcome}");
}

#[test]
fn a_full_disk_stops_an_unpack_and_leaves_whole_files() {
    let case = Case::new();
    case.scratch.mkdir("full");
    // `find` names what is temporary, and `cmp` what is at a final name and not whole.
    let script = "mount -t tmpfs -o size=20m none full || exit 99\n\
        $HAUL unpack whole.tar.zst full/copy; code=$?\n\
        find full -name '.haul-*'; find full/copy -type f -exec sh -c 'cmp \"$1\" \"tree/${1#full/copy/}\"' - {} ';'\n\
        exit $code";
    let Some(outcome) = in_private_mounts(case.scratch.path(), script) else { return };
    let outcome = outcome.expect(1).expect_once("ENOSPC");
    assert_eq!(outcome.text(), "", "{outcome}");
}

#[test]
fn a_reader_that_goes_away_ends_a_pack_quietly() {
    let case = Case::new();
    let mut child = spawn(haul_command().arg("pack").arg(&case.tree).arg("-"));
    drop(child.stdout.take());
    let outcome = finish(child, "haul pack -");
    assert!(outcome.code() != Some(0), "not everything was written: {outcome}");
}
