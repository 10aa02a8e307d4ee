//! Whether requests are to be in flight, and how many.

use crate::dest::DestinationOptions;
use crate::pool::Flight;
use crate::sys::process;
use crate::tree::Locality;
use std::num::NonZeroUsize;

/// How many requests are in flight in a run on file systems of these kinds. `None` if it uses only those of this machine,
/// where nothing is gained by more than a thread for each processor.
pub(super) fn flight(
    options: &DestinationOptions,
    threads: NonZeroUsize,
    mut sides: impl Iterator<Item = Locality>,
) -> Option<Flight> {
    if let Some(limit) = options.in_flight {
        return Some(Flight::fixed(limit));
    }
    let is_measured = sides.any(|side| side != Locality::Local);
    is_measured.then(|| Flight::measured(threads, process::cpu_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_of_this_machine_is_measured_and_what_is_fixed_stays() {
        use Locality::{Local, Network, Unknown};
        let (threads, fixed) = (NonZeroUsize::MIN, NonZeroUsize::new(9));
        let most = |in_flight, sides: &[Locality]| {
            let options = DestinationOptions { in_flight, ..DestinationOptions::default() };
            flight(&options, threads, sides.iter().copied()).map(|flight| flight.most())
        };
        assert_eq!([most(None, &[Local, Local]), most(fixed, &[Local])], [None, Some(9)]);
        assert_eq!([&[Local, Unknown], &[Network, Local]].map(|sides| most(None, sides)), [Some(64); 2]);
    }
}
