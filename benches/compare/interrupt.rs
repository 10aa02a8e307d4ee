//! Ends the program cleanly on request: SIGINT, SIGTERM or SIGHUP set a flag, and all long-running work checks it. So
//! everything that was mounted or created is removed again.
//!
//! The flag is global: a signal is for the whole program.

use crate::measure::Outcome;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on signals set the flag.
pub fn watch() -> std::io::Result<()> {
    let flag = FLAG.get_or_init(Arc::default);
    // signal(7)
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

pub fn is_asked() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Fails if the program was asked to end.
pub fn check() -> Outcome<()> {
    if is_asked() { Err("interrupted".into()) } else { Ok(()) }
}
