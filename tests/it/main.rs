//! Tests of haul from outside: of the command, and of the house that the code is.

// Tests stop at the first thing that goes wrong, and touch the disk as any program does.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod cli;
mod house;
