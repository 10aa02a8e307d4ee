//! What is shown at the end of a run.
//!
//! Failures and errors go to stderr, always; differences, statistics and JSON are requested output and go to stdout;
//! the summary is a line on stderr.

use super::json;
use super::output::{Verb, View};
use super::progress::per_second;
use super::stats;
use crate::cli::exit::Exit;
use crate::cli::hint::{explained, explained_failure};
use crate::cli::stdio;
use haul::account::{Counts, End, Report};
use haul::error::Error;
use indicatif::{DecimalBytes, HumanCount};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) verb: Verb,
    pub(crate) outcome: Result<Report, Error>,
    pub(crate) exit: Exit,
    pub(crate) elapsed: Duration,
}

impl Ended {
    /// Shows all of it.
    pub(crate) fn show(&self, output: &View) {
        self.complain();
        // The run is over and its outcome is fixed: a reader that went away changes nothing.
        let _ = self.write_results(&mut io::stdout().lock(), output);
        if let Ok(report @ Report { end: End::Complete, .. }) = &self.outcome
            && output.summary
        {
            let line = match self.verb {
                Verb::Rollback => format!("{} the tree that was published before", self.verb.past()),
                Verb::Sync | Verb::Update => changed(self.verb, report, self.elapsed, output.dry_run),
                verb => summary(verb, report, self.elapsed),
            };
            stdio::say(format_args!("{line}"));
        }
    }

    fn complain(&self) {
        let report = match &self.outcome {
            Ok(report) => report,
            Err(error) => return stdio::say(format_args!("haul: {}", explained(error))),
        };
        for failure in &report.failures {
            stdio::say(format_args!("haul: {}", explained_failure(failure)));
        }
        match &report.end {
            End::Complete => {}
            End::Interrupted => stdio::say(format_args!("haul: interrupted")),
            End::Stopped(error) => stdio::say(format_args!("haul: {}", explained(error))),
        }
    }

    fn write_results(&self, out: &mut impl Write, output: &View) -> io::Result<()> {
        if output.json {
            let document = json::Outcome::new(self.verb.name(), &self.outcome, self.exit, self.elapsed);
            json::write_line(out, &document)?;
        } else if let Ok(report) = &self.outcome {
            // diff has shown them in its own lines.
            let listed = if self.verb == Verb::Diff { &[][..] } else { &report.differences };
            for difference in listed {
                writeln!(out, "{difference}")?;
            }
            if output.stats {
                out.write_all(stats::block(&report.counts).as_bytes())?;
            }
        }
        out.flush()
    }
}

/// `packed 26,012 entries, 575.10 MB into 143.20 MB (24.9 %), 140.00 MB reused, in 2.10 s, 273.86 MB/s`
fn summary(verb: Verb, report: &Report, elapsed: Duration) -> String {
    let Counts { content_bytes, archive_bytes, reused_bytes, .. } = report.counts;
    let mut line = format!(
        "{} {} entries, {}",
        verb.past(),
        HumanCount(report.counts.entries()),
        DecimalBytes(content_bytes)
    );
    // Writing to a String cannot fail.
    if verb == Verb::Pack && content_bytes > 0 {
        let per_mille = u128::from(archive_bytes) * 1000 / u128::from(content_bytes);
        let (whole, tenth) = (per_mille / 10, per_mille % 10);
        let _ = write!(line, " into {} ({whole}.{tenth} %)", DecimalBytes(archive_bytes));
    }
    if reused_bytes > 0 {
        let _ = write!(line, ", {} reused,", DecimalBytes(reused_bytes));
    }
    let rate = DecimalBytes(per_second(content_bytes, elapsed));
    let _ = write!(line, " in {:.2} s, {rate}/s", elapsed.as_secs_f64());
    line + &exceptions(report)
}

/// `mirrored 26,012 entries, 575.10 MB (12 created, 3 updated, 1 deleted; 4.20 MB copied) in 0.21 s`
fn changed(verb: Verb, report: &Report, elapsed: Duration, dry_run: bool) -> String {
    let Counts {
        content_bytes, created, updated, linked, metadata_set, renamed, deleted, copied_bytes, ..
    } = report.counts;
    let [verb, made, copied] =
        if dry_run { ["would mirror", "to be ", "to copy"] } else { [verb.past(), "", "copied"] };
    let changes: Vec<_> = [
        (created, "created"),
        (updated, "updated"),
        (linked, "linked"),
        (metadata_set, "given other metadata"),
        (renamed, "renamed"),
        (deleted, "deleted"),
    ]
    .into_iter()
    .filter(|&(count, _)| count > 0)
    .map(|(count, what)| format!("{} {made}{what}", HumanCount(count)))
    .collect();
    let changes = if changes.is_empty() { "nothing to change".to_owned() } else { changes.join(", ") };
    let mut line = format!(
        "{verb} {} entries, {} ({changes}",
        HumanCount(report.counts.entries()),
        DecimalBytes(content_bytes)
    );
    // Writing to a String cannot fail.
    if copied_bytes > 0 {
        let _ = write!(line, "; {} {copied}", DecimalBytes(copied_bytes));
    }
    let _ = write!(line, ") in {:.2} s", elapsed.as_secs_f64());
    line + &exceptions(report)
}

