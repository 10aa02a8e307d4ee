//! How a destination is treated: the same in every verb that writes one.

use super::{Capability, Insist};

/// How a destination is treated. Begin with [`DestinationOptions::default`] and set what is to be different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationOptions {
    /// What it is assumed to lack, without asking it.
    pub without: Vec<Capability>,
    /// What it must keep: without it, each entry is a failure.
    pub insist: Insist,
}
