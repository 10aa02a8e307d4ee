//! Tests of haul from outside: of the command, and of the house that the code is.

mod cli;
mod house;
