//! What the system has refused in this run, so that it is not asked again for every file.

use crate::pool::lock;
use crate::tree::Device;
use rustix::io::Errno;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

/// After this many refusals a call is no longer tried.
const ENOUGH: u8 = 8;

/// A call that not every file system, kernel or sandbox supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Reflink,
    CopyRange,
    Send,
    Allocate,
    Punch,
}

/// What was refused, for each device that was copied from. Shared by all threads of a run.
///
/// For one device, not for the pair: finding out the destination's would take a call, and it is nearly always the same.
/// If it is not, a call is refused a few times more, or a slower way is used.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// Calls that are never tried.
    never: Vec<Call>,
    known: Mutex<Vec<(Device, Arc<Refused>)>>,
}

/// How often each call was refused.
#[derive(Debug, Default)]
pub(super) struct Refused([AtomicU8; 5]);

impl Learned {
    /// What is learned where these ways are not to be tried at all.
    pub(crate) fn without(reflink: bool, kernel_copy: bool) -> Self {
        let reflink = reflink.then_some([Call::Reflink]).into_iter().flatten();
        let kernel = kernel_copy.then_some([Call::CopyRange, Call::Send]).into_iter().flatten();
        Learned { never: reflink.chain(kernel).collect(), known: Mutex::default() }
    }

    /// What was refused for copies from this device.
    pub(super) fn of(&self, dev: Device) -> Arc<Refused> {
        let mut known = lock(&self.known);
        if let Some((_, refused)) = known.iter().find(|(known, _)| *known == dev) {
            return Arc::clone(refused);
        }
        let refused = Arc::<Refused>::default();
        for &call in &self.never {
            refused.note(call, Errno::OPNOTSUPP);
        }
        known.push((dev, Arc::clone(&refused)));
        refused
    }
}

impl Refused {
    /// Whether the call is not worth trying.
    pub(super) fn holds(&self, call: Call) -> bool {
        // Relaxed: seeing it late costs one more call.
        self.0[call as usize].load(Ordering::Relaxed) >= ENOUGH
    }

    /// Records that a call ended with this error. An error that means that the system cannot do it counts at once; one
    /// that may be about the file at hand counts after a few times; other errors are not refusals.
    pub(super) fn note(&self, call: Call, errno: Errno) {
        let weight = match errno {
            Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS | Errno::NOTTY => ENOUGH,
            errno if is_refusal(errno) => 1,
            _ => return,
        };
        let count = &self.0[call as usize];
        count.store(count.load(Ordering::Relaxed).saturating_add(weight), Ordering::Relaxed);
    }
}

/// Whether an error means that the call is not available, but another way may be: across file systems (EXDEV), not
/// supported by this one (EOPNOTSUPP, ENOTTY, EINVAL), an older kernel (ENOSYS), forbidden by a sandbox (EPERM), or a
/// file in use as swap (ETXTBSY).
pub(super) fn is_refusal(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::XDEV
            | Errno::OPNOTSUPP
            | Errno::NOTTY
            | Errno::INVAL
            | Errno::NOSYS
            | Errno::PERM
            | Errno::TXTBSY
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_impossible_is_believed_at_once_and_what_may_be_one_files_fault_later() {
        let refused = Refused::default();
        refused.note(Call::Reflink, Errno::XDEV);
        assert!(refused.holds(Call::Reflink) && !refused.holds(Call::CopyRange));
        for times in 0..ENOUGH {
            assert!(!refused.holds(Call::CopyRange), "after {times}");
            refused.note(Call::CopyRange, Errno::INVAL);
        }
        assert!(refused.holds(Call::CopyRange));
        (0..100).for_each(|_| refused.note(Call::Send, Errno::IO));
        assert!(!refused.holds(Call::Send));
    }

    #[test]
    fn devices_are_told_apart_and_threads_share_what_they_learn() {
        let learned = Learned::default();
        let [one, other] = [1, 2].map(|minor| Device { major: 8, minor });
        learned.of(one).note(Call::Reflink, Errno::OPNOTSUPP);
        assert!(learned.of(one).holds(Call::Reflink) && !learned.of(other).holds(Call::Reflink));
    }
}
