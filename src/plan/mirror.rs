//! What a mirror does about one name that both sides, or only the source, have.

use super::policy::{Compare, Policy};
use super::times::{is_newer, is_same_time};
use crate::tree::{FileKind, Stat, Timestamp};

/// An entry as it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) stat: &'a Stat,
    /// A symlink's text.
    pub(crate) target: Option<&'a [u8]>,
}

/// What to do about an entry of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing: the options leave it out.
    Leave,
    /// Its content is right. Its metadata may not be.
    Keep,
    /// Metadata cannot tell whether the content is right: compare it.
    Compare,
    /// Nothing is there: make it.
    Create,
    /// What is there is of another kind: make it, and let it take the place.
    Replace,
    /// What is there has other content: a file's data, a symlink's target, a device's numbers.
    Update,
}

/// The action for `src` where `dst` is.
///
/// `trusted` is the time before which a file's mtime tells its content: a file may be changed again within the tick of
/// the clock in which it was read (racy-clean, as git calls it).
pub(crate) fn decide(src: Seen<'_>, dst: Option<Seen<'_>>, policy: &Policy, trusted: Timestamp) -> Action {
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
    let is_newer = || is_newer(dst.stat.mtime, src.stat.mtime, policy.modify_window);
    if src.stat.kind == FileKind::File && policy.update && is_newer() {
        return Action::Leave;
    }
    content(src, dst, policy, trusted)
}

/// Whether two entries of one kind have the same content: `Keep`, `Update` or `Compare`.
pub(crate) fn content(src: Seen<'_>, dst: Seen<'_>, policy: &Policy, trusted: Timestamp) -> Action {
    let update_unless = |same: bool| if same { Action::Keep } else { Action::Update };
    match src.stat.kind {
        FileKind::File => file_content(src.stat, dst.stat, policy, trusted),
        FileKind::Symlink => update_unless(src.target == dst.target),
        FileKind::CharDevice | FileKind::BlockDevice => update_unless(src.stat.rdev == dst.stat.rdev),
        FileKind::Directory | FileKind::Fifo | FileKind::Socket => Action::Keep,
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
        FileKind::Directory | FileKind::Symlink => true,
    }
}

fn file_content(src: &Stat, dst: &Stat, policy: &Policy, trusted: Timestamp) -> Action {
    let window = policy.modify_window;
    if src.size != dst.size {
        return Action::Update;
    }
    match policy.compare {
        Compare::Never => Action::Update,
        Compare::Checksum => Action::Compare,
        Compare::Quick if !is_same_time(src.mtime, dst.mtime, window) => Action::Update,
        Compare::Quick if src.mtime >= trusted => Action::Compare,
        Compare::Quick | Compare::SizeOnly => Action::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Device;

    const LATE: Timestamp = Timestamp { seconds: i64::MAX, nanos: 0 };

    fn stat(kind: FileKind, size: u64, seconds: i64) -> Stat {
        let time = Timestamp { seconds, nanos: 0 };
        Stat { size, blocks: 8, atime: time, mtime: time, ctime: time, ..Stat::sample(kind) }
    }

    fn action(src: &Stat, dst: Option<&Stat>, policy: &Policy) -> Action {
        let seen = |stat| Seen { stat, target: None };
        decide(seen(src), dst.map(seen), policy, LATE)
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
        let decide = |trusted| decide(seen, Some(seen), &Policy::default(), trusted);
        assert_eq!((decide(at(5)), decide(at(6))), (Action::Compare, Action::Keep));
    }

    #[test]
    fn other_kinds_are_told_by_what_they_are() {
        let link = stat(FileKind::Symlink, 1, 5);
        let seen = |target: &'static [u8]| Seen { stat: &link, target: Some(target) };
        let policy = Policy::default();
        assert_eq!(decide(seen(b"a"), Some(seen(b"a")), &policy, LATE), Action::Keep);
        assert_eq!(decide(seen(b"a"), Some(seen(b"b")), &policy, LATE), Action::Update);
        let device = |minor| Stat { rdev: Device { major: 1, minor }, ..stat(FileKind::CharDevice, 0, 5) };
        assert_eq!(action(&device(1), Some(&device(1)), &policy), Action::Keep);
        assert_eq!(action(&device(1), Some(&device(2)), &policy), Action::Update);
        let mut bare = Policy::default();
        (bare.keep.devices, bare.keep.specials) = (false, false);
        assert_eq!(action(&device(1), None, &bare), Action::Leave);
        assert_eq!(action(&stat(FileKind::Fifo, 0, 5), None, &bare), Action::Leave);
    }
}
