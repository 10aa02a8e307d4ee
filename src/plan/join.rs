//! Joins two sorted lists of names, in lock-step.

use std::cmp::Ordering;

/// One name, and its number on each side that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) src: Option<u32>,
    pub(crate) dst: Option<u32>,
}

/// All names of either side, in order.
pub(crate) fn join<'a>(
    src: impl Iterator<Item = &'a [u8]>,
    dst: impl Iterator<Item = &'a [u8]>,
) -> Vec<Joined> {
    let mut src = (0_u32..).zip(src).peekable();
    let mut dst = (0_u32..).zip(dst).peekable();
    let mut joined = Vec::with_capacity(src.size_hint().0.max(dst.size_hint().0));
    loop {
        let order = match (src.peek(), dst.peek()) {
            (None, None) => return joined,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((_, a)), Some((_, b))) => a.cmp(b),
        };
        joined.push(Joined {
            src: src.next_if(|_| order.is_le()).map(|(number, _)| number),
            dst: dst.next_if(|_| order.is_ge()).map(|(number, _)| number),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn every_name_comes_once_and_in_order(
            a in prop::collection::btree_set("[a-e]{1,2}", 0..12),
            b in prop::collection::btree_set("[a-e]{1,2}", 0..12),
        ) {
            let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
            let (a_names, b_names) = (list(&a), list(&b));
            let joined = join(a_names.iter().map(String::as_bytes), b_names.iter().map(String::as_bytes));
            let all: Vec<_> = a.union(&b).collect();
            prop_assert_eq!(joined.len(), all.len());
            for (one, name) in joined.iter().zip(all) {
                prop_assert_eq!(one.src.map(|i| &a_names[i as usize]), a.get(name));
                prop_assert_eq!(one.dst.map(|i| &b_names[i as usize]), b.get(name));
            }
        }
    }
}
