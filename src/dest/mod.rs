//! Carries out one step in a destination: creates a file, a link or a directory, and sets its metadata.
//!
//! Owns how entries get to their names; decides nothing about which. Keeps promise 1 of the design: a final name is
//! absent, completely old or completely new. There are two ways:
//!
//! * A new directory is *staged*: it is created under a temporary name, filled in place with the fewest calls, and gets
//!   its own name when everything below it is complete.
//! * A directory that existed is *live*: each new entry in it is created under a temporary name and renamed.
//!
//! Only the topmost new directory has a temporary name; what is below one is staged with it.

pub(crate) mod attributes;
pub(crate) mod backup;
pub(crate) mod barrier;
mod by_path;
pub(crate) mod capabilities;
mod complete;
pub(crate) mod content;
pub(crate) mod copy;
pub(crate) mod dir;
pub(crate) mod draft;
pub(crate) mod link;
mod maker;
mod options;
mod owners;
pub(crate) mod probe;
mod publish;
pub(crate) mod remove;
pub(crate) mod spelling;
pub(crate) mod stale;
pub(crate) mod survey;

pub(crate) use by_path::{Destination, DestinationSettings, PendingDirectory};
pub(crate) use capabilities::Capabilities;
pub(crate) use dir::Directory;
pub(crate) use maker::{LargeFile, Maker};
pub use options::{Capability, DestinationOptions, Insist, OddNames, Profile};
pub(crate) use owners::Owners;
pub use probe::Probed;

use crate::account::Cause;
use crate::error::Act;
use rustix::io::Errno;

/// Why a step was not carried out.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The entry could not be created.
    Entry(Act, Cause),
    /// The entry must not be created: it would leave the destination.
    Refused(&'static str),
    /// It is left out because the destination cannot have it, for this reason.
    LeftOut(&'static str),
    /// The run was asked to stop.
    Cancelled,
}

/// For `map_err`: what was being done when the call failed.
pub(crate) fn failed(act: Act) -> impl Fn(Errno) -> Failed {
    move |errno| Failed::Entry(act, errno.into())
}
