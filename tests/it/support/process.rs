//! Processes that are stopped, killed and watched.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// Starts a child that reacts to signals.
///
/// Tests started in the background of a shell, or with nohup, inherit SIGINT or SIGHUP as ignored, and haul leaves an
/// ignored signal ignored. A signal that is caught here, though, has its default action in a child: execve(2) resets
/// it.
pub fn spawn(command: &mut Command) -> Child {
    static HEEDED: Once = Once::new();
    HEEDED.call_once(|| {
        let ignored = signal_mask("self", "SigIgn:");
        for signal in [Signal::HUP, Signal::INT, Signal::TERM].map(Signal::as_raw) {
            if ignored & (1 << (signal - 1)) != 0 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal; if the child has already ended, that has no effect.
pub fn send(child: &Child, signal: Signal) {
    // A child that has ended and was waited for no longer exists (ESRCH).
    let _ = kill_process(Pid::from_child(child), signal);
}

/// Waits until `ready` holds, or the child has ended, or a second is over.
pub fn wait_until(child: &mut Child, ready: impl Fn() -> bool) {
    let start = Instant::now();
    while !ready() && child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// A mask of signals in the status of a process: bit 0 for signal 1; `proc_pid_status(5)`.
fn signal_mask(process: &str, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim();
    u64::from_str_radix(mask, 16).unwrap_or(0)
}

pub fn names_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Whether a component of `path` is a name that haul gives to what is not finished.
pub fn is_temporary(path: &[u8]) -> bool {
    path.split(|&b| b == b'/').any(|component| component.starts_with(b".haul-"))
}
