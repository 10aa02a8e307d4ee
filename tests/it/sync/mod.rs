//! `haul sync` from outside: what it makes of real trees, beside what rsync makes of them.

mod basic;
mod choose;
mod delete;
mod differential;
mod history;
mod interrupt;
mod metadata;
mod symlinks;
