//! Decides what is done with one name.
//!
//! Owns every decision between "both sides were looked at" and the first system call that changes something.
//! [`super::same`] decides whether two contents are the same.

pub(crate) use super::same::Seen;

use super::policy::{Compare, Policy};
use super::same::{self, Doubt, Equality, Precision, Trust};
use crate::tree::{FileKind, Kind, Standing, Stat};

/// Files below this are not worth the bookkeeping of `--delta` and `--partial`.
const LARGE_BYTES: u64 = 1 << 20;

/// What to do about an entry of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: it is excluded by the options.
    Leave,
    /// Its content is right. Its metadata may not be.
    Keep,
    /// Metadata alone cannot tell whether the content is right: compare it.
    Compare,
    /// Nothing is there: create it.
    Create,
    /// An entry of another kind is there: create it and replace that.
    Replace,
    /// The existing entry has other content: a file's data, a symlink's target, a device's numbers.
    Update,
}

/// The action for `src` if the destination has `dst`.
pub(crate) fn decide(src: Seen<'_>, dst: Option<Seen<'_>>, policy: &Policy, precision: &Precision) -> Action {
    if !takes_part(src.stat, policy) {
        return Action::Leave;
    }
    let Some(dst) = dst else {
        return if policy.existing { Action::Leave } else { Action::Create };
    };
    let same_kind = src.stat.kind == dst.stat.kind;
    if policy.ignore_existing && !(same_kind && src.stat.kind == FileKind::Directory) {
        return Action::Leave;
    }
    if !same_kind {
        return Action::Replace;
    }
    let is_newer = || precision.is_newer(dst.stat.mtime, src.stat.mtime);
    if src.stat.kind == FileKind::File && policy.update && is_newer() {
        return Action::Leave;
    }
    content(src, dst, policy, precision)
}

/// The action for two entries of the same kind: `Keep`, `Update` or `Compare`.
pub(crate) fn content(src: Seen<'_>, dst: Seen<'_>, policy: &Policy, precision: &Precision) -> Action {
    let trust = match policy.compare {
        Compare::Never if src.stat.kind == FileKind::File => return Action::Update,
        Compare::Never | Compare::Checksum => Trust::Nothing,
        Compare::Quick => Trust::SizeAndTime,
        Compare::SizeOnly => Trust::Size,
    };
    match same::content(src, dst, trust, precision) {
        Equality::Same => Action::Keep,
        Equality::Different(_) | Equality::Compare(Doubt::OtherTime) => Action::Update,
        Equality::Compare(Doubt::Untrusted | Doubt::Young) => Action::Compare,
    }
}

fn takes_part(src: &Stat, policy: &Policy) -> bool {
    match src.kind {
        FileKind::File => {
            policy.max_size.is_none_or(|most| src.size <= most)
                && policy.min_size.is_none_or(|least| src.size >= least)
        }
        FileKind::CharDevice | FileKind::BlockDevice => policy.keep.devices,
        FileKind::Fifo | FileKind::Socket => policy.keep.specials,
        FileKind::Symlink => policy.keep.symlinks,
        FileKind::Directory => true,
    }
}

/// How entries that already exist in the destination are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Replace,
    Keep,
}

/// The action for a member of an archive if the destination has `dst`. Nothing is compared: existing entries are
/// replaced, except directories.
pub(crate) fn unpack(src: &Kind, dst: Standing, existing: Existing) -> Action {
    match (dst, existing, src) {
        (Standing::Nothing, _, _) => Action::Create,
        (_, Existing::Keep, _) => Action::Leave,
        (Standing::Directory, Existing::Replace, Kind::Directory) => Action::Keep,
        (_, Existing::Replace, _) => Action::Replace,
    }
}

/// Whether a directory of the source is left alone if the destination has `dst`, which may be a symlink that counts as
/// a directory.
pub(crate) fn leaves_directory(dst: Standing, policy: &Policy) -> bool {
    match dst {
        Standing::Nothing => policy.existing,
        Standing::Directory => false,
        Standing::Other => policy.ignore_existing,
    }
}

