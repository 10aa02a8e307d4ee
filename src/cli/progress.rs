//! What is shown while a run goes on.
//!
//! Owns the line on the terminal, the names of `-v`, and warnings. Told of events by every worker, it only adds to
//! counters; the line is drawn by indicatif's own thread ten times a second. Failures are not shown here but from the
//! report, where each is named once and in order.

use super::output::{Output, Stream};
use super::stdio;
use haul::event::{Event, Observer};
use haul::tree::{Kind, RelPath};
use indicatif::{DecimalBytes, HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Watches a run for the person at the terminal.
pub(crate) struct Progress {
    counters: Arc<Counters>,
    bar: Option<ProgressBar>,
    names: Option<Stream>,
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
    failed: AtomicU64,
}

impl Progress {
    /// Starts to show what `output` asks for.
    pub(crate) fn start(output: &Output) -> Self {
        let counters = Arc::new(Counters::default());
        let bar = output.progress.then(|| bar(&counters)).filter(|bar| !bar.is_hidden());
        Self { counters, bar, names: output.names, warnings: output.warnings, skipped: output.skipped }
    }

    /// Takes the line off the terminal.
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
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Planned { entries, bytes } => {
                self.counters.planned_entries.store(entries, Relaxed);
                self.counters.planned_bytes.store(bytes, Relaxed);
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

/// A line on stderr; hidden when that is no terminal.
fn bar(counters: &Arc<Counters>) -> ProgressBar {
    let counters = Arc::clone(counters);
    let draw = move |state: &ProgressState, out: &mut dyn fmt::Write| {
        // There is nowhere to report to that a line could not be drawn.
        let _ = out.write_str(&line(&counters, state.elapsed()));
    };
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{haul}") {
        bar.set_style(style.with_key("haul", draw));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// `1,234 of 5,678 files  1.20 GB of 5.00 GB  480.00 MB/s  8s left`, as far as it is known.
fn line(counters: &Counters, elapsed: Duration) -> String {
    let [entries, planned_entries] = [&counters.entries, &counters.planned_entries].map(|n| n.load(Relaxed));
    let [bytes, planned_bytes] = [&counters.bytes, &counters.planned_bytes].map(|n| n.load(Relaxed));
    let mut line = HumanCount(entries).to_string();
    // Writing to a String cannot fail.
    if planned_entries > 0 {
        let _ = write!(line, " of {}", HumanCount(planned_entries));
    }
    let _ = write!(line, " files  {}", DecimalBytes(bytes));
    if planned_bytes > 0 {
        let _ = write!(line, " of {}", DecimalBytes(planned_bytes));
    }
    let rate = per_second(bytes, elapsed);
    let _ = write!(line, "  {}/s", DecimalBytes(rate));
    if let Some(seconds) = planned_bytes.saturating_sub(bytes).checked_div(rate).filter(|&s| s > 0) {
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

    fn told(events: &[Event<'_>]) -> Counters {
        let progress = Progress::start(&Output::default());
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
    fn the_line_can_be_drawn_before_anything_happened() {
        assert_eq!(line(&told(&[]), Duration::ZERO), "0 files  0 B  0 B/s");
        assert_eq!(per_second(u64::MAX, Duration::from_millis(1)), u64::MAX);
    }
}
