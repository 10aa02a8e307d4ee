//! Tests of haul from outside: of the command, run on real trees, and of the house that the code is.
//!
//! Two oracles judge a tree: [`support::snapshot`], which is ours and sees everything, and `rsync`, which is not ours.
//! A test that needs a program that is not installed says so and is skipped; with `HAUL_REQUIRE_PEERS=1` it fails.

// A test has no caller to report to, is not a library, and looks at trees through plain paths on purpose.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr, clippy::missing_panics_doc)]
#![allow(unreachable_pub, missing_debug_implementations)]

mod calls;
mod change;
mod cli;
mod compare;
mod damage;
mod delta;
mod determinism;
mod diff;
mod filters;
mod format;
mod gitignore;
mod hostile;
mod house;
mod listing;
mod mounts;
mod names;
mod odd;
mod prefetch;
mod props;
mod publish;
mod real;
mod repack;
mod roundtrip;
mod select;
mod signals;
mod stock;
mod support;
mod sync;
mod times;
mod update;
