//! How many system calls a mirror costs that is right already: for a file, and for a directory.
//!
//! Two trees are compared that differ only in how many entries they have, so that what a run costs by itself cancels
//! out.

use crate::support::mirror::{Pair, mirror_command};
use crate::support::trace::counts;
use crate::support::tree::{Node, dir, file, symlink};
use std::collections::BTreeMap;

/// Entries that one of the two trees has more.
const MORE: i64 = 100;

/// What depends on timing, or belongs to memory and threads; and fcntl, by which debug builds of Rust's library ask at
/// each close whether the descriptor is open.
const NOT_COUNTED: &[&str] =
    &["futex", "mmap", "munmap", "mprotect", "madvise", "brk", "sched_yield", "fcntl"];

/// What each entry costs on a second run with these flags, by call. `None`, said aloud, without strace.
fn cost_of_each(args: &[&str], node: impl Fn(i64) -> Node) -> Option<BTreeMap<String, i64>> {
    let traced = |count: i64| {
        let pair = Pair::new(&(0..count).map(&node).collect::<Vec<_>>());
        pair.mirror(args).expect(0);
        let (outcome, counts) = counts(&mirror_command(args, &pair.src, &pair.dst))?;
        outcome.expect(0);
        Some(counts)
    };
    let (few, many) = (traced(MORE)?, traced(2 * MORE)?);
    let names = few.keys().chain(many.keys()).filter(|name| !NOT_COUNTED.contains(&name.as_str()));
    let difference = |name: &String| many.get(name).unwrap_or(&0) - few.get(name).unwrap_or(&0);
    let mut cost = BTreeMap::new();
    for name in names {
        let more = difference(name);
        assert_eq!(more % MORE, 0, "{more} calls of {name} for {MORE} entries more");
        if more != 0 {
            cost.insert(name.clone(), more / MORE);
        }
    }
    Some(cost)
}

/// listxattrat(2) of Linux 6.13 has the number 465, and no name in an older strace. Before, llistxattr(2) is called.
fn assert_cost(cost: BTreeMap<String, i64>, expected: &[(&str, i64)]) {
    let name = |name: String| match name.as_str() {
        "syscall_0x1d1" | "llistxattr" => "listxattrat".to_owned(),
        _ => name,
    };
    let cost: BTreeMap<_, _> = cost.into_iter().map(|(call, count)| (name(call), count)).collect();
    let expected: BTreeMap<_, _> = expected.iter().map(|&(call, count)| (call.to_owned(), count)).collect();
    assert_eq!(cost, expected);
}

#[test]
fn a_file_that_is_right_costs_two_calls_on_each_side() {
    for args in [&["-j", "1"][..], &["-j", "2", "--delete"]] {
        let Some(cost) = cost_of_each(args, |i| file(format!("{i:04}"), "content")) else { return };
        assert_cost(cost, &[("statx", 2), ("listxattrat", 2)]);
    }
}

#[test]
fn without_extended_attributes_a_file_that_is_right_costs_one_call_on_each_side() {
    let args = ["-j", "1", "--no-xattrs", "--no-acls"];
    let Some(cost) = cost_of_each(&args, |i| file(format!("{i:04}"), "content")) else { return };
    assert_cost(cost, &[("statx", 2)]);
}

#[test]
fn a_symlink_that_is_right_costs_a_call_more() {
    let Some(cost) = cost_of_each(&["-j", "1"], |i| symlink(format!("{i:04}"), "target")) else { return };
    assert_cost(cost, &[("statx", 2), ("listxattrat", 2), ("readlinkat", 2)]);
}

#[test]
fn an_empty_directory_that_is_right_costs_six_calls_on_each_side() {
    for args in [&["-j", "1"][..], &["-j", "2", "--delete"]] {
        let Some(cost) = cost_of_each(args, |i| dir(format!("{i:04}"))) else { return };
        // A listing is at its end when a call returns nothing.
        let each = [("openat", 2), ("statx", 2), ("getdents64", 4), ("flistxattr", 2), ("close", 2)];
        assert_cost(cost, &each);
    }
}
