//! haul moves large file trees: it mirrors them by delta, in parallel, and packs them into multi-threaded `.tar.zst`
//! archives that keep all metadata. It unpacks, lists and verifies those and any other `.tar.zst`, and compares trees and
//! archives with each other.
//!
//! Each verb is a function: [`sync`], [`pack`], [`unpack`], [`list`], [`verify`], [`diff`], [`publish`], [`rollback`]. It
//! takes its source, its destination, options, a [`Cancel`] that can stop it from another thread or a signal handler, and
//! an [`Observer`] that sees what happens; `&()` is the silent one. It returns an [`Error`] if it could
//! do nothing, and else a [`Report`]: what was done, what failed and why, and how the run ended.
//!
//! Options begin with their default and are set field by field, so that new ones break nobody.
//!
//! Linux only. Nothing is printed, no signal is handled and no process-wide state is changed, but for the limit of open
//! files, which is raised.
//!
//! # A mirror
//!
//! ```
//! # let scratch = tempfile::tempdir()?;
//! # let (src, dst) = (&scratch.path().join("src"), &scratch.path().join("dst"));
//! # std::fs::create_dir(src)?;
//! # std::fs::write(src.join("file"), "content")?;
//! use haul::{Cancel, SyncOptions};
//!
//! let mut options = SyncOptions::default();
//! options.fsync = true;
//! let report = haul::sync(src, dst, &options, &Cancel::default(), &())?;
//! for failure in &report.failures {
//!     eprintln!("{failure}");
//! }
//! println!("{} created, {} updated", report.counts.created, report.counts.updated);
//! # assert!(report.failures.is_empty() && dst.join("file").exists());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # An archive and back
//!
//! ```
//! # let scratch = tempfile::tempdir()?;
//! # let (src, dst) = (&scratch.path().join("src"), &scratch.path().join("dst"));
//! # let archive = &scratch.path().join("app.tar.zst");
//! # std::fs::create_dir(src)?;
//! # std::fs::write(src.join("file"), "content")?;
//! use haul::{Cancel, PackOptions, Source, Target, UnpackOptions};
//!
//! let cancel = Cancel::default();
//! haul::pack(src, Target::Path(archive), &PackOptions::default(), &cancel, &())?;
//! haul::unpack(Source::Path(archive), dst, &UnpackOptions::default(), &cancel, &())?;
//! # assert_eq!(std::fs::read_to_string(dst.join("file"))?, "content");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One file of an archive
//!
//! ```
//! # let scratch = tempfile::tempdir()?;
//! # let (src, archive) = (&scratch.path().join("src"), &scratch.path().join("app.tar.zst"));
//! # std::fs::create_dir_all(src.join("etc"))?;
//! # std::fs::write(src.join("etc/app.conf"), "port = 80")?;
//! # haul::pack(src, haul::Target::Path(archive), &Default::default(), &Default::default(), &())?;
//! use haul::ArchiveReader;
//! use haul::tree::RelPathBuf;
//!
//! let archive = ArchiveReader::open(archive)?;
//! for listed in archive.entries() {
//!     println!("{:>9} {}", listed.entry.kind.size(), listed.entry.path.as_path().display());
//! }
//! let path = RelPathBuf::from_member_name(b"etc/app.conf")?;
//! let config = archive.read(path.as_path())?;
//! # assert_eq!(config, b"port = 80");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod account;
mod archive;
#[doc(hidden)] // in `internals`
pub mod bench;
pub mod cancel;
#[doc(hidden)]
pub mod delta;
mod dest;
pub mod error;
mod mirror;
#[doc(hidden)] // what is meant for users is exported below
pub mod ops;
#[doc(hidden)]
pub mod plan;
mod pool;
mod record;
pub mod rules;
mod source;
mod sys;
pub mod tree;
mod walk;

pub use account::{Observer, Report};
pub use cancel::Cancel;
pub use error::Error;
pub use ops::diff::{Diff, DiffOptions, diff};
pub use ops::list::{Item, list};
pub use ops::pack::{PackOptions, Target, pack};
pub use ops::probe::probe;
pub use ops::publish::{PublishOptions, publish, rollback};
pub use ops::sync::{SyncOptions, sync};
pub use ops::unpack::{UnpackOptions, unpack};
pub use ops::verify::{VerifyOptions, verify};
pub use ops::{Threads, default_threads};
pub use source::{ArchiveReader, Listed, Source, is_delta};

/// What the options of the verbs are made of.
pub mod options {
    pub use crate::dest::{Capability, DestinationOptions, Insist, OddNames, Probed, Profile};
    pub use crate::ops::pack::{BaseOptions, DeltaOptions, OwnerId, OwnerOptions};
    pub use crate::ops::publish::{By, Reuse};
    pub use crate::ops::sync::{
        Alternate, AlternateUse, Backup, Choice, Copying, Delete, DeleteWhen, Delta, StateOptions, StateTrust,
    };
    pub use crate::ops::unpack::{Prefetch, StampPlace, Update};
    pub use crate::plan::Fields;
    pub use crate::plan::diff::{Step, Trust};
    pub use crate::plan::policy::{
        Chmod, ChmodError, ChmodFault, Compare, IdMap, IdMapError, IdMapFault, Keep, LookUp, Policy, Symlinks,
    };
}

/// What the command line, the tests and the benches need and nobody else: no part of the interface, and free to change
/// with any release.
#[doc(hidden)]
pub mod internals {
    pub use crate::archive::{index, tar};
    pub use crate::bench;
    pub use crate::delta;
    pub use crate::sys::process::{inherited_descriptor, umask};
    pub use crate::sys::users;
}
