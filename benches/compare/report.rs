//! Writes the results: Markdown for people, and JSON with every single run.

use crate::floor::Floor;
use crate::machine::Machine;
use crate::measure::{Duel, Runs};
use crate::profile::Profile;
use crate::stats::Spread;
use crate::streams::Stream;
use crate::tasks::{TASKS, Task};
use serde::Serialize;
use std::fmt::Write;

#[derive(Debug, Serialize)]
pub struct Report {
    /// What the tree is called.
    pub name: String,
    pub level: u32,
    pub pairs: u32,
    pub machine: Machine,
    pub profile: Profile,
    /// Peers that are not installed.
    pub missing: Vec<&'static str>,
    /// Peers that failed a task, or made another tree.
    pub failures: Vec<String>,
    pub duels: Vec<Duel>,
    pub floors: Vec<Floor>,
    /// The floors on a slow target.
    pub streams: Vec<Stream>,
}

/// How many pairs of runs a figure needs to be meaningful.
const ENOUGH_PAIRS: u32 = 5;

impl Report {
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# haul beside others: {}\n\n", self.name);
        if cfg!(debug_assertions) {
            line(&mut text, "**haul was built for debugging: these times mean nothing.**\n");
        }
        if self.pairs < ENOUGH_PAIRS {
            line(&mut text, "**Fewer than 5 pairs of runs: these times mean little.**\n");
        }
        self.conditions(&mut text);
        for task in TASKS {
            task_table(&mut text, task, self.duels.iter().filter(|duel| duel.task == task.name));
        }
        if !self.floors.is_empty() {
            floor_table(&mut text, &self.floors);
        }
        if !self.streams.is_empty() {
            stream_table(&mut text, &self.streams);
        }
        if !self.duels.is_empty() {
            self.commands(&mut text);
        }
        text
    }

    fn conditions(&self, text: &mut String) {
        let Machine { cpu, cores, memory_bytes, kernel, file_system, versions } = &self.machine;
        let Profile { files, directories, symlinks, bytes, .. } = self.profile;
        let memory = bytes_text(*memory_bytes);
        let size = bytes_text(bytes);
        line(text, &format!("* Machine: {cpu}, {cores} processors, {memory} of memory, Linux {kernel}."));
        line(text, &format!("* Target: {file_system}. The tree is in the page cache."));
        line(
            text,
            &format!("* Tree: {files} files with {size}, {directories} directories, {symlinks} symlinks."),
        );
        let classes: Vec<_> =
            self.profile.classes().map(|(name, count)| format!("{name}: {count}")).collect();
        line(text, &format!("* Files by size: {}.", classes.join(", ")));
        if !self.missing.is_empty() {
            line(text, &format!("* Not installed: {}.", self.missing.join(", ")));
        }
        if !self.failures.is_empty() {
            line(text, &format!("* Failed, or made another tree: {}.", self.failures.join(", ")));
        }
        let versions: Vec<_> = versions.values().map(String::as_str).collect();
        line(text, &format!("* Programs: {}.", versions.join("; ")));
        line(
            text,
            &format!(
                "* {} pairs of runs, in turns, after one of each that does not count. Times are medians, in brackets \
                 the least and the greatest; ratios are those within each pair. Memory is the largest resident set of \
                 any one process of a run, at least that of the bench. zstd level {}.",
                self.pairs, self.level
            ),
        );
    }

    fn commands(&self, text: &mut String) {
        line(text, "\n## How each was called\n");
        let mut shown: Vec<&str> = Vec::new();
        let ours = self.duels.iter().map(|duel| &duel.haul);
        let theirs = self.duels.iter().filter_map(|duel| duel.peer.as_ref());
        for Runs { tool, command, notes, .. } in ours.chain(theirs) {
            if !shown.contains(&command.as_str()) {
                shown.push(command);
                let notes = if notes.is_empty() { String::new() } else { format!(" ({notes})") };
                line(text, &format!("* {tool}: `{command}`{notes}"));
            }
        }
        line(
            text,
            "\nhaul keeps fractions of seconds, xattrs, ACLs and holes. A peer that keeps less has less to do.",
        );
    }
}

