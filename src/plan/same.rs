//! The rule of equality: whether two entries with the same path have the same content, and whether two times are the
//! same.
//!
//! Owns what stands for content that is not read, and how far that is trusted. Every verb that compares uses it:
//! `sync`, `unpack --update`, `pack --base` and `--delta`, `diff`, `verify`. Does not own other metadata
//! ([`super::compare`], [`super::attributes`]), nor what is done about a difference. Pure.

use crate::account::Differs;
use crate::tree::grain::Grain;
use crate::tree::{Device, Entry, FileKind, Kind, RelPath, Stat, Timestamp};

/// When two files of the same length count as having the same content without being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Never: contents, or their digests, are compared.
    #[default]
    Nothing,
    /// If their modification times are the same.
    SizeAndTime,
    /// Always.
    Size,
}

/// How precisely the times of two sides can be compared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Precision {
    /// Times that differ by at most this many nanoseconds count as the same.
    pub(crate) window: u64,
    /// How precise the source's times are. For a directory this is [`Grain::Exact`], whatever its file system: the
    /// destination should have the times that it shows.
    pub(crate) src: Grain,
    /// How precisely the destination keeps times.
    pub(crate) dst: Grain,
    /// The time of a source file proves nothing unless it is earlier than this: the file may change again within the
    /// tick of the clock in which it was read ("racily clean" in git). `None` if nothing changes any more.
    pub(crate) settled: Option<Timestamp>,
}

impl Precision {
    /// Both sides keep nanoseconds, and neither changes.
    pub(crate) const EXACT: Precision =
        Precision { window: 0, src: Grain::Exact, dst: Grain::Exact, settled: None };

    /// Whether two times are the same: within the window, or one is the other rounded down by a coarser clock.
    ///
    /// By default rsync compares whole seconds. The rule here detects every change that both sides can represent, and
    /// does not copy again what one of them cannot.
    pub(crate) fn is_same_time(&self, src: Timestamp, dst: Timestamp) -> bool {
        let apart = (src.nanos_since_epoch() - dst.nanos_since_epoch()).unsigned_abs();
        apart <= u128::from(self.window) || self.dst.may_keep(src, dst) || self.src.may_keep(dst, src)
    }

    /// Whether a destination's time is later than the source's by more than the window.
    pub(crate) fn is_newer(&self, dst: Timestamp, src: Timestamp) -> bool {
        dst.nanos_since_epoch() - src.nanos_since_epoch() > i128::from(self.window)
    }
}

/// An entry as it was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) stat: &'a Stat,
    /// A symlink's text.
    pub(crate) target: Option<&'a [u8]>,
}

/// The answer of the rule for two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Equality {
    /// They have the same content.
    Same,
    /// Their content differs, for this reason.
    Different(Differs),
    /// Only reading them can tell, for this reason.
    Compare(Doubt),
}

/// Why it is unclear whether two files of the same length are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing is trusted.
    Untrusted,
    /// Their times differ. A mirror need not compare them: it copies the file.
    OtherTime,
    /// Their times are the same but too recent to be trusted.
    Young,
}

/// What is known about an entry's content without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facts<'a> {
    File {
        size: u64,
        mtime: Timestamp,
    },
    Directory,
    Symlink(Option<&'a [u8]>),
    /// Another name of the entry at this path.
    HardLink(RelPath<'a>),
    CharDevice(Device),
    BlockDevice(Device),
    Fifo,
    Socket,
}

impl<'a> From<Seen<'a>> for Facts<'a> {
    fn from(Seen { stat, target }: Seen<'a>) -> Self {
        match stat.kind {
            FileKind::File => Facts::File { size: stat.size, mtime: stat.mtime },
            FileKind::Directory => Facts::Directory,
            FileKind::Symlink => Facts::Symlink(target),
            FileKind::CharDevice => Facts::CharDevice(stat.rdev),
            FileKind::BlockDevice => Facts::BlockDevice(stat.rdev),
            FileKind::Fifo => Facts::Fifo,
            FileKind::Socket => Facts::Socket,
        }
    }
}

impl<'a> From<&'a Entry> for Facts<'a> {
    fn from(entry: &'a Entry) -> Self {
        match &entry.kind {
            Kind::File { size, .. } => Facts::File { size: *size, mtime: entry.meta.mtime },
            Kind::Directory => Facts::Directory,
            Kind::Symlink(target) => Facts::Symlink(Some(target)),
            Kind::HardLink(first) => Facts::HardLink(first.as_path()),
            Kind::CharDevice(device) => Facts::CharDevice(*device),
            Kind::BlockDevice(device) => Facts::BlockDevice(*device),
            Kind::Fifo => Facts::Fifo,
        }
    }
}