/// `; 2 skipped; 1 failed`
fn exceptions(report: &Report) -> String {
    let mut text = String::new();
    for (count, what) in [
        (report.counts.skipped, "skipped"),
        (report.failures.len() as u64, "failed"),
        (report.differences.len() as u64, "different"),
    ] {
        if count > 0 {
            // Writing to a String cannot fail.
            let _ = write!(text, "; {} {what}", HumanCount(count));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::{Difference, Differs};
    use haul::error::Act;
    use haul::tree::RelPath;

    fn report() -> Report {
        let counts = Counts {
            files: 26_000,
            directories: 12,
            content_bytes: 575_100_000,
            archive_bytes: 143_200_000,
            ..Counts::default()
        };
        Report { counts, ..Report::default() }
    }

    fn ended(verb: Verb, report: Report) -> Ended {
        Ended { verb, outcome: Ok(report), exit: Exit::Done, elapsed: Duration::from_secs(2) }
    }

    fn results(ended: &Ended, as_json: bool) -> String {
        let mut out = Vec::new();
        ended.write_results(&mut out, &View { json: as_json, ..View::default() }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_summary_is_one_line() {
        let elapsed = Duration::from_millis(2100);
        assert_eq!(
            summary(Verb::Pack, &report(), elapsed),
            "packed 26,012 entries, 575.10 MB into 143.20 MB (24.9 %) in 2.10 s, 273.86 MB/s"
        );
        let mut report = report();
        report.counts.skipped = 2;
        report.fail(RelPath::ROOT, Act::Open, io::Error::from_raw_os_error(13));
        assert_eq!(
            summary(Verb::Unpack, &report, elapsed),
            "unpacked 26,012 entries, 575.10 MB in 2.10 s, 273.86 MB/s; 2 skipped; 1 failed"
        );
    }

    #[test]
    fn an_empty_tree_has_a_summary() {
        let line = summary(Verb::Pack, &Report::default(), Duration::ZERO);
        assert_eq!(line, "packed 0 entries, 0 B in 0.00 s, 0 B/s");
    }

    #[test]
    fn differences_are_lines_or_part_of_the_object() {
        let mut report = report();
        report.differences.push(Difference { path: "a".into(), what: vec![Differs::Mode, Differs::Owner] });
        let ended = ended(Verb::Verify, report);
        assert_eq!(results(&ended, false), "a: mode, owner\n");
        let object: serde_json::Value = serde_json::from_str(&results(&ended, true)).unwrap();
        assert_eq!(object["differences"][0]["path"], "a");
    }

    #[test]
    fn nothing_is_on_stdout_where_nothing_was_asked_for() {
        assert_eq!(results(&ended(Verb::Unpack, report()), false), "");
    }

    #[test]
    fn the_summary_of_a_mirror_tells_what_changed() {
        let second = Duration::from_millis(210);
        let mut report = report();
        assert_eq!(
            changed(Verb::Sync, &report, second, false),
            "mirrored 26,012 entries, 575.10 MB (nothing to change) in 0.21 s"
        );
        report.counts =
            Counts { created: 12, updated: 3, deleted: 1, copied_bytes: 4_200_000, ..report.counts };
        assert_eq!(
            changed(Verb::Sync, &report, second, false),
            "mirrored 26,012 entries, 575.10 MB (12 created, 3 updated, 1 deleted; 4.20 MB copied) in 0.21 s"
        );
        report.counts = Counts { created: 0, linked: 2, metadata_set: 1000, ..report.counts };
        report.fail(RelPath::ROOT, Act::Open, io::Error::from_raw_os_error(13));
        assert_eq!(
            changed(Verb::Sync, &report, second, true),
            "would mirror 26,012 entries, 575.10 MB (3 to be updated, 2 to be linked, 1,000 to be given other \
             metadata, 1 to be deleted; 4.20 MB to copy) in 0.21 s; 1 failed"
        );
    }

    #[test]
    fn statistics_are_shown_where_they_were_asked_for() {
        let mut out = Vec::new();
        let output = View { stats: true, ..View::default() };
        ended(Verb::Sync, report()).write_results(&mut out, &output).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), stats::block(&report().counts));
    }
}
