//! Runs `haul sync`, and rsync on the same trees with the same flags.

use super::oracle::{Outcome, haul_command, peer, run};
use super::scratch::Scratch;
use super::snapshot::{Fields, Snapshot};
use super::tree::{Node, build};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// With these, rsync keeps what haul keeps by default, and compares times to the nanosecond as haul does.
const LIKE_HAUL: &[&str] = &["-aHAX", "--modify-window=-1"];

/// What rsync and haul keep alike: rsync stores holes as zeros, or zeros as holes.
pub const SHARED: Fields = Fields { holes: false, ..Fields::ALL };

/// `haul sync` with these flags, not yet run.
pub fn mirror_command(args: &[&str], src: &Path, dst: &Path) -> Command {
    let mut command = haul_command();
    command.arg("sync").args(args).arg(src).arg(dst);
    command
}

/// Runs `haul sync` with these flags.
#[track_caller]
pub fn mirror(args: &[&str], src: &Path, dst: &Path) -> Outcome {
    run(&mut mirror_command(args, src, dst), None)
}

/// Runs rsync with flags that make it behave like haul, and these, on the contents of `src`. On some trees it never
/// ends; it is killed then.
#[track_caller]
pub fn rsync(args: &[&str], src: &Path, dst: &Path) -> Outcome {
    let mut command = Command::new("timeout");
    command
        .args(["-s", "KILL", "60", "rsync"])
        .args(LIKE_HAUL)
        .args(args)
        .arg(src.join(""))
        .arg(dst.join(""))
        .env("LC_ALL", "C.UTF-8");
    run(&mut command, None)
}

/// haul's exit code for rsync's `code`: done, or done in part.
pub fn code_for(code: Option<i32>) -> i32 {
    match code {
        Some(0) => 0,
        // "Partial transfer due to error", "... due to vanished source files", "The --max-delete limit stopped deletions".
        Some(23..=25) => 3,
        code => panic!("rsync ended with {code:?}"),
    }
}

/// The number `name` of a report.
#[track_caller]
pub fn count(outcome: &Outcome, name: &str) -> u64 {
    report(outcome)["counts"][name].as_u64().unwrap_or_else(|| panic!("no count {name}: {outcome}"))
}

/// The report of a run with `--json`: the last line.
#[track_caller]
pub fn report(outcome: &Outcome) -> serde_json::Value {
    let lines = outcome.lines();
    let last = lines.last().unwrap_or_else(|| panic!("no report: {outcome}"));
    serde_json::from_str(last).unwrap_or_else(|e| panic!("{last:?} is not a report: {e}"))
}

/// A source and a destination.
pub struct Pair {
    pub scratch: Scratch,
    pub src: PathBuf,
    pub dst: PathBuf,
}

impl Pair {
    /// A source of these nodes, and an empty place.
    pub fn new(src: &[Node]) -> Self {
        let scratch = Scratch::in_memory();
        let pair = Self { src: scratch.join("src"), dst: scratch.join("dst"), scratch };
        build(&pair.src, src);
        pair
    }

    /// The same with a destination of these nodes.
    pub fn over(src: &[Node], dst: &[Node]) -> Self {
        let pair = Self::new(src);
        build(&pair.dst, dst);
        pair
    }

    #[track_caller]
    pub fn mirror(&self, args: &[&str]) -> Outcome {
        mirror(args, &self.src, &self.dst)
    }

    /// Asserts that the destination is the source, in everything.
    #[track_caller]
    pub fn assert_same(&self) {
        Snapshot::of(&self.src).assert_same(&Snapshot::of(&self.dst), Fields::ALL);
    }

    pub fn dst_paths(&self) -> Vec<String> {
        Snapshot::of(&self.dst).paths()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dst.join(name)).unwrap_or_else(|e| panic!("{name} in the destination: {e}"))
    }

    pub fn read_text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }
}

/// One source, a destination for haul, and the same for rsync.
pub struct Rivals {
    pub scratch: Scratch,
    pub src: PathBuf,
    haul: PathBuf,
    rsync: PathBuf,
}

/// What both made of their destinations.
pub struct Match {
    pub haul: Outcome,
    pub rsync: Outcome,
    pub ours: Snapshot,
    pub theirs: Snapshot,
}

impl Rivals {
    /// Both destinations are `dst` in a directory of their own, where relative paths lead to places of each one's own.
    pub fn new(src: &[Node], dst: &[Node]) -> Self {
        let scratch = Scratch::in_memory();
        let (haul, rsync) = (scratch.mkdir("haul"), scratch.mkdir("rsync"));
        let rivals = Self { src: scratch.join("src"), haul, rsync, scratch };
        build(&rivals.src, src);
        rivals.beside("dst", dst);
        rivals
    }

    /// Builds a tree beside both destinations, which reach it as `../name`.
    pub fn beside(&self, name: &str, nodes: &[Node]) {
        for place in [&self.haul, &self.rsync] {
            build(&place.join(name), nodes);
        }
    }

    /// Runs both with the same flags; the trees compared are all that is in either's directory.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Match {
        self.run_with(args, args)
    }

    /// The same with flags that the two spell differently.
    #[track_caller]
    pub fn run_with(&self, ours: &[&str], theirs: &[&str]) -> Match {
        // The clock that dates files may lag by a tick.
        let start = SystemTime::now() - Duration::from_secs(1);
        let rsync = rsync(theirs, &self.src, &self.rsync.join("dst"));
        let haul = mirror(ours, &self.src, &self.haul.join("dst"));
        let [ours, theirs] =
            [&self.haul, &self.rsync].map(|place| undated(Snapshot::of(place).without_root(), start));
        Match { haul, rsync, ours, theirs }
    }
}

/// Gives all that was dated since `start` one and the same time.
fn undated(mut snapshot: Snapshot, start: SystemTime) -> Snapshot {
    let start = start.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let start = (start.as_secs().cast_signed(), start.subsec_nanos());
    for node in snapshot.0.values_mut().filter(|node| node.mtime >= start) {
        node.mtime = (i64::MAX, 0);
    }
    snapshot
}

impl Match {
    /// Panics unless both ended alike and made the same trees.
    #[track_caller]
    pub fn assert_alike(self) -> Self {
        self.assert_alike_in(SHARED)
    }

    #[track_caller]
    pub fn assert_alike_in(self, fields: Fields) -> Self {
        let code = code_for(self.rsync.code());
        assert!(self.haul.code() == Some(code), "{}{}", self.haul, self.rsync);
        let diff = self.theirs.diff(&self.ours, fields);
        assert!(diff.is_empty(), "{}rsync's result, and haul's:\n{}", self.haul, diff.join("\n"));
        self
    }
}

/// Runs both on the same trees with the same flags, and asserts that they do the same. Skipped, aloud, without rsync.
#[track_caller]
pub fn assert_like_rsync(args: &[&str], src: &[Node], dst: &[Node]) {
    if peer("rsync") {
        Rivals::new(src, dst).run(args).assert_alike();
    }
}

/// Where a file was made that names `lines`, each ended by a line feed.
pub fn list_file(scratch: &Scratch, name: &str, lines: &[&str]) -> String {
    let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
    let path: OsString = scratch.write(name, text).into();
    path.into_string().unwrap()
}
