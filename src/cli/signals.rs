//! Signals that ask a run to stop.
//!
//! The first asks: the run ends at the next safe point and leaves no temporary file. The second ends the process at
//! once, and may leave some. A signal that was ignored when the process started stays ignored: that is how nohup(1)
//! and the background jobs of a shell script keep theirs running.

use super::{status, stdio};
use haul::cancel::Cancel;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The signal that asked a run to stop.
#[derive(Debug)]
pub(crate) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// From now on signals set `cancel`.
    pub(crate) fn watch(cancel: &Cancel) -> Self {
        let armed = Arc::new(AtomicBool::new(false));
        let ignored = status::ignored_signals();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            if ignored & (1 << (signal - 1)) == 0
                && let Err(error) = handle(signal, &armed, cancel)
            {
                // The run is sound without: the signal ends the process as it would any other.
                stdio::say(format_args!("haul: warning: cannot handle signal {signal}: {error}"));
            }
        }
        Self(cancel.flag())
    }

    /// The number of the last signal that came, 0 for none.
    pub(crate) fn last(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn handle(signal: i32, armed: &Arc<AtomicBool>, cancel: &Cancel) -> io::Result<()> {
    // In this order: the second signal finds the flag that the first one has set.
    flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(armed))?;
    flag::register(signal, Arc::clone(armed))?;
    flag::register_usize(signal, cancel.flag(), signal.unsigned_abs() as usize)?;
    Ok(())
}
