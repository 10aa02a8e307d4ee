//! Signals that ask a run to stop.
//!
//! The first one asks the run to end at the next safe point, which leaves no temporary file. The second one ends the
//! process at once, and may leave some. A signal that was ignored when the process started stays ignored: nohup(1) and
//! the background jobs of shell scripts rely on that.

use super::stdio;
use haul::cancel::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The signal that asked a run to stop.
#[derive(Debug)]
pub(crate) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// From now on signals set `cancel`.
    pub(crate) fn watch(cancel: &Cancel) -> Self {
        let armed = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            if ignored & (1 << (signal - 1)) == 0
                && let Err(error) = handle(signal, &armed, cancel)
            {
                // The run is safe without it: the signal ends the process like any other.
                stdio::say(format_args!("haul: warning: cannot handle signal {signal}: {error}"));
            }
        }
        Self(cancel.flag())
    }

    /// The number of the last signal received, 0 for none.
    pub(crate) fn last(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn handle(signal: i32, armed: &Arc<AtomicBool>, cancel: &Cancel) -> io::Result<()> {
    // In this order, the second signal finds the flag that the first one has set.
    flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(armed))?;
    flag::register(signal, Arc::clone(armed))?;
    flag::register_usize(signal, cancel.flag(), signal.unsigned_abs() as usize)?;
    Ok(())
}

/// The signals that are ignored, bit n-1 for signal n. Read from /proc, because sigaction(2) has no safe binding; none
/// if /proc is not mounted.
fn ignored() -> u64 {
    let status = stdio::read_named(Path::new("/proc/self/status")).unwrap_or_default();
    ignored_in(&String::from_utf8_lossy(&status)).unwrap_or(0)
}

fn ignored_in(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read_from_proc() {
        let status = "Name:\thaul\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\t0\n";
        assert_eq!(ignored_in(status), Some(0x1001));
        assert_eq!(ignored_in("Name:\thaul\n"), None);
        // The runtime ignores SIGPIPE (13) in every Rust program.
        assert_eq!(ignored() & (1 << 12), 1 << 12);
    }
}
