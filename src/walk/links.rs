//! Hard-link groups: which names lead to one inode.

use super::found::Found;
use crate::tree::Kind;
use std::collections::HashMap;

/// Makes every name of an inode but its first, in path order, a hard link to the first.
pub(super) fn group(found: &mut [Found]) {
    let mut first_names = HashMap::new();
    for i in 0..found.len() {
        let Found { entry, stamp, .. } = &found[i];
        if stamp.nlink < 2 || entry.kind == Kind::Directory {
            continue;
        }
        let first = *first_names.entry((stamp.dev, stamp.ino)).or_insert(i);
        if first != i {
            found[first].has_links = true;
            let target = found[first].entry.path.clone();
            found[i].entry.kind = Kind::HardLink(target);
        }
    }
}
