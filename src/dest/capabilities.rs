//! What a destination keeps and can do: one value for all threads of a run.
//!
//! Owns what is known about it, and how that is learned: from the caller, who may know better than any trial, from a
//! probe ([`super::survey`]), and from what the system refuses. Makes no call itself. Every step that has an
//! alternative, or can be left out, asks here first, so that no call that is known to fail is made for every entry, and
//! each lack is reported once ([`Lack`]).

use super::content::Learned;
use super::options::{Capability, Insist, OddNames};
use crate::plan::names::NameRules;
use crate::tree::attributes::{Attributes, Changes};
use rustix::io::Errno;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// After this many refusals that may be about single entries, a capability counts as missing.
const ENOUGH: u8 = 8;

const COUNT: usize = Capability::ALL.len();

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
    /// What was found to be missing, and is to be reported.
    lacks: Mutex<Vec<Lack>>,
    has_lacks: AtomicBool,
    /// What the caller insists on: an entry that lacks it has failed.
    insists: Insist,
    /// What is done with names that it does not take.
    odd_names: OddNames,
    inquiry: Inquiry,
    /// Which ways of copying content were refused, by the device of the source.
    pub(crate) copying: Learned,
}

/// Finds out what the destination lacks; `None` if that is not possible.
pub(crate) type Ask = Box<dyn Fn() -> Option<Vec<Capability>> + Send + Sync>;

/// How a refusal is judged that may be about the entry at hand.
#[derive(Default)]
pub(crate) enum Inquiry {
    /// Nothing tells.
    #[default]
    Impossible,
    /// The destination was probed: what it was not found to lack, it has.
    Done,
    /// It is probed at the first such refusal. The answer is whether that was possible.
    OnRefusal(Ask, OnceLock<bool>),
}

/// Something that the destination lacks, found for the first time, as a sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lack {
    /// All of a kind.
    Of(Capability),
    /// Extended attributes of this namespace, or of this name.
    Xattrs(Box<[u8]>),
}

impl Capabilities {
    /// Those of a destination that is known to lack these, and of which `inquiry` may tell more.
    pub(crate) fn new(lacks: &[Capability], insists: Insist, inquiry: Inquiry) -> Self {
        let lacks_one = |capability| lacks.contains(&capability);
        let copying = Learned::without(lacks_one(Capability::Reflink), lacks_one(Capability::KernelCopy));
        let capabilities = Capabilities { insists, inquiry, copying, ..Capabilities::default() };
        for &lack in lacks {
            capabilities.miss(lack);
        }
        capabilities
    }

