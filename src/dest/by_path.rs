//! A destination whose entries arrive by path, in any order and from many threads: what an archive is unpacked into.
//!
//! Owns its root and which of its directories are staged. Only the topmost new directory has a temporary name;
//! everything below it is staged with it.

use super::attributes::{read_xattrs, set};
use super::barrier::Barrier;
use super::capabilities::Capabilities;
use super::dir::{Directory, PRIVATE_DIRECTORY, make_plain};
use super::options::{Capability, DestinationOptions};
use super::owners::Owners;
use super::remove::remove_tree;
use super::spelling::other_spelling;
use super::survey::{Intent, Surveyed, survey};
use super::{Failed, failed};
use crate::error::{Act, Error};
use crate::plan::attributes::{add_xattrs, changes};
use crate::plan::same::Precision;
use crate::pool::lock;
use crate::sys::grain::grains;
use crate::sys::output::open_parent;
use crate::sys::{Dir, FileKind, Handle, Stat, commit, process};
use crate::tree::attributes::{Attributes, Changes, Who};
use crate::tree::grain::{Grain, Grains};
use crate::tree::{Device, Entry, Kind, RelPath, RelPathBuf, Standing, Xattr};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// What is set on new entries.
#[derive(Debug, Clone)]
pub(crate) struct DestinationSettings {
    /// Owners from the entries; otherwise the running user.
    pub(crate) same_owner: bool,
    /// Modes and privileged xattrs from the entries; otherwise modes less the umask.
    pub(crate) same_permissions: bool,
    /// Owners by number, even if the entries have names.
    pub(crate) numeric_owner: bool,
    /// Modes; otherwise new entries get theirs less the umask, and old ones keep what they have.
    pub(crate) modes: bool,
    /// With `same_owner`: owners.
    pub(crate) users: bool,
    /// With `same_owner`: groups.
    pub(crate) groups: bool,
    /// Modification times.
    pub(crate) times: bool,
    /// Except those of directories.
    pub(crate) omit_dir_times: bool,
    /// Hard links; otherwise each name is a file of its own.
    pub(crate) hard_links: bool,
    /// Extended attributes, except ACLs.
    pub(crate) xattrs: bool,
    /// POSIX ACLs.
    pub(crate) acls: bool,
    /// Remove xattrs that existing entries should not have.
    pub(crate) removes: bool,
    /// Wait for the disk at every publication.
    pub(crate) fsync: bool,
    /// Another entry may replace a non-empty directory. That entry waits until the end.
    pub(crate) gives_way: bool,
}

/// A tree that is being created or changed.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(super) settings: DestinationSettings,
    /// As the user named it.
    path: PathBuf,
    pub(super) root: Arc<Dir>,
    /// The final place of a new root: it is staged, and everything with it.
    root_place: Option<StagedRoot>,
    /// Whether this run has created the root.
    owns_root: bool,
    /// The topmost new directories, by final path, with their temporary names. Empty if the root is staged.
    staged: RwLock<HashMap<RelPathBuf, Vec<u8>>>,
    /// Entries at final paths that may be linked to: those created in live directories, and those that were already
    /// right.
    made: Mutex<HashMap<RelPathBuf, (Device, u64)>>,
    /// Names that are linked to after their directory has its name: entries created there are recorded in `made`, too.
    linked_later: HashSet<RelPathBuf>,
    /// Names that wait: with `fsync` all in live directories; otherwise those that replace a directory.
    pub(super) barrier: Barrier,
    /// Directories that are temporarily writable, with the mode that forbids their owner to change them.
    unlocked: Mutex<HashMap<RelPathBuf, u32>>,
    /// The directories created or found, in the order of their entries.
    pub(super) directories: Mutex<Vec<PendingDirectory>>,
    pub(crate) who: Who,
    umask: u32,
    /// What it can keep and do.
    pub(crate) can: Capabilities,
    /// How precisely times are kept, if a probe has shown that.
    grain: Option<Grain>,
    /// The same, once asked.
    grains: OnceLock<Grains>,
    /// Entries that were left out: what links to them is left out, too.
    left_out: Mutex<HashSet<RelPathBuf>>,
}

#[derive(Debug)]
struct StagedRoot {
    parent: Dir,
    temp: Vec<u8>,
    name: Vec<u8>,
}

