//! What a run tells while it goes on.

use crate::report::Failure;
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

/// What a mirror does with one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The path below the destination.
    pub path: RelPath<'a>,
    /// What the entry is; of a removed one, what it was.
    pub kind: FileKind,
    /// What is done.
    pub deed: Deed,
    /// Whether there is nothing of this kind at the path yet; always so for [`Deed::Create`], and for [`Deed::Link`]
    /// where the name is new.
    pub is_new: bool,
    /// In what the destination's entry differs. Nothing where it is new or removed.
    pub differs: Aspects,
    /// A symlink's target; for [`Deed::Link`], the path of the name that it becomes another one of.
    pub target: Option<&'a [u8]>,
    /// Length of the content in bytes.
    pub size: u64,
}

/// What a mirror does with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is made: there was none, or none of its kind.
    Create,
    /// It gets other content: a file's data, a symlink's target, a device's numbers.
    Update,
    /// It becomes a further name of an inode.
    Link,
    /// Only metadata are set.
    SetMetadata,
    /// It is removed.
    Delete,
}

/// In what an entry of the destination differs from the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aspects {
    /// Content was compared and differs; a symlink's target or a device's numbers differ.
    pub content: bool,
    /// Length.
    pub size: bool,
    /// Modification time, as far as it is to be the same.
    pub time: bool,
    /// Modification time, where it is not kept: it becomes the time of the transfer.
    pub time_of_transfer: bool,
    /// Mode.
    pub mode: bool,
    /// Owner.
    pub user: bool,
    /// Group.
    pub group: bool,
    /// Access time.
    pub atime: bool,
    /// An ACL.
    pub acl: bool,
    /// Another extended attribute.
    pub xattr: bool,
}

impl Aspects {
    /// Whether anything differs.
    pub fn any(self) -> bool {
        self != Aspects::default()
    }
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
