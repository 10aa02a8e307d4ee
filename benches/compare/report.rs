//! Writes down what was measured: Markdown for people; JSON, with every single run, is the same value serialised.

use crate::machine::Machine;
use crate::measure::{Duel, Runs, Solo};
use crate::plan::Verb;
use crate::profile::Profile;
use crate::stats::Spread;
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
    pub duels: Vec<Duel>,
    pub solos: Vec<Solo>,
}

impl Report {
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# haul beside others: {}\n\n", self.name);
        if cfg!(debug_assertions) {
            line(&mut text, "**haul was built for debugging: these times mean nothing.**\n");
        }
        self.conditions(&mut text);
        for verb in Verb::CONTESTED {
            duels(&mut text, verb, self.duels.iter().filter(|duel| duel.verb == verb));
        }
        if !self.solos.is_empty() {
            solos(&mut text, &self.solos);
        }
        self.commands(&mut text);
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
        let versions: Vec<_> = versions.values().map(String::as_str).collect();
        line(text, &format!("* Programs: {}.", versions.join("; ")));
        line(
            text,
            &format!(
                "* {} pairs of runs, in turns, after one of each that does not count. Times are medians, in brackets \
                 the least and the greatest; ratios are those within each pair. Memory is the largest resident set of \
                 any one process of a run. zstd level {}.",
                self.pairs, self.level
            ),
        );
    }

    fn commands(&self, text: &mut String) {
        line(text, "\n## How each was called\n");
        let mut shown: Vec<&str> = Vec::new();
        let ours = self.duels.iter().map(|d| (&d.haul, "")).chain(self.solos.iter().map(|s| (&s.haul, "")));
        let theirs = self.duels.iter().map(|d| (&d.peer, d.notes));
        for (runs, notes) in ours.chain(theirs) {
            if !shown.contains(&runs.command.as_str()) {
                shown.push(&runs.command);
                let notes = if notes.is_empty() { String::new() } else { format!(" ({notes})") };
                line(text, &format!("* `{}`{notes}", runs.command));
            }
        }
        line(
            text,
            "\nhaul keeps fractions of seconds, xattrs, ACLs and holes. A peer that keeps less has less to do.",
        );
    }
}

fn duels<'a>(text: &mut String, verb: Verb, duels: impl Iterator<Item = &'a Duel>) {
    let mut duels = duels.peekable();
    if duels.peek().is_none() {
        return;
    }
    line(text, &format!("\n## {verb:?}\n"));
    let archive = if verb.has_archive() { [" Archive | haul |", "---|---|"] } else { ["", ""] };
    line(text, &format!("| | Time | haul | Time / haul's | CPU | haul | Memory | haul |{}", archive[0]));
    line(text, &format!("|---|---|---|---|---|---|---|---|{}", archive[1]));
    for duel in duels {
        let Duel { haul, peer, .. } = duel;
        let mut row = vec![
            peer.tool.to_owned(),
            seconds(peer.wall()),
            seconds(haul.wall()),
            format!("**{:.2}** ({:.2} to {:.2})", duel.ratio().median, duel.ratio().min, duel.ratio().max),
            format!("{:.2} s", peer.cpu().median),
            format!("{:.2} s", haul.cpu().median),
            bytes_text(peer.peak_bytes()),
            bytes_text(haul.peak_bytes()),
        ];
        if verb.has_archive() {
            row.extend([bytes_text(peer.archive_bytes), bytes_text(haul.archive_bytes)]);
        }
        line(text, &format!("| {} |", row.join(" | ")));
    }
}

fn solos(text: &mut String, solos: &[Solo]) {
    line(text, "\n## haul alone\n");
    line(text, "| | Time | CPU | Memory | Archive |");
    line(text, "|---|---|---|---|---|");
    for Solo { verb, haul } in solos {
        let Runs { archive_bytes, .. } = *haul;
        let (peak, archive) = (bytes_text(haul.peak_bytes()), bytes_text(archive_bytes));
        let (wall, cpu) = (seconds(haul.wall()), haul.cpu().median);
        line(text, &format!("| {verb:?} | {wall} | {cpu:.3} s | {peak} | {archive} |"));
    }
}

fn seconds(spread: Spread) -> String {
    let Spread { median, min, max } = spread;
    format!("{median:.3} s ({min:.3} to {max:.3})")
}

/// Decimal units, as haul's own reports have them.
#[allow(clippy::cast_precision_loss)] // four digits are shown
fn bytes_text(bytes: u64) -> String {
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
