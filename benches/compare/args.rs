//! The flags.

use crate::mount::FileSystem;
use crate::slow::Slowness;
use crate::target::Removal;
use crate::tasks::{TASKS, Task};
use crate::tools::{PEERS, Tool};
use crate::trees::Kind;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;

/// Compare haul with other archivers and copiers on a tree
///
/// haul and each peer run alternately, each in a new directory, after both have run once. Peers that are not installed
/// are named as missing.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub struct Args {
    /// The tree to work on
    #[arg(long, value_name = "DIR", conflicts_with = "make")]
    pub tree: Option<PathBuf>,
    /// Work on a tree that the bench generates, or has generated before
    #[arg(long, value_enum, value_name = "KIND")]
    pub make: Option<Kind>,
    /// Make the synthetic trees (small, spread, flat, large, sparse) N times smaller, to try the bench
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "tree", value_parser = clap::value_parser!(u64).range(1..))]
    pub divide: u64,
    /// Where generated trees are kept
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/trees"), hide_default_value = true)]
    pub cache: PathBuf,
    /// What to time: pack, unpack, sync, resync, recheck, repack, delta, update, publish, open, list, verify; by default the first three, or with
    /// --floor nothing
    #[arg(long, value_name = "TASK,...", value_delimiter = ',', value_parser = task)]
    pub only: Option<Vec<&'static Task>>,
    /// Compare with these peers only
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = peer)]
    pub peers: Option<Vec<&'static Tool>>,
    /// How many pairs of runs; a published figure needs at least 5
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub pairs: u32,
    /// zstd level of all programs that compress with zstd
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=19))]
    pub level: u32,
    /// Where archives and copies go, or the image of --fs
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    pub target: PathBuf,
    /// Make a new file system for each comparison, and unmount it at the end (root only)
    #[arg(long, value_enum, value_name = "KIND")]
    pub fs: Option<FileSystem>,
    /// Work on a mount whose every request takes so long: a directory in --target, shown through FUSE
    #[arg(long, value_name = "MS", conflicts_with = "fs", value_parser = clap::value_parser!(u64).range(1..))]
    pub latency: Option<u64>,
    /// The mount keeps no times: setting them fails
    #[arg(long, requires = "latency")]
    pub refuse_times: bool,
    /// When to remove what a run leaves; by default at once in memory, else at the end, since ext4 without a journal
    /// creates files slowly for minutes after others were removed
    #[arg(long, value_enum, value_name = "WHEN")]
    pub remove: Option<Removal>,
    /// Also measure the floors: the least that the work on this tree can take, in processor time or, with --latency, in requests
    #[arg(long)]
    pub floor: bool,
    /// What the report calls the tree
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// Also write the report to this file, and in JSON next to it
    #[arg(long, value_name = "FILE.md")]
    pub out: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Args {
    /// In the order of a report.
    pub fn tasks(&self) -> Vec<&'static Task> {
        let default: &[&str] = if self.floor { &[] } else { &["pack", "unpack", "sync"] };
        let is_meant = |task: &&Task| match &self.only {
            Some(only) => only.iter().any(|named| named.name == task.name),
            None => default.contains(&task.name),
        };
        TASKS.iter().filter(is_meant).collect()
    }

    /// The selected peers: those that are installed, and the others. By default those that are used for such a target.
    pub fn peers(&self) -> (Vec<&'static Tool>, Vec<&'static Tool>) {
        let suits = |tool: &&'static Tool| tool.suits.is_for(self.latency.is_some());
        let is_meant = |tool: &&'static Tool| {
            self.peers.as_ref().map_or_else(|| suits(tool), |peers| peers.contains(tool))
        };
        PEERS.into_iter().filter(is_meant).partition(|tool| tool.is_installed())
    }

    pub fn slowness(&self) -> Option<Slowness> {
        let refuses_times = self.refuse_times;
        self.latency
            .map(|milliseconds| Slowness { latency: Duration::from_millis(milliseconds), refuses_times })
    }

    pub fn name(&self) -> String {
        let made = || self.make.map_or_else(|| "a tree".to_owned(), |kind| kind.title(self.divide));
        self.name.clone().unwrap_or_else(made)
    }
}

fn task(name: &str) -> Result<&'static Task, String> {
    let names = || TASKS.iter().map(|task| task.name).collect::<Vec<_>>().join(", ");
    Task::named(name).ok_or_else(|| format!("tasks are {}", names()))
}

fn peer(name: &str) -> Result<&'static Tool, String> {
    let names = || PEERS.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ");
    PEERS.into_iter().find(|tool| tool.name == name).ok_or_else(|| format!("peers are {}", names()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split(' '))
    }

    fn names(line: &str) -> Vec<&'static str> {
        parsed(line).unwrap().tasks().iter().map(|task| task.name).collect()
    }

    #[test]
    fn the_flags_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn tasks_are_those_named_in_the_order_of_a_report() {
        assert_eq!(names("compare --tree x"), ["pack", "unpack", "sync"]);
        assert_eq!(names("compare --tree x --only verify,pack"), ["pack", "verify"]);
        assert!(names("compare --tree x --floor").is_empty());
        assert_eq!(names("compare --tree x --floor --only sync"), ["sync"]);
    }

    #[test]
    fn peers_can_be_chosen() {
        let (installed, missing) = parsed("compare --tree x --peers cp").unwrap().peers();
        assert_eq!((installed.len(), installed[0].name, missing.len()), (1, "cp", 0));
        let default = |line: &str| {
            let (installed, missing) = parsed(line).unwrap().peers();
            [installed, missing].concat().iter().map(|tool| tool.name).collect::<Vec<_>>()
        };
        let (disks, mounts) = (default("compare --tree x"), default("compare --tree x --latency 2"));
        assert!(disks.contains(&"rsync") && !disks.contains(&"rclone"), "{disks:?}");
        assert!(mounts.contains(&"rclone") && !mounts.contains(&"rsync"), "{mounts:?}");
        assert!(PEERS.iter().all(|tool| disks.contains(&tool.name) || mounts.contains(&tool.name)));
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        let error = parsed("compare --tree x --only copy").unwrap_err().to_string();
        assert!(error.contains("pack, unpack, sync"), "{error}");
        let error = parsed("compare --tree x --peers tar").unwrap_err().to_string();
        assert!(error.contains("tar-zstd, tar-zstd-T0"), "{error}");
        assert!(parsed("compare --tree x --make small").is_err());
        assert!(parsed("compare --tree x --divide 10").is_err());
        assert!(parsed("compare --make small --divide 0").is_err());
        assert!(parsed("compare --tree x --refuse-times").is_err());
        assert!(parsed("compare --tree x --latency 0").is_err());
    }
}