/// Whether two entries with the same path have the same content: a file's data, a symlink's target, a device's numbers.
pub(crate) fn content<'a>(
    src: impl Into<Facts<'a>>,
    dst: impl Into<Facts<'a>>,
    trust: Trust,
    precision: &Precision,
) -> Equality {
    use Facts::{BlockDevice, CharDevice, Directory, Fifo, File, HardLink, Socket, Symlink};
    let unless = |same: bool, what| if same { Equality::Same } else { Equality::Different(what) };
    match (src.into(), dst.into()) {
        (File { size: a, .. }, File { size: b, .. }) if a != b => Equality::Different(Differs::Size),
        (File { mtime: a, .. }, File { mtime: b, .. }) => file(a, b, trust, precision),
        (Symlink(a), Symlink(b)) => unless(a == b, Differs::Target),
        (HardLink(a), HardLink(b)) => unless(a == b, Differs::HardLink),
        // A name of a group is a link on one side and a separate file on the other.
        (HardLink(_), File { .. }) | (File { .. }, HardLink(_)) => Equality::Different(Differs::HardLink),
        (CharDevice(a), CharDevice(b)) | (BlockDevice(a), BlockDevice(b)) => unless(a == b, Differs::Device),
        (Directory, Directory) | (Fifo, Fifo) | (Socket, Socket) => Equality::Same,
        _ => Equality::Different(Differs::Kind),
    }
}

