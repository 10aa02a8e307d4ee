//! The lines of `haul list`.
//!
//! Owns the three forms of a line and what happens when stdout cannot take one. Every name passes through
//! [`escape`], so no archive can move the cursor of the terminal that lists it.

use super::json;
use haul::account::{End, Report};
use haul::error::{Act, Error};
use haul::ops::list::{Item, Listed};
use haul::tree::path::escape;
use haul::tree::{Entry, Kind, Owner, RelPath, Timestamp};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The name.
    Names,
    /// What `tar -tv` shows, with the time in UTC.
    Long,
    /// A JSON object.
    Json,
}

/// Writes the lines.
pub(crate) struct ListWriter<W: Write> {
    out: BufWriter<W>,
    format: Format,
    /// The first error of `out`.
    failed: Option<io::Error>,
}

impl<W: Write> ListWriter<W> {
    pub(crate) fn new(out: W, format: Format) -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, out), format, failed: None }
    }

    /// Writes one line. An error ends the listing; [`Self::finish`] knows why.
    pub(crate) fn show(&mut self, item: Item<'_>) -> io::Result<()> {
        let written = match item {
            Item::Entry(listed) => self.entry(listed),
            Item::Removed(path) => self.removed(path),
        };
        written.map_err(|error| self.note(error))
    }

    fn entry(&mut self, listed: Listed<'_>) -> io::Result<()> {
        match self.format {
            Format::Names => writeln!(self.out, "{}", shown_name(listed.entry)),
            Format::Long => writeln!(self.out, "{}", long(listed.entry)),
            Format::Json => json::write_line(&mut self.out, &json::EntryLine::new(listed)),
        }
    }

    /// A removed path is not an entry of the archive, so it is shown only if the line can say that.
    fn removed(&mut self, path: RelPath<'_>) -> io::Result<()> {
        match self.format {
            Format::Names => Ok(()),
            Format::Long => writeln!(self.out, "removed {}", path.display()),
            Format::Json => json::write_line(&mut self.out, &json::Gone::new(path)),
        }
    }

    fn note(&mut self, error: io::Error) -> io::Error {
        let kind = error.kind();
        self.failed.get_or_insert(error);
        // The caller only needs to stop: `finish` decides what to report.
        kind.into()
    }

    /// Writes what is left, and turns the outcome of the listing into that of the command: an error of stdout is not
    /// the archive's fault, and a reader that has seen enough (`| head`) is not an error at all.
    pub(crate) fn finish(mut self, outcome: Result<Report, Error>) -> Result<Report, Error> {
        if self.failed.is_none() {
            self.failed = self.out.flush().err();
        }
        // What could not be written is not tried again.
        let _ = self.out.into_parts();
        match self.failed {
            None => outcome,
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Report::default()),
            Some(error) => {
                let stopped = Error::io(Act::Write, Path::new("standard output"), error);
                Ok(Report { end: End::Stopped(stopped), ..outcome.unwrap_or_default() })
            }
        }
    }
}

/// The name as tar shows it: `./` for the root, a `/` after a directory.
fn shown_name(entry: &Entry) -> String {
    let path = entry.path.as_path();
    match entry.kind {
        Kind::Directory => format!("{}/", path.display()),
        _ => path.display().into_owned(),
    }
}

/// `-rw-r--r-- root/root  1234 2026-11-23 02:51 a/b`
fn long(entry: &Entry) -> String {
    let owner = owner(&entry.meta.owner);
    let size = match &entry.kind {
        Kind::CharDevice(device) | Kind::BlockDevice(device) => format!("{},{}", device.major, device.minor),
        kind => kind.size().to_string(),
    };
    // The two columns share 19 characters, as in tar: a long owner shifts only its own line.
    let width = 18_usize.saturating_sub(owner.len()).max(size.len());
    let target = match &entry.kind {
        Kind::Symlink(target) => format!(" -> {}", escape(target)),
        Kind::HardLink(first) => format!(" link to {}", first.as_path().display()),
        _ => String::new(),
    };
    let (mode, time, name) = (mode(entry), minute(entry.meta.mtime), shown_name(entry));
    format!("{mode} {owner} {size:>width$} {time} {name}{target}")
}

fn owner(owner: &Owner) -> String {
    let half = |name: &[u8], number: u32| match name {
        b"" => number.to_string(),
        name => escape(name).into_owned(),
    };
    format!("{}/{}", half(&owner.user, owner.uid), half(&owner.group, owner.gid))
}

