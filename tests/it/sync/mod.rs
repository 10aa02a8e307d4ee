//! `haul sync` from outside: its results on real trees, compared with rsync's.

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
mod state;
mod symlinks;
