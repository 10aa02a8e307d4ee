//! What is shown while a run goes on.
//!
//! Owns the line on the terminal, the names of `-v`, the changes of a mirror, and warnings. Every worker reports
//! events, which only add to counters; indicatif's own thread draws the line ten times a second. Failures are shown
//! from the report, where each is named once and in order.

use super::output::{Lines, Stream, View};
use super::{itemize, json};
use crate::cli::stdio;
use haul::account::{Change, Deed, Event, Observer};
use haul::tree::{FileKind, Kind, RelPath};
use indicatif::{DecimalBytes, HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Watches a run for a user at the terminal.
pub(crate) struct Progress {
    counters: Arc<Counters>,
    bar: Option<ProgressBar>,
    names: Option<Stream>,
    changes: Option<Lines>,
    unchanged: bool,
    warnings: bool,
    skipped: bool,
}

/// How far the run is. The planned numbers are 0 until they are known.
#[derive(Debug, Default)]
struct Counters {
    entries: AtomicU64,
    bytes: AtomicU64,
    planned_entries: AtomicU64,
    planned_bytes: AtomicU64,
    /// The planned numbers may still grow.
    growing: AtomicBool,
    failed: AtomicU64,
}

impl Progress {
    /// Starts to show what `output` asks for.
    pub(crate) fn start(output: &View) -> Self {
        let counters = Arc::new(Counters::default());
        let bar = output.progress.then(|| bar(&counters)).filter(|bar| !bar.is_hidden());
        let View { names, changes, unchanged, warnings, skipped, .. } = *output;
        Self { counters, bar, names, changes, unchanged, warnings, skipped }
    }

    /// Removes the line from the terminal.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, line: fmt::Arguments<'_>) {
        match &self.bar {
            Some(bar) => bar.suspend(|| stdio::say(line)),
            None => stdio::say(line),
        }
    }

    fn name(&self, path: RelPath<'_>, kind: &Kind) {
        let slash = if *kind == Kind::Directory { "/" } else { "" };
        match self.names {
            Some(Stream::Stderr) => self.say(format_args!("{}{slash}", path.display())),
            // The standard library's line buffer and lock. A reader that went away does not stop the work.
            Some(Stream::Stdout) => drop(writeln!(io::stdout(), "{}{slash}", path.display())),
            None => {}
        }
    }

    fn change(&self, change: &Change<'_>) {
        let shown = match self.changes {
            Some(Lines::Names) => writeln!(io::stdout(), "{}", itemize::name_line(change)),
            Some(Lines::Itemized) => writeln!(io::stdout(), "{}", itemize::line(change)),
            Some(Lines::Json) => json::write_line(&mut io::stdout().lock(), &json::ChangeLine::new(change)),
            None => return,
        };
        // A reader that went away does not stop the work.
        drop(shown);
    }

    fn same(&self, path: RelPath<'_>, kind: FileKind) {
        let shown = match self.changes {
            Some(Lines::Itemized) => writeln!(io::stdout(), "{}", itemize::unchanged_line(path, kind)),
            Some(Lines::Json) => {
                json::write_line(&mut io::stdout().lock(), &json::ChangeLine::unchanged(path, kind))
            }
            Some(Lines::Names) | None => return,
        };
        // As above.
        drop(shown);
    }
}

impl Counters {
    fn plan(&self, entries: u64, bytes: u64, growing: bool) {
        self.planned_entries.store(entries, Relaxed);
        self.planned_bytes.store(bytes, Relaxed);
        self.growing.store(growing, Relaxed);
    }
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Planning { entries, bytes } => self.counters.plan(entries, bytes, true),
            Event::Planned { entries, bytes } => self.counters.plan(entries, bytes, false),
            Event::Changed(change) => {
                // Removals are not part of the planned numbers.
                if change.deed != Deed::Delete {
                    self.counters.entries.fetch_add(1, Relaxed);
                }
                self.change(change);
            }
            Event::Unchanged(path, kind) => {
                self.counters.entries.fetch_add(1, Relaxed);
                if self.unchanged {
                    self.same(path, kind);
                }
            }
            Event::Done(entry) => {
                self.counters.entries.fetch_add(1, Relaxed);
                self.name(entry.path.as_path(), &entry.kind);
            }
            Event::Moved(bytes) => drop(self.counters.bytes.fetch_add(bytes, Relaxed)),
            Event::Skipped(path, why) if self.skipped => {
                self.say(format_args!("haul: skipped {}: {why}", path.display()));
            }
            Event::Warning(text) if self.warnings => self.say(format_args!("haul: warning: {text}")),
            Event::Failed(_) => drop(self.counters.failed.fetch_add(1, Relaxed)),
            _ => {}
        }
    }
}

