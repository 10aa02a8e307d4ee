//! What trials in a destination have shown, and what that means for its capabilities. Pure.

use crate::dest::options::Capability;
use crate::tree::Timestamp;
use crate::tree::grain::Grain;
use rustix::io::Errno;

/// The result of one trial; `None` if it was not made.
pub(super) type Tried<T> = Option<Result<T, Errno>>;

/// What the trials have shown. What is read back is compared here, not where it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Observed {
    /// The mode that is shown after [`MODE`] was set.
    pub(super) mode: Tried<u32>,
    /// Whether the owner or group that was set is shown.
    pub(super) owner: Tried<bool>,
    /// The time that is shown after [`TIME`] was set and the file closed.
    pub(super) time: Tried<Timestamp>,
    /// The same, set by name after the file was closed.
    pub(super) time_by_name: Tried<Timestamp>,
    pub(super) symlink: Tried<()>,
    pub(super) symlink_time: Tried<Timestamp>,
    pub(super) link: Tried<()>,
    pub(super) fifo: Tried<()>,
    pub(super) device: Tried<()>,
    pub(super) exchange: Tried<()>,
    pub(super) no_replace: Tried<()>,
    pub(super) replace_open: Tried<()>,
    /// Whether a name is found under another case.
    pub(super) other_case: Tried<bool>,
    pub(super) user_xattr: Tried<()>,
    pub(super) trusted_xattr: Tried<()>,
    pub(super) acl: Tried<()>,
    pub(super) reflink: Tried<()>,
    pub(super) copy_range: Tried<()>,
    /// Names that Windows forbids; whether each is listed as it was created.
    pub(super) characters: Tried<bool>,
    pub(super) final_dot: Tried<bool>,
    pub(super) final_space: Tried<bool>,
}

/// A mode that no file has by itself.
pub(super) const MODE: u32 = 0o604;

/// A time that any coarser clock changes: an odd second, and no digit of the nanoseconds is 0.
pub(super) const TIME: Timestamp = Timestamp { seconds: 1_234_567_891, nanos: 987_654_321 };