/// Two files of the same length.
fn file(src: Timestamp, dst: Timestamp, trust: Trust, precision: &Precision) -> Equality {
    match trust {
        Trust::Nothing => Equality::Compare(Doubt::Untrusted),
        Trust::SizeAndTime if !precision.is_same_time(src, dst) => Equality::Compare(Doubt::OtherTime),
        Trust::SizeAndTime if precision.settled.is_some_and(|settled| src >= settled) => {
            Equality::Compare(Doubt::Young)
        }
        Trust::Size | Trust::SizeAndTime => Equality::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::Equality::{Compare, Different, Same};
    use super::*;

    fn at(seconds: i64, nanos: u32) -> Timestamp {
        Timestamp { seconds, nanos }
    }

    /// The precision of `sync` and `unpack --update` if nothing is known about the destination.
    const COARSE: Precision = Precision { dst: Grain::Unknown, ..Precision::EXACT };
    /// The precision of `diff` and `verify` for an archive whose members have only whole seconds.
    const STREAM: Precision = Precision { src: Grain::Unit(Grain::SECOND), ..Precision::EXACT };
    const WINDOW: Precision = Precision { window: 2_000_000_000, ..Precision::EXACT };

    /// Each time of a destination against one of a source: with exact clocks (`pack --base`; all verbs on known file
    /// systems), with an unknown clock of the destination, with one of microseconds, and with an archive of whole
    /// seconds.
    #[test]
    fn two_times_are_the_same_as_far_as_both_sides_can_keep_them() {
        let src = at(1_700_000_001, 123_456_789);
        let micro = Precision { dst: Grain::Unit(1_000), ..Precision::EXACT };
        for (dst, exact, unknown, in_micros, window) in [
            (src, true, true, true, true),
            (at(1_700_000_001, 123_456_700), false, true, false, true),
            (at(1_700_000_001, 123_456_000), false, true, true, true),
            (at(1_700_000_001, 123_000_000), false, true, false, true),
            (at(1_700_000_001, 0), false, true, false, true),
            (at(1_700_000_000, 0), false, false, false, true),
            (at(1_700_000_001, 123_456_788), false, false, false, true),
            (at(1_700_000_001, 123_456_780), false, false, false, true),
            (at(1_700_000_001, 123_456_800), false, false, false, true),
            (at(1_700_000_002, 0), false, false, false, true),
            (at(1_699_999_998, 0), false, false, false, false),
        ] {
            for (precision, expected) in
                [(Precision::EXACT, exact), (COARSE, unknown), (micro, in_micros), (WINDOW, window)]
            {
                assert_eq!(precision.is_same_time(src, dst), expected, "{dst:?} {precision:?}");
            }
        }
        // A coarse destination is never finer than its source, but a coarse source may be coarser than its destination.
        assert!(!COARSE.is_same_time(at(5, 0), at(5, 1)) && STREAM.is_same_time(at(5, 0), at(5, 1)));
        assert!(!STREAM.is_same_time(at(5, 1), at(5, 0)) && !STREAM.is_same_time(at(6, 0), at(5, 1)));
        // Before 1970, a clock rounds down, too.
        let (before, cut) = (at(-1, 999_999_999), at(-1, 0));
        assert!(COARSE.is_same_time(before, cut) && !COARSE.is_same_time(at(-1, 0), at(-2, 0)));
    }

    #[test]
    fn a_window_works_both_ways() {
        for (dst, same) in
            [(at(7, 0), true), (at(3, 0), true), (at(7, 1), false), (at(2, 999_999_999), false)]
        {
            assert_eq!(WINDOW.is_same_time(at(5, 0), dst), same, "{dst:?}");
        }
        let one = Precision { window: 1, ..Precision::EXACT };
        assert!(Precision::EXACT.is_newer(at(5, 1), at(5, 0)) && !one.is_newer(at(5, 1), at(5, 0)));
        let all = Precision { window: u64::MAX, ..Precision::EXACT };
        assert!(!all.is_newer(at(i64::MIN, 0), at(i64::MAX, 0)));
    }

    /// Every kind with every other, and files with every kind of trust.
    #[test]
    fn two_entries_are_the_same_as_the_table_says() {
        let file = |size, seconds| Facts::File { size, mtime: at(seconds, 0) };
        let (old, late) = (file(1, 5), file(1, 6));
        let path = |name: &'static [u8]| Facts::HardLink(RelPath::new(name).unwrap());
        let device = |minor| Device { major: 1, minor };
        let settled = |seconds| Precision { settled: Some(at(seconds, 0)), ..Precision::EXACT };
        let (any, quick, size) = (Trust::Nothing, Trust::SizeAndTime, Trust::Size);
        for (src, dst, trust, precision, expected) in [
            (old, old, any, Precision::EXACT, Compare(Doubt::Untrusted)),
            (old, late, any, Precision::EXACT, Compare(Doubt::Untrusted)),
            (old, old, quick, Precision::EXACT, Same),
            (old, late, quick, Precision::EXACT, Compare(Doubt::OtherTime)),
            (old, late, quick, WINDOW, Same),
            (old, old, quick, settled(6), Same),
            (old, old, quick, settled(5), Compare(Doubt::Young)),
            (old, late, quick, settled(5), Compare(Doubt::OtherTime)),
            (old, late, size, Precision::EXACT, Same),
            (old, old, size, settled(5), Same),
            (old, file(2, 5), any, Precision::EXACT, Different(Differs::Size)),
            (old, file(2, 5), quick, Precision::EXACT, Different(Differs::Size)),
            (old, file(2, 5), size, Precision::EXACT, Different(Differs::Size)),
            (old, Facts::Directory, quick, WINDOW, Different(Differs::Kind)),
            (old, path(b"a"), quick, WINDOW, Different(Differs::HardLink)),
            (path(b"a"), old, quick, WINDOW, Different(Differs::HardLink)),
            (path(b"a"), path(b"a"), any, WINDOW, Same),
            (path(b"a"), path(b"b"), any, WINDOW, Different(Differs::HardLink)),
            (Facts::Symlink(Some(b"a")), Facts::Symlink(Some(b"a")), any, WINDOW, Same),
            (Facts::Symlink(Some(b"a")), Facts::Symlink(Some(b"b")), any, WINDOW, Different(Differs::Target)),
            (Facts::Symlink(Some(b"a")), path(b"a"), any, WINDOW, Different(Differs::Kind)),
            (Facts::CharDevice(device(1)), Facts::CharDevice(device(1)), any, WINDOW, Same),
            (
                Facts::CharDevice(device(1)),
                Facts::CharDevice(device(2)),
                any,
                WINDOW,
                Different(Differs::Device),
            ),
            (
                Facts::CharDevice(device(1)),
                Facts::BlockDevice(device(1)),
                any,
                WINDOW,
                Different(Differs::Kind),
            ),
            (Facts::Directory, Facts::Directory, any, WINDOW, Same),
            (Facts::Fifo, Facts::Fifo, any, WINDOW, Same),
            (Facts::Fifo, Facts::Socket, any, WINDOW, Different(Differs::Kind)),
            (Facts::Socket, Facts::Socket, any, WINDOW, Same),
        ] {
            assert_eq!(content(src, dst, trust, &precision), expected, "{src:?} {dst:?} {trust:?}");
        }
    }
}
