//! The machine measured on: hardware, kernel, file system, versions.

use crate::measure::Outcome;
use crate::tools::Tool;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

#[derive(Debug, Serialize)]
pub struct Machine {
    pub cpu: String,
    /// How many processors the process may use.
    pub cores: usize,
    pub memory_bytes: u64,
    pub kernel: String,
    /// Of the target.
    pub file_system: String,
    /// Of every program that ran.
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    pub fn here(target: &Path, peers: &[&Tool]) -> Outcome<Self> {
        let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
        let programs = peers.iter().flat_map(|tool| tool.programs.iter());
        let haul = ("haul".to_owned(), version(env!("CARGO_BIN_EXE_haul")));
        Ok(Machine {
            // ARM names no model there.
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism()?.get(),
            memory_bytes: kib * 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            file_system: file_system(target)?,
            versions: programs.map(|&p| (p.to_owned(), version(p))).chain([haul]).collect(),
        })
    }
}

/// The value of the first line `NAME : VALUE` of a file in /proc.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next()
}

/// The type of the file system at `path`: of the mount with the longest path above it, `proc_pid_mountinfo(5)`; and
/// whether an ext4 has no journal, which makes it another file system to measure on.
pub fn file_system(path: &Path) -> Outcome<String> {
    let path = path.canonicalize()?;
    let text = fs::read_to_string("/proc/self/mountinfo")?;
    let mounts = text.lines().filter_map(|line| {
        let (fields, rest) = line.split_once(" - ")?;
        let mut rest = rest.split(' ');
        Some((fields.split(' ').nth(4)?, rest.next()?, rest.next()?))
    });
    // Of several mounts on one path, the last one is visible.
    let mount = mounts.filter(|(at, ..)| path.starts_with(at)).max_by_key(|(at, ..)| at.len());
    let (_, kind, source) = mount.unwrap_or(("", "unknown", ""));
    let without = if kind == "ext4" && !has_journal(source) { " without a journal" } else { "" };
    Ok(format!("{kind}{without}"))
}

/// Whether the kernel keeps a journal for the device `source`, `/dev/NAME`: it is listed as `NAME-INODE`.
fn has_journal(source: &str) -> bool {
    let name = format!("{}-", source.rsplit('/').next().unwrap_or_default());
    fs::read_dir("/proc/fs/jbd2").is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with(&name))
    })
}

/// The first line of what a program says of its version.
fn version(program: &str) -> String {
    // The squashfs tools know only the short form, and exit with 1 after it.
    let flag = if program.ends_with("squashfs") { "-version" } else { "--version" };
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown");
    line.trim_matches(|c: char| c == '*' || c.is_whitespace()).to_owned()
}
