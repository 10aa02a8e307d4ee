//! Asking a run to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A flag that asks a run to stop. Clones share it. It is passed in, never global, so that one process can run several
/// operations and stop one of them.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicUsize>);

impl Cancel {
    /// Asks the run to stop.
    pub fn set(&self) {
        // Relaxed: the flag carries no other data.
        self.0.store(1, Ordering::Relaxed);
    }

    /// Whether the run was asked to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// The flag itself, for a signal handler: anything but 0 asks to stop.
    pub fn flag(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.0)
    }
}