/// A directory whose metadata is set at the end.
#[derive(Debug)]
pub(crate) struct PendingDirectory {
    pub(crate) entry: Entry,
    pub(super) made: Made,
}

/// The result of creating a directory.
#[derive(Debug)]
pub(super) enum Made {
    /// It is new, with this mode, and with this temporary name if it is a topmost new one.
    New { mode: u32, temp: Option<Vec<u8>> },
    /// It existed.
    Found,
}

impl Destination {
    /// Opens the directory at `path`, or stages a new one for that path.
    pub(crate) fn open(
        path: &Path,
        settings: DestinationSettings,
        options: &DestinationOptions,
    ) -> Result<Self, Error> {
        let io = |act| move |errno: Errno| Error::io(act, path, errno);
        let (uid, gid) = process::identity();
        // All bits set if the mask is not known: then no created mode is relied on.
        let who = Who { uid, gid, groups: process::groups(), umask: process::umask().unwrap_or(0o777) };
        let (root, root_place) = match Dir::open(path) {
            Ok(root) => (root, None),
            Err(Errno::NOENT) => {
                let (parent, name) = open_parent(path).map_err(io(Act::Create))?;
                let (temp, root) = commit::create_temp_dir(&parent).map_err(io(Act::Create))?;
                (root, Some(StagedRoot { parent, temp, name }))
            }
            Err(errno) => return Err(io(Act::Open)(errno)),
        };
        let root = Arc::new(root);
        let xattrs = settings.xattrs || settings.acls;
        let Surveyed { can, grain, .. } =
            survey(Some(&root), Intent { options, who: &who, xattrs, is_dry: false });
        if !settings.hard_links {
            can.do_without(Capability::HardLinks);
        }
        if let Some(StagedRoot { parent, temp, .. }) = &root_place {
            make_plain(&root, &who, &can).map_err(|errno| {
                // What cannot be removed is recognised by its name.
                let _ = remove_tree(parent, temp);
                io(Act::Create)(errno)
            })?;
        }
        Ok(Destination {
            settings,
            path: path.to_owned(),
            root,
            owns_root: root_place.is_some(),
            root_place,
            staged: RwLock::default(),
            made: Mutex::default(),
            linked_later: HashSet::new(),
            barrier: Barrier::default(),
            unlocked: Mutex::default(),
            directories: Mutex::default(),
            who,
            umask: process::umask().unwrap_or(0o022),
            can,
            grain,
            grains: OnceLock::new(),
            left_out: Mutex::default(),
        })
    }

    /// How precisely times are kept in it.
    pub(crate) fn grains(&self) -> &Grains {
        self.grains.get_or_init(|| grains(&self.root).or(self.grain))
    }