/// What a destination keeps and can do, as far as a probe could find out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probed {
    /// Capabilities, and whether it has each. What could not be found out is not among them.
    pub capabilities: Vec<(Capability, bool)>,
    /// The unit in which it keeps times, in nanoseconds.
    pub time_step: Option<u64>,
    /// Namespaces of extended attributes, and whether it keeps each.
    pub xattr_namespaces: Vec<(&'static str, bool)>,
    /// Kinds of names that Windows forbids, and whether it has each.
    pub names: Vec<(&'static str, bool)>,
    /// It is on a known local file system, which is not probed at the start of a run.
    pub is_local: bool,
}

impl Probed {
    /// Whether it has this; `None` if that could not be found out.
    pub fn has(&self, capability: Capability) -> Option<bool> {
        let found = self.capabilities.iter().find(|(known, _)| *known == capability);
        found.map(|&(_, has)| has)
    }

    /// What it lacks.
    pub(crate) fn lacks(&self) -> impl Iterator<Item = Capability> {
        self.capabilities.iter().filter(|(_, has)| !has).map(|&(capability, _)| capability)
    }

    /// How precisely it keeps times.
    pub(crate) fn grain(&self) -> Grain {
        match self.time_step {
            Some(1) => Grain::Exact,
            Some(step) => Grain::Unit(step),
            None => Grain::Unknown,
        }
    }
}

/// Units of clocks of file systems, in nanoseconds: exact, NTFS and SMB, microseconds, milliseconds, exFAT, ext3 and
/// HFS+, FAT.
const STEPS: [u64; 7] = [1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000];

/// The unit of the clock that shows [`TIME`] as this; `None` if it is another time.
fn step(shown: Timestamp) -> Option<u64> {
    let set = TIME.nanos_since_epoch();
    STEPS
        .into_iter()
        .find(|&step| set.div_euclid(step.into()) * i128::from(step) == shown.nanos_since_epoch())
}

/// Whether a trial has succeeded; `None` if it was not made, or its error says nothing about the destination.
fn has<T: Copy>(tried: Tried<T>, is_kept: impl Fn(T) -> bool) -> Option<bool> {
    match tried? {
        Ok(shown) => Some(is_kept(shown)),
        Err(
            Errno::PERM
            | Errno::ACCESS
            | Errno::OPNOTSUPP
            | Errno::NOSYS
            | Errno::INVAL
            | Errno::NOTTY
            | Errno::XDEV
            | Errno::BUSY
            | Errno::TXTBSY
            | Errno::NOENT,
        ) => Some(false),
        Err(_) => None,
    }
}

fn works(tried: Tried<()>) -> Option<bool> {
    has(tried, |()| true)
}

/// The capabilities that the observations mean.
pub(super) fn judge(seen: &Observed) -> Probed {
    let time = |tried: Tried<Timestamp>| has(tried, |shown| step(shown).is_some());
    let (before, after) = (time(seen.time), time(seen.time_by_name));
    // The second trial is made only after the first has failed.
    let (times, before_close) = match (before, after) {
        (Some(false), Some(true)) => (Some(true), Some(false)),
        (Some(false), after) => (after, None),
        (before, _) => (before, before),
    };
    let namespaces = [("user", works(seen.user_xattr)), ("trusted", works(seen.trusted_xattr))];
    let any_xattr = match namespaces.map(|(_, has)| has) {
        [Some(true), _] | [_, Some(true)] => Some(true),
        [user, _] => user,
    };
    // An owner that is not known here says nothing about others (EINVAL in a user namespace).
    let owners = match seen.owner {
        Some(Err(Errno::INVAL)) => None,
        owner => has(owner, |shown| shown),
    };
    let names = [
        ("characters", has(seen.characters, |listed| listed)),
        ("final-dot", has(seen.final_dot, |listed| listed)),
        ("final-space", has(seen.final_space, |listed| listed)),
    ];
    let any_name = match names.map(|(_, has)| has) {
        all if all.contains(&Some(false)) => Some(false),
        all if all.contains(&None) => None,
        _ => Some(true),
    };
    let answers = [
        (Capability::Modes, has(seen.mode, |shown| shown == MODE)),
        (Capability::Owners, owners),
        (Capability::Times, times),
        (Capability::TimesBeforeClose, before_close),
        (Capability::SymlinkTimes, time(seen.symlink_time)),
        (Capability::Symlinks, works(seen.symlink)),
        (Capability::HardLinks, works(seen.link)),
        (Capability::Specials, works(seen.fifo)),
        (Capability::Devices, works(seen.device)),
        (Capability::Xattrs, any_xattr),
        (Capability::Acls, works(seen.acl)),
        (Capability::Exchange, works(seen.exchange)),
        (Capability::NoReplace, works(seen.no_replace)),
        (Capability::ReplaceOpen, works(seen.replace_open)),
        (Capability::Reflink, works(seen.reflink)),
        (Capability::KernelCopy, works(seen.copy_range)),
        (Capability::CaseSensitive, has(seen.other_case, |found| !found)),
        (Capability::AnyName, any_name),
    ];
    let shown = match (seen.time, seen.time_by_name) {
        (_, Some(Ok(shown))) | (Some(Ok(shown)), None) => Some(shown),
        _ => None,
    };
    Probed {
        capabilities: answers.into_iter().filter_map(|(what, has)| Some((what, has?))).collect(),
        time_step: shown.and_then(step),
        xattr_namespaces: namespaces.into_iter().filter_map(|(what, has)| Some((what, has?))).collect(),
        names: names.into_iter().filter_map(|(what, has)| Some((what, has?))).collect(),
        is_local: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanos: u32) -> Timestamp {
        Timestamp { seconds, nanos }
    }

    /// What can do everything.
    fn all() -> Observed {
        let done = Some(Ok(()));
        Observed {
            mode: Some(Ok(MODE)),
            owner: Some(Ok(true)),
            time: Some(Ok(TIME)),
            time_by_name: None,
            symlink: done,
            symlink_time: Some(Ok(TIME)),
            link: done,
            fifo: done,
            device: done,
            exchange: done,
            no_replace: done,
            replace_open: done,
            other_case: Some(Ok(false)),
            user_xattr: done,
            trusted_xattr: done,
            acl: done,
            reflink: done,
            copy_range: done,
            characters: Some(Ok(true)),
            final_dot: Some(Ok(true)),
            final_space: Some(Ok(true)),
        }
    }

    fn lacks(change: impl FnOnce(&mut Observed)) -> Vec<Capability> {
        let mut seen = all();
        change(&mut seen);
        judge(&seen).lacks().collect()
    }

    #[test]
    fn what_can_do_everything_lacks_nothing_and_what_was_not_tried_is_unknown() {
        let probed = judge(&all());
        assert_eq!((probed.lacks().count(), probed.capabilities.len()), (0, Capability::ALL.len()));
        assert_eq!(probed.grain(), Grain::Exact);
        assert_eq!(judge(&Observed::default()), Probed::default());
    }

    #[test]
    fn each_refusal_is_one_lack() {
        use Capability::*;
        type Change = fn(&mut Observed);
        let cases: [(Change, &[Capability]); 24] = [
            (|seen| seen.mode = Some(Err(Errno::PERM)), &[Modes]),
            // Set without an error, but not shown: Azure Files.
            (|seen| seen.mode = Some(Ok(0o777)), &[Modes]),
            (|seen| seen.mode = Some(Err(Errno::IO)), &[]),
            (|seen| seen.owner = Some(Ok(false)), &[Owners]),
            (|seen| seen.owner = Some(Err(Errno::PERM)), &[Owners]),
            (|seen| seen.owner = Some(Err(Errno::INVAL)), &[]),
            (|seen| seen.symlink = Some(Err(Errno::NOSYS)), &[Symlinks]),
            (|seen| seen.symlink_time = Some(Ok(at(5, 0))), &[SymlinkTimes]),
            (|seen| seen.link = Some(Err(Errno::PERM)), &[HardLinks]),
            (|seen| seen.fifo = Some(Err(Errno::PERM)), &[Specials]),
            (|seen| seen.device = Some(Err(Errno::PERM)), &[Devices]),
            (|seen| seen.exchange = Some(Err(Errno::INVAL)), &[Exchange]),
            (|seen| seen.no_replace = Some(Err(Errno::INVAL)), &[NoReplace]),
            (|seen| seen.replace_open = Some(Err(Errno::ACCESS)), &[ReplaceOpen]),
            (|seen| seen.other_case = Some(Ok(true)), &[CaseSensitive]),
            (|seen| seen.reflink = Some(Err(Errno::NOTTY)), &[Reflink]),
            (|seen| seen.copy_range = Some(Err(Errno::XDEV)), &[KernelCopy]),
            (|seen| seen.acl = Some(Err(Errno::OPNOTSUPP)), &[Acls]),
            (|seen| seen.user_xattr = Some(Err(Errno::OPNOTSUPP)), &[]),
            (
                |seen| {
                    seen.user_xattr = Some(Err(Errno::OPNOTSUPP));
                    seen.trusted_xattr = None;
                },
                &[Xattrs],
            ),
            (|seen| seen.characters = Some(Err(Errno::INVAL)), &[AnyName]),
            // Created without an error, but under another name: a dot at the end on SMB.
            (|seen| seen.final_dot = Some(Ok(false)), &[AnyName]),
            (|seen| seen.final_space = Some(Err(Errno::NOENT)), &[AnyName]),
            (|seen| seen.final_space = Some(Err(Errno::NOSPC)), &[]),
        ];
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(lacks(change), expected, "case {number}");
        }
    }

    #[test]
    fn times_are_kept_in_a_unit_before_or_only_after_close() {
        let now = at(1_800_000_000, 5);
        let second = at(TIME.seconds, 0);
        let refused = Some(Err(Errno::PERM));
        for (before, after, lack, grain) in [
            (Some(Ok(TIME)), None, None, Grain::Exact),
            (Some(Ok(at(TIME.seconds, 987_654_300))), None, None, Grain::Unit(100)),
            (Some(Ok(at(TIME.seconds, 987_654_000))), None, None, Grain::Unit(1_000)),
            (Some(Ok(at(TIME.seconds, 987_000_000))), None, None, Grain::Unit(1_000_000)),
            (Some(Ok(second)), None, None, Grain::Unit(Grain::SECOND)),
            (Some(Ok(at(TIME.seconds - 1, 0))), None, None, Grain::Unit(2 * Grain::SECOND)),
            (Some(Ok(now)), Some(Ok(TIME)), Some(Capability::TimesBeforeClose), Grain::Exact),
            (Some(Ok(now)), Some(Ok(second)), Some(Capability::TimesBeforeClose), Grain::Unit(Grain::SECOND)),
            (refused, Some(Ok(TIME)), Some(Capability::TimesBeforeClose), Grain::Exact),
            (Some(Ok(now)), Some(Ok(now)), Some(Capability::Times), Grain::Unknown),
            (refused, refused, Some(Capability::Times), Grain::Unknown),
            (Some(Err(Errno::IO)), None, None, Grain::Unknown),
        ] {
            let probed = judge(&Observed { time: before, time_by_name: after, ..Observed::default() });
            let expected: Vec<_> = lack.into_iter().collect();
            assert_eq!(probed.lacks().collect::<Vec<_>>(), expected, "{before:?} {after:?}");
            assert_eq!(probed.grain(), grain, "{before:?} {after:?}");
        }
    }
}
