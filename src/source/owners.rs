//! Adds the names of owners to the entries of a scan, which has only numbers; an archive also has names.

use crate::sys::users;
use crate::tree::{Entry, Owner};
use std::collections::HashMap;
use std::sync::Arc;

/// Gives every entry of a scan the names of its owner.
pub(crate) fn name_owners<'a>(entries: impl Iterator<Item = &'a mut Entry>) {
    let mut named: HashMap<(u32, u32), Arc<Owner>> = HashMap::new();
    for entry in entries {
        let ids = (entry.meta.owner.uid, entry.meta.owner.gid);
        let owner = named.entry(ids).or_insert_with(|| {
            let user = users::user_name(ids.0).unwrap_or_default();
            let group = users::group_name(ids.1).unwrap_or_default();
            Arc::new(Owner { uid: ids.0, gid: ids.1, user, group })
        });
        entry.meta.owner = Arc::clone(owner);
    }
}