    /// Whether it may be there: it is not known to be missing.
    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.refusals[capability as usize].load(Ordering::Relaxed) < ENOUGH
    }

    /// Records that it is missing.
    pub(crate) fn miss(&self, capability: Capability) {
        self.refusals[capability as usize].store(ENOUGH, Ordering::Relaxed);
    }

    /// Treats it as missing because it is not wanted, which is not reported.
    pub(crate) fn do_without(&self, capability: Capability) {
        self.miss(capability);
        self.reported[capability as usize].store(true, Ordering::Relaxed);
    }

    /// Whether what needs it is left out: it is missing, and nobody insists on it.
    pub(crate) fn leaves_out(&self, capability: Capability) -> bool {
        !self.has(capability) && !self.insists.on(capability)
    }

    /// Whether an entry has failed that is made without it.
    pub(crate) fn insists_on(&self, capability: Capability) -> bool {
        self.insists.on(capability)
    }

    /// Records that a call that needs `capability`, and that has an alternative, failed with this error. Returns whether
    /// that is a refusal, so that the other way should be taken.
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

    /// Whether a probe has told what it makes of names.
    pub(crate) fn is_probed(&self) -> bool {
        matches!(self.inquiry, Inquiry::Done)
    }

    /// The same, with this done with names that it does not take.
    pub(crate) fn naming(self, odd_names: OddNames) -> Self {
        Capabilities { odd_names, ..self }
    }

    /// What it makes of names.
    pub(crate) fn names(&self) -> NameRules {
        NameRules {
            folds: !self.has(Capability::CaseSensitive),
            forbids: !self.has(Capability::AnyName),
            odd: self.odd_names,
        }
    }

    /// Whether a call that needs `capability`, and that has no alternative, failed with this error because the
    /// destination lacks it, and not because of the entry at hand: an immutable one, or one in an immutable directory.
    /// If nothing else tells, only an error counts that means that the system cannot do it.
    pub(crate) fn is_lacking(&self, capability: Capability, errno: Errno) -> bool {
        if !matches!(errno, Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) {
            return false;
        }
        let is_known = match &self.inquiry {
            Inquiry::Impossible => false,
            Inquiry::Done => true,
            Inquiry::OnRefusal(ask, answer) => *answer.get_or_init(|| {
                let lacks = ask();
                for &lack in lacks.iter().flatten() {
                    self.miss(lack);
                }
                lacks.is_some()
            }),
        };
        if !is_known && errno != Errno::PERM {
            self.miss(capability);
        }
        !self.has(capability)
    }

    /// Records that something is left out because the destination lacks this. What is insisted on is a failure instead.
    pub(crate) fn leave_out(&self, capability: Capability) {
        if !self.insists.on(capability) && !self.reported[capability as usize].swap(true, Ordering::Relaxed) {
            self.report(Lack::Of(capability));
        }
    }

    /// What was found to be missing since this was asked last, to be reported.
    pub(crate) fn take_lacks(&self) -> Vec<Lack> {
        if !self.has_lacks.load(Ordering::Relaxed) {
            return Vec::new();
        }
        self.has_lacks.store(false, Ordering::Relaxed);
        std::mem::take(&mut *held(&self.lacks))
    }

    fn report(&self, lack: Lack) {
        held(&self.lacks).push(lack);
        self.has_lacks.store(true, Ordering::Relaxed);
    }

    /// Of what an entry that has `have` should have, what the destination can keep.
    pub(crate) fn keepable(&self, wanted: &Attributes, have: &Attributes) -> Attributes {
        let mut kept = wanted.clone();
        let note = |capability, differs: bool| {
            if differs {
                self.leave_out(capability);
            }
        };
        if (wanted.uid.is_some() || wanted.gid.is_some()) && self.leaves_out(Capability::Owners) {
            let differs = |wanted: Option<u32>, have| wanted.is_some() && wanted != have;
            let is_another = differs(wanted.uid, have.uid) || differs(wanted.gid, have.gid);
            note(Capability::Owners, is_another);
            if is_another {
                // Set-user-ID for another owner than intended would grant that owner rights.
                kept.mode = kept.mode.map(|mode| mode & 0o1777);
            }
            (kept.uid, kept.gid) = (None, None);
        }
        if wanted.mode.is_some() && self.leaves_out(Capability::Modes) {
            note(Capability::Modes, wanted.mode != have.mode);
            kept.mode = None;
        }
        if (wanted.mtime.is_some() || wanted.atime.is_some()) && self.leaves_out(Capability::Times) {
            note(Capability::Times, wanted.mtime.is_some() && wanted.mtime != have.mtime);
            (kept.atime, kept.mtime) = (None, None);
        }
        kept
    }

    /// Takes the extended attributes that the destination does not keep out of `changes`.
    pub(crate) fn keep_xattrs(&self, changes: &mut Changes) {
        changes.set.retain(|xattr| {
            let needed = needed_for(&xattr.name);
            if self.leaves_out(needed) {
                self.leave_out(needed);
                return false;
            }
            self.insists.on(needed) || !self.is_refused(&xattr.name)
        });
    }

    /// Whether extended attributes of the destination are read at all.
    pub(crate) fn reads_xattrs(&self) -> bool {
        self.has(Capability::Xattrs) || self.has(Capability::Acls)
    }

    /// Records that the names of an entry's attributes could not even be listed: EOPNOTSUPP.
    pub(crate) fn refuse_listing(&self) {
        // Where a probe has told, or a local file system is known to list names, the entry is on another one below it.
        if matches!(self.inquiry, Inquiry::Impossible) {
            self.miss(Capability::Xattrs);
            self.miss(Capability::Acls);
        }
    }

    /// Whether this attribute may be kept: it is not known to be refused.
    pub(crate) fn keeps_xattr(&self, name: &[u8]) -> bool {
        self.has(needed_for(name)) && !self.is_refused(name)
    }

    fn is_refused(&self, name: &[u8]) -> bool {
        self.has_refused_xattrs.load(Ordering::Relaxed)
            && held(&self.xattrs).iter().any(|unit| **unit == *unit_of(name))
    }

    /// Records that setting this attribute was refused: EOPNOTSUPP, which is about its namespace. `Err` if it must not
    /// be left out.
    pub(crate) fn refuse_xattr(&self, name: &[u8]) -> Result<(), Errno> {
        let needed = needed_for(name);
        if self.insists.on(needed) {
            return Err(Errno::OPNOTSUPP);
        }
        if !self.has(needed) {
            self.leave_out(needed);
            return Ok(());
        }
        let unit = unit_of(name);
        let mut refused = held(&self.xattrs);
        if !refused.iter().any(|known| **known == *unit) {
            refused.push(unit.into());
            self.has_refused_xattrs.store(true, Ordering::Relaxed);
            drop(refused);
            match needed {
                Capability::Acls => self.leave_out(needed),
                _ => self.report(Lack::Xattrs(unit.into())),
            }
        }
        Ok(())
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn needed_for(xattr: &[u8]) -> Capability {
    if xattr.starts_with(ACLS) { Capability::Acls } else { Capability::Xattrs }
}

const ACLS: &[u8] = b"system.posix_acl_";

/// What is refused together with this attribute: its namespace, xattr(7); both ACLs; in `security.` and `system.`,
/// which several parts of the kernel share, only the name.
fn unit_of(name: &[u8]) -> &[u8] {
    if name.starts_with(ACLS) {
        return ACLS;
    }
    if name.starts_with(b"security.") || name.starts_with(b"system.") {
        return name;
    }
    let dot = name.iter().position(|&b| b == b'.').map_or(name.len(), |dot| dot + 1);
    &name[..dot]
}

impl Insist {
    /// Whether it includes what needs this.
    pub(super) fn on(&self, capability: Capability) -> bool {
        match capability {
            Capability::Modes => self.modes,
            Capability::Owners => self.owners,
            Capability::Times => self.times,
            Capability::Symlinks => self.symlinks,
            Capability::HardLinks => self.hard_links,
            Capability::Devices => self.devices,
            Capability::Specials => self.specials,
            Capability::Xattrs => self.xattrs,
            Capability::Acls => self.acls,
            _ => false,
        }
    }
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Inquiry::Impossible => "Impossible",
            Inquiry::Done => "Done",
            Inquiry::OnRefusal(..) => "OnRefusal",
        })
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lack::Of(Capability::Modes) => "the destination does not keep modes; they are left out",
            Lack::Of(Capability::Owners) => {
                "the destination does not keep owners and groups; they are left out"
            }
            Lack::Of(Capability::Times) => {
                "the destination does not keep modification times; they are left out"
            }
            Lack::Of(Capability::Symlinks) => "the destination has no symbolic links; they are left out",
            Lack::Of(Capability::Devices) => "the destination has no device nodes; they are left out",
            Lack::Of(Capability::Specials) => "the destination has no fifos and sockets; they are left out",
            Lack::Of(Capability::Xattrs) => {
                "the destination does not keep extended attributes; they are left out"
            }
            Lack::Of(Capability::Acls) => "the destination does not keep ACLs; they are left out",
            Lack::Of(Capability::HardLinks) => {
                "the destination cannot make some hard links; those names become copies"
            }
            Lack::Of(other) => return write!(f, "the destination lacks {}", other.name()),
            Lack::Xattrs(unit) => {
                let which = crate::tree::path::escape(unit);
                let star = if unit.ends_with(b".") { "*" } else { "" };
                return write!(
                    f,
                    "the destination does not keep extended attributes named {which}{star}; they are left out"
                );
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Xattr;

    fn lacking(lacks: &[Capability]) -> Capabilities {
        Capabilities::new(lacks, Insist::default(), Inquiry::Impossible)
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

    /// A refusal without an alternative, by the error, and by what tells whether it is the destination's.
    #[test]
    fn a_refusal_is_the_destinations_only_if_something_tells_so() {
        use Capability::{Modes, Times};
        let ask = |lacks: Option<Vec<Capability>>| {
            Inquiry::OnRefusal(Box::new(move || lacks.clone()), OnceLock::new())
        };
        for (errno, inquiry, is_lacking, what) in [
            (Errno::PERM, Inquiry::Impossible, false, "nothing tells"),
            (Errno::OPNOTSUPP, Inquiry::Impossible, true, "no call can do it"),
            (Errno::PERM, Inquiry::Done, false, "the probe could do it"),
            (Errno::OPNOTSUPP, Inquiry::Done, false, "the probe could do it"),
            (Errno::PERM, ask(Some(vec![Modes])), true, "the probe could not do it"),
            (Errno::PERM, ask(Some(vec![Times])), false, "the probe could do it"),
            (Errno::PERM, ask(None), false, "there is no probe"),
            (Errno::NOSYS, ask(None), true, "there is no probe, and no call can do it"),
            (Errno::IO, ask(Some(vec![Modes])), false, "it says nothing about the destination"),
        ] {
            let known = Capabilities::new(&[], Insist::default(), inquiry);
            assert_eq!(known.is_lacking(Modes, errno), is_lacking, "{errno}: {what}");
            assert_eq!(known.has(Modes), !is_lacking, "{errno}: {what}");
        }
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
            known.refuse_xattr(refused.as_bytes()).unwrap();
            assert_eq!(known.take_lacks().len(), 1, "{refused}");
            known.refuse_xattr(refused.as_bytes()).unwrap();
            assert!(known.take_lacks().is_empty(), "{refused} is reported once");
            assert!(still_kept.iter().all(|name| known.keeps_xattr(name.as_bytes())), "{refused}");
            assert!(!gone.iter().any(|name| known.keeps_xattr(name.as_bytes())), "{refused}");
        }
    }

    #[test]
    fn what_is_insisted_on_is_never_left_out() {
        let insists = Insist { xattrs: true, modes: true, ..Insist::default() };
        let known = Capabilities::new(&[Capability::Modes, Capability::Owners], insists, Inquiry::Done);
        assert_eq!(known.refuse_xattr(b"user.a"), Err(Errno::OPNOTSUPP));
        assert!(known.keeps_xattr(b"user.a"));
        assert_eq!(known.refuse_xattr(b"system.posix_acl_access"), Ok(()));
        assert_eq!(known.take_lacks(), [Lack::Of(Capability::Acls)]);
        let wanted = Attributes { uid: Some(5), mode: Some(0o4755), ..Attributes::default() };
        let kept = known.keepable(&wanted, &Attributes { uid: Some(0), ..Attributes::default() });
        assert_eq!((kept.uid, kept.mode), (None, Some(0o755)), "set-user-ID is not for another owner");
        assert_eq!(known.take_lacks(), [Lack::Of(Capability::Owners)]);
    }

    #[test]
    fn what_is_lacking_is_left_out_and_reported_only_where_something_differs() {
        use crate::tree::Timestamp;
        use Capability::{Modes, Owners, Times};
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        let wanted = Attributes { uid: Some(1), gid: Some(2), mode: Some(0o640), atime: None, mtime: at(9) };
        for (have, reported) in [
            (wanted.clone(), &[][..]),
            (Attributes { mode: Some(0o777), ..wanted.clone() }, &[Modes]),
            (Attributes { gid: Some(3), ..wanted.clone() }, &[Owners]),
            (Attributes { mtime: at(8), ..wanted.clone() }, &[Times]),
            (Attributes::default(), &[Owners, Modes, Times]),
        ] {
            let known = lacking(&[Modes, Owners, Times]);
            assert_eq!(known.keepable(&wanted, &have), Attributes::default());
            let expected: Vec<_> = reported.iter().map(|&lack| Lack::Of(lack)).collect();
            assert_eq!(known.take_lacks(), expected, "{have:?}");
            let _ = known.keepable(&wanted, &have);
            assert!(known.take_lacks().is_empty(), "once");
        }
        assert_eq!(lacking(&[]).keepable(&wanted, &Attributes::default()), wanted);
    }

    #[test]
    fn attributes_of_a_namespace_that_is_not_kept_are_no_changes() {
        let xattr = |name: &str| Xattr { name: name.as_bytes().into(), value: Box::default() };
        let all = || Changes {
            set: ["user.a", "trusted.a", "system.posix_acl_access"].map(xattr).into(),
            ..Changes::default()
        };
        let left = |known: &Capabilities| {
            let mut changes = all();
            known.keep_xattrs(&mut changes);
            changes.set.len()
        };
        let known = lacking(&[Capability::Xattrs]);
        assert_eq!((left(&known), known.take_lacks()), (1, vec![Lack::Of(Capability::Xattrs)]));
        let known = Capabilities::default();
        known.refuse_xattr(b"user.x").unwrap();
        assert_eq!((left(&known), known.reads_xattrs()), (2, true));
        let insists = Insist { xattrs: true, acls: true, ..Insist::default() };
        let both = [Capability::Xattrs, Capability::Acls];
        let known = Capabilities::new(&both, insists, Inquiry::Done);
        assert_eq!((left(&known), known.reads_xattrs()), (3, false));
    }

    #[test]
    fn the_caller_knows_better_than_a_trial() {
        let known = lacking(&[Capability::HardLinks, Capability::Xattrs]);
        assert!(!known.has(Capability::HardLinks) && !known.keeps_xattr(b"user.a"));
        assert!(known.keeps_xattr(b"system.posix_acl_access"));
        known.leave_out(Capability::HardLinks);
        known.leave_out(Capability::HardLinks);
        assert_eq!(known.take_lacks(), [Lack::Of(Capability::HardLinks)]);
    }

    #[test]
    fn a_lack_reads_as_a_sentence() {
        assert_eq!(
            Lack::Xattrs((*b"user.").into()).to_string(),
            "the destination does not keep extended attributes named user.*; they are left out"
        );
    }
}
