//! How a destination is treated: the flags that every verb has that writes a tree.

use clap::{Args, ValueEnum};
use haul::options::{DestinationOptions, OddNames};

/// How a destination is treated.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Destination")]
pub(crate) struct DestinationArgs {
    /// What to do with names that the destination forbids, and with names that differ only in case where it does not
    /// tell them apart [default: refuse]
    #[arg(long, value_name = "HOW")]
    pub(crate) names: Option<NamesHow>,
}

/// What is done with a name that the destination does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NamesHow {
    /// Write none of them (from a stream: of names that differ only in case, the first); each is an error, and
    /// everything else is done
    Refuse,
    /// Write none of them; each is reported, but is no error
    Skip,
    /// Write them with escapes: %3A for a colon; of names that differ only in case, all but the first
    Escape,
}

impl DestinationArgs {
    /// Sets what the flags say.
    pub(crate) fn apply(self, options: &mut DestinationOptions) {
        options.names = match self.names {
            None | Some(NamesHow::Refuse) => OddNames::Refuse,
            Some(NamesHow::Skip) => OddNames::Skip,
            Some(NamesHow::Escape) => OddNames::Escape,
        };
    }
}
