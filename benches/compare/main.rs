//! Times haul beside other archivers and copiers, as whole processes on a real tree.
//!
//!     cargo bench --bench compare -- --tree DIR [--only pack,unpack,sync,resync,recheck,list,verify] [--pairs N]
//!                                    [--level N] [--target DIR] [--name TEXT] [--out FILE.md]
//!
//! Three steps: [`plan`] says which programs are called and how, [`measure`] calls them, [`report`] writes down what came
//! of it. [`profile`] and [`machine`] tell on what it was measured. No report names a path of the machine.

// A program for the terminal that works on plain paths, and no library.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]
#![allow(unreachable_pub, missing_debug_implementations)]

mod child;
mod machine;
mod measure;
mod plan;
mod profile;
mod report;
mod stats;

use clap::Parser;
use machine::Machine;
use measure::{Bench, Outcome};
use plan::Verb;
use profile::Profile;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;

/// Compare haul with other archivers and copiers on a tree
///
/// haul and each peer run alternately, on a fresh target each time, after both have run once. Peers that are not
/// installed are left out.
#[derive(Parser)]
#[command(name = "compare")]
struct Args {
    /// The tree to work on
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// What to time; list and verify are haul alone
    #[arg(long, value_enum, value_delimiter = ',', default_value = "pack,unpack")]
    only: Vec<Verb>,
    /// How many pairs of runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(5..))]
    pairs: u32,
    /// zstd level of everyone who compresses with zstd
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=19))]
    level: u32,
    /// Where archives and unpacked trees go
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    target: PathBuf,
    /// What the report calls the tree
    #[arg(long, value_name = "TEXT", default_value = "a tree")]
    name: String,
    /// Write the report to this file too, and the same in JSON beside it
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let Some(tree) = args.tree.clone() else {
        // `cargo test --benches` only wants to see that it starts.
        eprintln!("compare: give a tree: cargo bench --bench compare -- --tree DIR");
        return if args.bench { ExitCode::from(2) } else { ExitCode::SUCCESS };
    };
    match compare(&args, tree).and_then(|report| publish(&args, &report)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args, tree: PathBuf) -> Outcome<Report> {
    let profile = Profile::of(&tree)?;
    let peers = plan::installed_peers();
    let mut bench = Bench::new(tree, &args.target, args.level, args.pairs)?;
    let duels = bench.duels(&args.only, &peers, &profile)?;
    let solos = bench.solos(&args.only)?;
    let machine = Machine::here(&args.target, &peers)?;
    let (name, level, pairs) = (args.name.clone(), args.level, args.pairs);
    Ok(Report { name, level, pairs, machine, profile, duels, solos })
}

fn publish(args: &Args, report: &Report) -> Outcome<()> {
    let markdown = report.to_markdown();
    println!("{markdown}");
    if let Some(out) = &args.out {
        std::fs::write(out, &markdown)?;
        std::fs::write(out.with_extension("json"), serde_json::to_string_pretty(report)? + "\n")?;
    }
    Ok(())
}
