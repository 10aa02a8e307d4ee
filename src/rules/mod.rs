//! Every language that chooses entries or describes a policy. Pure: reads no tree and opens no file.
//!
//! This module is rsync's filter language, with which every command chooses which entries are sent (packed, unpacked,
//! listed) and which are protected from deletion. Lists of paths, modes and owners have their own modules.
//!
//! Owns the rules of `--filter`, `--include`, `--exclude`, their `-from` forms, `--exclude-vcs`, `--only`, `-F`, `-C`
//! and `--gitignore`: their grammar, what their patterns match, their order, and what merge files in the tree add to
//! them. Reads no tree and opens no file: the caller passes the content of merge files. The caller also acts on a
//! decision, for example by skipping everything below an excluded directory.
//!
//! # Use
//!
//! [`Rules::new`] reads the options. Each side of a transfer has its own tree, so [`Rules::root`] is called once for
//! each; from there [`Scope::enter`] goes down, directory by directory. An entry is judged by the scope of its
//! directory and its path below the root: [`Scope::transfers`] on the sending side, [`Scope::protects`] on the
//! receiving side, or [`Scope::verdict`] on either, which also recognises directories that are only on the way to
//! selected entries. An archive has no rules of its own, so the rules of [`Rules::in_archive`] apply to all of it
//! ([`Scope::verdict_below`]).
//!
//! ```
//! use haul::tree::RelPath;
//! use haul::rules::{Given, MergeFile, Rules, Settings, Side};
//!
//! let given = [Given::Filter(b": .keep".to_vec()), Given::Exclude(b"*.o".to_vec())];
//! let rules = Rules::new(&given, Settings::default(), &mut |_| unreachable!("no file is named"))?;
//!
//! // The tree has a file `src/.keep`.
//! let mut read = |file: MergeFile<'_>| match file {
//!     MergeFile::Inside(path) if path.as_bytes() == b"src/.keep" => Some(b"+ /main.o\n".to_vec()),
//!     _ => None,
//! };
//! let root = rules.root(Side::Sender, b"/home/me/project", &mut read)?;
//! let src = root.enter(RelPath::new(b"src")?, &mut read)?;
//! assert!(src.transfers(RelPath::new(b"src/main.o")?, false));
//! assert!(!src.transfers(RelPath::new(b"src/other.o")?, false));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where this is not rsync
//!
//! The decisions are those of rsync 3.5 (a test compares them on random trees), except where rsync contradicts its
//! manual:
//!
//! * A directory's name is never a pattern: an anchored rule of a merge file also applies in a directory `a[b]`.
//! * Sides (`s`, `r`, `H`, `S`, `P`, `R`, and what `--delete-excluded` makes of a rule without one) apply in every
//!   file, including one that a per-directory file merges with `.`, a `-C` of a per-directory file, and the rule that
//!   an `e` in such a file adds.
//! * An `x` with a merge rule or with `C`, a `!` with `C`, an argument of `-C`, and a NUL byte in a rule are errors:
//!   rsync accepts them, and ignores them or the rest of the rule.

pub mod chmod;
mod expand;
mod gitignore;
pub mod ids;
mod list;
pub mod listed;
mod parse;
mod pattern;
mod place;
mod rule;
mod scope;
mod select;
mod settings;
pub(crate) mod wild;

pub use crate::error::{Origin, RuleError, RuleFault};
pub use list::{Given, Rules};
pub use place::MergeFile;
pub use scope::{ReadMerge, Scope, Verdict};
pub(crate) use select::Chooser;
pub use select::Select;
pub use settings::{Settings, Side};
