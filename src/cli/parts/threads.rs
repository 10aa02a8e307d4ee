//! `-j`: how the work is shared out.

use clap::Args;
use haul::ops::{self, Threads};
use std::num::NonZeroUsize;

/// How many threads share the work.
#[derive(Debug, Args)]
pub(crate) struct Work {
    /// Threads that compute [default: the number of processors that the process may use]. On local file systems they
    /// also read and write
    #[arg(short = 'j', long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,
}

impl Work {
    /// The requested number of threads, or the default.
    pub(crate) fn threads(&self) -> Threads {
        self.threads.unwrap_or_else(ops::default_threads)
    }
}

fn threads(text: &str) -> Result<NonZeroUsize, &'static str> {
    // The bound is far above any use; beyond it a run would fail half-way, when no more threads can be created.
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= 1024 => Ok(count),
        _ => Err("the number of threads must be from 1 to 1024"),
    }
}
