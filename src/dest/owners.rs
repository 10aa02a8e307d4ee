//! The owner of an entry in the numbers of this system.

use crate::sys::users;
use crate::tree::Owner;
use std::collections::HashMap;
use std::sync::Arc;

/// Resolves owners, each only once. One per thread.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    known: HashMap<Arc<Owner>, (u32, u32)>,
    last: Option<(Arc<Owner>, (u32, u32))>,
}

impl Owners {
    /// The user's and the group's number: by name if the name is known here, otherwise the given number.
    pub(super) fn ids(&mut self, owner: &Arc<Owner>, numeric: bool) -> (u32, u32) {
        if numeric {
            return (owner.uid, owner.gid);
        }
        match &self.last {
            Some((last, ids)) if Arc::ptr_eq(last, owner) => return *ids,
            _ => {}
        }
        let ids = *self.known.entry(Arc::clone(owner)).or_insert_with(|| look_up(owner));
        self.last = Some((Arc::clone(owner), ids));
        ids
    }
}

fn look_up(owner: &Owner) -> (u32, u32) {
    let named =
        |name: &[u8], look_up: fn(&[u8]) -> Option<u32>| (!name.is_empty()).then(|| look_up(name)).flatten();
    (
        named(&owner.user, users::user_id).unwrap_or(owner.uid),
        named(&owner.group, users::group_id).unwrap_or(owner.gid),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_wins_and_an_unknown_one_does_not() {
        let owner =
            |user: &[u8]| Arc::new(Owner { uid: 7, gid: 8, user: user.into(), group: Box::default() });
        let mut owners = Owners::default();
        assert_eq!(owners.ids(&owner(b"root"), false), (0, 8));
        assert_eq!(owners.ids(&owner(b"root"), true), (7, 8));
        assert_eq!(owners.ids(&owner(b"no such user"), false), (7, 8));
    }
}
