//! What each request does in the backing directory, with the oddnesses.

mod content;
mod entries;
mod listing;
mod metadata;

pub(super) use entries::{Caller, Making, Renaming};
pub(super) use metadata::Setting;
