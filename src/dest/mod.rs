//! Carries out one step in a destination: makes a file, a link, a directory, and sets what belongs to it.
//!
//! Owns how things come to be at their names; decides nothing about which. Keeps promise 1 of the design: a final name
//! is absent, completely old or completely new. There are two ways to that:
//!
//! * A directory that is new is *staged*: it is made under a temporary name, filled in place with the fewest calls,
//!   and takes its own name when everything below it is complete.
//! * A directory that existed is *live*: what is new in it is made under a temporary name each and renamed.
//!
//! Only the topmost new directory has a temporary name; what is below one is staged with it.

#![allow(dead_code, unused_imports)] // until unpack uses it all

pub(crate) mod attributes;
pub(crate) mod backup;
pub(crate) mod barrier;
pub(crate) mod capabilities;
pub(crate) mod content;
pub(crate) mod copy;
mod destination;
pub(crate) mod dir;
pub(crate) mod draft;
mod file;
mod finish;
pub(crate) mod link;
mod node;
mod owner;
mod publish;
pub(crate) mod remove;
mod settle;
pub(crate) mod stale;

pub(crate) use capabilities::{Capabilities, Lack};
pub use capabilities::{Capability, Insist};
pub(crate) use destination::{Destination, PendingDirectory, Settings};
pub(crate) use dir::Directory;
pub(crate) use file::{Applier, LargeFile};
pub(crate) use owner::Owners;

/// Names that the engine of mirrors still uses.
pub(crate) mod target {
    pub(crate) use super::dir::Directory as Target;
    pub(crate) use super::draft::{Draft, Node};
}

use crate::account::Cause;
use crate::error::Act;
use rustix::io::Errno;

/// Why a step was not carried out.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The entry could not be made.
    Entry(Act, Cause),
    /// The entry must not be made: it would leave the destination.
    Refused(&'static str),
    /// The run was asked to stop.
    Cancelled,
}

/// For `map_err`: what was being done when the system said no.
pub(crate) fn failed(act: Act) -> impl Fn(Errno) -> Failed {
    move |errno| Failed::Entry(act, errno.into())
}
