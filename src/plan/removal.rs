//! Decides what may be removed from a destination, and why the rest stays.
//!
//! Owns promise 4 of the design: nothing is removed that was not planned, and nothing at all once it is unclear what
//! the source lacks. Knows no file system: the caller passes what it has found out, and may ask again when it knows
//! more.

/// What is known about the whole run when something is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RunFacts {
    /// The options ask for removals.
    pub(crate) is_asked: bool,
    /// Something in the source could not be read, so it is not known what it lacks.
    pub(crate) source_failed: bool,
    /// The options say that this does not matter.
    pub(crate) ignores_errors: bool,
    /// The source's name now leads to another directory: another file system was mounted there, or this one was
    /// unmounted.
    pub(crate) source_moved: bool,
    /// The source has no entries, probably because it is not mounted, and the destination has some.
    pub(crate) source_is_empty: bool,
    /// The options say that an empty source is intended.
    pub(crate) allows_empty_source: bool,
}

/// What is known about an entry that the source lacks, or that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct EntryFacts {
    pub(crate) is_directory: bool,
    /// A filter rule protects it.
    pub(crate) is_protected: bool,
    /// Who made it, by its name.
    pub(crate) made_by: MadeBy,
    /// What the selection, or the manifest of an earlier run, says about it.
    pub(crate) meant: Meant,
    /// What it turned out to be when it was opened.
    pub(crate) role: Role,
}

/// Who created an entry, judged by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MadeBy {
    /// Anybody.
    #[default]
    Anyone,
    /// A run that a later one can continue: it is the directory of partial files.
    PartialRun,
    /// A run that kept what it replaced: it is a backup next to its entry.
    Backup,
}

/// Whether a list that restricts removals names an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Meant {
    /// It does, or there is no list.
    #[default]
    Yes,
    /// It does not, but it may name entries below it.
    OnlyBelow,
    /// It does not, and nothing below it either.
    No,
}

/// What a directory turned out to be when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Role {
    /// A directory like others, or not opened yet.
    #[default]
    Plain,
    Source,
    Backups,
    OtherFileSystem,
}

/// What is done with an entry that the source lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RemovalStep {
    /// It is removed, once everything below it is gone.
    Remove,
    /// It stays, but entries below it may be removed.
    Below,
    /// It stays, and so does everything below it.
    Stay(Stays),
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stays {
    NotAsked,
    SourceFailed,
    SourceMoved,
    SourceIsEmpty,
    Protected,
    PartialFiles,
    Backup,
    NotListed,
    IsSource,
    HoldsBackups,
    OtherFileSystem,
}

impl Stays {
    /// What is reported if an entry stays without being asked for.
    pub(crate) fn reason(self) -> Option<&'static str> {
        match self {
            Stays::IsSource => Some("it is the source"),
            Stays::HoldsBackups => Some("it holds the backups"),
            Stays::OtherFileSystem => Some("it is another file system"),
            _ => None,
        }
    }
}

/// Whether anything may be removed, by what is known now.
pub(crate) fn may_remove(run: RunFacts) -> Result<(), Stays> {
    if !run.is_asked {
        Err(Stays::NotAsked)
    } else if run.source_is_empty && !run.allows_empty_source {
        Err(Stays::SourceIsEmpty)
    } else if run.source_failed && !run.ignores_errors {
        Err(Stays::SourceFailed)
    } else if run.source_moved {
        Err(Stays::SourceMoved)
    } else {
        Ok(())
    }
}

/// What is done with one entry, if removals are asked for at all.
pub(crate) fn decide(entry: EntryFacts) -> RemovalStep {
    let stays = match (entry.made_by, entry.role, entry.meant) {
        (MadeBy::PartialRun, ..) => Stays::PartialFiles,
        _ if entry.is_protected => Stays::Protected,
        (MadeBy::Backup, ..) => Stays::Backup,
        (_, Role::Source, _) => Stays::IsSource,
        (_, Role::Backups, _) => Stays::HoldsBackups,
        (_, Role::OtherFileSystem, _) => Stays::OtherFileSystem,
        (_, _, Meant::OnlyBelow) if entry.is_directory => return RemovalStep::Below,
        (_, _, Meant::No | Meant::OnlyBelow) => Stays::NotListed,
        (MadeBy::Anyone, Role::Plain, Meant::Yes) => return RemovalStep::Remove,
    };
    RemovalStep::Stay(stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_removed_unless_it_is_known_what_the_source_lacks() {
        let asked = RunFacts { is_asked: true, ..RunFacts::default() };
        for (run, expected) in [
            (RunFacts::default(), Err(Stays::NotAsked)),
            (asked, Ok(())),
            (RunFacts { source_failed: true, ..asked }, Err(Stays::SourceFailed)),
            (RunFacts { source_failed: true, ignores_errors: true, ..asked }, Ok(())),
            (RunFacts { source_moved: true, ..asked }, Err(Stays::SourceMoved)),
            (RunFacts { source_moved: true, ignores_errors: true, ..asked }, Err(Stays::SourceMoved)),
            (RunFacts { source_is_empty: true, ..asked }, Err(Stays::SourceIsEmpty)),
            (RunFacts { source_is_empty: true, allows_empty_source: true, ..asked }, Ok(())),
            (RunFacts { source_is_empty: true, ignores_errors: true, ..asked }, Err(Stays::SourceIsEmpty)),
            (
                RunFacts { source_failed: true, source_moved: true, ..RunFacts::default() },
                Err(Stays::NotAsked),
            ),
        ] {
            assert_eq!(may_remove(run), expected, "{run:?}");
        }
    }

    #[test]
    fn what_is_protected_or_somebody_elses_stays() {
        use RemovalStep::{Below, Remove, Stay};
        let file = EntryFacts::default();
        let directory = EntryFacts { is_directory: true, ..file };
        for (entry, expected) in [
            (file, Remove),
            (directory, Remove),
            (EntryFacts { is_protected: true, ..file }, Stay(Stays::Protected)),
            (EntryFacts { is_protected: true, ..directory }, Stay(Stays::Protected)),
            // A run can go on from it.
            (EntryFacts { made_by: MadeBy::PartialRun, ..directory }, Stay(Stays::PartialFiles)),
            (EntryFacts { made_by: MadeBy::Backup, ..file }, Stay(Stays::Backup)),
            (EntryFacts { role: Role::Source, ..directory }, Stay(Stays::IsSource)),
            (EntryFacts { role: Role::Backups, ..directory }, Stay(Stays::HoldsBackups)),
            (EntryFacts { role: Role::OtherFileSystem, ..directory }, Stay(Stays::OtherFileSystem)),
            // If a list names something below a directory, that is removed from the directory.
            (EntryFacts { meant: Meant::OnlyBelow, ..directory }, Below),
            (EntryFacts { meant: Meant::OnlyBelow, ..file }, Stay(Stays::NotListed)),
            (EntryFacts { meant: Meant::No, ..directory }, Stay(Stays::NotListed)),
            (EntryFacts { meant: Meant::No, ..file }, Stay(Stays::NotListed)),
            (
                EntryFacts { meant: Meant::OnlyBelow, role: Role::OtherFileSystem, ..directory },
                Stay(Stays::OtherFileSystem),
            ),
        ] {
            assert_eq!(decide(entry), expected, "{entry:?}");
        }
    }

    #[test]
    fn only_what_nobody_asked_to_keep_is_reported() {
        assert_eq!(Stays::IsSource.reason(), Some("it is the source"));
        assert_eq!(Stays::Protected.reason(), None);
    }
}
