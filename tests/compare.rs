//! The tests in the modules of `benches/compare`: a bench without the test harness has nowhere to run them.

// The program's own root, without its main function, and what only that uses.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::print_stderr)]
#![allow(unreachable_pub, missing_debug_implementations, dead_code)]

#[path = "../benches/compare/args.rs"]
mod args;
#[path = "../benches/compare/batch.rs"]
mod batch;
#[path = "../benches/compare/call.rs"]
mod call;
#[path = "../benches/compare/child.rs"]
mod child;
#[path = "../benches/compare/files.rs"]
mod files;
#[path = "../benches/compare/floor.rs"]
mod floor;
#[path = "../benches/compare/interrupt.rs"]
mod interrupt;
#[path = "../benches/compare/machine.rs"]
mod machine;
#[path = "../benches/compare/measure.rs"]
mod measure;
#[path = "../benches/compare/mount.rs"]
mod mount;
#[path = "../benches/compare/profile.rs"]
mod profile;
#[path = "../benches/compare/report.rs"]
mod report;
#[path = "../benches/compare/slow.rs"]
mod slow;
#[allow(clippy::unwrap_used, unused_imports)]
#[path = "it/support/slowfs/mod.rs"]
mod slowfs;
#[path = "../benches/compare/stats.rs"]
mod stats;
#[path = "../benches/compare/streams.rs"]
mod streams;
#[path = "../benches/compare/target.rs"]
mod target;
#[path = "../benches/compare/tasks.rs"]
mod tasks;
#[path = "../benches/compare/tools.rs"]
mod tools;
#[path = "../benches/compare/trees/mod.rs"]
mod trees;
#[path = "../benches/compare/versions.rs"]
mod versions;
