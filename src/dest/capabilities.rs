//! What a destination keeps and can do: one value for all threads of a run.
//!
//! Owns what is known about it, and how that is learned: from the caller, who may know better than any trial, and from
//! what the system refuses. Makes no call itself. Every step that has an alternative, or can be left out, asks here
//! first, so that no call that is known to fail is made for every entry, and each lack is reported once ([`Lack`]).

use super::content::Learned;
use super::options::{Capability, DestinationOptions, Insist, OddNames};
use crate::plan::names::NameRules;
use crate::tree::Xattr;
use rustix::io::Errno;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// After this many refusals that may be about single entries, a capability counts as missing.
const ENOUGH: u8 = 8;

const COUNT: usize = Capability::AnyName as usize + 1;

/// What is known about a destination. Shared by all threads; seeing a change late costs one more call.
#[derive(Debug, Default)]
pub(crate) struct Capabilities {
    /// How often each was refused.
    refusals: [AtomicU8; COUNT],
    /// Whether the lack has been reported.
    reported: [AtomicBool; COUNT],
    /// The namespaces of extended attributes, or single names, that were refused.
    xattrs: Mutex<Vec<Box<[u8]>>>,
    has_refused_xattrs: AtomicBool,
    /// What the caller insists on: an entry that lacks it has failed.
    insists: Insist,
    /// What is done with names that it does not take.
    odd_names: OddNames,
    /// Which ways of copying content were refused, by the device of the source.
    pub(crate) copying: Learned,
}

/// Something that the destination lacks, found for the first time, as a sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Extended attributes of this namespace, or of this name.
    Xattrs(Box<[u8]>),
    Acls,
    HardLinks,
}

impl Capabilities {
    /// Those of a destination that is treated like this, before it is asked.
    pub(crate) fn of(options: &DestinationOptions) -> Self {
        let odd_names = options.names;
        Capabilities { odd_names, ..Capabilities::without(&options.without, options.insist) }
    }

    /// Those of a destination that is assumed to lack these, without asking it.
    pub(crate) fn without(lacks: &[Capability], insists: Insist) -> Self {
        let lacks_one = |capability| lacks.contains(&capability);
        let copying = Learned::without(lacks_one(Capability::Reflink), lacks_one(Capability::KernelCopy));
        let capabilities = Capabilities { insists, copying, ..Capabilities::default() };
        for &lack in lacks {
            capabilities.refusals[lack as usize].store(ENOUGH, Ordering::Relaxed);
        }
        capabilities
    }

    /// Whether it may be there: it is not known to be missing.
    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.refusals[capability as usize].load(Ordering::Relaxed) < ENOUGH
    }

    /// Records that a call that needs `capability` failed with this error. Returns whether that is a refusal, so that
    /// another way should be taken.
    ///
    /// An error that means that the system cannot do it counts at once. One that may be about the entry at hand, such
    /// as EPERM for an immutable one, counts after a few times. EMLINK is about one inode, and EXDEV about two file
    /// systems: they never count.
    pub(crate) fn refuses(&self, capability: Capability, errno: Errno) -> bool {
        let weight = match errno {
            Errno::MLINK | Errno::XDEV if capability == Capability::HardLinks => 0,
            Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL => ENOUGH,
            Errno::PERM => 1,
            _ => return false,
        };
        let count = &self.refusals[capability as usize];
        count.store(count.load(Ordering::Relaxed).saturating_add(weight), Ordering::Relaxed);
        true
    }

    /// Records that it lacks this, as a trial has shown.
    pub(crate) fn lacks(&self, capability: Capability) {
        self.refusals[capability as usize].store(ENOUGH, Ordering::Relaxed);
    }

    /// What it makes of names.
    pub(crate) fn names(&self) -> NameRules {
        NameRules {
            folds: !self.has(Capability::CaseSensitive),
            forbids: !self.has(Capability::AnyName),
            odd: self.odd_names,
        }
    }

    /// The lack to report for hard links that became copies, the first time.
    pub(crate) fn hard_links_lack(&self) -> Option<Lack> {
        self.is_first(Capability::HardLinks).then_some(Lack::HardLinks)
    }

    /// Whether this attribute may be kept: it is not known to be refused.
    pub(crate) fn keeps_xattr(&self, name: &[u8]) -> bool {
        let needed = if is_acl(name) { Capability::Acls } else { Capability::Xattrs };
        self.has(needed)
            && (!self.has_refused_xattrs.load(Ordering::Relaxed)
                || !self.refused_xattrs().iter().any(|unit| **unit == *unit_of(name)))
    }

    /// Records that setting this attribute was refused: EOPNOTSUPP, which is about its namespace. `Err` if it must not
    /// be left out.
    pub(crate) fn refuse_xattr(&self, xattr: &Xattr) -> Result<Option<Lack>, Errno> {
        if if xattr.is_acl() { self.insists.acls } else { self.insists.xattrs } {
            return Err(Errno::OPNOTSUPP);
        }
        let unit = unit_of(&xattr.name);
        let mut refused = self.refused_xattrs();
        if refused.iter().any(|known| **known == *unit) {
            return Ok(None);
        }
        refused.push(unit.into());
        self.has_refused_xattrs.store(true, Ordering::Relaxed);
        Ok(Some(if xattr.is_acl() { Lack::Acls } else { Lack::Xattrs(unit.into()) }))
    }

    fn refused_xattrs(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.xattrs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_first(&self, capability: Capability) -> bool {
        !self.reported[capability as usize].swap(true, Ordering::Relaxed)
    }
}

