//! Flags that several verbs have, each with its values and the rules across them.

pub(crate) mod alternates;
pub(crate) mod destination;
pub(crate) mod filters;
pub(crate) mod in_flight;
pub(crate) mod layers;
pub(crate) mod local;
pub(crate) mod members;
pub(crate) mod named;
pub(crate) mod order;
pub(crate) mod owner;
pub(crate) mod publish;
pub(crate) mod size;
pub(crate) mod threads;
