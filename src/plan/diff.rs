//! What would make an entry of one tree like that of another.
//!
//! Pure. Owns what counts as a difference and the words for it. The caller says whether the contents of two files
//! differ.

use super::compare::{Fields, known_difference, metadata, words};
pub use super::same::Trust;
use super::same::{self, Equality, Precision};
use crate::account::{Aspects, Change, Deed, Differs};
use crate::tree::{Entry, FileKind, Kind, RelPathBuf};

/// What would make one entry of the destination like the source's.
///
/// All steps together turn the destination into the source: first deletions, the deepest first; then, in path order,
/// creations and updates; then links; then the metadata of directories, which all of that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The path below both roots.
    pub path: RelPathBuf,
    /// What the entry is in the source; in the destination, if the source has none.
    pub kind: FileKind,
    /// What would have to be done. [`Deed::Create`] stands for a new inode, also if a name must leave a hard-link
    /// group; [`Deed::Update`] and [`Deed::SetMetadata`] change an inode under all its names.
    pub deed: Deed,
    /// Whether the destination has nothing of this kind there.
    pub is_new: bool,
    /// How the entries differ, if both sides have one of this kind.
    pub differs: Aspects,
    /// The same in words.
    pub what: Vec<Differs>,
    /// A symlink's target; for [`Deed::Link`], the path of the entry that it is linked to.
    pub target: Option<Box<[u8]>>,
    /// Length of the source's content in bytes; of the destination's, if it is deleted.
    pub size: u64,
    /// Bytes of content that only the source has, including the whole length of a changed file.
    pub added_bytes: u64,
    /// Bytes of content that only the destination has.
    pub removed_bytes: u64,
}

impl Step {
    /// The step as a mirror would report it to an observer.
    pub fn change(&self) -> Change<'_> {
        Change {
            path: self.path.as_path(),
            kind: self.kind,
            deed: self.deed,
            is_new: self.is_new,
            differs: self.differs,
            target: self.target.as_deref(),
            size: self.size,
        }
    }
}

/// An entry, and the one that stands for its inode: for a hard link, the first name of its group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiffName<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) inode: &'a Entry,
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiffRules {
    pub(crate) fields: Fields,
    pub(crate) trust: Trust,
    pub(crate) precision: Precision,
}

/// Whether the contents of two entries must be read to know whether they are the same.
pub(crate) fn needs_content(src: &Entry, dst: &Entry, rules: DiffRules) -> bool {
    matches!(same::content(src, dst, rules.trust, &rules.precision), Equality::Compare(_))
}

/// What would make `dst` like `src`, two entries with the same path; `None` if it already is. `other_content` says that
/// the contents were compared and differ.
pub(crate) fn step(
    src: DiffName<'_>,
    dst: DiffName<'_>,
    other_content: bool,
    rules: DiffRules,
) -> Option<Step> {
    let (kind, old_kind) = (file_kind(src.inode), file_kind(dst.inode));
    let same_kind = kind == old_kind;
    let made = |deed| {
        let what = vec![if same_kind { Differs::HardLink } else { Differs::Kind }];
        let new = told(src, deed, what);
        Step { is_new: !same_kind || deed == Deed::Create, removed_bytes: dst.entry.kind.size(), ..new }
    };
    match (&src.entry.kind, &dst.entry.kind) {
        (Kind::HardLink(a), Kind::HardLink(b)) if a == b => None,
        (Kind::HardLink(_), _) => Some(made(Deed::Link)),
        (_, Kind::HardLink(_)) => Some(made(Deed::Create)),
        _ if !same_kind => Some(made(Deed::Create)),
        _ => compared(src, dst.entry, other_content, rules),
    }
}

/// The step for two entries of the same kind, each of which stands for its inode.
fn compared(src: DiffName<'_>, dst: &Entry, other_content: bool, rules: DiffRules) -> Option<Step> {
    let of_kind = known_difference(src.entry, dst, &rules.precision);
    let is_size = of_kind == Some(Differs::Size);
    let differs = Aspects {
        content: other_content || (of_kind.is_some() && !is_size),
        size: is_size,
        ..metadata(src.entry, dst, rules.fields, &rules.precision)
    };
    if !differs.any() {
        return None;
    }
    let is_update = differs.content || differs.size;
    let what = of_kind.into_iter().chain(other_content.then_some(Differs::Content)).chain(words(differs));
    let step = told(src, if is_update { Deed::Update } else { Deed::SetMetadata }, what.collect());
    let removed_bytes = if is_update { dst.kind.size() } else { 0 };
    Some(Step { differs, removed_bytes, ..step })
}

