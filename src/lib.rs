//! haul moves large file trees: it packs them into `.tar.zst` archives on all processors, keeping all metadata, and
//! unpacks, lists and verifies those and any other `.tar.zst`. [`ops::diff`] compares trees and archives with each
//! other.

pub mod account;
pub mod archive;
#[doc(hidden)]
pub mod bench;
pub mod cancel;
pub mod delta;
mod dest;
pub mod error;
mod mirror;
pub mod ops;
pub mod plan;
mod pool;
pub mod rules;
mod source;
mod sys;
pub mod tree;
mod walk;

pub use dest::{Capability, Insist};
pub use error::Error;
pub use source::ArchiveReader;
pub use sys::process::{inherited_descriptor, umask};
pub use sys::users;
