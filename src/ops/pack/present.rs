//! How the archive presents the entries of a tree: their owners' names, and the latest time.

use super::options::{OwnerOptions, PackOptions};
use crate::sys::users;
use crate::tree::Owner;
use crate::walk::Found;
use std::collections::HashMap;
use std::sync::Arc;

/// Gives every entry the owner and the time that the archive records.
pub(super) fn present(found: &mut [Found], options: &PackOptions) {
    let mut owners: HashMap<(u32, u32), Arc<Owner>> = HashMap::new();
    for one in found {
        let meta = &mut one.entry.meta;
        let ids = (meta.owner.uid, meta.owner.gid);
        meta.owner =
            Arc::clone(owners.entry(ids).or_insert_with(|| Arc::new(shown_owner(ids, &options.owner))));
        if let Some(latest) = options.latest_mtime
            && meta.mtime.seconds >= latest
        {
            meta.mtime.seconds = latest;
            meta.mtime.nanos = 0;
        }
    }
}

fn shown_owner((uid, gid): (u32, u32), options: &OwnerOptions) -> Owner {
    let (uid, user) = match &options.user {
        Some(user) => (user.id, Some(user.name.clone())),
        None => (uid, None),
    };
    let (gid, group) = match &options.group {
        Some(group) => (group.id, Some(group.name.clone())),
        None => (gid, None),
    };
    if options.numeric {
        return Owner { uid, gid, ..Owner::default() };
    }
    let user = user.or_else(|| users::user_name(uid)).unwrap_or_default();
    let group = group.or_else(|| users::group_name(gid)).unwrap_or_default();
    Owner { uid, gid, user, group }
}

#[cfg(test)]
mod tests {
    use super::super::options::OwnerId;
    use super::*;

    #[test]
    fn a_given_owner_replaces_the_real_one_and_numeric_drops_names() {
        let joe = OwnerId { id: 7, name: (*b"joe").into() };
        let options = OwnerOptions { numeric: false, user: Some(joe.clone()), group: None };
        let owner = shown_owner((0, 0), &options);
        assert_eq!((owner.uid, &*owner.user, owner.gid, &*owner.group), (7, &b"joe"[..], 0, &b"root"[..]));
        let owner = shown_owner((0, 0), &OwnerOptions { numeric: true, user: Some(joe), group: None });
        assert_eq!((owner.uid, &*owner.user, &*owner.group), (7, &b""[..], &b""[..]));
    }
}
