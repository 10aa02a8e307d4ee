//! From an entry and what is at its place to an action.

use crate::tree::{Kind, Standing};

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

/// The action for an entry of kind `src` where `dst` is.
pub(crate) fn decide(src: &Kind, dst: Standing, existing: Existing) -> Action {
    match (dst, existing, src) {
        (Standing::Nothing, _, _) => Action::Create,
        (_, Existing::Keep, _) => Action::Skip,
        (Standing::Directory, Existing::Replace, Kind::Directory) => Action::SetMetadata,
        (_, Existing::Replace, _) => Action::Replace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_has_its_action() {
        use Action::{Create, Replace, SetMetadata, Skip};
        let (file, dir) = (Kind::file(1), Kind::Directory);
        for (src, dst, existing, action) in [
            (&file, Standing::Nothing, Existing::Replace, Create),
            (&dir, Standing::Nothing, Existing::Keep, Create),
            (&file, Standing::Other, Existing::Replace, Replace),
            (&file, Standing::Directory, Existing::Replace, Replace),
            (&dir, Standing::Other, Existing::Replace, Replace),
            (&dir, Standing::Directory, Existing::Replace, SetMetadata),
            (&dir, Standing::Directory, Existing::Keep, Skip),
            (&file, Standing::Other, Existing::Keep, Skip),
        ] {
            assert_eq!(decide(src, dst, existing), action, "{src:?} {dst:?} {existing:?}");
        }
    }
}
