//! Times haul and other archivers and copiers, as whole processes on a real tree.
//!
//!     cargo bench --bench compare -- (--tree DIR | --make KIND) [--only TASK,...] [--out FILE.md]
//!
//! [`tasks`] and [`tools`] say which programs are called and how, [`measure`] calls them on a [`target`], [`report`]
//! writes the results. [`trees`] generates trees; [`floor`] and [`streams`] measure the floors; [`slow`] is a target with
//! latency; [`profile`] and [`machine`] describe the tree and the machine. No report names a path of the machine. `benches/results/README.md` explains how to use it.

// This is a program for the terminal that works on plain paths, not a library.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]
#![allow(unreachable_pub, missing_debug_implementations)]
// Without the harness, `cfg(test)` is set but there are no tests here: `tests/compare.rs` runs them.
#![cfg_attr(test, allow(unused_imports, dead_code))]

mod args;
mod batch;
mod call;
mod child;
mod files;
mod floor;
mod interrupt;
mod machine;
mod measure;
mod mount;
mod profile;
mod report;
mod slow;
// Shared with the tests, and not all of it is used here.
#[allow(clippy::unwrap_used, unused_imports, dead_code)]
#[path = "../../tests/it/support/slowfs/mod.rs"]
mod slowfs;
mod stats;
mod streams;
mod target;
mod tasks;
mod tools;
mod trees;
mod versions;

use args::Args;
use clap::Parser;
use machine::Machine;
use measure::{Bench, Outcome};
use mount::Need;
use profile::Profile;
use report::Report;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use target::Target;

fn main() -> ExitCode {
    let args = Args::parse();
    if args.tree.is_none() && args.make.is_none() {
        // `cargo test --benches` only checks that it starts.
        eprintln!("compare: give a tree: cargo bench --bench compare -- --tree DIR, or --make KIND");
        return if args.bench { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    match compare(&args).and_then(|report| publish(args.out.as_deref(), &report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> Outcome<Report> {
    interrupt::watch()?;
    let tree = tree(args)?;
    let profile = Profile::of(&tree)?;
    let (peers, missing) = args.peers();
    let target = Target::new(&args.target, args.fs, args.remove)?.slowed(args.slowness());
    let (level, pairs) = (args.level, args.pairs);
    let mut bench = Bench { tree, profile, level, pairs, target, duels: Vec::new(), failures: Vec::new() };
    let mut machine = Machine::here(&bench.target.room(Need::of(&Profile::default(), 1))?, &peers)?;
    machine.file_system += &bench.target.notes();
    for task in args.tasks() {
        bench.compare(task, &peers)?;
    }
    // Last: a child's memory counts as at least what this program had at its peak, and floors take more than that.
    let (mut floors, mut streams) = (Vec::new(), Vec::new());
    match args.slowness() {
        Some(_) if args.floor => streams = streams::measure(&mut bench)?,
        None if args.floor => floors = floor::measure(&mut bench)?,
        _ => {}
    }
    let missing = missing.iter().map(|tool| tool.name).collect();
    let Bench { profile, duels, failures, .. } = bench;
    Ok(Report {
        name: args.name(),
        level,
        pairs,
        machine,
        profile,
        missing,
        failures,
        duels,
        floors,
        streams,
    })
}

fn tree(args: &Args) -> Outcome<PathBuf> {
    match (&args.tree, args.make) {
        (Some(tree), _) => Ok(tree.clone()),
        (None, Some(kind)) => trees::make(kind, &args.cache, args.divide),
        (None, None) => Err("give a tree: --tree DIR, or --make KIND".into()),
    }
}

fn publish(out: Option<&Path>, report: &Report) -> Outcome<()> {
    let markdown = report.to_markdown();
    println!("{markdown}");
    if let Some(out) = out {
        std::fs::write(out, &markdown)?;
        std::fs::write(out.with_extension("json"), serde_json::to_string_pretty(report)? + "\n")?;
    }
    Ok(())
}