    /// The destination as the user named it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The root, wherever it is now.
    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }

    /// Whether the root is new and has no name yet.
    pub(crate) fn is_new(&self) -> bool {
        self.root_place.is_some()
    }

    /// The result of creating the root.
    pub(super) fn root_made(&self) -> Made {
        if self.is_new() { Made::New { mode: PRIVATE_DIRECTORY, temp: None } } else { Made::Found }
    }

    /// Whether the metadata of the root is set. A user who unpacks into an existing root does not want its permissions
    /// changed, unless permissions were asked for.
    pub(super) fn sets_root(&self) -> bool {
        self.owns_root || self.settings.same_permissions
    }

    /// Registers entries that will be linked to only after their directory has its name.
    pub(crate) fn link_later(&mut self, paths: impl Iterator<Item = RelPathBuf>) {
        self.linked_later.extend(paths);
    }

    pub(super) fn is_linked_later(&self, path: &RelPathBuf) -> bool {
        self.linked_later.contains(path)
    }

    /// Allows links to the entry at `path`.
    pub(crate) fn remember(&self, path: RelPath<'_>, inode: (Device, u64)) {
        lock(&self.made).insert(path.to_buf(), inode);
    }

    /// The inode at `path`, if it may be linked to.
    pub(crate) fn remembers(&self, path: RelPath<'_>) -> Option<(Device, u64)> {
        lock(&self.made).get(&path.to_buf()).copied()
    }

    /// Records that the entry at `path` is left out.
    pub(crate) fn leave_out(&self, path: RelPath<'_>) {
        lock(&self.left_out).insert(path.to_buf());
    }

    /// Whether the entry at `path` was left out.
    pub(super) fn leaves_out(&self, path: RelPath<'_>) -> bool {
        lock(&self.left_out).contains(&path.to_buf())
    }

    /// Allows a complete directory to be changed again, and records that its metadata must be set again.
    pub(crate) fn reopen(&self, entry: &Entry) -> Result<(), Failed> {
        let directory = self.hold(entry.path.as_path())?;
        if !entry.path.as_path().is_root() || self.sets_root() {
            // It gets its own mode in the end, so nothing must be restored.
            directory.unlock();
        }
        self.note_directory(entry.clone(), Made::Found);
        Ok(())
    }

    /// Records a directory whose metadata is set at the end.
    pub(super) fn note_directory(&self, entry: Entry, made: Made) {
        lock(&self.directories).push(PendingDirectory { entry, made });
    }

    /// Forgets a directory that something else replaces.
    pub(crate) fn forget_directory(&self, path: RelPath<'_>) {
        lock(&self.directories).retain(|directory| directory.entry.path.as_path() != path);
        let staged = self.staged.write().unwrap_or_else(PoisonError::into_inner).remove(&path.to_buf());
        if let Some(temp) = staged
            && let Ok(held) = self.hold(path.split().0)
        {
            // Best effort: what cannot be removed is recognised by its name.
            let _ = remove_tree(&held.dir, &temp);
        }
    }

    /// Creates the directory at `path` in `above` if there is none; anything else there is replaced at the end. In a
    /// staged directory, which is not accessible to others, it has `mode` at once.
    pub(super) fn make_directory(
        &self,
        above: &Directory,
        path: RelPath<'_>,
        mode: u32,
    ) -> Result<Made, Failed> {
        let name = path.file_name();
        if above.staged {
            return match above.dir.create_dir(name, mode) {
                Ok(()) => Ok(Made::New { mode, temp: None }),
                Err(Errno::EXIST) if standing(&above.dir, name) == Ok(Standing::Directory) => {
                    match other_spelling(&above.dir, name) {
                        Some(cause) => Err(Failed::Entry(Act::Create, cause)),
                        None => Ok(Made::Found),
                    }
                }
                Err(errno) => Err(failed(Act::Create)(errno)),
            };
        }
        let is_staged =
            self.staged.read().unwrap_or_else(PoisonError::into_inner).contains_key(&path.to_buf());
        if is_staged || standing(&above.dir, name).map_err(failed(Act::Stat))? == Standing::Directory {
            return Ok(Made::Found);
        }
        self.unlock(above, path.split().0);
        let mut draft = above.create_directory(name, false, &self.who)?;
        let temp = draft.temp.unwrap_or_default();
        if !draft.made.is_plain() {
            draft.made.make_plain(&self.who, &self.can).map_err(failed(Act::Create))?;
        }
        self.staged.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_buf(), temp.clone());
        Ok(Made::New { mode: PRIVATE_DIRECTORY, temp: Some(temp) })
    }

    /// Opens the directory whose final path is `path`, wherever it is now.
    pub(super) fn hold(&self, path: RelPath<'_>) -> Result<Directory, Failed> {
        self.hold_below(None, path)
    }

    /// Opens the directory whose final path is `path`, starting from an open one above it, if any.
    pub(super) fn hold_below(
        &self,
        above: Option<(RelPath<'_>, &Directory)>,
        path: RelPath<'_>,
    ) -> Result<Directory, Failed> {
        let (dir, actual, staged) = match above {
            // Entries below a staged directory have their final names.
            Some((above, held)) if held.staged => (&held.dir, path.below(above).to_buf(), true),
            _ => {
                let (actual, staged) = self.actual(path);
                (&*self.root, actual, staged)
            }
        };
        let dir = dir.open_dir_beneath(actual.as_path()).map_err(|errno| match errno {
            Errno::LOOP => Failed::Refused("a directory above it is a symbolic link"),
            errno => failed(Act::Open)(errno),
        })?;
        if staged {
            return Ok(Directory::staged(dir));
        }
        let stat = dir.stat_self().map_err(failed(Act::Stat))?;
        Ok(Directory::live(dir, &stat, &self.who).knowing(&self.can))
    }

    /// Makes a directory writable for its owner, whatever its mode says. The mode is restored in the end.
    pub(super) fn unlock(&self, directory: &Directory, path: RelPath<'_>) {
        directory.unlock();
        if let Some(mode) = directory.mode_before() {
            lock(&self.unlocked).entry(path.to_buf()).or_insert(mode);
        }
    }

    /// Changes something in the live directory at `path`, which keeps its mode.
    pub(crate) fn change_in<T>(
        &self,
        path: RelPath<'_>,
        change: impl FnOnce(&Directory) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let dir = self.root.open_dir_beneath(path)?;
        let stat = dir.stat_self()?;
        let directory = Directory::live(dir, &stat, &self.who);
        let changed = change(&directory);
        if let Some(mode) = directory.mode_before() {
            lock(&self.unlocked).entry(path.to_buf()).or_insert(mode);
        }
        changed
    }

    /// Restores the modes of directories that were made writable for their owner.
    pub(super) fn lock_again(&self) {
        for (path, mode) in std::mem::take(&mut *lock(&self.unlocked)) {
            if let Ok(dir) = self.root.open_dir_beneath(path.as_path()) {
                // Best effort: it was set by this process a moment ago.
                let _ = crate::sys::meta::set_mode(&dir, mode);
            }
        }
    }

    /// Where the directory with this final path is now, and whether it is staged.
    fn actual(&self, path: RelPath<'_>) -> (RelPathBuf, bool) {
        if self.is_new() {
            return (path.to_buf(), true);
        }
        let staged = self.staged.read().unwrap_or_else(PoisonError::into_inner);
        let top = path.ancestors().chain([path]).find_map(|above| {
            let temp = staged.get(&above.to_buf())?;
            let (parent, _) = above.split();
            let below = &path.as_bytes()[above.as_bytes().len()..];
            RelPathBuf::from_member_name(&[b"./", parent.as_bytes(), b"/", temp, below].concat()).ok()
        });
        top.map_or_else(|| (path.to_buf(), false), |actual| (actual, true))
    }

    /// Gives a staged root its name. Returns the directory that contains it, if it had none before.
    pub(super) fn publish_root(&mut self) -> rustix::io::Result<Option<Dir>> {
        let Some(StagedRoot { parent, temp, name }) = &self.root_place else { return Ok(None) };
        match parent.rename_new(temp, name) {
            // It was created in the meantime. If it is empty, rename(2) replaces it; otherwise nothing in it is
            // touched.
            Err(Errno::EXIST) => parent.rename(temp, name),
            result => result,
        }?;
        Ok(self.root_place.take().map(|place| place.parent))
    }

    /// Records that the directory at `path` has its name, or will never get it.
    pub(super) fn no_longer_staged(&self, path: RelPath<'_>) {
        self.staged.write().unwrap_or_else(PoisonError::into_inner).remove(&path.to_buf());
    }

    /// Removes everything that has no final name yet. Best effort: what cannot be removed is recognised by its name.
    pub(crate) fn abandon(&mut self) {
        if let Some(StagedRoot { parent, temp, .. }) = &self.root_place {
            let _ = remove_tree(parent, temp);
        }
        let staged = self.staged.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (path, temp) in staged {
            if let Ok(dir) = self.root.open_dir_beneath(path.as_path().split().0) {
                let _ = remove_tree(&dir, &temp);
            }
        }
        self.barrier.discard(|path| self.root.open_dir_beneath(path));
        self.lock_again();
    }
}

