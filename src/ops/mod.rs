//! The verbs. Each is a function over its own small `Options` that wires walk, plan, apply and archive together.

pub mod diff;
mod flight;
mod hold;
pub mod list;
pub mod pack;
pub mod probe;
pub mod publish;
pub mod sync;
pub mod unpack;
pub mod verify;

use std::num::NonZeroUsize;

pub use crate::pool::default_threads;
pub use crate::source::{Source, is_delta};

/// How many worker threads a run uses.
pub type Threads = NonZeroUsize;
