//! Runs the programs in turns, and times them.
//!
//! Keeps the comparison fair: haul and a peer take turns, each after a run that does not count; every run has a new
//! directory, and dirty pages of the previous run are on the disk. The result of a program must equal the tree that it
//! was given, or its time does not count.

use crate::call::{Call, Places};
use crate::child;
use crate::interrupt;
use crate::mount::Need;
use crate::profile::Profile;
use crate::slow::Traffic;
use crate::stats::Spread;
use crate::target::Target;
use crate::tasks::{self, Course, Task};
use crate::tools::{HAUL, PEERS, Tool};
use crate::versions::Versions;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// One run of one program. Times in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sample {
    pub wall: f64,
    pub user: f64,
    pub system: f64,
    pub peak_bytes: u64,
    /// On a slow target: its requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// All runs of one program.
#[derive(Debug, Serialize)]
pub struct Runs {
    pub tool: &'static str,
    pub command: String,
    pub notes: &'static str,
    /// 0 if there is none.
    pub archive_bytes: u64,
    pub samples: Vec<Sample>,
}

/// haul and a peer, or haul alone if there is none.
#[derive(Debug, Serialize)]
pub struct Duel {
    pub task: &'static str,
    pub haul: Runs,
    pub peer: Option<Runs>,
}

impl Runs {
    pub fn wall(&self) -> Spread {
        Spread::of(self.samples.iter().map(|sample| sample.wall))
    }

    pub fn cpu(&self) -> Spread {
        Spread::of(self.samples.iter().map(|sample| sample.user + sample.system))
    }

    /// The median of the requests of each run, and the most in flight at once in any; `None` on a target that is not slow.
    pub fn traffic(&self) -> Option<(f64, usize)> {
        let traffic: Option<Vec<Traffic>> = self.samples.iter().map(|sample| sample.traffic).collect();
        let traffic = traffic.filter(|traffic| !traffic.is_empty())?;
        let requests = Spread::of(traffic.iter().map(|traffic| f64::from(traffic.requests))).median;
        Some((requests, traffic.iter().map(|traffic| traffic.most_in_flight).max()?))
    }

    pub fn peak_bytes(&self) -> u64 {
        self.samples.iter().map(|sample| sample.peak_bytes).max().unwrap_or(0)
    }
}

impl Duel {
    /// How many times as long as haul the peer takes.
    pub fn ratio(&self) -> Option<Spread> {
        let pairs = self.peer.as_ref()?.samples.iter().zip(&self.haul.samples);
        Some(Spread::of_ratios(pairs.map(|(peer, haul)| (peer.wall, haul.wall))))
    }
}

/// The comparisons to make on a tree, and their results so far.
pub struct Bench {
    pub tree: PathBuf,
    pub profile: Profile,
    pub level: u32,
    pub pairs: u32,
    pub target: Target,
    pub duels: Vec<Duel>,
    /// Peers that could not do a task.
    pub failures: Vec<String>,
}

impl Bench {
    /// Times a task, with haul and each of `peers` that can do it, in turns.
    pub fn compare(&mut self, task: &'static Task, peers: &[&'static Tool]) -> Outcome<()> {
        let mut is_alone = true;
        for &peer in PEERS.iter().filter(|peer| peers.contains(peer) && task.call(peer).is_some()) {
            eprintln!("{}: haul and {}", task.name, peer.name);
            is_alone &= !self.duel(task, Some(peer))?;
        }
        if is_alone {
            eprintln!("{}: haul", task.name);
            self.duel(task, None)?;
        }
        Ok(())
    }

    /// Returns whether it took place: a peer that fails its first run is recorded and left out.
    fn duel(&mut self, task: &'static Task, peer: Option<&'static Tool>) -> Outcome<bool> {
        let copies = self.target.removal.copies(task.course, u64::from(self.pairs) + 1);
        let room = self.target.room(Need::of(&self.profile, copies))?;
        let versions = task.course.has_versions().then(|| Versions::of(&self.tree, &room, self.level));
        let versions = versions.transpose()?;
        let mut haul = Side::new(self, task, (&HAUL, versions.as_ref()), &room)?;
        let mut peer =
            peer.map(|peer| Side::new(self, task, (peer, versions.as_ref()), &room)).transpose()?;
        haul.warm_up()?;
        if let Some(side) = &mut peer
            && let Err(error) = side.warm_up()
        {
            interrupt::check()?;
            // Its message may name paths of this machine, which do not belong in a report.
            eprintln!("{}: {}: {error}", task.name, side.tool.name);
            let failure = format!("{} ({})", side.tool.name, task.name);
            self.failures.push(failure);
            return Ok(false);
        }
        for _ in 0..self.pairs {
            haul.run()?;
            peer.iter_mut().try_for_each(Side::run)?;
        }
        let duel = Duel { task: task.name, haul: haul.runs, peer: peer.map(|side| side.runs) };
        self.duels.push(duel);
        Ok(true)
    }
}

