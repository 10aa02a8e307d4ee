//! Removes from a tree what its archive does not have.
//!
//! The last step of a run, and only of one without any error. What the selection leaves out stays, and so does every
//! directory above it. Nothing on another mount is touched, and no symlink is followed. [`crate::plan::removal`]
//! decides what may be removed, and [`crate::dest::remove`] removes it.

use super::run::UnpackRun;
use crate::account::{Aspects, Change, Deed, Ledger, Report};
use crate::dest::remove::{Level, Removal, RemovalPlace, kind_of, remove};
use crate::dest::stale::remove_stale;
use crate::dest::{Destination, Directory};
use crate::error::Act;
use crate::plan::removal::{self, EntryFacts, Meant, Role};
use crate::pool;
use crate::rules::Verdict;
use crate::sys::{Dir, FileKind, Handle, Names, commit};
use crate::tree::attributes::Who;
use crate::tree::{Device, RelPath, RelPathBuf};
use rustix::io::Errno;
use std::os::fd::AsFd;

/// What an archive has, by path: whether it is a directory.
pub(super) type Held<'a> = dyn Fn(RelPath<'_>) -> Option<bool> + Sync + 'a;

/// Removes everything below the destination's root that is not unpacked from the archive, as far as the rules let it go.
pub(super) fn extraneous(run: &UnpackRun<'_>, destination: &Destination, held: &Held<'_>) -> Report {
    let is_unpacked =
        |path: RelPath<'_>, is_directory: bool| run.chosen.verdict(path, is_directory) != Verdict::Drop;
    let unpacked = |path: RelPath<'_>| held(path).filter(|&is_directory| is_unpacked(path, is_directory));
    each_directory(run, destination, &unpacked, |remover, directory, path, names| {
        for number in 0..names.len() as u32 {
            let Ok(child) = path.join(names.name(number)) else { continue };
            let child = child.as_path();
            if unpacked(child).is_none() {
                let kind = kind_of(&directory.dir, names, number);
                remove(remover, RemovalPlace { directory, path: child }, kind, &());
            }
        }
    })
}

/// Removes what killed runs left in the directories that the archive has. This run holds the lock on the destination.
///
/// Best effort: what cannot be listed or removed is found by the next run.
pub(super) fn stale(run: &UnpackRun<'_>, destination: &Destination) {
    let clear = |buffer: &mut Vec<u8>, path: RelPath<'_>| {
        let Ok(dir) = destination.root().open_dir_beneath(path) else { return };
        // Mostly there is none, so nothing but the listing is paid for.
        let mut left = Vec::new();
        let listed = dir.names(buffer, |name, _| {
            if commit::is_temp_name(name) {
                left.push(name.to_vec());
            }
        });
        let (Ok(()), false) = (listed, left.is_empty()) else { return };
        let Ok(stat) = dir.stat_self() else { return };
        let directory = Directory::live(dir, &stat, &destination.who);
        for name in left {
            remove_stale(&directory, &name, &destination.who);
        }
        lock_again(&directory);
    };
    let paths = destination.found_paths();
    pool::scatter(run.options.threads, paths.into_iter(), Vec::new, |buffer, path| {
        clear(buffer, path.as_path());
    });
}

/// Removes the directories that other entries of the archive replace.
pub(super) fn blocking(run: &UnpackRun<'_>, destination: &Destination) -> Report {
    let mut remover = Remover::new(run, destination);
    for path in destination.blocked() {
        let path = path.as_path();
        match live(destination, path.split().0) {
            Ok(directory) => {
                remove(
                    &mut remover,
                    RemovalPlace { directory: &directory, path },
                    Some(FileKind::Directory),
                    &(),
                );
                lock_again(&directory);
            }
            Err(errno) => remover.fail(path, Act::Open, errno),
        }
    }
    remover.ledger.report
}

/// Calls `visit` for every directory of the destination that is also unpacked, on all threads.
fn each_directory(
    run: &UnpackRun<'_>,
    destination: &Destination,
    unpacked: &Held<'_>,
    visit: impl Fn(&mut Remover<'_>, &Directory, RelPath<'_>, &Names) + Sync,
) -> Report {
    let removers = pool::crawl(
        run.options.threads,
        RelPathBuf::default(),
        || Remover { unpacked, ..Remover::new(run, destination) },
        |remover, path: RelPathBuf, found| {
            let path = path.as_path();
            if run.stop.is_set() {
                return;
            }
            let opened = live(destination, path)
                .and_then(|directory| Ok((Names::of(&directory.dir, &mut remover.buffer)?, directory)));
            let (names, directory) = match opened {
                Ok(opened) => opened,
                Err(errno) => return remover.fail(path, Act::List, errno),
            };
            visit(remover, &directory, path, &names);
            for number in 0..names.len() as u32 {
                let Ok(child) = path.join(names.name(number)) else { continue };
                let is_directory = || kind_of(&directory.dir, &names, number) == Some(FileKind::Directory);
                if unpacked(child.as_path()) == Some(true) && is_directory() {
                    found.push(child);
                }
            }
            lock_again(&directory);
        },
    );
    let mut report = Report::default();
    report.merge_all(removers.into_iter().map(|remover| remover.ledger.report));
    report
}