/// The action after the contents were compared.
pub(crate) fn compared(is_same: bool) -> Action {
    if is_same { Action::Keep } else { Action::Update }
}

/// The action if files are only appended to: if `dst` is already as long as the source, nothing can be appended to make
/// it right.
pub(crate) fn appending(action: Action, src: &Stat, dst: &Stat) -> Action {
    match action {
        Action::Update if src.kind == FileKind::File && dst.size >= src.size => Action::Leave,
        action => action,
    }
}

/// What an alternate, another tree that may have the content of entries, may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    Nothing,
    /// The whole entry, if content and metadata are the same.
    Entry,
    /// That, or else only the content.
    Content,
}

/// What an alternate may be used for, if `action` is to be done and the destination has something of kind `dst`.
///
/// If a file already exists, an alternate's file is not copied (as with rsync's `--link-dest` and `--compare-dest`,
/// which this way save space in a destination that was begun without them). A file replaces an entry of another kind.
pub(crate) fn alternates(action: Action, src: FileKind, dst: Option<FileKind>) -> Serves {
    match (action, src, dst) {
        (Action::Leave, ..) => Serves::Nothing,
        (_, FileKind::File, Some(FileKind::File)) => Serves::Entry,
        (_, FileKind::File, _) => Serves::Content,
        (_, _, None) => Serves::Entry,
        (_, _, Some(_)) => Serves::Nothing,
    }
}

/// What to do with an entry whose content is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing: its metadata is right, too.
    AsItIs,
    /// Its metadata is set.
    InPlace,
    /// It is created again: its inode has names that are not this entry's, and perhaps not this mirror's.
    Anew,
}

/// What is known about an entry whose content is right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptFacts {
    /// Its metadata is right.
    pub(crate) is_right: bool,
    /// Its inode does not stand for another inode of the source.
    pub(crate) is_own: bool,
    /// Its inode has no names outside the mirror.
    pub(crate) may_touch: bool,
}

/// What to do with an entry whose content is right.
pub(crate) fn kept(entry: KeptFacts) -> Kept {
    match (entry.is_own, entry.is_right, entry.may_touch) {
        (true, true, _) => Kept::AsItIs,
        (true, false, true) => Kept::InPlace,
        (true, false, false) | (false, _, _) => Kept::Anew,
    }
}

/// How files may be written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Writing {
    /// Into the existing file, where it differs.
    pub(crate) inplace: bool,
    /// A shorter file is treated as the beginning of the longer one.
    pub(crate) append: bool,
    /// A large file survives an interruption.
    pub(crate) partial: bool,
    /// A large file is built from blocks of its old content.
    pub(crate) delta: bool,
}

/// How a file gets its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filling {
    /// What is missing is appended to the existing file.
    Append,
    /// What differs is written into the existing file.
    InPlace,
    /// In a file that survives the run, so that a later one can continue it.
    InParts,
    /// A new file, from blocks of the old one and new content.
    FromOld,
    /// A new file.
    Fresh,
}

impl Filling {
    /// Whether the existing file is written into.
    pub(crate) fn is_in_place(self) -> bool {
        matches!(self, Filling::Append | Filling::InPlace)
    }
}

/// How a file gets its content if the destination has `dst`.
pub(crate) fn filling(how: Writing, src: &Stat, dst: Option<&Stat>) -> Filling {
    match dst.filter(|dst| dst.kind == FileKind::File) {
        Some(dst) if how.append && dst.size < src.size => Filling::Append,
        Some(_) if how.inplace => Filling::InPlace,
        _ if how.partial && src.size >= LARGE_BYTES => Filling::InParts,
        Some(dst) if how.delta && dst.size.min(src.size) >= LARGE_BYTES => Filling::FromOld,
        _ => Filling::Fresh,
    }
}

/// What to do with another name of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkStep {
    /// It waits until the first name exists.
    Defer,
    /// It is already a name of it.
    Keep,
    /// It is excluded by the options.
    Leave,
    /// It becomes a name of it.
    Link,
}

