//! Adapts ACLs to the modes and owners of a mirror, where those are changed.

use crate::tree::acl::{AclEntry, GROUP, GROUP_OBJ, MASK, OTHER, USER, USER_OBJ, format, parse};
use std::borrow::Cow;

/// Whose ids an ACL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    User,
    Group,
}

/// The ACL `value` for an inode with this mode, if that is known, with its ids mapped.
///
/// An ACL repeats the mode's permissions for the owner, for others, and for the most that anyone else may do (acl(5)),
/// so a changed mode changes both. An ACL that cannot be parsed stays as it is.
pub(crate) fn adapted(value: &[u8], mode: Option<u32>, id_for: impl Fn(Named, u32) -> u32) -> Cow<'_, [u8]> {
    let Some(entries) = parse(value) else { return Cow::Borrowed(value) };
    let has_mask = entries.iter().any(|entry| entry.tag == MASK);
    let mut changed: Vec<AclEntry> = entries
        .iter()
        .map(|entry| {
            let permissions = mode.and_then(|mode| by_mode(entry.tag, mode, has_mask));
            let id = match entry.tag {
                USER => id_for(Named::User, entry.id),
                GROUP => id_for(Named::Group, entry.id),
                _ => entry.id,
            };
            AclEntry { permissions: permissions.unwrap_or(entry.permissions), id, ..*entry }
        })
        .collect();
    if changed == entries {
        return Cow::Borrowed(value);
    }
    // Each id once.
    changed.sort_unstable();
    changed.dedup_by(|later, first| {
        let same = (later.tag, later.id) == (first.tag, first.id);
        if same {
            // Two entries that became one get the permissions that both had.
            first.permissions &= later.permissions;
        }
        same
    });
    Cow::Owned(format(&changed))
}

/// The mode's permissions for an entry with this tag.
fn by_mode(tag: u16, mode: u32, has_mask: bool) -> Option<u16> {
    let class = match tag {
        USER_OBJ => mode >> 6,
        MASK => mode >> 3,
        GROUP_OBJ if !has_mask => mode >> 3,
        OTHER => mode,
        _ => return None,
    };
    Some((class & 0o7) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_ID: u32 = u32::MAX;

    fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        format(
            &entries
                .iter()
                .map(|&(tag, permissions, id)| AclEntry { tag, id, permissions })
                .collect::<Vec<_>>(),
        )
    }

    fn same(_: Named, id: u32) -> u32 {
        id
    }

    #[test]
    fn a_mode_changes_the_owner_the_mask_and_the_others() {
        let full =
            [(USER_OBJ, 6, NO_ID), (USER, 5, 7), (GROUP_OBJ, 4, NO_ID), (MASK, 7, NO_ID), (OTHER, 0, NO_ID)];
        let value = acl(&full);
        assert!(matches!(adapted(&value, None, same), Cow::Borrowed(_)));
        assert!(matches!(adapted(&value, Some(0o100_670), same), Cow::Borrowed(_)));
        let expected = acl(&[
            (USER_OBJ, 7, NO_ID),
            (USER, 5, 7),
            (GROUP_OBJ, 4, NO_ID),
            (MASK, 5, NO_ID),
            (OTHER, 1, NO_ID),
        ]);
        assert_eq!(*adapted(&value, Some(0o751), same), expected);
        let bare = acl(&[(USER_OBJ, 6, NO_ID), (GROUP_OBJ, 6, NO_ID), (OTHER, 6, NO_ID)]);
        let expected = acl(&[(USER_OBJ, 6, NO_ID), (GROUP_OBJ, 4, NO_ID), (OTHER, 0, NO_ID)]);
        assert_eq!(*adapted(&bare, Some(0o640), same), expected);
    }

    #[test]
    fn ids_are_mapped_and_stay_in_order() {
        let value =
            acl(&[(USER_OBJ, 7, NO_ID), (USER, 6, 1), (USER, 3, 2), (GROUP, 1, 1), (OTHER, 0, NO_ID)]);
        let swap = |named, id| if named == Named::User { 3 - id } else { id };
        let expected =
            acl(&[(USER_OBJ, 7, NO_ID), (USER, 3, 1), (USER, 6, 2), (GROUP, 1, 1), (OTHER, 0, NO_ID)]);
        assert_eq!(*adapted(&value, None, swap), expected);
        let one = |named, id| if named == Named::User { 9 } else { id };
        let expected = acl(&[(USER_OBJ, 7, NO_ID), (USER, 2, 9), (GROUP, 1, 1), (OTHER, 0, NO_ID)]);
        assert_eq!(*adapted(&value, None, one), expected);
    }

    #[test]
    fn what_is_no_acl_stays_as_it_is() {
        for value in [&b""[..], b"x", &[1, 0, 0, 0], &[2, 0, 0, 0, 1]] {
            assert_eq!(*adapted(value, Some(0), |_, id| id + 1), *value);
        }
    }
}
