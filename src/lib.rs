//! haul moves large file trees: it packs them into multi-threaded `.tar.zst` archives that keep all metadata, and
//! unpacks, lists and verifies those and any other `.tar.zst`. [`ops::diff`] compares trees and archives with each other.

mod apply;
pub mod archive;
#[doc(hidden)]
pub mod bench;
pub mod cancel;
pub mod delta;
pub mod error;
pub mod event;
pub mod ops;
pub mod plan;
mod pool;
pub mod report;
mod sys;
pub mod tree;
pub mod walk;

pub use sys::process::{inherited_descriptor, umask};
pub use sys::users;
