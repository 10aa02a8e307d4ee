//! What the record of an earlier run says about an entry.
//!
//! A record holds what both sides of an entry were when they were known to be right. It says something only as long as
//! both sides still are what it says; anything else is a doubt, and then the ordinary rule decides
//! ([`super::step::decide`]), or the contents are compared. So a record that is too old costs time and never makes a
//! decision wrong. Pure.
//!
//! Does not own how records are kept ([`crate::record`]), nor who makes them.

use super::policy::{Compare, Policy};
use super::same::{Precision, Seen};
use super::step::{Action, decide};
use crate::tree::grain::Grain;
use crate::tree::{Digest, FileKind, Stat, Timestamp};

/// What one side of an entry was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    pub(crate) mtime: Timestamp,
    pub(crate) ctime: Timestamp,
    pub(crate) ino: u64,
}

/// What both sides of an entry were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) kind: FileKind,
    /// The length of a file on both sides; 0 for anything else.
    pub(crate) size: u64,
    pub(crate) src: Mark,
    /// As read back after everything was written and closed.
    pub(crate) dst: Mark,
    /// Of the content, if it is known.
    pub(crate) digest: Option<Digest>,
    pub(crate) proof: Proof,
}

/// What a record proves, as long as both sides are what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Proof {
    /// Both sides have the same content: it was copied or compared, not only judged by time or size.
    pub(crate) content: bool,
    /// The destination's metadata, extended attributes included, is what the options of that run ask for.
    pub(crate) metadata: bool,
}

/// What a record says about the content of an entry that both sides have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    /// It is the same.
    Same,
    /// The destination has the content that the source had when this was its time. The source has another time now.
    Since(Timestamp),
    /// Nothing.
    Doubt,
}

/// The unit in which clocks date changes, at the least: kernels take the time from a tick of 1 to 10 ms, servers of up
/// to 16 ms.
pub(crate) const TICK: u64 = 20_000_000;
/// The unit of a clock whose time is a whole second, as far as is known: two seconds on FAT.
const COARSE: u64 = 2_000_000_000;

/// Whether any change after `moment` gives an inode another time than this one: git calls an entry that is not so
/// "racily clean".
pub(crate) fn is_settled(time: Timestamp, moment: Timestamp) -> bool {
    let unit = if time.nanos == 0 { COARSE } else { TICK };
    time.nanos_since_epoch() + i128::from(unit) <= moment.nanos_since_epoch()
}

impl Mark {
    pub(crate) fn of(stat: &Stat) -> Self {
        Mark { mtime: stat.mtime, ctime: stat.ctime, ino: stat.ino }
    }

    /// Whether any change after `moment` changes the mark.
    pub(crate) fn is_settled(&self, moment: Timestamp) -> bool {
        is_settled(self.mtime, moment) && is_settled(self.ctime, moment)
    }
}

/// The length that a record has of an entry.
pub(crate) fn recorded_size(stat: &Stat) -> u64 {
    if stat.kind == FileKind::File { stat.size } else { 0 }
}

impl Recorded {
    fn is_of(&self, stat: &Stat) -> bool {
        self.kind == stat.kind && self.size == recorded_size(stat)
    }

    /// Whether nothing of the source's inode has changed, not even its metadata.
    pub(crate) fn is_source(&self, src: &Stat) -> bool {
        self.is_of(src) && self.src == Mark::of(src)
    }

    /// Whether nothing of both inodes has changed, not even their metadata.
    pub(crate) fn is_both(&self, src: &Stat, dst: &Stat) -> bool {
        self.is_source(src) && self.is_of(dst) && self.dst == Mark::of(dst)
    }

    /// What it says about the content. A change of the destination is seen by its size and its own mtime; and, on a file
    /// system of this machine (`keeps_ctime`), by its ctime and inode, which on others may change by themselves.
    pub(crate) fn content(&self, src: &Stat, dst: &Stat, keeps_ctime: bool) -> Witness {
        let now = Mark::of(dst);
        let is_dst = self.dst.mtime == now.mtime && (!keeps_ctime || self.dst == now);
        if !self.proof.content || !self.is_of(dst) || !is_dst {
            return Witness::Doubt;
        }
        match () {
            () if self.is_of(src) && (self.src.mtime, self.src.ctime) == (src.mtime, src.ctime) => {
                Witness::Same
            }
            // Its time stayed and something else changed: its time proves nothing.
            () if self.src.mtime == src.mtime => Witness::Doubt,
            () => Witness::Since(self.src.mtime),
        }
    }

    /// Whether the metadata of both sides is right without being asked for.
    pub(crate) fn settles_metadata(&self, src: &Stat, dst: &Stat) -> bool {
        self.proof.metadata && self.is_both(src, dst)
    }
}