/// What entries should have.
impl Destination {
    /// What an inode must have to match `entry`, as far as it is set here at all. Owners are ignored if the archive's
    /// are not restored.
    pub(crate) fn wanted(&self, entry: &Entry, owners: &mut Owners) -> Attributes {
        let ids = self.settings.same_owner;
        let ids = ids.then(|| owners.ids(&entry.meta.owner, self.settings.numeric_owner));
        let is_symlink = matches!(entry.kind, Kind::Symlink(_));
        Attributes {
            uid: ids.map(|(uid, _)| uid).filter(|_| self.settings.users),
            gid: ids.map(|(_, gid)| gid).filter(|_| self.settings.groups),
            mode: (!is_symlink).then(|| self.final_mode(entry)),
            atime: None,
            mtime: Some(entry.meta.mtime).filter(|_| self.sets_time(&entry.kind)),
        }
    }

    fn sets_time(&self, kind: &Kind) -> bool {
        self.settings.times && !(self.settings.omit_dir_times && *kind == Kind::Directory)
    }

    /// The umask; the usual one if it is not known.
    pub(super) fn umask(&self) -> u32 {
        self.umask
    }

    fn final_mode(&self, entry: &Entry) -> u32 {
        if self.settings.same_permissions && self.settings.modes {
            return entry.meta.mode;
        }
        entry.meta.mode & 0o777 & !self.umask
    }

