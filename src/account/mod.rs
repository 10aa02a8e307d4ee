//! The account of a run: its report at the end, and its events while it goes on.
//!
//! Owns [`Report`], one per worker, and [`Observer`], a lossy view of a run. `Ledger` is the only place that both
//! counts and reports to the observer. Knows nothing about how anything is done.

mod change;
mod counts;
mod difference;
mod failure;
mod ledger;
mod observer;
mod report;
mod stop;

pub use change::{Aspects, Change, Deed};
pub use counts::Counts;
pub use difference::{Difference, Differs};
pub use failure::{Cause, Failure};
pub(crate) use ledger::{Ledger, RunSide};
pub use observer::{Event, Observer, Recorder};
pub use report::{End, Report};
pub(crate) use stop::Stop;