fn live(destination: &Destination, path: RelPath<'_>) -> Result<Directory, Errno> {
    let dir = destination.root().open_dir_beneath(path)?;
    let stat = dir.stat_self()?;
    Ok(Directory::live(dir, &stat, &destination.who))
}

/// Restores the mode of a directory.
fn lock_again(directory: &Directory) {
    if let Some(mode) = directory.mode_before() {
        // Best effort: it was set by this process a moment ago.
        let _ = Handle::Open(directory.dir.as_fd()).set_mode(mode);
    }
}

/// One thread's removals.
struct Remover<'a> {
    run: &'a UnpackRun<'a>,
    who: &'a Who,
    mount: (Device, u64),
    buffer: Vec<u8>,
    ledger: Ledger<'a>,
    /// What is unpacked: no rule protects it.
    unpacked: &'a Held<'a>,
}

impl<'a> Remover<'a> {
    fn new(run: &'a UnpackRun<'a>, destination: &'a Destination) -> Self {
        let mount = destination.root().stat_self().map(|stat| stat.mount_id()).unwrap_or_default();
        let ledger = Ledger::new(run.observer);
        Remover { run, who: &destination.who, mount, buffer: Vec::new(), ledger, unpacked: &|_| None }
    }

    fn facts(&self, path: RelPath<'_>, is_directory: bool) -> EntryFacts {
        let is_unpacked = |path: RelPath<'_>| (self.unpacked)(path).is_some();
        let meant = match self.run.removable.verdict_unless(&is_unpacked, path, is_directory) {
            Verdict::Keep => Meant::Yes,
            Verdict::Pass => Meant::OnlyBelow,
            Verdict::Drop => Meant::No,
        };
        EntryFacts { is_directory, meant, ..EntryFacts::default() }
    }

    fn open(&mut self, dir: &Dir, name: &[u8]) -> Result<(Directory, (Device, u64), Names), Errno> {
        let dir = dir.open_dir(name)?;
        let (stat, names) = (dir.stat_self()?, Names::of(&dir, &mut self.buffer)?);
        Ok((Directory::live(dir, &stat, self.who), stat.mount_id(), names))
    }

    /// Records a removal. Returns whether the entry is gone.
    fn removed(&mut self, path: RelPath<'_>, kind: FileKind, removed: Result<(), Errno>) -> bool {
        match removed {
            Ok(()) => {
                let (deed, differs) = (Deed::Delete, Aspects::default());
                self.ledger.change(&Change {
                    path,
                    kind,
                    deed,
                    is_new: false,
                    differs,
                    target: None,
                    size: 0,
                });
                true
            }
            Err(Errno::NOENT) => true,
            Err(errno) => {
                self.fail(path, Act::Delete, errno);
                false
            }
        }
    }

    fn fail(&mut self, path: RelPath<'_>, act: Act, errno: Errno) {
        self.ledger.fail_or_stop(self.run.side(), path, act, errno);
    }
}

impl Removal for Remover<'_> {
    type Scope = ();

    fn is_ending(&self) -> bool {
        self.run.stop.is_set()
    }

    fn keeps(&self, _: RemovalPlace<'_>, _: Option<FileKind>, (): &()) -> bool {
        false
    }

    fn enter(&mut self, place: RemovalPlace<'_>, (): &()) -> Option<Level<()>> {
        let facts = self.facts(place.path, true);
        if matches!(removal::decide(facts), removal::RemovalStep::Stay(_)) {
            return None;
        }
        match self.open(&place.directory.dir, place.name()) {
            Ok((directory, mount, names)) => {
                let role = if mount == self.mount { Role::Plain } else { Role::OtherFileSystem };
                if let removal::RemovalStep::Stay(why) = removal::decide(EntryFacts { role, ..facts }) {
                    why.reason().into_iter().for_each(|why| self.ledger.skip(place.path, why));
                    return None;
                }
                Some(Level::new(place.path, directory, names, ()))
            }
            Err(errno) => {
                self.fail(place.path, Act::List, errno);
                None
            }
        }
    }

    fn entry(&mut self, place: RemovalPlace<'_>, kind: Option<FileKind>, (): &()) -> bool {
        let Some(kind) = kind else { return true };
        if removal::decide(self.facts(place.path, false)) != removal::RemovalStep::Remove {
            return false;
        }
        place.directory.unlock();
        let removed = place.directory.dir.remove_file(place.name());
        self.removed(place.path, kind, removed)
    }

    fn directory(&mut self, place: RemovalPlace<'_>, (): &()) -> bool {
        if removal::decide(self.facts(place.path, true)) != removal::RemovalStep::Remove {
            return false;
        }
        place.directory.unlock();
        let removed = place.directory.dir.remove_dir(place.name());
        self.removed(place.path, FileKind::Directory, removed)
    }

    fn stays(&mut self, _: RelPath<'_>, directory: &Directory) {
        lock_again(directory);
    }
}
