//! How many system calls packing and unpacking cost for each entry.

use crate::support::oracle::{haul, haul_command};
use crate::support::scratch::Scratch;
use crate::support::trace::{assert_cost, cost_of_each};
use crate::support::tree::{Node, build, file};
use std::collections::BTreeMap;
use std::process::Command;

/// What each entry costs to be packed, or to be unpacked into a new directory.
fn cost(verb: &[&str], nodes: impl Fn(i64) -> Vec<Node>) -> Option<BTreeMap<String, i64>> {
    cost_of_each(|count| {
        let scratch = Scratch::new();
        let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
        build(&tree, &(0..count).flat_map(&nodes).collect::<Vec<_>>());
        let mut command: Command = haul_command();
        command.args(verb).args(["-j", "1"]);
        if verb[0] == "pack" {
            command.arg(&tree).arg(&archive);
        } else {
            haul!["pack", &tree, &archive].expect(0);
            command.arg(&archive).arg(scratch.join("copy"));
        }
        (command, scratch)
    })
}

#[test]
fn a_small_file_costs_six_calls_to_pack() {
    let Some(cost) = cost(&["pack"], |i| vec![file(format!("{i:04}"), "content")]) else { return };
    let each = [("statx", 2), ("openat", 1), ("flistxattr", 1), ("pread64", 1), ("close", 1)];
    assert_cost(cost, &each);
}

#[test]
fn rules_cost_no_call_where_none_is_read_from_the_tree() {
    let rules = ["--exclude=*.o", "--filter=- /x/**/y", "--exclude-vcs"];
    let directory = |i| vec![file(format!("{i:04}/content"), "content"), file(format!("{i:04}/left.o"), "")];
    let (Some(with), Some(without)) = (
        cost(&[&["pack"][..], &rules].concat(), directory),
        cost(&["pack"], |i| vec![file(format!("{i:04}/content"), "content")]),
    ) else {
        return;
    };
    assert_eq!(with, without);
}

#[test]
fn a_small_file_costs_four_calls_to_unpack() {
    let Some(cost) = cost(&["unpack"], |i| vec![file(format!("{i:04}"), "content")]) else { return };
    assert_cost(cost, &[("openat", 1), ("pwrite64", 1), ("utimensat", 1), ("close", 1)]);
}

#[test]
fn a_directory_costs_two_calls_to_unpack_and_two_to_go_into_it() {
    let Some(cost) = cost(&["unpack"], |i| vec![file(format!("{i:04}/file"), "content")]) else { return };
    let directory = [("mkdirat", 1), ("openat2", 1)];
    let both = [("openat", 1), ("pwrite64", 1), ("utimensat", 2), ("close", 2)];
    assert_cost(cost, &[&directory[..], &both].concat());
}
