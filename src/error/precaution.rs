//! What is not done because it would mostly be a mistake.

use super::display_path;
use std::path::PathBuf;

/// Why nothing is done, although it could be.
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
    #[error("{} cannot be replaced by a delta of it", display_path(base))]
    DeltaOverBase { base: PathBuf },
    #[error("{} has no name that another tree could take", display_path(path))]
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
        "{} is a mount point, which stays where it is: publish into a directory below it",
        display_path(path)
    )]
    MountPoint { path: PathBuf },
    #[error(
        "{} has something mounted below it, which would stay with the old tree: mount it elsewhere and let a symbolic \
         link lead there",
        display_path(path)
    )]
    MountBelow { path: PathBuf },
    #[error("{} belongs to another user, so nothing is published from it", display_path(store))]
    OtherOwner { store: PathBuf },
    #[error("no older version of {} is kept, so none can be brought back", display_path(path))]
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