/// The action for two entries about which a record says this.
///
/// With a record, the destination has the time that it should have got, even if it could not keep that. Without, a file
/// of the same length and another time is compared instead of copied.
pub(crate) fn decide_recorded(
    witness: Witness,
    (src, dst): (Seen<'_>, Seen<'_>),
    policy: &Policy,
    precision: &Precision,
) -> Action {
    let (time, precision) = match witness {
        Witness::Doubt => (dst.stat.mtime, *precision),
        // What was recorded is the whole time, whatever the destination makes of it.
        Witness::Same => (src.stat.mtime, Precision { dst: Grain::Exact, settled: None, ..*precision }),
        Witness::Since(time) => (time, Precision { dst: Grain::Exact, ..*precision }),
    };
    let kept = Stat { mtime: time, ..dst.stat.clone() };
    let action = decide(src, Some(Seen { stat: &kept, ..dst }), policy, &precision);
    let is_file = src.stat.kind == FileKind::File && src.stat.size == dst.stat.size;
    match (witness, action, policy.compare) {
        (Witness::Doubt, Action::Update, Compare::Quick) if is_file => Action::Compare,
        _ => action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanos: 7 }
    }

    fn file(mtime: i64, ctime: i64) -> Stat {
        Stat { size: 5, mtime: at(mtime), ctime: at(ctime), ..Stat::sample(FileKind::File) }
    }

    /// A source of time 10 that was copied at 100 to a destination that keeps no times.
    fn record() -> Recorded {
        let (src, dst) = (Mark::of(&file(10, 20)), Mark::of(&file(100, 100)));
        let proof = Proof { content: true, metadata: true };
        Recorded { kind: FileKind::File, size: 5, src, dst, digest: None, proof }
    }

    #[test]
    fn a_time_is_settled_once_the_clock_has_moved_on() {
        let time = |seconds, nanos| Timestamp { seconds, nanos };
        for (then, moment, expected) in [
            (time(5, 1), time(5, 1), false),
            (time(5, 1), time(5, 20_000_000), false),
            (time(5, 1), time(5, 20_000_001), true),
            (time(5, 0), time(6, 999_999_999), false),
            (time(5, 0), time(7, 0), true),
            (time(9, 1), time(5, 0), false),
            (time(-9, 999_999_999), time(-8, 30_000_000), true),
        ] {
            assert_eq!(is_settled(then, moment), expected, "{then:?} {moment:?}");
        }
    }

    #[test]
    fn the_content_is_the_same_only_while_both_sides_are_as_recorded() {
        use Witness::{Doubt, Same, Since};
        let (src, dst) = (file(10, 20), file(100, 100));
        let unproven = Recorded { proof: Proof { content: false, metadata: true }, ..record() };
        let longer = |stat: &Stat| Stat { size: 6, ..stat.clone() };
        let link = Stat { kind: FileKind::Symlink, ..dst.clone() };
        for (what, record, src, dst, expected) in [
            ("as recorded", record(), src.clone(), dst.clone(), Same),
            (
                "another inode of the destination",
                record(),
                src.clone(),
                Stat { ino: 9, ctime: at(1), ..dst.clone() },
                Same,
            ),
            ("judged by time only", unproven, src.clone(), dst.clone(), Doubt),
            ("destination written to", record(), src.clone(), file(101, 101), Doubt),
            ("destination longer", record(), src.clone(), longer(&dst), Doubt),
            ("destination of another kind", record(), src.clone(), link, Doubt),
            ("source written to", record(), file(11, 21), dst.clone(), Since(at(10))),
            ("source longer", record(), Stat { size: 6, ..file(11, 21) }, dst.clone(), Since(at(10))),
            ("source changed, its time set back", record(), file(10, 21), dst.clone(), Doubt),
            ("source longer, its time set back", record(), longer(&src), dst.clone(), Doubt),
            ("both changed", record(), file(11, 21), file(101, 101), Doubt),
        ] {
            assert_eq!(record.content(&src, &dst, false), expected, "{what}");
            if dst.ctime == at(100) {
                assert_eq!(record.content(&src, &dst, true), expected, "{what}, on this machine");
            }
        }
        for dst in [Stat { ctime: at(101), ..dst.clone() }, Stat { ino: 2, ..dst }] {
            assert_eq!(record().content(&src, &dst, false), Same);
            assert_eq!(record().content(&src, &dst, true), Doubt);
        }
    }

    #[test]
    fn metadata_is_right_only_while_no_time_or_number_of_an_inode_has_changed() {
        let (src, dst) = (file(10, 20), file(100, 100));
        let cases = [
            (src.clone(), dst.clone(), true),
            (file(10, 21), dst.clone(), false),
            (src.clone(), file(100, 101), false),
            (Stat { ino: 2, ..src.clone() }, dst.clone(), false),
            (src.clone(), Stat { ino: 2, ..dst.clone() }, false),
            (src.clone(), Stat { size: 9, ..dst.clone() }, false),
            (Stat { kind: FileKind::Fifo, ..src.clone() }, dst.clone(), false),
        ];
        for (src, dst, expected) in cases {
            assert_eq!(record().settles_metadata(&src, &dst), expected, "{src:?} {dst:?}");
            assert_eq!(record().is_both(&src, &dst), expected);
        }
        let unproven = Recorded { proof: Proof { content: true, metadata: false }, ..record() };
        assert!(!unproven.settles_metadata(&src, &dst) && unproven.is_both(&src, &dst));
        assert!(record().is_source(&src) && !record().is_source(&file(10, 21)));
    }

    #[test]
    fn directories_have_no_length() {
        let directory = |size| Stat { size, ..Stat::sample(FileKind::Directory) };
        let mark = Mark::of(&directory(0));
        let recorded = Recorded { kind: FileKind::Directory, size: 0, src: mark, dst: mark, ..record() };
        assert!(recorded.is_both(&directory(4096), &directory(60)));
    }

    /// What is done with a source and a destination about which a record says `witness`.
    fn action(witness: Witness, (src, dst): (Stat, Stat), policy: &Policy) -> Action {
        let seen = |stat| Seen { stat, target: None };
        let precision = Precision { settled: Some(at(1_000)), ..Precision::default() };
        decide_recorded(witness, (seen(&src), seen(&dst)), policy, &precision)
    }

    #[test]
    fn a_record_stands_for_the_time_that_the_destination_did_not_keep() {
        use Action::{Compare as Read, Keep, Leave, Update};
        use Witness::{Doubt, Same, Since};
        let quick = || Policy::default();
        let with = |compare| Policy { compare, ..Policy::default() };
        let update = || Policy { update: true, ..Policy::default() };
        let other = || (file(10, 20), file(100, 100));
        let shorter = || (file(10, 20), Stat { size: 4, ..file(100, 100) });
        let young = || (file(2_000, 20), file(100, 100));
        let whole = |seconds, nanos| Timestamp { seconds, nanos };
        let within_a_second = || (Stat { mtime: whole(10, 5), ..file(0, 0) }, file(100, 100));
        for (what, witness, pair, policy, expected) in [
            ("proven", Same, other(), quick(), Keep),
            ("proven, in the future", Same, young(), quick(), Keep),
            ("proven, but to be read", Same, other(), with(Compare::Checksum), Read),
            ("proven, but to be copied", Same, other(), with(Compare::Never), Update),
            ("not proven", Doubt, other(), quick(), Read),
            ("not proven, other length", Doubt, shorter(), quick(), Update),
            ("not proven, same time", Doubt, (file(10, 20), file(10, 100)), quick(), Keep),
            ("not proven, same time, young", Doubt, (file(2_000, 20), file(2_000, 1)), quick(), Read),
            ("by size", Doubt, other(), with(Compare::SizeOnly), Keep),
            ("changed since", Since(at(9)), other(), quick(), Update),
            (
                "changed since, back to what the destination shows",
                Since(at(9)),
                (file(100, 0), file(100, 0)),
                quick(),
                Update,
            ),
            ("changed within the second", Since(whole(10, 0)), within_a_second(), quick(), Update),
            ("newer by its own time", Doubt, other(), update(), Leave),
            ("ours, so not newer", Same, other(), update(), Keep),
            ("ours, and the source changed", Since(at(9)), other(), update(), Update),
            ("ours, and the source is older now", Since(at(11)), other(), update(), Leave),
        ] {
            assert_eq!(action(witness, pair, &policy), expected, "{what}");
        }
    }

    #[test]
    fn a_record_changes_nothing_where_there_is_nothing_to_compare() {
        let link = |target: &'static [u8]| (Stat::sample(FileKind::Symlink), target);
        let ((a, old), (b, new)) = (link(b"old"), link(b"new"));
        let (src, dst) = (Seen { stat: &b, target: Some(new) }, Seen { stat: &a, target: Some(old) });
        for witness in [Witness::Doubt, Witness::Same, Witness::Since(at(1))] {
            let precision = Precision::EXACT;
            assert_eq!(decide_recorded(witness, (src, dst), &Policy::default(), &precision), Action::Update);
            assert_eq!(decide_recorded(witness, (dst, dst), &Policy::default(), &precision), Action::Keep);
            let excluded = Policy { ignore_existing: true, ..Policy::default() };
            assert_eq!(decide_recorded(witness, (src, dst), &excluded, &precision), Action::Leave);
        }
    }
}
