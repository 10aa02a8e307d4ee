//! The verbs: for each, its flags, the rules across them, what is run and what is shown.

pub(crate) mod diff;
pub(crate) mod generate;
pub(crate) mod list;
pub(crate) mod pack;
pub(crate) mod probe;
pub(crate) mod rollback;
pub(crate) mod sync;
pub(crate) mod unpack;
pub(crate) mod verify;
