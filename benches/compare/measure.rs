//! Calls the programs, alternately, and takes their times.
//!
//! Keeps the comparison fair: haul and a peer take turns, each after a run that does not count; every run begins with
//! an empty target, and what the run before left to be written back is on the disk; removing it is not timed. What a
//! program unpacks must be like the tree, or its time counts for nothing.

use crate::child;
use crate::plan::{Call, HAUL, Places, Tool, Verb};
use crate::profile::Profile;
use crate::stats::Spread;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One run of one program. Times in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sample {
    pub wall: f64,
    pub user: f64,
    pub system: f64,
    pub peak_bytes: u64,
}

/// All runs of one program.
#[derive(Debug, Serialize)]
pub struct Runs {
    pub tool: &'static str,
    pub command: String,
    pub archive_bytes: u64,
    pub samples: Vec<Sample>,
}

/// haul beside a peer.
#[derive(Debug, Serialize)]
pub struct Duel {
    pub verb: Verb,
    pub notes: &'static str,
    pub haul: Runs,
    pub peer: Runs,
}

/// haul alone.
#[derive(Debug, Serialize)]
pub struct Solo {
    pub verb: Verb,
    pub haul: Runs,
}

impl Runs {
    pub fn wall(&self) -> Spread {
        Spread::of(self.samples.iter().map(|sample| sample.wall))
    }

    pub fn cpu(&self) -> Spread {
        Spread::of(self.samples.iter().map(|sample| sample.user + sample.system))
    }

    pub fn peak_bytes(&self) -> u64 {
        self.samples.iter().map(|sample| sample.peak_bytes).max().unwrap_or(0)
    }
}

impl Duel {
    /// How many times as long as haul the peer takes.
    pub fn ratio(&self) -> Spread {
        let pairs = self.peer.samples.iter().zip(&self.haul.samples);
        Spread::of_ratios(pairs.map(|(peer, haul)| (peer.wall, haul.wall)))
    }
}

/// The place where programs are run.
pub struct Bench {
    tree: PathBuf,
    level: u32,
    pairs: u32,
    /// Removed at the end, with everything in it.
    scratch: TempDir,
}

impl Bench {
    pub fn new(tree: PathBuf, target: &Path, level: u32, pairs: u32) -> Outcome<Self> {
        let scratch = TempDir::with_prefix_in("haul-compare-", target)?;
        Ok(Bench { tree, level, pairs, scratch })
    }

    /// Compares haul with each of `peers`.
    pub fn duels(&mut self, verbs: &[Verb], peers: &[Tool], profile: &Profile) -> Outcome<Vec<Duel>> {
        let verbs: Vec<_> = Verb::CONTESTED.into_iter().filter(|verb| verbs.contains(verb)).collect();
        let mut duels = Vec::new();
        for peer in peers.iter().filter(|_| !verbs.is_empty()) {
            for &verb in &verbs {
                let (Some(ours), Some(theirs)) = (Call::of(&HAUL, verb), Call::of(peer, verb)) else {
                    continue;
                };
                eprintln!("{verb:?}: haul and {}", peer.name);
                duels.push(self.duel(verb, (ours, &HAUL), (theirs, peer), profile)?);
            }
            // Only haul's archive is needed again.
            remove(&self.archive(peer))?;
        }
        Ok(duels)
    }

    /// What only haul does.
    pub fn solos(&mut self, verbs: &[Verb]) -> Outcome<Vec<Solo>> {
        let mut solos = Vec::new();
        for &verb in verbs.iter().filter(|verb| matches!(verb, Verb::List | Verb::Verify)) {
            let Some(call) = Call::of(&HAUL, verb) else { continue };
            eprintln!("{verb:?}: haul");
            self.warm_up(verb, (call, &HAUL), None)?;
            let mut haul = self.runs(call, &HAUL);
            for _ in 0..self.pairs {
                haul.samples.push(self.run(verb, call, &HAUL)?);
            }
            haul.archive_bytes = fs::metadata(self.archive(&HAUL))?.len();
            solos.push(Solo { verb, haul });
        }
        Ok(solos)
    }