    /// The mode with which to create a directory in a staged one: its own, if that can be set at once and lets its
    /// owner fill it.
    pub(super) fn directory_mode(&self, entry: &Entry) -> u32 {
        let mode = self.final_mode(entry);
        let is_reached = mode & self.who.umask == 0 && mode <= 0o777 && entry.meta.xattrs.is_empty();
        if is_reached && mode & PRIVATE_DIRECTORY == PRIVATE_DIRECTORY { mode } else { PRIVATE_DIRECTORY }
    }

    /// Whether an entry gets this xattr: privileged ones only if privileged modes are set, too.
    ///
    /// `trusted.overlay.` is the mount state of an overlay file system; set on a directory that becomes a layer, it
    /// could make files appear or disappear.
    pub(crate) fn sets(&self, xattr: &Xattr) -> bool {
        if xattr.is_acl() {
            return self.settings.acls;
        }
        let privileged = self.settings.same_permissions && self.who.is_root();
        let is_allowed =
            xattr.is_unprivileged() || (privileged && !xattr.name.starts_with(b"trusted.overlay."));
        self.settings.xattrs && is_allowed && !xattr.is_second_view()
    }

    /// What must be set on a new inode that was created with `have`.
    pub(super) fn changes_to_new(
        &self,
        entry: &Entry,
        wanted: &Attributes,
        have: &Attributes,
        handle: Handle<'_>,
    ) -> Changes {
        let mut changes = changes(&self.can.keepable(wanted, have), have, &Precision::EXACT);
        // An entry that was created with a known owner has inherited nothing.
        let inherited = if have.uid.is_some() || !self.takes_xattrs() {
            Box::default()
        } else {
            read_xattrs(handle, &self.can).unwrap_or_default()
        };
        let may_go = |xattr: &Xattr| xattr.is_acl() && self.settings.acls;
        add_xattrs(&mut changes, (&entry.meta.xattrs, |xattr| self.sets(xattr)), (&inherited, may_go));
        self.can.keep_xattrs(&mut changes);
        changes
    }

    /// What must be set on an existing inode of the entry's kind with this `stat`.
    pub(crate) fn changes_to_old(
        &self,
        entry: &Entry,
        stat: &Stat,
        handle: Handle<'_>,
        owners: &mut Owners,
    ) -> Result<Changes, Errno> {
        let have = if self.takes_xattrs() { read_xattrs(handle, &self.can)? } else { Box::default() };
        let precision = Precision { dst: self.grains().of(stat), ..Precision::EXACT };
        let attributes = Attributes::of(stat);
        let mut wanted = self.wanted(entry, owners);
        if !self.settings.modes {
            wanted.mode = None;
        }
        let wanted = self.can.keepable(&wanted, &attributes);
        let mut changes = changes(&wanted, &attributes, &precision);
        // Labels that a security module gives to every inode do not count as missing in the archive.
        let is_label =
            |xattr: &Xattr| xattr.name.starts_with(b"security.") && *xattr.name != *b"security.capability";
        let may_go = |xattr: &Xattr| self.settings.removes && self.sets(xattr) && !is_label(xattr);
        add_xattrs(&mut changes, (&entry.meta.xattrs, |xattr| self.sets(xattr)), (&have, may_go));
        self.can.keep_xattrs(&mut changes);
        Ok(changes)
    }

    /// Whether extended attributes are set at all.
    fn takes_xattrs(&self) -> bool {
        self.settings.xattrs || self.settings.acls
    }

    /// Sets what `changes` says.
    pub(crate) fn set(&self, handle: Handle<'_>, changes: &Changes) -> Result<(), Failed> {
        set(handle, changes, &self.can)
    }
}

/// What is at `name`, symlinks not followed.
pub(super) fn standing(dir: &Dir, name: &[u8]) -> rustix::io::Result<Standing> {
    match dir.stat(name) {
        Ok(stat) if stat.kind == FileKind::Directory => Ok(Standing::Directory),
        Ok(_) => Ok(Standing::Other),
        Err(Errno::NOENT) => Ok(Standing::Nothing),
        Err(errno) => Err(errno),
    }
}
