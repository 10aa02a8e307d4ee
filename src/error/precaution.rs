//! What is refused because it is probably a mistake.

use super::display_path;
use std::path::PathBuf;

/// Why something is not done although it could be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // each is the sentence that it prints
pub enum Precaution {
    #[error("{} is empty, so everything in {} would be deleted", display_path(src), display_path(dst))]
    EmptySource { src: PathBuf, dst: PathBuf },
    #[error("{} is empty, so everything in {} would be deleted", display_path(archive), display_path(dst))]
    EmptyArchive { archive: PathBuf, dst: PathBuf },
    #[error("{} and {} are the same directory", display_path(src), display_path(dst))]
    SameDirectory { src: PathBuf, dst: PathBuf },
    #[error("{} cannot be replaced by a delta of itself", display_path(base))]
    DeltaOverBase { base: PathBuf },
    #[error(
        "{} has no name of its own that another tree could take: give a path that ends in a name",
        display_path(path)
    )]
    NoName { path: PathBuf },
    #[error("{} is a symbolic link", display_path(path))]
    SymbolicLink { path: PathBuf },
    #[error(
        "{} is a directory, which no symbolic link can replace in one step: move it away and make a symbolic link to it \
         first",
        display_path(path)
    )]
    Directory { path: PathBuf },
    #[error(
        "{} is a mount point, which cannot be exchanged: publish into a directory below it",
        display_path(path)
    )]
    MountPoint { path: PathBuf },
    #[error(
        "{} has something mounted below it, which would stay with the old tree: mount it elsewhere and let a symbolic \
         link lead there",
        display_path(path)
    )]
    MountBelow { path: PathBuf },
    #[error("{} belongs to another user, so it is not used", display_path(store))]
    OtherOwner { store: PathBuf },
    #[error("there is no older version of {} to bring back", display_path(path))]
    NotKept { path: PathBuf },
}

impl Precaution {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Precaution::EmptySource { .. } | Precaution::EmptyArchive { .. } => "empty-source",
            Precaution::SameDirectory { .. } => "same-directory",
            Precaution::DeltaOverBase { .. } => "delta-over-base",
            Precaution::NoName { .. } => "no-name",
            Precaution::SymbolicLink { .. } => "symbolic-link",
            Precaution::Directory { .. } => "is-a-directory",
            Precaution::MountPoint { .. } | Precaution::MountBelow { .. } => "mount-point",
            Precaution::OtherOwner { .. } => "other-owner",
            Precaution::NotKept { .. } => "not-kept",
        }
    }
}