fn task_table<'a>(text: &mut String, task: &Task, duels: impl Iterator<Item = &'a Duel>) {
    let mut duels = duels.peekable();
    if duels.peek().is_none() {
        return;
    }
    line(text, &format!("\n## {}\n\n{}\n", task.name, task.about));
    let two = |here: bool, title: &'static str| if here { [title, "---|---|"] } else { ["", ""] };
    let archive = two(task.course.has_archive(), " Archive | haul |");
    let slow = two(
        duels.peek().is_some_and(|duel| duel.haul.traffic().is_some()),
        " Requests (most in flight) | haul |",
    );
    line(
        text,
        &format!("| | Time | haul | Time / haul's | CPU | haul | Memory | haul |{}{}", archive[0], slow[0]),
    );
    line(text, &format!("|---|---|---|---|---|---|---|---|{}{}", archive[1], slow[1]));
    for duel in duels {
        line(text, &format!("| {} |", row(duel, task.course.has_archive()).join(" | ")));
    }
}

/// The cells of a duel; those of the peer are empty if haul was alone.
fn row(duel: &Duel, has_archive: bool) -> Vec<String> {
    let Duel { haul, peer, .. } = duel;
    let of_peer = |cell: fn(&Runs) -> String| peer.as_ref().map(cell).unwrap_or_default();
    let ratio =
        duel.ratio().map(|Spread { median, min, max }| format!("**{median:.2}** ({min:.2} to {max:.2})"));
    let time: fn(&Runs) -> String = |runs| seconds(runs.wall());
    let cpu: fn(&Runs) -> String = |runs| format!("{:.3} s", runs.cpu().median);
    let memory: fn(&Runs) -> String = |runs| bytes_text(runs.peak_bytes());
    let archive: fn(&Runs) -> String = |runs| bytes_text(runs.archive_bytes);
    let name = peer.as_ref().map_or("(haul alone)", |peer| peer.tool);
    let mut cells = vec![name.to_owned(), of_peer(time), time(haul), ratio.unwrap_or_default()];
    cells.extend([of_peer(cpu), cpu(haul), of_peer(memory), memory(haul)]);
    if has_archive {
        cells.extend([of_peer(archive), archive(haul)]);
    }
    if haul.traffic().is_some() {
        let traffic: fn(&Runs) -> String = |runs| {
            runs.traffic().map(|(requests, most)| format!("{requests:.0} ({most})")).unwrap_or_default()
        };
        cells.extend([of_peer(traffic), traffic(haul)]);
    }
    cells
}

fn floor_table(text: &mut String, floors: &[Floor]) {
    line(text, "\n## Floors\n\nProcessor time of one thread that does nothing else, user and system.\n");
    line(text, "| | CPU | Of |");
    line(text, "|---|---|---|");
    for floor in floors {
        line(
            text,
            &format!("| {} | {} | {} |", floor.about, seconds(floor.spread()), bytes_text(floor.bytes)),
        );
    }
}

fn stream_table(text: &mut String, streams: &[Stream]) {
    line(text, "\n## Floors\n\nWhat a program that did nothing else would take on this target.\n");
    line(text, "| | Time | Requests (most in flight) |");
    line(text, "|---|---|---|");
    for stream in streams {
        let Stream { about, requests, most_in_flight, .. } = stream;
        line(text, &format!("| {about} | {} | {requests} ({most_in_flight}) |", seconds(stream.spread())));
    }
}

fn seconds(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{median:.3} s ({min:.3} to {max:.3})")
}

/// Decimal units, as haul's own reports have them.
#[allow(clippy::cast_precision_loss)] // four digits are shown
pub fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Sample;

    fn runs(tool: &'static str, walls: [f64; 3]) -> Runs {
        let sample = |wall| Sample { wall, user: wall, system: 0.0, peak_bytes: 2_000_000, traffic: None };
        let samples = walls.map(sample).into();
        Runs { tool, command: format!("{tool} it"), notes: "", archive_bytes: 1_500, samples }
    }

    #[test]
    fn a_row_has_medians_the_ratio_of_each_pair_and_sizes() {
        let peer = Some(runs("other", [2.0, 8.0, 3.0]));
        let duel = Duel { task: "pack", haul: runs("haul", [1.0, 2.0, 3.0]), peer };
        let cells = row(&duel, true);
        assert_eq!(
            cells[..4],
            ["other", "3.000 s (2.000 to 8.000)", "2.000 s (1.000 to 3.000)", "**2.00** (1.00 to 4.00)"]
        );
        assert_eq!(cells[4..], ["3.000 s", "2.000 s", "2.0 MB", "2.0 MB", "1.5 kB", "1.5 kB"]);
        let alone = row(&Duel { task: "open", haul: runs("haul", [1.0; 3]), peer: None }, false);
        assert_eq!(alone, ["(haul alone)", "", "1.000 s (1.000 to 1.000)", "", "", "1.000 s", "", "2.0 MB"]);
    }
}