/// What is known about another name of an inode.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LinkFacts {
    /// Something already has this name.
    pub(crate) is_there: bool,
    /// That is the first name's inode.
    pub(crate) is_linked: bool,
    /// The first name exists, so it can be linked to.
    pub(crate) first_is_there: bool,
    /// More names come later in the run.
    pub(crate) may_wait: bool,
}

/// What to do with another name of an inode.
pub(crate) fn link(name: LinkFacts, policy: &Policy) -> LinkStep {
    if !name.first_is_there && name.may_wait {
        LinkStep::Defer
    } else if name.is_linked {
        LinkStep::Keep
    } else if if name.is_there { policy.ignore_existing } else { policy.existing } {
        LinkStep::Leave
    } else {
        LinkStep::Link
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Device, Timestamp};

    fn stat(kind: FileKind, size: u64, seconds: i64) -> Stat {
        let time = Timestamp { seconds, nanos: 0 };
        Stat { size, blocks: 8, atime: time, mtime: time, ctime: time, ..Stat::sample(kind) }
    }

    fn action(src: &Stat, dst: Option<&Stat>, policy: &Policy) -> Action {
        let seen = |stat| Seen { stat, target: None };
        decide(seen(src), dst.map(seen), policy, &Precision::EXACT)
    }

    #[test]
    fn files_are_told_by_size_and_time() {
        use Action::{Compare as Look, Create, Keep, Leave, Replace, Update};
        let file = |size, seconds| stat(FileKind::File, size, seconds);
        let quick = Policy::default();
        let with = |change: fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy
        };
        let update = with(|p| p.update = true);
        let checksum = with(|p| p.compare = Compare::Checksum);
        let size_only = with(|p| p.compare = Compare::SizeOnly);
        let never = with(|p| p.compare = Compare::Never);
        let existing = with(|p| p.existing = true);
        let ignore = with(|p| p.ignore_existing = true);
        let sizes = with(|p| (p.min_size, p.max_size) = (Some(2), Some(3)));
        let dir = stat(FileKind::Directory, 0, 5);
        for (src, dst, policy, expected) in [
            (file(1, 5), None, &quick, Create),
            (file(1, 5), Some(file(1, 5)), &quick, Keep),
            (file(1, 5), Some(file(1, 6)), &quick, Update),
            (file(1, 5), Some(file(2, 5)), &quick, Update),
            (file(1, 5), Some(dir.clone()), &quick, Replace),
            (dir.clone(), Some(dir.clone()), &quick, Keep),
            (file(1, 5), Some(file(1, 6)), &update, Leave),
            (file(1, 7), Some(file(1, 6)), &update, Update),
            (file(1, 5), Some(file(2, 5)), &update, Update),
            (file(1, 5), Some(file(1, 5)), &checksum, Look),
            (file(1, 5), Some(file(1, 9)), &checksum, Look),
            (file(1, 5), Some(file(2, 5)), &checksum, Update),
            (file(1, 5), Some(file(1, 9)), &size_only, Keep),
            (file(1, 5), Some(file(1, 5)), &never, Update),
            (file(1, 5), None, &existing, Leave),
            (dir.clone(), None, &existing, Leave),
            (file(1, 5), Some(file(2, 5)), &existing, Update),
            (file(1, 5), Some(file(2, 5)), &ignore, Leave),
            (file(1, 5), Some(dir.clone()), &ignore, Leave),
            (dir.clone(), Some(dir.clone()), &ignore, Keep),
            (file(1, 5), None, &sizes, Leave),
            (file(2, 5), None, &sizes, Create),
            (file(4, 5), Some(file(1, 1)), &sizes, Leave),
        ] {
            assert_eq!(action(&src, dst.as_ref(), policy), expected, "{src:?} {dst:?} {policy:?}");
        }
    }

    #[test]
    fn a_file_as_young_as_the_scan_is_not_trusted() {
        let file = stat(FileKind::File, 1, 5);
        let seen = Seen { stat: &file, target: None };
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        let decide = |settled| {
            let precision = Precision { settled: Some(settled), ..Precision::EXACT };
            decide(seen, Some(seen), &Policy::default(), &precision)
        };
        assert_eq!((decide(at(5)), decide(at(6))), (Action::Compare, Action::Keep));
    }

    #[test]
    fn other_kinds_are_told_by_what_they_are() {
        let link = stat(FileKind::Symlink, 1, 5);
        let seen = |target: &'static [u8]| Seen { stat: &link, target: Some(target) };
        let policy = Policy::default();
        assert_eq!(decide(seen(b"a"), Some(seen(b"a")), &policy, &Precision::EXACT), Action::Keep);
        assert_eq!(decide(seen(b"a"), Some(seen(b"b")), &policy, &Precision::EXACT), Action::Update);
        let device = |minor| Stat { rdev: Device { major: 1, minor }, ..stat(FileKind::CharDevice, 0, 5) };
        assert_eq!(action(&device(1), Some(&device(1)), &policy), Action::Keep);
        assert_eq!(action(&device(1), Some(&device(2)), &policy), Action::Update);
        let mut bare = Policy::default();
        (bare.keep.devices, bare.keep.specials) = (false, false);
        assert_eq!(action(&device(1), None, &bare), Action::Leave);
        assert_eq!(action(&stat(FileKind::Fifo, 0, 5), None, &bare), Action::Leave);
    }

    #[test]
    fn every_member_has_its_action() {
        use Action::{Create, Keep, Leave, Replace};
        let (file, dir) = (Kind::file(1), Kind::Directory);
        for (src, dst, existing, action) in [
            (&file, Standing::Nothing, Existing::Replace, Create),
            (&dir, Standing::Nothing, Existing::Keep, Create),
            (&file, Standing::Other, Existing::Replace, Replace),
            (&file, Standing::Directory, Existing::Replace, Replace),
            (&dir, Standing::Other, Existing::Replace, Replace),
            (&dir, Standing::Directory, Existing::Replace, Keep),
            (&dir, Standing::Directory, Existing::Keep, Leave),
            (&file, Standing::Other, Existing::Keep, Leave),
        ] {
            assert_eq!(unpack(src, dst, existing), action, "{src:?} {dst:?} {existing:?}");
        }
    }

    #[test]
    fn directories_are_left_alone_as_the_options_say() {
        let (existing, ignore) = (
            Policy { existing: true, ..Policy::default() },
            Policy { ignore_existing: true, ..Policy::default() },
        );
        for (dst, policy, expected) in [
            (Standing::Nothing, &existing, true),
            (Standing::Nothing, &ignore, false),
            (Standing::Other, &existing, false),
            (Standing::Other, &ignore, true),
            (Standing::Directory, &existing, false),
            (Standing::Directory, &ignore, false),
        ] {
            assert_eq!(leaves_directory(dst, policy), expected, "{dst:?} {policy:?}");
        }
    }

    #[test]
    fn a_file_that_is_long_enough_is_not_appended_to() {
        let file = |size| stat(FileKind::File, size, 5);
        for (action, src, dst, expected) in [
            (Action::Update, file(2), file(1), Action::Update),
            (Action::Update, file(2), file(2), Action::Leave),
            (Action::Update, file(2), file(3), Action::Leave),
            (Action::Keep, file(2), file(2), Action::Keep),
            (Action::Replace, file(2), stat(FileKind::Directory, 9, 5), Action::Replace),
            (Action::Update, stat(FileKind::Symlink, 2, 5), stat(FileKind::Symlink, 2, 5), Action::Update),
        ] {
            assert_eq!(appending(action, &src, &dst), expected, "{action:?} {src:?} {dst:?}");
        }
        assert_eq!((compared(true), compared(false)), (Action::Keep, Action::Update));
    }

    #[test]
    fn alternates_serve_for_what_is_not_there() {
        let (file, link, dir) = (FileKind::File, FileKind::Symlink, FileKind::Directory);
        for (action, src, dst, expected) in [
            (Action::Leave, file, None, Serves::Nothing),
            (Action::Create, file, None, Serves::Content),
            (Action::Replace, file, Some(dir), Serves::Content),
            (Action::Update, file, Some(file), Serves::Entry),
            (Action::Keep, file, Some(file), Serves::Entry),
            (Action::Create, link, None, Serves::Entry),
            (Action::Update, link, Some(link), Serves::Nothing),
            (Action::Replace, link, Some(dir), Serves::Nothing),
        ] {
            assert_eq!(alternates(action, src, dst), expected, "{action:?} {src:?} {dst:?}");
        }
    }

    #[test]
    fn an_inode_that_serves_another_is_made_anew() {
        for (is_own, is_right, may_touch, expected) in [
            (true, true, true, Kept::AsItIs),
            (true, true, false, Kept::AsItIs),
            (true, false, true, Kept::InPlace),
            (true, false, false, Kept::Anew),
            (false, true, true, Kept::Anew),
            (false, true, false, Kept::Anew),
            (false, false, true, Kept::Anew),
            (false, false, false, Kept::Anew),
        ] {
            assert_eq!(kept(KeptFacts { is_right, is_own, may_touch }), expected, "{is_own} {is_right}");
        }
    }

    #[test]
    fn a_file_is_filled_as_its_length_and_the_options_say() {
        use Filling::{Append, Fresh, FromOld, InParts, InPlace};
        let file = |size| stat(FileKind::File, size, 5);
        let dir = stat(FileKind::Directory, 0, 5);
        let (large, small) = (LARGE_BYTES, LARGE_BYTES - 1);
        let none = Writing::default();
        let inplace = Writing { inplace: true, ..none };
        let append = Writing { append: true, ..none };
        let partial = Writing { partial: true, ..none };
        let delta = Writing { delta: true, ..none };
        for (how, src, dst, expected) in [
            (none, large, None, Fresh),
            (none, large, Some(file(large)), Fresh),
            (inplace, small, Some(file(large)), InPlace),
            (inplace, small, None, Fresh),
            (inplace, small, Some(dir.clone()), Fresh),
            (append, 2, Some(file(1)), Append),
            (append, 2, Some(file(2)), Fresh),
            (append, 2, None, Fresh),
            (Writing { inplace: true, ..append }, 2, Some(file(1)), Append),
            (Writing { inplace: true, ..append }, 2, Some(file(2)), InPlace),
            (partial, small, None, Fresh),
            (partial, large, None, InParts),
            (Writing { delta: true, ..partial }, large, Some(file(large)), InParts),
            (Writing { inplace: true, ..partial }, large, Some(file(large)), InPlace),
            (delta, large, Some(file(large)), FromOld),
            (delta, large, Some(file(small)), Fresh),
            (delta, small, Some(file(large)), Fresh),
            (delta, large, Some(dir), Fresh),
        ] {
            assert_eq!(filling(how, &file(src), dst.as_ref()), expected, "{how:?} {src} {dst:?}");
        }
    }

    #[test]
    fn a_further_name_waits_for_the_first() {
        use LinkStep::{Defer, Keep, Leave, Link};
        let (plain, existing, ignore) = (
            Policy::default(),
            Policy { existing: true, ..Policy::default() },
            Policy { ignore_existing: true, ..Policy::default() },
        );
        let new = LinkFacts { first_is_there: true, may_wait: true, ..LinkFacts::default() };
        let other = LinkFacts { is_there: true, ..new };
        let linked = LinkFacts { is_linked: true, ..other };
        for (name, policy, expected) in [
            (LinkFacts { first_is_there: false, ..new }, &plain, Defer),
            (LinkFacts { first_is_there: false, ..new }, &existing, Defer),
            // At the end nothing more comes: linking reports the error.
            (LinkFacts { first_is_there: false, may_wait: false, ..new }, &plain, Link),
            (linked, &plain, Keep),
            (linked, &ignore, Keep),
            (new, &plain, Link),
            (new, &existing, Leave),
            (new, &ignore, Link),
            (other, &plain, Link),
            (other, &existing, Link),
            (other, &ignore, Leave),
        ] {
            assert_eq!(link(name, policy), expected, "{name:?} {policy:?}");
        }
    }
}