    fn duel(
        &self,
        verb: Verb,
        (ours, haul): (Call, &Tool),
        (theirs, peer): (Call, &Tool),
        profile: &Profile,
    ) -> Outcome<Duel> {
        if verb.goes_on() {
            remove(&self.out())?;
        }
        self.warm_up(verb, (ours, haul), Some(profile))?;
        self.warm_up(verb, (theirs, peer), Some(profile))?;
        let mut duel =
            Duel { verb, notes: peer.notes, haul: self.runs(ours, haul), peer: self.runs(theirs, peer) };
        for _ in 0..self.pairs {
            duel.haul.samples.push(self.run(verb, ours, haul)?);
            duel.peer.samples.push(self.run(verb, theirs, peer)?);
        }
        if verb.has_archive() {
            duel.haul.archive_bytes = fs::metadata(self.archive(haul))?.len();
            duel.peer.archive_bytes = fs::metadata(self.archive(peer))?.len();
        }
        Ok(duel)
    }

    fn runs(&self, call: Call, tool: &Tool) -> Runs {
        Runs { tool: tool.name, command: call.shown(self.level), archive_bytes: 0, samples: Vec::new() }
    }

    /// A run that does not count. Makes the archive if there is none yet, and looks at what was unpacked.
    fn warm_up(&self, verb: Verb, (call, tool): (Call, &Tool), profile: Option<&Profile>) -> Outcome<()> {
        if verb.has_archive() && verb != Verb::Pack && !self.archive(tool).exists() {
            let pack = Call::of(tool, Verb::Pack).ok_or("a tool without a way to pack")?;
            self.time(pack, tool)?;
        }
        self.clear(verb, tool)?;
        self.time(call, tool)?;
        if matches!(verb, Verb::Unpack | Verb::Sync)
            && profile.is_some_and(|profile| !Profile::of(&self.out()).is_ok_and(|p| p.is_like(profile)))
        {
            return Err(format!("{} has not made the tree that it was given", tool.name).into());
        }
        Ok(())
    }

    fn run(&self, verb: Verb, call: Call, tool: &Tool) -> Outcome<Sample> {
        self.clear(verb, tool)?;
        self.time(call, tool)
    }

    /// Makes room for a run, and lets the disk come to rest.
    fn clear(&self, verb: Verb, tool: &Tool) -> Outcome<()> {
        if !verb.goes_on() {
            remove(&self.out())?;
        }
        match verb {
            Verb::Pack => remove(&self.archive(tool))?,
            Verb::Unpack if tool.needs_out => fs::create_dir(self.out())?,
            _ => {}
        }
        rustix::fs::syncfs(File::open(self.scratch.path())?)?;
        Ok(())
    }

    fn time(&self, call: Call, tool: &Tool) -> Outcome<Sample> {
        let (archive, out) = (self.archive(tool), self.out());
        let arguments =
            call.arguments(&Places { tree: &self.tree, archive: &archive, out: &out, level: self.level });
        let mut messages = tempfile::tempfile()?;
        let mut command = Command::new(&arguments[0]);
        command
            .args(&arguments[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(messages.try_clone()?);
        let start = Instant::now();
        let (status, usage) = child::wait(command.spawn()?)?;
        let wall = start.elapsed().as_secs_f64();
        if !status.success() {
            let mut text = String::new();
            messages.rewind()?;
            messages.read_to_string(&mut text)?;
            return Err(format!("{}: {status}\n{text}", call.shown(self.level)).into());
        }
        let (user, system) = (usage.user.as_secs_f64(), usage.system.as_secs_f64());
        Ok(Sample { wall, user, system, peak_bytes: usage.peak_bytes })
    }

    fn archive(&self, tool: &Tool) -> PathBuf {
        self.scratch.path().join(tool.name.replace([' ', ','], "-"))
    }

    fn out(&self) -> PathBuf {
        self.scratch.path().join("out")
    }
}

/// Removes a file, or a tree, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
