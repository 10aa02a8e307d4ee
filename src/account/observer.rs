//! Events that a run reports while it goes on.

use super::change::Change;
use super::failure::Failure;
use crate::tree::{Entry, FileKind, RelPath};

/// Something that happened during a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The total amount of work is known.
    Planned {
        /// Entries in all.
        entries: u64,
        /// Bytes of content in all.
        bytes: u64,
    },
    /// More work was found, and more may follow: the totals so far.
    Planning {
        /// Entries so far.
        entries: u64,
        /// Bytes of content so far.
        bytes: u64,
    },
    /// An entry was handled.
    Done(&'a Entry),
    /// A sync changed an entry or, in a dry run, would have.
    Changed(&'a Change<'a>),
    /// A sync found an entry unchanged.
    Unchanged(RelPath<'a>, FileKind),
    /// This many bytes of content were handled since the last such event.
    Moved(u64),
    /// An entry was left out on purpose, for this reason.
    Skipped(RelPath<'a>, &'a str),
    /// The entries to unpack first are complete, under their final names.
    Ready,
    /// Something that the user should know and that is not a failure.
    Warning(&'a str),
    /// Something failed. It is in the report, too.
    Failed(&'a Failure),
}

/// Watches a run. Called from every worker thread.
///
/// A lossy view: nothing depends on it, and a slow observer slows the run down.
pub trait Observer: Sync {
    /// Handles `event`.
    fn event(&self, event: Event<'_>);
}

/// The silent observer.
impl Observer for () {
    fn event(&self, _: Event<'_>) {}
}

/// Keeps the text of every event, for tests.
#[derive(Debug, Default)]
pub struct Recorder(std::sync::Mutex<Vec<String>>);

impl Recorder {
    /// What was recorded so far, in order of arrival.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().map(|lines| lines.clone()).unwrap_or_default()
    }
}

impl Observer for Recorder {
    fn event(&self, event: Event<'_>) {
        if let Ok(mut lines) = self.0.lock() {
            lines.push(match event {
                Event::Done(entry) => format!("done {}", entry.path.as_path().display()),
                other => format!("{other:?}"),
            });
        }
    }
}
