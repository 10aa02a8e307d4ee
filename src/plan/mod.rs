//! Decides what to do with an entry; does nothing.
//!
//! Pure functions over values: no I/O, no state. What an entry needs depends on the entry, on what the destination has
//! in its place, and on the policy.

pub(crate) mod acl;
pub(crate) mod attributes;
mod compare;
pub mod diff;
pub(crate) mod escape;
pub(crate) mod join;
pub(crate) mod links;
pub mod names;
pub mod policy;
pub(crate) mod recorded;
pub(crate) mod removal;
pub(crate) mod same;
pub(crate) mod step;
pub(crate) mod symlinks;
pub(crate) mod tree_names;

pub use compare::Fields;
pub(crate) use compare::differences;
