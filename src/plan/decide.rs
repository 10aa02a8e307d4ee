//! From an entry and what is at its place to an action.

use crate::tree::Kind;

/// What to do about an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing is there: make it.
    Create,
    /// Something is there: make it beside, then let it take the place.
    Replace,
    /// A directory is there and stays; its metadata are set.
    SetMetadata,
    /// Leave what is there.
    Skip,
}

/// What is to become of entries that exist in the destination already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Replace,
    Keep,
}

/// The action for an entry of kind `src` where `dst` is, a directory or something else.
pub(crate) fn decide(src: &Kind, dst: Option<Place>, existing: Existing) -> Action {
    match (dst, existing, src) {
        (None, _, _) => Action::Create,
        (Some(_), Existing::Keep, _) => Action::Skip,
        (Some(Place::Directory), Existing::Replace, Kind::Directory) => Action::SetMetadata,
        (Some(_), Existing::Replace, _) => Action::Replace,
    }
}

/// What is at an entry's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Directory,
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_its_action() {
        use Action::{Create, Replace, SetMetadata, Skip};
        let (file, dir) = (Kind::file(1), Kind::Directory);
        for (src, dst, existing, action) in [
            (&file, None, Existing::Replace, Create),
            (&dir, None, Existing::Keep, Create),
            (&file, Some(Place::Other), Existing::Replace, Replace),
            (&file, Some(Place::Directory), Existing::Replace, Replace),
            (&dir, Some(Place::Other), Existing::Replace, Replace),
            (&dir, Some(Place::Directory), Existing::Replace, SetMetadata),
            (&dir, Some(Place::Directory), Existing::Keep, Skip),
            (&file, Some(Place::Other), Existing::Keep, Skip),
        ] {
            assert_eq!(decide(src, dst, existing), action, "{src:?} {dst:?} {existing:?}");
        }
    }
}