/// The step for an entry that only the source has.
pub(crate) fn create(src: DiffName<'_>) -> Step {
    let deed = if matches!(src.entry.kind, Kind::HardLink(_)) { Deed::Link } else { Deed::Create };
    Step { is_new: true, ..told(src, deed, vec![Differs::Missing]) }
}

/// The step for an entry that only the destination has.
pub(crate) fn delete(dst: DiffName<'_>) -> Step {
    let step = told(dst, Deed::Delete, vec![Differs::Extra]);
    Step { target: None, added_bytes: 0, removed_bytes: dst.entry.kind.size(), ..step }
}

fn told(name: DiffName<'_>, deed: Deed, what: Vec<Differs>) -> Step {
    let has_content = matches!(deed, Deed::Create | Deed::Update);
    Step {
        path: name.entry.path.clone(),
        kind: file_kind(name.inode),
        deed,
        is_new: false,
        differs: Aspects::default(),
        what,
        target: match &name.entry.kind {
            Kind::Symlink(target) => Some(target.clone()),
            Kind::HardLink(first) => Some(first.as_path().as_bytes().into()),
            _ => None,
        },
        size: name.inode.kind.size(),
        added_bytes: if has_content { name.entry.kind.size() } else { 0 },
        removed_bytes: 0,
    }
}

fn file_kind(inode: &Entry) -> FileKind {
    // A link whose first name is not in an archive; usually only files are linked.
    FileKind::of(&inode.kind).unwrap_or(FileKind::File)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::grain::Grain;
    use crate::tree::{Metadata, Owner, Timestamp};
    use std::sync::Arc;

    const RULES: DiffRules =
        DiffRules { fields: Fields::ALL, trust: Trust::Nothing, precision: Precision::EXACT };

    fn entry(kind: Kind) -> Entry {
        let (owner, mtime) = (Arc::new(Owner::default()), Timestamp { seconds: 5, nanos: 6 });
        let path = RelPathBuf::from_member_name(b"n").unwrap();
        Entry { path, kind, meta: Metadata { mode: 0o640, owner, mtime, xattrs: Box::default() } }
    }

    fn link(first: &str) -> Entry {
        entry(Kind::HardLink(RelPathBuf::from_member_name(first.as_bytes()).unwrap()))
    }

    #[test]
    fn a_name_that_changes_its_group_is_linked_or_becomes_an_inode_of_its_own() {
        let file = entry(Kind::file(3));
        let (a, b) = (link("a"), link("b"));
        let name = |entry| DiffName { entry, inode: &file };
        let deed = |src, dst| {
            step(name(src), name(dst), false, RULES)
                .map(|step| (step.deed, step.is_new, step.added_bytes, step.removed_bytes))
        };
        assert_eq!(deed(&a, &a), None);
        assert_eq!(deed(&a, &b), Some((Deed::Link, false, 0, 0)));
        assert_eq!(deed(&a, &file), Some((Deed::Link, false, 0, 3)));
        assert_eq!(deed(&file, &a), Some((Deed::Create, true, 3, 0)));
        assert_eq!(deed(&file, &file), None);
    }

    #[test]
    fn content_is_looked_at_as_far_as_trust_does_not_reach() {
        let (old, mut new) = (entry(Kind::file(3)), entry(Kind::file(3)));
        new.meta.mtime.nanos = 0;
        let needs = |src: &Entry, dst: &Entry, trust, precision| {
            needs_content(src, dst, DiffRules { trust, precision, ..RULES })
        };
        let (exact, coarse) = (Precision::EXACT, Precision { dst: Grain::Unknown, ..Precision::EXACT });
        assert!(needs(&old, &old, Trust::Nothing, exact));
        assert!(!needs(&old, &old, Trust::SizeAndTime, exact));
        assert!(needs(&old, &new, Trust::SizeAndTime, exact));
        assert!(!needs(&old, &new, Trust::SizeAndTime, coarse));
        assert!(!needs(&old, &new, Trust::Size, exact));
        assert!(!needs(&old, &entry(Kind::file(4)), Trust::Nothing, exact));
        assert!(!needs(&old, &entry(Kind::Fifo), Trust::Nothing, exact));
    }
}