/// One of the two programs.
struct Side<'b> {
    bench: &'b Bench,
    task: &'static Task,
    tool: &'static Tool,
    call: Call,
    room: &'b Path,
    versions: Option<&'b Versions>,
    /// How many directories it has used.
    begun: u32,
    runs: Runs,
}

impl<'b> Side<'b> {
    fn new(
        bench: &'b Bench,
        task: &'static Task,
        (tool, versions): (&'static Tool, Option<&'b Versions>),
        room: &'b Path,
    ) -> Outcome<Self> {
        let call = task.call(tool).ok_or("a tool without a call")?;
        let command = call.shown(bench.level);
        let runs =
            Runs { tool: tool.name, command, notes: tool.notes, archive_bytes: 0, samples: Vec::new() };
        Ok(Side { bench, task, tool, call, room, versions, begun: 0, runs })
    }

    /// Does what does not count: prepares what the runs begin with, and makes a first run, whose result must be right.
    fn warm_up(&mut self) -> Outcome<()> {
        if matches!(self.task.course, Course::MakesTree | Course::ReadsArchive) {
            let packing = tasks::packing(self.tool).ok_or("a tool without a way to pack")?;
            self.time(packing, &self.standing("archive"), &self.standing("none"))?;
            self.runs.archive_bytes = fs::metadata(self.standing("archive"))?.len();
        }
        if self.task.course == Course::CopiesAgain {
            self.time(self.call, &self.standing("none"), &self.standing("copy"))?;
        }
        let dir = self.begin()?;
        self.go(&dir)?;
        self.check(&dir)?;
        Ok(self.bench.target.leave(&dir)?)
    }

    /// Checks that its result equals the tree that it was given.
    fn check(&self, dir: &Path) -> Outcome<()> {
        let (out, expected) = match self.versions {
            None if self.task.course.leaves_tree() => (dir.join("out"), &self.bench.profile),
            Some(versions) if self.task.course == Course::Updates => {
                let places = [dir.join("out"), self.standing("copy").join("current"), self.standing("copy")];
                let out = places.into_iter().find(|place| place.exists()).ok_or("made no tree")?;
                (out, &versions.at(self.begun).0.profile)
            }
            _ => return Ok(()),
        };
        if Profile::of(&out).is_ok_and(|made| made.is_like(expected)) {
            return Ok(());
        }
        Err("made a different tree than it was given".into())
    }

    fn run(&mut self) -> Outcome<()> {
        let dir = self.begin()?;
        let sample = self.go(&dir)?;
        self.runs.samples.push(sample);
        if self.task.course == Course::Updates {
            self.check(&dir)?;
        }
        if self.task.course.leaves_archive() {
            self.runs.archive_bytes = fs::metadata(dir.join("archive"))?.len();
        }
        Ok(self.bench.target.leave(&dir)?)
    }

    /// A new directory for a run, on an idle disk.
    fn begin(&mut self) -> Outcome<PathBuf> {
        self.begun += 1;
        let dir = self.room.join(format!("{}-{}", self.tool.name, self.begun));
        fs::create_dir(&dir)?;
        if self.task.course == Course::MakesTree && self.tool.needs_out {
            fs::create_dir(dir.join("out"))?;
        }
        rustix::fs::syncfs(File::open(self.room)?)?;
        Ok(dir)
    }

    fn go(&self, dir: &Path) -> Outcome<Sample> {
        let archive =
            if self.task.course.leaves_archive() { dir.join("archive") } else { self.standing("archive") };
        let again = matches!(self.task.course, Course::CopiesAgain | Course::Updates);
        let out = if again && !self.call.makes_new() { self.standing("copy") } else { dir.join("out") };
        self.time(self.call, &archive, &out)
    }

    /// What all runs of the program share.
    fn standing(&self, name: &str) -> PathBuf {
        self.room.join(format!("{}-{name}", self.tool.name))
    }

    fn time(&self, call: Call, archive: &Path, out: &Path) -> Outcome<Sample> {
        let level = self.bench.level;
        let version = self.versions.map(|versions| versions.at(self.begun));
        let arguments = call.arguments(Places { tree: &self.bench.tree, archive, out, level, version });
        let mut messages = tempfile::tempfile()?;
        let mut command = Command::new(&arguments[0]);
        command
            .args(&arguments[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(messages.try_clone()?);
        interrupt::check()?;
        let (ended, traffic) = self.bench.target.timed(|| {
            let start = Instant::now();
            let ended = command.spawn().and_then(child::wait);
            ended.map(|ended| (ended, start.elapsed().as_secs_f64()))
        });
        let ((status, usage), wall) = ended?;
        interrupt::check()?;
        if !status.success() {
            let mut text = String::new();
            messages.rewind()?;
            messages.read_to_string(&mut text)?;
            return Err(format!("{}: {status}\n{text}", call.shown(level)).into());
        }
        let (user, system) = (usage.user.as_secs_f64(), usage.system.as_secs_f64());
        Ok(Sample { wall, user, system, peak_bytes: usage.peak_bytes, traffic })
    }
}
