//! Which system calls a program makes, and which of them change a file system, as strace(1) sees them.

use super::oracle::{Outcome, leave_out, peer, run};
use super::scratch::Scratch;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Calls that change something whenever they succeed. Those that not every architecture has begin with `?`.
const CHANGES: &str = "?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,?mknod,mknodat,?link,linkat,\
    ?symlink,symlinkat,?chmod,fchmod,fchmodat,?fchmodat2,?chown,?lchown,fchown,fchownat,?utime,?utimes,?futimesat,utimensat,\
    setxattr,lsetxattr,fsetxattr,?setxattrat,removexattr,lremovexattr,fremovexattr,?removexattrat,\
    truncate,ftruncate,fallocate,copy_file_range,sendfile,splice,?creat";
/// Calls that change something only with some arguments.
const PERHAPS: &str = "write,pwrite64,writev,pwritev,?pwritev2,?open,openat,?openat2,ioctl";

/// Runs `command` under strace and returns how it ended, and the calls by which it changed, or tried to change, what is
/// below `root`, which has a path of its own. `None`, said aloud, where strace is missing or not permitted.
#[track_caller]
pub fn changes(command: &Command, root: &Path) -> Option<(Outcome, Vec<String>)> {
    // -y shows the path of each descriptor.
    let (outcome, log) = traced(command, &["-y", "-s", "4096", "-e", &format!("trace={CHANGES},{PERHAPS}")])?;
    let root = root.to_str().unwrap();
    Some((outcome, log.lines().filter(|line| is_change(line, root)).map(str::to_owned).collect()))
}

/// Runs `command` under strace and returns how it ended, and each call that opened something in one of these trees.
/// `None`, said aloud, where strace is missing or not permitted.
#[track_caller]
pub fn opened(command: &Command, trees: &[&Path]) -> Option<(Outcome, Vec<String>)> {
    let (outcome, log) = traced(command, &["-y", "-e", "trace=?open,openat,?openat2"])?;
    let trees: Vec<_> = trees.iter().map(|tree| format!("<{}", tree.display())).collect();
    let is_in = |line: &&str| trees.iter().any(|tree| line.contains(tree.as_str()));
    // A call that another thread's interrupts is shown with its arguments, and then a second time without.
    let lines = log.lines().filter(|line| !line.contains("<... ")).filter(is_in);
    Some((outcome, lines.map(str::to_owned).collect()))
}

/// Runs `command` under strace and returns how it ended, and how often it made each system call, in all its threads.
/// `None`, said aloud, where strace is missing or not permitted.
#[track_caller]
pub fn counts(command: &Command) -> Option<(Outcome, BTreeMap<String, i64>)> {
    let (outcome, log) = traced(command, &[])?;
    let mut counts = BTreeMap::new();
    // A call that another thread's interrupts has a second line, `1234 <... statx resumed>`.
    for line in log.lines().filter(|line| !line.contains("<... ")) {
        if let Some((name, _)) = call(line) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    Some((outcome, counts))
}

/// Entries that one of two trees has more.
const MORE: i64 = 100;

/// What depends on timing, or belongs to memory and threads; and fcntl, by which debug builds of Rust's library ask at
/// each close whether the descriptor is open.
const NOT_COUNTED: &[&str] =
    &["futex", "mmap", "munmap", "mprotect", "mremap", "madvise", "brk", "sched_yield", "fcntl"];

/// What each entry costs a command, by call: those are compared that `prepare` gives for trees that differ only in how
/// many entries they have, so that what a run costs by itself cancels out. What comes with a command is kept while it
/// runs. `None`, said aloud, without strace.
#[track_caller]
pub fn cost_of_each<T>(prepare: impl Fn(i64) -> (Command, T)) -> Option<BTreeMap<String, i64>> {
    let run = |count| {
        let (command, _kept) = prepare(count);
        let (outcome, counts) = counts(&command)?;
        outcome.expect(0);
        Some(counts)
    };
    let (few, many) = (run(MORE)?, run(2 * MORE)?);
    let names = few.keys().chain(many.keys()).filter(|name| !NOT_COUNTED.contains(&name.as_str()));
    let difference = |name: &String| many.get(name).unwrap_or(&0) - few.get(name).unwrap_or(&0);
    let mut cost = BTreeMap::new();
    for name in names {
        let more = difference(name);
        assert_eq!(more % MORE, 0, "{more} calls of {name} for {MORE} entries more");
        if more != 0 {
            cost.insert(name.clone(), more / MORE);
        }
    }
    Some(cost)
}

/// listxattrat(2) of Linux 6.13 has the number 465, and no name in an older strace. Before, llistxattr(2) is called.
#[track_caller]
pub fn assert_cost(cost: BTreeMap<String, i64>, expected: &[(&str, i64)]) {
    let name = |name: String| match name.as_str() {
        "syscall_0x1d1" | "llistxattr" => "listxattrat".to_owned(),
        _ => name,
    };
    let cost: BTreeMap<_, _> = cost.into_iter().map(|(call, count)| (name(call), count)).collect();
    let expected: BTreeMap<_, _> = expected.iter().map(|&(call, count)| (call.to_owned(), count)).collect();
    assert_eq!(cost, expected);
}

#[track_caller]
fn traced(command: &Command, flags: &[&str]) -> Option<(Outcome, String)> {
    let scratch = Scratch::new();
    if !peer("strace") {
        return None;
    }
    if !Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|s| s.success()) {
        leave_out("tracing is not permitted here");
        return None;
    }
    let log = scratch.join("log");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq"]).args(flags).arg("-o").arg(&log);
    traced.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    let outcome = run(&mut traced, None);
    Some((outcome, std::fs::read_to_string(log).unwrap()))
}

