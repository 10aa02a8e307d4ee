//! The order in which values were typed.
//!
//! clap collects the values of each flag separately. If the order across flags matters, it is restored here, where the
//! parser still knows it.

use clap::ArgMatches;

/// The values of a flag, each with its position on the command line.
pub(super) fn placed<'m, T: Clone + Send + Sync + 'static>(
    matches: &'m ArgMatches,
    name: &str,
) -> impl Iterator<Item = (usize, T)> + use<'m, T> {
    let places = matches.indices_of(name).into_iter().flatten();
    places.zip(matches.get_many::<T>(name).into_iter().flatten().cloned())
}

/// The values, sorted by position.
pub(super) fn in_order<T>(mut placed: Vec<(usize, T)>) -> Vec<T> {
    placed.sort_by_key(|&(at, _)| at);
    placed.into_iter().map(|(_, what)| what).collect()
}
