//! Runs haul and the programs that it is compared with.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// No program that a test starts may take longer. A hang is a failure.
const WATCHDOG: Duration = Duration::from_mins(3);

/// Runs haul with these arguments (anything that is an `OsStr`) and returns its [`Outcome`].
macro_rules! haul {
    ($($arg:expr),* $(,)?) => {
        $crate::support::oracle::run(
            $crate::support::oracle::haul_command().args([$(::std::ffi::OsStr::new($arg)),*]),
            None,
        )
    };
}
pub(crate) use haul;

/// How a program ended and what it wrote.
#[derive(Debug)]
pub struct Outcome {
    pub command: String,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Outcome {
    /// The exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Panics unless the program exited with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code() == Some(code), "expected exit {code}: {self}");
        self
    }

    /// Panics unless the program's messages contain `text` exactly once.
    #[track_caller]
    pub fn expect_once(self, text: &str) -> Self {
        assert_eq!(self.stderr.matches(text).count(), 1, "{text:?} should be named once: {self}");
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The lines of standard output.
    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {signal:?}"),
        };
        writeln!(f, "{}\n  ended with {end}; its messages:", self.command)?;
        for line in self.stderr.lines().take(20) {
            // A message may name a path of several thousand bytes; the errno is at the end.
            let chars: Vec<char> = line.chars().collect();
            let text = |chars: &[char]| chars.iter().collect::<String>();
            match chars.len() {
                0..=300 => writeln!(f, "{line}")?,
                len => writeln!(f, "{} [...] {}", text(&chars[..100]), text(&chars[len - 100..]))?,
            }
        }
        Ok(())
    }
}

/// The binary under test, with nothing in its environment that would change what it does.
pub fn haul_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    for name in ["SOURCE_DATE_EPOCH", "NO_COLOR", "CLICOLOR_FORCE", "RUST_BACKTRACE", "LANG", "LC_ALL", "TZ"]
    {
        command.env_remove(name);
    }
    command
}

/// Runs `command`, with `stdin` if given, to its end.
#[track_caller]
pub fn run(command: &mut Command, stdin: Option<&[u8]>) -> Outcome {
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program that refuses its input closes the pipe early: EPIPE here is not this test's business.
            if let (Some(mut pipe), Some(bytes)) = (input, stdin) {
                let _ = pipe.write_all(bytes);
            }
        });
        finish(child, &format!("{command:?}"))
    })
}

/// Waits for `child`, whose output is piped, and returns how it ended. A crash or a panic fails the test here.
#[track_caller]
pub fn finish(mut child: Child, command: &str) -> Outcome {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let outcome = thread::scope(|scope| {
        let stdout = scope.spawn(move || drain(stdout));
        let stderr = scope.spawn(move || drain(stderr));
        let status = wait(&mut child, command);
        let stderr = String::from_utf8_lossy(&stderr.join().unwrap()).into_owned();
        Outcome { command: command.to_owned(), status, stdout: stdout.join().unwrap(), stderr }
    });
    assert!(!outcome.stderr.contains("panicked at"), "a panic: {outcome}");
    assert!(!matches!(outcome.code(), Some(101 | 134 | 139)), "a crash: {outcome}");
    assert!(!outcome.status.core_dumped(), "a core: {outcome}");
    outcome
}

/// Waits for `child`; kills it and panics when the watchdog's time is over.
#[track_caller]
fn wait(child: &mut Child, command: &str) -> ExitStatus {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > WATCHDOG {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command} hangs");
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

fn drain(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}

/// Whether the peer program `name` can be used. When it cannot, says so; with `HAUL_REQUIRE_PEERS=1`, panics.
#[track_caller]
pub fn peer(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    found || skip(&format!("{name} is not installed"))
}

/// Says that the test is skipped and returns false; with `HAUL_REQUIRE_PEERS=1`, panics.
#[track_caller]
pub fn skip(why: &str) -> bool {
    assert!(
        std::env::var_os("HAUL_REQUIRE_PEERS").is_none_or(|v| v != "1"),
        "HAUL_REQUIRE_PEERS=1, but {why}"
    );
    eprintln!("SKIPPED: {why}");
    false
}

/// Leaves out something that depends on the machine or the user and not on an installed program: never a failure.
pub fn leave_out(what: &str) {
    eprintln!("LEFT OUT: {what}");
}

/// The flag without which another user than root gets modes under the umask and leaves an existing root's alone.
pub fn exact() -> Option<&'static str> {
    (!is_root()).then_some("--same-permissions")
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a peer program that must succeed, and returns what it wrote.
#[track_caller]
pub fn peer_run(program: &str, args: &[&OsStr], stdin: Option<&[u8]>) -> Vec<u8> {
    // The C.UTF-8 locale: bsdtar converts names between charsets, and keeps bytes that are not text as they are.
    run(Command::new(program).args(args).env("LC_ALL", "C.UTF-8").env("TZ", "UTC"), stdin).expect(0).stdout
}

/// Asserts that rsync, comparing contents and all metadata, would change nothing to make `copy` equal to `original`.
#[track_caller]
pub fn assert_rsync_agrees(original: &Path, copy: &Path) {
    if !peer("rsync") {
        return;
    }
    let slash = |path: &Path| path.join("");
    let (original, copy) = (slash(original), slash(copy));
    let args = ["-aHAXni", "--numeric-ids", "--delete", "-c"].map(OsStr::new);
    let args = [&args[..], &[original.as_os_str(), copy.as_os_str()]].concat();
    let output = peer_run("rsync", &args, None);
    assert!(output.is_empty(), "rsync sees differences:\n{}", String::from_utf8_lossy(&output));
}

/// Runs a shell script in `dir` as root of a mount namespace of its own, in which it may mount what it likes; `$HAUL`
/// is the binary. `None`, said aloud, where the system does not allow it.
#[track_caller]
pub fn in_private_mounts(dir: &Path, script: &str) -> Option<Outcome> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args((!is_root()).then_some("--map-root-user")).arg("--mount");
        command
    };
    let probe = unshare().args(["mount", "-t", "tmpfs", "none"]).arg(dir).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        leave_out("mounting needs root or user namespaces");
        return None;
    }
    let mut command = unshare();
    command.args(["sh", "-c", script]).current_dir(dir).env("HAUL", env!("CARGO_BIN_EXE_haul"));
    Some(run(&mut command, None))
}