fn is_acl(name: &[u8]) -> bool {
    name.starts_with(b"system.posix_acl_")
}

/// What is refused together with this attribute: its namespace, xattr(7); both ACLs; in `security.` and `system.`,
/// which several parts of the kernel share, only the name.
fn unit_of(name: &[u8]) -> &[u8] {
    const ACLS: &[u8] = b"system.posix_acl_";
    if is_acl(name) {
        return ACLS;
    }
    if name.starts_with(b"security.") || name.starts_with(b"system.") {
        return name;
    }
    let dot = name.iter().position(|&b| b == b'.').map_or(name.len(), |dot| dot + 1);
    &name[..dot]
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Acls => f.write_str("the destination does not keep ACLs; they are left out"),
            Lack::HardLinks => {
                f.write_str("the destination cannot make some hard links; those names become copies")
            }
            Lack::Xattrs(unit) => {
                let which = crate::tree::path::escape(unit);
                let star = if unit.ends_with(b".") { "*" } else { "" };
                write!(
                    f,
                    "the destination does not keep extended attributes named {which}{star}; they are left out"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xattr(name: &str) -> Xattr {
        Xattr { name: name.as_bytes().into(), value: Box::default() }
    }

    #[test]
    fn what_is_impossible_is_believed_at_once_and_what_may_be_one_entrys_fault_later() {
        use Capability::{Exchange, HardLinks};
        let known = Capabilities::default();
        assert!(known.has(HardLinks) && known.refuses(HardLinks, Errno::OPNOTSUPP) && !known.has(HardLinks));
        let known = Capabilities::default();
        for times in 0..ENOUGH {
            assert!(known.has(HardLinks), "after {times}");
            assert!(known.refuses(HardLinks, Errno::PERM));
        }
        assert!(!known.has(HardLinks) && known.has(Exchange));
        let known = Capabilities::default();
        for errno in [Errno::MLINK, Errno::XDEV] {
            assert!((0..100).all(|_| known.refuses(HardLinks, errno)) && known.has(HardLinks));
        }
        assert!(!known.refuses(HardLinks, Errno::NOENT) && !known.refuses(Exchange, Errno::MLINK));
    }

    #[test]
    fn a_refused_attribute_takes_only_its_namespace_with_it() {
        for (refused, still_kept, gone) in [
            (
                "btrfs.compression",
                &["user.a", "security.capability", "system.posix_acl_access"][..],
                &["btrfs.x"][..],
            ),
            ("user.a", &["trusted.a", "security.a"], &["user.b"]),
            ("security.selinux", &["security.capability", "user.a"], &["security.selinux"]),
            ("system.posix_acl_access", &["user.a"], &["system.posix_acl_default"]),
            ("odd", &["user.a"], &["odd"]),
        ] {
            let known = Capabilities::default();
            assert!(known.refuse_xattr(&xattr(refused)).unwrap().is_some(), "{refused}");
            assert_eq!(known.refuse_xattr(&xattr(refused)), Ok(None), "{refused} is reported once");
            assert!(still_kept.iter().all(|name| known.keeps_xattr(name.as_bytes())), "{refused}");
            assert!(!gone.iter().any(|name| known.keeps_xattr(name.as_bytes())), "{refused}");
        }
    }

    #[test]
    fn what_is_insisted_on_is_never_left_out() {
        let known = Capabilities::without(&[], Insist { xattrs: true, acls: false });
        assert_eq!(known.refuse_xattr(&xattr("user.a")), Err(Errno::OPNOTSUPP));
        assert!(known.keeps_xattr(b"user.a"));
        assert_eq!(known.refuse_xattr(&xattr("system.posix_acl_access")), Ok(Some(Lack::Acls)));
    }

    #[test]
    fn the_caller_knows_better_than_a_trial() {
        let known = Capabilities::without(&[Capability::HardLinks, Capability::Xattrs], Insist::default());
        assert!(!known.has(Capability::HardLinks) && !known.keeps_xattr(b"user.a"));
        assert!(known.keeps_xattr(b"system.posix_acl_access"));
        assert_eq!(known.hard_links_lack(), Some(Lack::HardLinks));
        assert_eq!(known.hard_links_lack(), None);
    }

    #[test]
    fn a_lack_reads_as_a_sentence() {
        assert_eq!(
            Lack::Xattrs((*b"user.").into()).to_string(),
            "the destination does not keep extended attributes named user.*; they are left out"
        );
    }
}
