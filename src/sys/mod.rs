//! The operating system: the only place with system calls on paths, and the only one with `unsafe`.
//!
//! Owns descriptors and the calls on them; every name below a root is resolved relative to a held descriptor and no
//! symlink below a root is ever followed. Decides nothing: the caller says what to open, write or remove. Sources: the
//! Linux man pages, section 2, named at each call.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_methods)] // this is where they belong

pub(crate) mod commit;
pub(crate) mod copy;
pub(crate) mod dir;
pub(crate) mod grain;
pub(crate) mod handle;
pub(crate) mod lock;
pub(crate) mod meta;
pub(crate) mod mounts;
mod names;
pub(crate) mod open;
pub(crate) mod output;
pub(crate) mod process;
pub(crate) mod sparse;
pub mod users;
pub(crate) mod xattr;

pub(crate) use dir::Dir;
pub(crate) use handle::Handle;
pub(crate) use meta::{FileKind, Stat};
pub(crate) use names::Names;
