//! The `haul` command: reads the flags, runs one operation, shows how it ended.

mod cli;

use clap::Parser;
use cli::args::{Cli, Command};
use cli::exit::Exit;
use cli::generate::generate;
use cli::listing::Listing;
use cli::options::{self, Environment, Place, Run, Task};
use cli::publish;
use cli::signals::Signals;
use cli::stdio;
use cli::{pipe::Pipe, progress::Progress};
use cli::{refusal::Refusal, render::Ended};
use haul::ops::pack::{Target, pack};
use haul::ops::{list::list, publish::rollback, unpack::unpack, verify::verify};
use haul::{account::Report, cancel::Cancel, error::Error};
use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let Cli { voice, command } = Cli::parse();
    let exit = match command {
        Command::Generate(what) => {
            generate(&what).map_or_else(|error| refuse(&error.into()), |()| Exit::Done)
        }
        Command::Operation(operation) => match options::resolve(operation, &voice, &Environment::here()) {
            Ok(run) => carry_out(&run),
            Err(refusal) => refuse(&refusal),
        },
    };
    exit.into()
}

fn refuse(refusal: &Refusal) -> Exit {
    stdio::say(format_args!("haul: {refusal}"));
    Exit::of_refusal(refusal)
}

fn carry_out(run: &Run) -> Exit {
    let cancel = Cancel::default();
    let signals = Signals::watch(&cancel);
    let progress = Progress::start(&run.output);
    let started = Instant::now();
    let outcome = perform(&run.task, &cancel, &progress);
    progress.finish();
    let exit = Exit::of(&outcome, signals.last());
    Ended { verb: run.task.verb(), outcome, exit, elapsed: started.elapsed() }.show(&run.output);
    exit
}

fn perform(task: &Task, cancel: &Cancel, progress: &Progress) -> Result<Report, Error> {
    // Holds stdin open where the archive comes from there.
    let mut stdin = None;
    let output = || stdio::output().map(|file| Pipe::new(file, cancel));
    match task {
        Task::Sync(run) => run.carry_out(cancel, progress),
        Task::Pack { src, dst: Place::Path(path), options } => {
            pack(src, Target::Path(path), options, cancel, progress)
        }
        Task::Pack { src, dst: Place::Standard, options } => {
            pack(src, Target::Writer(&mut output()?), options, cancel, progress)
        }
        Task::Unpack { archive, dst, options, sign, publish } => {
            let (source, shown) = (archive.source(&mut stdin, cancel)?, sign.around(progress));
            publish::at(dst, *publish, (cancel, &shown), |dst| unpack(source, dst, options, cancel, &shown))
        }
        Task::Rollback { dst, wait } => rollback(dst, *wait, cancel, progress),
        Task::List { archive, select, format } => {
            let mut listing = Listing::new(output()?, *format);
            let source = archive.source(&mut stdin, cancel)?;
            let outcome = list(source, select, cancel, &mut |listed| listing.show(listed));
            listing.finish(outcome)
        }
        Task::Verify { archive, dir, options } => {
            verify(archive.source(&mut stdin, cancel)?, dir.as_deref(), options, cancel, progress)
        }
        Task::Diff(comparison) => comparison.carry_out(cancel, progress),
    }
}
