//! Why something was not done, and what that means for the run.

use super::run::Run;
use crate::account::{Cause, Event, Failure};
use crate::dest::Failed;
use crate::error::{Act, Error, ends_run};
use crate::tree::RelPath;
use rustix::io::Errno;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// In the source.
    Source(Act, Cause),
    /// In the destination.
    Destination(Act, Cause),
    /// The run was asked to stop.
    Cancelled,
}

/// For `map_err`: what was being done in the source when the system said no.
pub(super) fn at_source(act: Act) -> impl Fn(Errno) -> Fault {
    move |errno| Fault::Source(act, gone(errno))
}

/// The same in the destination.
pub(super) fn at_destination(act: Act) -> impl Fn(Errno) -> Fault {
    move |errno| Fault::Destination(act, errno.into())
}

/// What was listed and is not there any more has vanished.
fn gone(errno: Errno) -> Cause {
    match errno {
        Errno::NOENT => Cause::Vanished,
        Errno::NOTDIR | Errno::LOOP => Cause::Replaced,
        errno => errno.into(),
    }
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Entry(act, cause) => Fault::Destination(act, cause),
            Failed::Cancelled => Fault::Cancelled,
            Failed::Refused(_) => Fault::Destination(Act::Open, Cause::Replaced),
        }
    }
}

impl Run<'_> {
    /// The failure to report, and what it means for the run.
    pub(super) fn failure(&self, path: RelPath<'_>, fault: Fault) -> Option<Failure> {
        let (act, cause, root) = match fault {
            Fault::Cancelled => return None,
            Fault::Source(act, cause) => {
                self.flags.source_failed.store(true, std::sync::atomic::Ordering::Relaxed);
                (act, cause, self.src.path)
            }
            Fault::Destination(act, cause) => {
                (act, cause, self.dst.as_ref().map_or(self.src.path, |d| d.path))
            }
        };
        if let Cause::Os(error) = &cause
            && ends_run(act, error)
        {
            let copy = std::io::Error::from_raw_os_error(error.raw_os_error().unwrap_or_default());
            self.stop(Error::io(act, &root.join(path.as_os_str()), copy));
            return None;
        }
        let failure = Failure { path: path.as_bytes().into(), act, cause };
        self.observer.event(Event::Failed(&failure));
        Some(failure)
    }
}