/// The name and the rest of `1234 name(arguments) = result`; the process comes first, because of -f.
fn call(line: &str) -> Option<(&str, &str)> {
    line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').split_once('(')
}

/// Whether a line of strace's log is a call that changes something below `root`.
fn is_change(line: &str, root: &str) -> bool {
    let Some((name, arguments)) = call(line) else { return false };
    let arguments = arguments.rsplit_once(" = ").map_or(arguments, |(arguments, _)| arguments);
    // A path that is neither absolute nor relative to a descriptor may lead anywhere, as may one by proc(5).
    let unplaced = arguments.starts_with('"') && !arguments.starts_with("\"/");
    let concerns_root = arguments.contains(root) || unplaced || arguments.contains("/proc/self/fd/");
    match name {
        "open" | "openat" | "openat2" => {
            concerns_root
                && ["O_CREAT", "O_TRUNC", "O_WRONLY", "O_RDWR"].iter().any(|f| arguments.contains(f))
        }
        // Only FICLONE and related requests; the rest only query.
        "ioctl" => concerns_root && arguments.contains("FICLONE"),
        // Of all arguments, the written bytes may hold any path; the descriptor comes first.
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => {
            arguments.split_once('>').is_some_and(|(descriptor, _)| descriptor.contains(root))
        }
        _ => concerns_root,
    }
}

mod tests {
    use super::*;

    #[test]
    fn a_trace_shows_every_kind_of_change_and_no_reading() {
        let scratch = Scratch::new();
        let dir = scratch.mkdir("dir");
        let trace = |script: &str| {
            changes(
                Command::new("sh").args(["-c", &format!("cd {} && {{ {script}; }}", dir.display())]),
                &dir,
            )
        };
        for (script, call) in [
            ("echo text > file", "O_CREAT"),
            ("echo text >> file", "write"),
            ("chmod 600 file", "chmod"),
            ("touch -d @1 file", "utimensat"),
            ("ln file second", "link"),
            ("mv second third", "rename"),
            ("rm third", "unlink"),
            ("mkdir below", "mkdir"),
            ("rmdir below", "unlink"),
            ("ln -s file symlink", "symlink"),
            ("mkfifo fifo", "mknod"),
            ("truncate -s 5 file", "truncate"),
            ("chown 0:0 file", "chown"),
        ] {
            let Some((_, changes)) = trace(script) else { return };
            let calls = changes
                .iter()
                .any(|line| line.contains(call) || (call == "unlink" && line.contains("rmdir")));
            assert!(calls, "{script}: {changes:#?}");
        }
        let (_, changes) = trace("cat file; ls -l; test -d below").unwrap();
        assert!(changes.is_empty(), "{changes:#?}");
    }
}
