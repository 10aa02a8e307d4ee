//! What became of an entry.

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryOutcome {
    pub(super) touched: Touched,
    pub(super) holds: Holds,
}

/// What this run has changed of an entry in the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    Nothing,
    /// Metadata was set.
    Metadata,
    /// A name in the directory was created, replaced or removed.
    Name,
}

/// What the destination is now known to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Nothing that could be recorded: the entry is left alone, or waits.
    Unknown,
    /// The source's entry, judged by times, sizes or links.
    Entry,
    /// The source's entry, whose content was copied or compared.
    Content,
}

impl EntryOutcome {
    /// The entry is left alone, or waits for the end of the walk.
    pub(super) const LEFT: EntryOutcome = EntryOutcome { touched: Touched::Nothing, holds: Holds::Unknown };
    /// It was copied.
    pub(super) const COPIED: EntryOutcome = EntryOutcome { touched: Touched::Name, holds: Holds::Content };
    /// It became a name of something whose content was not compared here.
    pub(super) const LINKED: EntryOutcome = EntryOutcome { touched: Touched::Name, holds: Holds::Entry };

    /// It was right.
    pub(super) fn right(holds: Holds) -> Self {
        EntryOutcome { touched: Touched::Nothing, holds }
    }

    /// Whether the directory has changed.
    pub(super) fn has_touched_directory(self) -> bool {
        self.touched == Touched::Name
    }
}
