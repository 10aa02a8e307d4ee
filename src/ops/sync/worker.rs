//! One thread of a run: what it holds, and how it tells what came of things.

use super::fault::Fault;
use super::run::Run;
use super::told::{Name, Told};
use crate::account::{Aspects, Change, Deed, Event, Report};
use crate::dest::content::{Copier, Flow, Ways};
use crate::plan;
use crate::plan::acl::{self, Named};
use crate::sys::users;
use crate::tree::attributes::Attributes;
use crate::tree::metadata::ACL_ACCESS;
use crate::tree::{FileKind, RelPath, Stat, Xattr};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

/// One thread of a run.
pub(super) struct Worker<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) report: Report,
    pub(super) copier: Copier<'a>,
    /// What directories are listed through.
    pub(super) buffer: Vec<u8>,
    /// What the manifest will name.
    pub(super) kept: Vec<Box<[u8]>>,
    names: Names,
}

/// Names of users and groups that maps have asked for.
#[derive(Default)]
struct Names {
    /// `--numeric-ids`.
    nobody_has_one: bool,
    users: Known,
    groups: Known,
}

type Known = RefCell<HashMap<u32, Option<Box<[u8]>>>>;

impl Names {
    fn user(&self, uid: u32) -> Option<Box<[u8]>> {
        if self.nobody_has_one {
            return None;
        }
        self.users.borrow_mut().entry(uid).or_insert_with(|| users::user_name(uid)).clone()
    }

    fn group(&self, gid: u32) -> Option<Box<[u8]>> {
        if self.nobody_has_one {
            return None;
        }
        self.groups.borrow_mut().entry(gid).or_insert_with(|| users::group_name(gid)).clone()
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        let copying = &run.options.copying;
        let ways =
            Ways { sparse: copying.sparse, preallocate: copying.preallocate, threads: run.options.threads };
        Worker {
            run,
            report: Report::default(),
            copier: Copier::new(ways, &run.can.copying),
            buffer: Vec::new(),
            kept: Vec::new(),
            names: Names { nobody_has_one: run.keep().numeric_ids, ..Names::default() },
        }
    }

    /// What the entry made of `src` is to have, in the place of `dst`.
    pub(super) fn wanted(&self, src: &Stat, dst: Option<&Stat>) -> Attributes {
        let names = plan::attributes::Names {
            user: &|uid| self.names.user(uid),
            group: &|gid| self.names.group(gid),
        };
        plan::attributes::wanted(src, dst, self.run.keep(), &self.run.who, &names)
    }

    /// The extended attributes `theirs` as an entry of this mode is to have them.
    pub(super) fn adapted<'x>(&self, theirs: &'x [Xattr], mode: Option<u32>) -> Cow<'x, [Xattr]> {
        let keep = self.run.keep();
        let id_for = |named, id| match named {
            Named::User => keep.user_map.apply(id, &|uid| self.names.user(uid)),
            Named::Group => keep.group_map.apply(id, &|gid| self.names.group(gid)),
        };
        let mut theirs = Cow::Borrowed(theirs);
        for at in 0..theirs.len() {
            if !theirs[at].is_acl() {
                continue;
            }
            // A directory's default ACL is for what is made in it.
            let mode = mode.filter(|_| *theirs[at].name == *ACL_ACCESS);
            if let Cow::Owned(value) = acl::adapted(&theirs[at].value, mode, id_for) {
                theirs.to_mut()[at].value = value.into();
            }
        }
        theirs
    }

    /// Notes that something failed.
    pub(super) fn fail(&mut self, path: RelPath<'_>, fault: Fault) {
        self.report.failures.extend(self.run.failure(path, fault));
    }

    /// Counts an entry that takes part, and tells that it is as it should be.
    pub(super) fn unchanged(&mut self, path: RelPath<'_>, stat: &Stat) {
        self.count(path, stat, Name::First);
        self.run.observer.event(Event::Unchanged(path, stat.kind));
    }

    /// The same for a further name of one that is counted already.
    pub(super) fn unchanged_link(&mut self, path: RelPath<'_>, stat: &Stat) {
        self.count(path, stat, Name::Further);
        self.run.observer.event(Event::Unchanged(path, stat.kind));
    }

    /// Counts an entry that takes part, and tells what was done with it.
    pub(super) fn changed(&mut self, path: RelPath<'_>, stat: &Stat, told: Told<'_>) {
        let Told { deed, is_new, differs, target, name } = told;
        self.count(path, stat, name);
        let counts = &mut self.report.counts;
        match deed {
            Deed::Create => counts.created += 1,
            Deed::Update => counts.updated += 1,
            Deed::Link => counts.linked += 1,
            Deed::SetMetadata => counts.metadata_set += 1,
            Deed::Delete => counts.deleted += 1,
        }
        self.run.tell(&Change { path, kind: stat.kind, deed, is_new, differs, target, size: stat.size });
    }

    /// Tells that an entry was removed.
    pub(super) fn deleted(&mut self, path: RelPath<'_>, kind: FileKind) {
        self.report.counts.deleted += 1;
        let (deed, differs) = (Deed::Delete, Aspects::default());
        self.run.tell(&Change { path, kind, deed, is_new: false, differs, target: None, size: 0 });
    }

    /// Leaves an entry out on purpose.
    pub(super) fn skip(&mut self, path: RelPath<'_>, why: &str) {
        self.report.counts.skipped += 1;
        self.run.observer.event(Event::Skipped(path, why));
    }

    fn count(&mut self, path: RelPath<'_>, stat: &Stat, name: Name) {
        let counts = &mut self.report.counts;
        match stat.kind {
            _ if name == Name::Further => counts.hard_links += 1,
            FileKind::File => {
                counts.files += 1;
                counts.content_bytes += stat.size;
            }
            FileKind::Directory => counts.directories += 1,
            FileKind::Symlink => counts.symlinks += 1,
            _ => counts.specials += 1,
        }
        self.keep(path, stat.kind);
    }

    /// Notes for the manifest that the mirror holds this entry.
    pub(super) fn keep(&mut self, path: RelPath<'_>, kind: FileKind) {
        if self.run.options.write_manifest.is_some() && !path.is_root() {
            let slash: &[u8] = if kind == FileKind::Directory { b"/" } else { b"" };
            self.kept.push([path.as_bytes(), slash].concat().into());
        }
    }
}

/// What tells an observer how far a file is, and a copy whether to go on.
pub(super) fn moved<'r>(run: &'r Run<'_>) -> impl FnMut(u64) -> Flow + use<'r> {
    move |bytes| {
        run.observer.event(Event::Moved(bytes));
        if run.is_ending() { Flow::Break(()) } else { Flow::Continue(()) }
    }
}
