//! Why a run stops before its end, shared by its workers.

use crate::cancel::Cancel;
use crate::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Tells all workers of a run to begin nothing more: after the caller's [`Cancel`], or after an error that everything
/// after it would meet, too.
#[derive(Debug)]
pub(crate) struct Stop<'a> {
    cancel: &'a Cancel,
    stopped: AtomicBool,
    /// Only the first error is kept: it is the most telling.
    error: Mutex<Option<Error>>,
}

impl<'a> Stop<'a> {
    pub(crate) fn new(cancel: &'a Cancel) -> Self {
        Stop { cancel, stopped: AtomicBool::new(false), error: Mutex::default() }
    }

    /// Whether the run stops: nothing more may begin.
    pub(crate) fn is_set(&self) -> bool {
        // Relaxed: seeing it late costs one more entry.
        self.stopped.load(Ordering::Relaxed) || self.cancel.is_set()
    }

    /// Whether the caller asked for the stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    /// Stops the run because of `error`.
    pub(crate) fn set(&self, error: Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The error that stopped the run, if any. Returned only once.
    pub(crate) fn take(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
