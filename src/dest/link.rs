//! Creates another name of an existing entry, for every verb: a hard link or, if that is not possible, a copy.

use super::copy::{CopyHands, ExistingEntry, copy_entry};
use super::dir::Directory;
use super::options::Capability;
use super::{Failed, failed};
use crate::account::Cause;
use crate::error::Act;
use crate::tree::Device;

/// A new name that is complete, but not published.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Its temporary name, if it does not have its own.
    pub(crate) temp: Option<Vec<u8>>,
    /// It is a separate inode.
    pub(crate) is_copy: bool,
}

/// Makes `name` in `to` another name of `from`, or a copy of it if the file system has no hard links or the inode
/// cannot have more names.
pub(crate) fn link_or_copy(
    hands: &mut CopyHands<'_, '_>,
    from: ExistingEntry<'_>,
    to: &Directory,
    name: &[u8],
) -> Result<Linked, Failed> {
    if hands.can.has(Capability::HardLinks) {
        match to.create_link(name, from.dir, from.name) {
            Ok(temp) => {
                if let Some(inode) = from.inode {
                    to.check_link(temp.as_deref().unwrap_or(name), inode)?;
                }
                return Ok(Linked { temp, is_copy: false });
            }
            Err(errno) if hands.can.refuses(Capability::HardLinks, errno) => {}
            Err(errno) => return Err(failed(Act::Link)(errno)),
        }
    }
    hands.can.leave_out(Capability::HardLinks);
    let temp = copy_entry(hands, from, to, name)?;
    Ok(Linked { temp, is_copy: true })
}

impl Directory {
    /// Checks that the link `at` leads to `inode`: the name that was linked to may lead to something else by now, and
    /// then the link is removed.
    pub(crate) fn check_link(&self, at: &[u8], inode: (Device, u64)) -> Result<(), Failed> {
        let linked = self.dir.stat(at).map_err(failed(Act::Stat))?;
        if linked.id() == inode {
            return Ok(());
        }
        self.dir.remove_file(at).map_err(failed(Act::Remove))?;
        Err(Failed::Entry(Act::Link, Cause::Replaced))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // a test makes its own files

    use super::*;
    use crate::dest::Insist;
    use crate::dest::capabilities::{Capabilities, Inquiry, Lack};
    use crate::dest::content::{Copier, Flow, Ways};
    use crate::sys::Dir;
    use crate::tree::attributes::Who;
    use std::num::NonZeroUsize;

    #[test]
    fn where_there_are_no_hard_links_a_copy_serves_and_that_is_reported_once() {
        for (lacks, is_copy) in [(&[][..], false), (&[Capability::HardLinks], true)] {
            let temp = tempfile::tempdir().unwrap();
            std::fs::write(temp.path().join("a"), "content").unwrap();
            let dir = Dir::open(temp.path()).unwrap();
            let stat = dir.stat_self().unwrap();
            let who = Who { uid: stat.uid, gid: stat.gid, groups: vec![stat.gid], umask: 0o022 };
            let to = Directory::live(dir, &stat, &who);
            let can = Capabilities::new(lacks, Insist::default(), Inquiry::Impossible);
            let ways = Ways { sparse: false, preallocate: false, threads: NonZeroUsize::MIN };
            let mut copier = Copier::new(ways, &can.copying);
            let inode = to.dir.stat(b"a").unwrap().id();
            for name in [&b"b"[..], b"c"] {
                let mut hands = CopyHands {
                    copier: &mut copier,
                    moved: &mut |_| Flow::Continue(()),
                    who: &who,
                    can: &can,
                    fsync: false,
                    act: Act::Link,
                };
                let from = ExistingEntry { dir: &to.dir, name: b"a", inode: Some(inode) };
                let linked = link_or_copy(&mut hands, from, &to, name).unwrap();
                assert_eq!(linked.is_copy, is_copy);
                to.publish(&linked.temp.unwrap(), name).unwrap();
                assert_eq!(std::fs::read(temp.path().join("b")).unwrap(), b"content");
                assert_eq!(to.dir.stat(name).unwrap().id() == inode, !is_copy);
            }
            let expected = if is_copy { vec![Lack::Of(Capability::HardLinks)] } else { vec![] };
            assert_eq!(can.take_lacks(), expected);
        }
    }
}