/// A line on stderr; hidden if that is not a terminal.
fn bar(counters: &Arc<Counters>) -> ProgressBar {
    let counters = Arc::clone(counters);
    let draw = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        // There is nowhere to report that a line could not be drawn.
        let _ = out.write_str(&line(&counters, state.elapsed()));
    };
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{haul}") {
        bar.set_style(style.with_key("haul", draw));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// `1,234 of 5,678 files  1.20 GB of 5.00 GB  480.00 MB/s  8s left`, as far as known. A `…` follows numbers that may
/// still grow.
fn line(counters: &Counters, elapsed: Duration) -> String {
    let [entries, planned_entries] = [&counters.entries, &counters.planned_entries].map(|n| n.load(Relaxed));
    let [bytes, planned_bytes] = [&counters.bytes, &counters.planned_bytes].map(|n| n.load(Relaxed));
    let growing = counters.growing.load(Relaxed);
    let more = if growing { "…" } else { "" };
    let mut line = HumanCount(entries).to_string();
    // Writing to a String cannot fail.
    if planned_entries > 0 {
        let _ = write!(line, " of {}{more}", HumanCount(planned_entries));
    }
    let _ = write!(line, " files  {}", DecimalBytes(bytes));
    if planned_bytes > 0 {
        let _ = write!(line, " of {}{more}", DecimalBytes(planned_bytes));
    }
    let rate = per_second(bytes, elapsed);
    let _ = write!(line, "  {}/s", DecimalBytes(rate));
    if let Some(seconds) =
        planned_bytes.saturating_sub(bytes).checked_div(rate).filter(|&s| s > 0 && !growing)
    {
        let _ = write!(line, "  {} left", HumanDuration(Duration::from_secs(seconds)));
    }
    let failed = counters.failed.load(Relaxed);
    if failed > 0 {
        let _ = write!(line, "  {} failed", HumanCount(failed));
    }
    line
}

/// Bytes per second, 0 before the first millisecond is over.
pub(crate) fn per_second(bytes: u64, elapsed: Duration) -> u64 {
    let rate = (u128::from(bytes) * 1000).checked_div(elapsed.as_millis()).unwrap_or(0);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::Aspects;

    fn told(events: &[Event<'_>]) -> Counters {
        let progress = Progress::start(&View::default());
        for &event in events {
            progress.event(event);
        }
        let Progress { counters, .. } = progress;
        Arc::into_inner(counters).unwrap()
    }

    #[test]
    fn the_line_shows_what_is_known() {
        let second = Duration::from_secs(1);
        let unplanned = told(&[Event::Moved(1_500_000), Event::Moved(500_000)]);
        assert_eq!(line(&unplanned, second), "0 files  2.00 MB  2.00 MB/s");
        let planned = told(&[Event::Planned { entries: 12_345, bytes: 10_000_000 }, Event::Moved(2_000_000)]);
        assert_eq!(
            line(&planned, second),
            "0 of 12,345 files  2.00 MB of 10.00 MB  2.00 MB/s  4 seconds left"
        );
    }

    #[test]
    fn totals_that_may_grow_are_marked_until_they_are_final() {
        let second = Duration::from_secs(1);
        let growing = [Event::Planning { entries: 10, bytes: 5_000_000 }, Event::Moved(1_000_000)];
        assert_eq!(line(&told(&growing), second), "0 of 10… files  1.00 MB of 5.00 MB…  1.00 MB/s");
        let last = [&growing[..], &[Event::Planned { entries: 12, bytes: 6_000_000 }]].concat();
        assert_eq!(
            line(&told(&last), second),
            "0 of 12 files  1.00 MB of 6.00 MB  1.00 MB/s  5 seconds left"
        );
    }

    #[test]
    fn entries_of_a_mirror_count_but_for_those_that_are_removed() {
        let path = RelPath::new(b"a").unwrap();
        let change = |deed| Change {
            path,
            kind: FileKind::File,
            deed,
            is_new: false,
            differs: Aspects::default(),
            target: None,
            size: 0,
        };
        let (update, delete) = (change(Deed::Update), change(Deed::Delete));
        let events =
            [Event::Changed(&update), Event::Changed(&delete), Event::Unchanged(path, FileKind::Directory)];
        assert_eq!(told(&events).entries.load(Relaxed), 2);
    }

    #[test]
    fn the_line_can_be_drawn_before_anything_happened() {
        assert_eq!(line(&told(&[]), Duration::ZERO), "0 files  0 B  0 B/s");
        assert_eq!(per_second(u64::MAX, Duration::from_millis(1)), u64::MAX);
    }
}
