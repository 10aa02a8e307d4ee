//! How many system calls an up-to-date mirror costs: for a file, and for a directory.
//!
//! Compares two trees that differ only in how many entries they have, so that the fixed cost of a run cancels out.

use crate::support::mirror::{Pair, mirror_command};
use crate::support::trace::{self, assert_cost};
use crate::support::tree::{Node, dir, file, symlink};
use std::collections::BTreeMap;

/// What each entry costs on a second run with these flags, by call. `None`, said aloud, without strace.
fn cost_of_each(args: &[&str], node: impl Fn(i64) -> Node) -> Option<BTreeMap<String, i64>> {
    trace::cost_of_each(|count| {
        let pair = Pair::new(&(0..count).map(&node).collect::<Vec<_>>());
        pair.mirror(args).expect(0);
        let command = mirror_command(args, &pair.src, &pair.dst);
        (command, pair)
    })
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

/// What each entry costs when it is copied into an empty directory.
fn cost_of_copying(nodes: impl Fn(i64) -> Vec<Node>) -> Option<BTreeMap<String, i64>> {
    trace::cost_of_each(|count| {
        let pair = Pair::new(&(0..count).flat_map(&nodes).collect::<Vec<_>>());
        let command = mirror_command(&["-j", "1"], &pair.src, &pair.dst);
        (command, pair)
    })
}

#[test]
fn a_small_file_costs_eight_calls_and_its_content_to_copy() {
    // The directory is new, so that it has its name at once.
    let small = |i| vec![file(format!("d/{i:04}"), "content")];
    let Some(mut cost) = cost_of_copying(small) else { return };
    // How content is copied depends on the file system.
    cost.retain(|call, _| !["copy_file_range", "ioctl", "pread64", "pwrite64"].contains(&call.as_str()));
    let each = [("statx", 2), ("openat", 2), ("flistxattr", 1), ("utimensat", 1), ("close", 2)];
    assert_cost(cost, &each);
}

#[test]
fn an_empty_directory_costs_twelve_calls_to_copy() {
    let Some(cost) = cost_of_copying(|i| vec![dir(format!("d/{i:04}"))]) else { return };
    let both = [("openat", 2), ("close", 2)];
    let src = [("statx", 1), ("getdents64", 2), ("flistxattr", 1)];
    let dst = [("mkdirat", 1), ("renameat2", 1), ("fchmod", 1), ("utimensat", 1)];
    assert_cost(cost, &[&both[..], &src, &dst].concat());
}