/// The ten characters of ls(1), with `h` for a hard link as in tar.
fn mode(entry: &Entry) -> String {
    let bits = entry.meta.mode;
    let kind = match entry.kind {
        Kind::File { .. } => '-',
        Kind::Directory => 'd',
        Kind::Symlink(_) => 'l',
        Kind::HardLink(_) => 'h',
        Kind::Fifo => 'p',
        Kind::CharDevice(_) => 'c',
        Kind::BlockDevice(_) => 'b',
    };
    let mut text = String::with_capacity(10);
    text.push(kind);
    for (shift, special, marks) in [(6, 0o4000, ['s', 'S']), (3, 0o2000, ['s', 'S']), (0, 0o1000, ['t', 'T'])]
    {
        let class = bits >> shift;
        text.push(if class & 4 != 0 { 'r' } else { '-' });
        text.push(if class & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & special != 0, class & 1 != 0) {
            (true, true) => marks[0],
            (true, false) => marks[1],
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// `YYYY-MM-DD HH:MM` in UTC, in the proleptic Gregorian calendar.
fn minute(time: Timestamp) -> String {
    let days = time.seconds.div_euclid(86_400);
    let minutes = time.seconds.rem_euclid(86_400) / 60;
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
}

/// Year, month and day of a day counted from 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01: then the leap day is the last of its year, and a year's months begin at fixed days.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::tree::{Device, Metadata, RelPathBuf};
    use std::sync::Arc;

    fn entry(path: &str, kind: Kind, bits: u32) -> Entry {
        let owner = Owner { uid: 0, gid: 1000, user: b"root"[..].into(), group: [].into() };
        let mtime = Timestamp { seconds: 1_763_866_260, nanos: 5 };
        let meta = Metadata { mode: bits, owner: Arc::new(owner), mtime, xattrs: [].into() };
        let path = RelPathBuf::from_member_name(path.as_bytes()).unwrap();
        Entry { path, kind, meta }
    }

    #[test]
    fn a_long_line_has_the_fields_of_tar() {
        let link = RelPathBuf::from_member_name(b"a/b").unwrap();
        for (entry, line) in [
            (entry("a/b", Kind::file(1234), 0o4755), "-rwsr-xr-x root/1000      1234 2025-11-23 02:51 a/b"),
            (entry(".", Kind::Directory, 0o1777), "drwxrwxrwt root/1000         0 2025-11-23 02:51 ./"),
            (entry("d", Kind::Directory, 0o2700), "drwx--S--- root/1000         0 2025-11-23 02:51 d/"),
            (
                entry("l", Kind::Symlink(b"x\ny"[..].into()), 0o777),
                "lrwxrwxrwx root/1000         0 2025-11-23 02:51 l -> x\\ny",
            ),
            (
                entry("h", Kind::HardLink(link), 0o644),
                "hrw-r--r-- root/1000         0 2025-11-23 02:51 h link to a/b",
            ),
            (
                entry("c", Kind::CharDevice(Device { major: 1, minor: 3 }), 0o666),
                "crw-rw-rw- root/1000       1,3 2025-11-23 02:51 c",
            ),
        ] {
            assert_eq!(long(&entry), line);
        }
    }

    #[test]
    fn times_far_from_now_are_shown() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (-1, "1969-12-31 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_709_251_199, "2024-02-29 23:59"),
            (1 << 33, "2242-03-16 12:56"),
            (-2_208_988_801, "1899-12-31 23:59"),
            (-62_167_219_200, "0000-01-01 00:00"),
        ] {
            assert_eq!(minute(Timestamp { seconds, nanos: 0 }), text);
        }
        minute(Timestamp { seconds: i64::MAX, nanos: 0 });
        minute(Timestamp { seconds: i64::MIN, nanos: 0 });
    }

    #[test]
    fn the_days_of_the_calendar_follow_each_other() {
        let mut last = civil(-800_000);
        for day in -799_999..800_000 {
            let next = civil(day);
            assert!(next > last && (next.2 == last.2 + 1 || next.2 == 1), "{last:?} {next:?}");
            last = next;
        }
    }

    /// A stream that fails like a closed reader or a full disk.
    struct Failing(i32);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(self.0))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn list_into(errno: i32, lines: usize) -> Result<Report, Error> {
        let mut listing = ListWriter::new(Failing(errno), Format::Names);
        let entry = entry("some/name", Kind::file(1), 0o644);
        for _ in 0..lines {
            if let Err(error) = listing.show(Item::Entry(Listed::new(&entry, None))) {
                return listing.finish(Err(Error::io(Act::Write, Path::new("archive"), error)));
            }
        }
        listing.finish(Ok(Report::default()))
    }

    #[test]
    fn a_reader_that_has_seen_enough_ends_the_listing_quietly() {
        const EPIPE: i32 = 32;
        for lines in [1, 1_000_000] {
            let report = list_into(EPIPE, lines).unwrap();
            assert!(matches!(report.end, End::Complete));
        }
    }

    #[test]
    fn a_full_disk_behind_stdout_is_an_error() {
        const ENOSPC: i32 = 28;
        for lines in [1, 1_000_000] {
            let Ok(Report { end: End::Stopped(error), .. }) = list_into(ENOSPC, lines) else { panic!() };
            assert_eq!(error.to_string(), "cannot write standard output: No space left on device (ENOSPC)");
        }
    }
}
