//! What a run tells while it goes on.

use super::change::Change;
use super::failure::Failure;
use crate::tree::{Entry, FileKind, RelPath};

/// Something that happened during a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// It is now known how much there is to do.
    Planned {
        /// Entries in all.
        entries: u64,
        /// Bytes of content in all.
        bytes: u64,
    },
    /// More was found to do, and more may be: what was planned so far.
    Planning {
        /// Entries so far.
        entries: u64,
        /// Bytes of content so far.
        bytes: u64,
    },
    /// An entry was handled.
    Done(&'a Entry),
    /// A mirror has changed an entry, or, in a dry run, would have.
    Changed(&'a Change<'a>),
    /// A mirror found an entry as it should be.
    Unchanged(RelPath<'a>, FileKind),
    /// So many bytes of content were handled since the last such event.
    Moved(u64),
    /// An entry was left out on purpose, for this reason.
    Skipped(RelPath<'a>, &'a str),
    /// What was to be unpacked first is complete, under its final names.
    Ready,
    /// Something about the run that its user should know and that is not a failure.
    Warning(&'a str),
    /// Something could not be done. It is in the report, too.
    Failed(&'a Failure),
}

/// Watches a run. Called from every worker thread.
///
/// A lossy view: nothing is derived from what it is told, and a slow observer slows the run down.
pub trait Observer: Sync {
    /// Takes note of `event`.
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
