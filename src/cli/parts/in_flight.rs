//! `--in-flight`: how many requests wait for answers at a time.

use clap::Args;
use haul::options::DestinationOptions;
use std::num::NonZeroUsize;

/// How many requests are in flight.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct InFlight {
    /// Keep N requests in flight, whatever --threads says [default: one for each thread on local file systems; elsewhere as
    /// many as help, up to 64, measured by what requests take]
    #[arg(long, value_name = "N", value_parser = in_flight)]
    pub(crate) in_flight: Option<NonZeroUsize>,
}

impl InFlight {
    /// Sets what was asked for.
    pub(crate) fn apply(self, options: &mut DestinationOptions) {
        options.in_flight = self.in_flight;
    }
}

fn in_flight(text: &str) -> Result<NonZeroUsize, &'static str> {
    // The bound of --threads: each request has a thread that waits for it.
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= 1024 => Ok(count),
        _ => Err("the number of requests in flight must be from 1 to 1024"),
    }
}
