//! `haul sync` from outside: what it makes of real trees, beside what rsync makes of them.

mod basic;
mod calls;
mod choose;
mod converge;
mod delete;
mod differential;
mod extremes;
mod history;
mod interrupt;
mod metadata;
mod racing;
mod reflink;
mod symlinks;
