//! Removes old trees.

use super::store::Store;
use crate::account::{End, Report};
use crate::error::Act;

/// Removes all versions except the newest `keep` and the one in use. A version that cannot be removed is a failure; the
/// next run tries again.
pub(super) fn retire(store: &Store, keep: usize, current: Option<u64>, report: &mut Report) {
    let versions = match store.versions() {
        Ok(versions) => versions,
        Err(error) => {
            report.end = End::Stopped(error);
            return;
        }
    };
    for version in surplus(&versions, keep, current) {
        let name = version.to_string().into_bytes();
        if let Err(errno) = store.remove(&name) {
            report.failures.push(store.failure(&name, Act::Remove, errno));
        }
    }
}

/// Which of `versions`, in ascending order, are to be removed.
fn surplus(versions: &[u64], keep: usize, current: Option<u64>) -> Vec<u64> {
    let old: Vec<_> = versions.iter().copied().filter(|&version| Some(version) != current).collect();
    old[..old.len().saturating_sub(keep)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay_and_so_does_the_one_in_use() {
        for (keep, current, gone) in [
            (0, None, vec![1, 2, 5]),
            (1, None, vec![1, 2]),
            (3, None, vec![]),
            (9, None, vec![]),
            (0, Some(5), vec![1, 2]),
            (1, Some(1), vec![2]),
            (1, Some(7), vec![1, 2]),
        ] {
            assert_eq!(surplus(&[1, 2, 5], keep, current), gone, "{keep} {current:?}");
        }
    }
}
