//! Hard-link groups of a scan.

use super::found::Found;
use crate::plan::links::by_inode;
use crate::tree::Kind;

/// Makes every name of an inode but its first, in path order, a hard link to the first.
pub(super) fn group(found: &mut [Found]) {
    let inode = |Found { entry, stamp, .. }: &Found| {
        (stamp.nlink > 1 && entry.kind != Kind::Directory).then_some((stamp.dev, stamp.ino))
    };
    for (name, first) in by_inode(found.iter().map(inode)) {
        found[first].has_links = true;
        let target = found[first].entry.path.clone();
        found[name].entry.kind = Kind::HardLink(target);
    }
}
