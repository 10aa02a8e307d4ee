//! Why a step failed.

use crate::account::Cause;
use crate::dest::Failed;
use crate::error::Act;
use rustix::io::Errno;

/// Why a step failed.
#[derive(Debug)]
pub(super) enum StepError {
    /// In the source.
    Source(Act, Cause),
    /// In the destination.
    Destination(Act, Cause),
    /// The entry is left out because the destination cannot have it, for this reason.
    LeftOut(&'static str),
    /// The run was asked to stop.
    Cancelled,
}

/// The result of a step.
pub(super) type StepResult<T> = Result<T, StepError>;

/// For `map_err`: what was being done in the source when the call failed.
pub(super) fn at_source(act: Act) -> impl Fn(Errno) -> StepError {
    move |errno| StepError::Source(act, gone(errno))
}

/// The same in the destination.
pub(super) fn at_destination(act: Act) -> impl Fn(Errno) -> StepError {
    move |errno| StepError::Destination(act, errno.into())
}

/// An entry that was listed and no longer exists has vanished.
fn gone(errno: Errno) -> Cause {
    match errno {
        Errno::NOENT => Cause::Vanished,
        Errno::NOTDIR | Errno::LOOP => Cause::Replaced,
        errno => errno.into(),
    }
}

impl From<Failed> for StepError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Entry(act, cause) => StepError::Destination(act, cause),
            Failed::LeftOut(why) => StepError::LeftOut(why),
            Failed::Cancelled => StepError::Cancelled,
            Failed::Refused(_) => StepError::Destination(Act::Open, Cause::Replaced),
        }
    }
}
