//! `haul probe`: its flags, how it is run, and what is shown.

use crate::cli::exit::Exit;
use crate::cli::run::carry_out;
use crate::cli::show::json::write_line;
use crate::cli::show::output::{Verb, View};
use crate::cli::stdio;
use crate::cli::voice::Voice;
use clap::{Args, ValueHint};
use haul::account::Report;
use haul::error::{Act, Error};
use haul::options::{Capability, Probed};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Show what a destination can keep
///
/// Tries out what the file system of DIR keeps and can do, as sync and unpack do before they write to one that may not be
/// local. Nothing is left in DIR.
#[derive(Debug, Args)]
#[command(after_help = PROBE)]
pub(crate) struct ProbeArgs {
    /// The directory to try out
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
}

const PROBE: &str = "\
Examples:
  haul probe /mnt/share
  haul probe --json /mnt/share | jq .capabilities

Each name is one that --without and --with of sync and unpack understand.";

/// Probes according to the flags.
pub(crate) fn run(args: &ProbeArgs, voice: &Voice) -> Exit {
    let output = View { json: false, progress: false, summary: false, names: None, ..View::of(voice, true) };
    carry_out(Verb::Probe, &output, |_, _| {
        let probed = haul::probe(&args.dir)?;
        let mut out = stdio::output()?;
        let shown = if voice.json { show_json(&probed, &mut out) } else { show(&probed, &mut out) };
        shown.and_then(|()| out.flush()).map_err(|error| Error::io(Act::Write, Path::new("-"), error))?;
        Ok(Report::default())
    })
}

/// A line for each capability.
fn show(probed: &Probed, out: &mut impl Write) -> io::Result<()> {
    for capability in Capability::ALL {
        let more = match capability {
            Capability::Times => probed.time_step.map(|step| format!("in units of {}", unit(step))),
            Capability::Xattrs => parts(&probed.xattr_namespaces),
            Capability::AnyName => parts(&probed.names),
            _ => None,
        };
        let more = more.map(|more| format!(" ({more})")).unwrap_or_default();
        writeln!(out, "{:<19} {}{more}", capability.name(), word(probed.has(capability)))?;
    }
    Ok(())
}

fn word(has: Option<bool>) -> &'static str {
    match has {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

fn parts(parts: &[(&'static str, bool)]) -> Option<String> {
    let part = |&(name, has): &(&str, bool)| format!("{name}: {}", word(Some(has)));
    (!parts.is_empty()).then(|| parts.iter().map(part).collect::<Vec<_>>().join(", "))
}

/// A number of nanoseconds in its largest unit.
fn unit(nanos: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
    let largest = UNITS.into_iter().find(|(unit, _)| nanos.is_multiple_of(*unit));
    let (unit, name) = largest.unwrap_or((1, "ns"));
    format!("{} {name}", nanos / unit)
}

/// What `--json` shows: fields are added, never renamed or removed. What is not known is null.
#[derive(Debug, Serialize)]
struct ProbeLine {
    capabilities: BTreeMap<&'static str, Option<bool>>,
    time_step_nanoseconds: Option<u64>,
    xattr_namespaces: BTreeMap<&'static str, bool>,
    names: BTreeMap<&'static str, bool>,
    /// It is on a known local file system, which `sync` and `unpack` do not probe.
    is_local: bool,
}

fn show_json(probed: &Probed, out: &mut impl Write) -> io::Result<()> {
    let known = |capability: Capability| (capability.name(), probed.has(capability));
    let line = ProbeLine {
        capabilities: Capability::ALL.into_iter().map(known).collect(),
        time_step_nanoseconds: probed.time_step,
        xattr_namespaces: probed.xattr_namespaces.iter().copied().collect(),
        names: probed.names.iter().copied().collect(),
        is_local: probed.is_local,
    };
    write_line(out, &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_as_people_do() {
        for (nanos, expected) in
            [(1, "1 ns"), (100, "100 ns"), (1_000, "1 us"), (10_000_000, "10 ms"), (2_000_000_000, "2 s")]
        {
            assert_eq!(unit(nanos), expected);
        }
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown() {
        let mut out = Vec::new();
        show(&Probed::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), Capability::ALL.len());
        assert!(text.lines().all(|line| line.ends_with(" unknown")), "{text}");
    }
}
