//! The destination: its root, and which of its directories are staged.

use super::remove::remove_tree;
use super::{Failed, failed};
use crate::error::{Act, Error};
use crate::sys::grain::grains;
use crate::sys::output::open_parent;
use crate::sys::{Dir, FileKind, commit, meta, process, xattr};
use crate::tree::grain::Grains;
use crate::tree::metadata::{ACL_ACCESS, ACL_DEFAULT};
use crate::tree::stat::{OWNER_CHANGES, SET_GROUP_ID};
use crate::tree::{Device, Entry, RelPath, RelPathBuf, Standing};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// The mode of a directory until it is complete, unless it can have its own at once.
pub(super) const NEW_DIRECTORY: u32 = 0o700;

/// What is set on what is made.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Owners as the entries say; else those of the running user.
    pub(crate) same_owner: bool,
    /// Modes and privileged xattrs as the entries say; else as far as the umask lets through.
    pub(crate) same_permissions: bool,
    /// Owners by number, whatever names the entries have.
    pub(crate) numeric_owner: bool,
    /// Wait for the disk at every publication.
    pub(crate) fsync: bool,
    /// A directory that is not empty may give way to what is none. What is to take its place waits until the end.
    pub(crate) gives_way: bool,
}

/// A tree that is being made or changed.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(super) settings: Settings,
    /// As the user named it.
    path: PathBuf,
    pub(super) root: Dir,
    /// Where the root is to be, when it is new: it is staged then, and everything with it.
    root_place: Option<StagedRoot>,
    /// Whether this run has made the root.
    owns_root: bool,
    /// The topmost new directories, by final path, with their temporary names. Empty when the root is staged.
    staged: RwLock<HashMap<RelPathBuf, Vec<u8>>>,
    /// What is at a final path and may be linked to: what was made in live directories, and what was right already.
    pub(super) made: Mutex<HashMap<RelPathBuf, (Device, u64)>>,
    /// Names that are linked to after their directory got its name: what is made there is noted in `made`, too.
    pub(super) linked_later: HashSet<RelPathBuf>,
    /// What is to be renamed in live directories later: final path and temporary name. With `fsync`, everything; else
    /// what a directory has to give way to.
    pub(super) unpublished: Mutex<HashMap<RelPathBuf, Vec<u8>>>,
    /// Directories whose mode forbids their owner to change them, with that mode, while it is lifted.
    opened: Mutex<HashMap<RelPathBuf, u32>>,
    /// The directories made or found, in the order of their entries.
    pub(super) directories: Mutex<Vec<PendingDirectory>>,
    /// To whom new files belong by themselves.
    pub(super) identity: (u32, u32),
    pub(super) umask: Option<u32>,
    /// How exactly times are kept, once somebody asked.
    grains: OnceLock<Grains>,
}

#[derive(Debug)]
struct StagedRoot {
    parent: Dir,
    temp: Vec<u8>,
    name: Vec<u8>,
}

/// A directory whose metadata are set at the end.
#[derive(Debug)]
pub(crate) struct PendingDirectory {
    pub(crate) entry: Entry,
    pub(super) made: Made,
}

/// What came of making a directory.
#[derive(Debug)]
pub(super) enum Made {
    /// It is new, with this mode, and under this temporary name if it is a topmost new one.
    New { mode: u32, temp: Option<Vec<u8>> },
    /// It was there.
    Found,
}

/// A held directory of the destination.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) dir: Dir,
    pub(super) staged: bool,
    /// A live directory with a default ACL, which everything made in it inherits (acl(5)) and must lose again.
    pub(super) gives_acl: bool,
    /// A live directory with set-group-ID: what is made in it has its group.
    pub(super) gives_group: bool,
    /// The mode of a live directory of the running user's, who may not write to it.
    closed: Option<u32>,
}

impl Destination {
    /// Opens the directory at `path`, or stages one that is to be there.
    pub(crate) fn open(path: &Path, settings: Settings) -> Result<Self, Error> {
        let io = |act| move |errno: Errno| Error::io(act, path, errno);
        let (root, root_place) = match Dir::open(path) {
            Ok(root) => (root, None),
            Err(Errno::NOENT) => {
                let (parent, name) = open_parent(path).map_err(io(Act::Create))?;
                let (temp, root) = commit::create_temp_dir(&parent).map_err(io(Act::Create))?;
                (root, Some(StagedRoot { parent, temp, name }))
            }
            Err(errno) => return Err(io(Act::Open)(errno)),
        };
        let destination = Destination {
            settings,
            path: path.to_owned(),
            root,
            owns_root: root_place.is_some(),
            root_place,
            staged: RwLock::default(),
            made: Mutex::default(),
            linked_later: HashSet::new(),
            unpublished: Mutex::default(),
            opened: Mutex::default(),
            directories: Mutex::default(),
            identity: process::identity(),
            umask: process::umask(),
            grains: OnceLock::new(),
        };
        if destination.root_place.is_some() {
            destination.make_plain(&destination.root).map_err(io(Act::Create))?;
        }
        Ok(destination)
    }

    /// How exactly times are kept in it.
    pub(crate) fn grains(&self) -> &Grains {
        self.grains.get_or_init(|| grains(&self.root))
    }

    /// The destination as the user named it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Names these as what will be linked to only after their directory got its name.
    pub(crate) fn link_later(&mut self, paths: impl Iterator<Item = RelPathBuf>) {
        self.linked_later.extend(paths);
    }

    /// Lets a complete directory be changed again, and notes that its metadata are to be set once more.
    pub(crate) fn reopen(&self, entry: &Entry) -> Result<(), Failed> {
        let dir = self.root.open_dir_beneath(entry.path.as_path()).map_err(failed(Act::Open))?;
        let mode = dir.stat_self().map_err(failed(Act::Stat))?.mode;
        let is_settled = !entry.path.as_path().is_root() || self.settles_root();
        if self.identity.0 != 0 && mode & OWNER_CHANGES != OWNER_CHANGES && is_settled {
            // Where that is not allowed, making what is to be in it will tell.
            let _ = meta::set_mode(&dir, mode | OWNER_CHANGES);
        }
        self.note_directory(entry.clone(), Made::Found);
        Ok(())
    }

    /// What came of making the root.
    pub(super) fn root_made(&self) -> Made {
        if self.is_new() { Made::New { mode: NEW_DIRECTORY, temp: None } } else { Made::Found }
    }

    /// Whether the root is new and has no name yet.
    pub(crate) fn is_new(&self) -> bool {
        self.root_place.is_some()
    }

    /// Whether the metadata of the root are set. Who unpacks into an existing one did not ask for other rights on it,
    /// unless rights were asked for.
    pub(super) fn settles_root(&self) -> bool {
        self.owns_root || self.settings.same_permissions
    }

    /// The root, wherever it is now.
    pub(crate) fn root(&self) -> &Dir {
        &self.root
    }

    /// Lets what is at `path` be linked to.
    pub(crate) fn remember(&self, path: RelPath<'_>, inode: (Device, u64)) {
        lock(&self.made).insert(path.to_buf(), inode);
    }

    /// The inode at `path`, if it may be linked to.
    pub(crate) fn remembers(&self, path: RelPath<'_>) -> Option<(Device, u64)> {
        lock(&self.made).get(&path.to_buf()).copied()
    }

    /// Notes a directory whose metadata are to be set at the end.
    pub(super) fn note_directory(&self, entry: Entry, made: Made) {
        lock(&self.directories).push(PendingDirectory { entry, made });
    }

    /// Forgets a directory that something else is to replace.
    pub(crate) fn forget_directory(&self, path: RelPath<'_>) {
        lock(&self.directories).retain(|directory| directory.entry.path.as_path() != path);
        let staged = self.staged.write().unwrap_or_else(PoisonError::into_inner).remove(&path.to_buf());
        if let Some(temp) = staged
            && let Ok(held) = self.hold(path.split().0)
        {
            // Best effort: what cannot be removed is known by its name.
            let _ = remove_tree(&held.dir, &temp);
        }
    }

    /// Makes the directory at `path` in `held` if there is none; anything else there gives way at the end. In a staged
    /// directory, which nobody else can look into, it has `mode` at once.
    pub(super) fn make_directory(&self, held: &Held, path: RelPath<'_>, mode: u32) -> Result<Made, Failed> {
        let name = path.file_name();
        if held.staged {
            return match held.dir.create_dir(name, mode) {
                Ok(()) => Ok(Made::New { mode, temp: None }),
                Err(Errno::EXIST) if standing(&held.dir, name) == Ok(Standing::Directory) => Ok(Made::Found),
                Err(errno) => Err(failed(Act::Create)(errno)),
            };
        }
        let is_staged =
            self.staged.read().unwrap_or_else(PoisonError::into_inner).contains_key(&path.to_buf());
        if is_staged || standing(&held.dir, name).map_err(failed(Act::Stat))? == Standing::Directory {
            return Ok(Made::Found);
        }
        self.let_owner_write(held, path.split().0);
        let (temp, dir) = commit::create_temp_dir(&held.dir).map_err(failed(Act::Create))?;
        self.make_plain(&dir).map_err(failed(Act::Create))?;
        self.staged.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_buf(), temp.clone());
        Ok(Made::New { mode: NEW_DIRECTORY, temp: Some(temp) })
    }

    /// Takes from a new directory what it inherited: a default ACL, and set-group-ID with the parent's group. What is
    /// made below it then has nothing that it was not given.
    fn make_plain(&self, dir: &Dir) -> rustix::io::Result<()> {
        xattr::remove(dir.as_fd(), ACL_DEFAULT)?;
        xattr::remove(dir.as_fd(), ACL_ACCESS)?;
        if dir.stat_self()?.gid != self.identity.1 {
            meta::set_owner(dir.as_fd(), self.identity.0, self.identity.1)?;
        }
        meta::set_mode(dir.as_fd(), NEW_DIRECTORY)
    }

    /// Opens the directory whose final path is `path`, wherever it is now.
    pub(super) fn hold(&self, path: RelPath<'_>) -> Result<Held, Failed> {
        self.hold_below(None, path)
    }

    /// Opens the directory whose final path is `path`, beginning at one above it that is held, if any.
    pub(super) fn hold_below(
        &self,
        above: Option<(RelPath<'_>, &Held)>,
        path: RelPath<'_>,
    ) -> Result<Held, Failed> {
        let (dir, actual, staged) = match above {
            // What is below a staged directory has its final name.
            Some((above, held)) if held.staged => (&held.dir, path.below(above).to_buf(), true),
            _ => {
                let (actual, staged) = self.actual(path);
                (&self.root, actual, staged)
            }
        };
        let dir = dir.open_dir_beneath(actual.as_path()).map_err(|errno| match errno {
            Errno::LOOP => Failed::Refused("a directory above it is a symbolic link"),
            errno => failed(Act::Open)(errno),
        })?;
        let gives_acl = !staged
            && xattr::of(dir.as_fd()).is_ok_and(|xattrs| xattrs.iter().any(|x| *x.name == *ACL_DEFAULT));
        let stat = if staged { None } else { dir.stat_self().ok() };
        let gives_group = stat.as_ref().is_some_and(|stat| stat.mode & SET_GROUP_ID != 0);
        let closed = stat.filter(|stat| stat.is_closed_to(self.identity.0)).map(|stat| stat.mode);
        Ok(Held { dir, staged, gives_acl, gives_group, closed })
    }

    /// Lets the owner of a directory change it, whatever its mode says. It has that again in the end.
    pub(super) fn let_owner_write(&self, held: &Held, path: RelPath<'_>) {
        if let Some(mode) = held.closed {
            lock(&self.opened).entry(path.to_buf()).or_insert(mode);
            // Where that is not allowed, making what is to be in it will tell.
            let _ = meta::set_mode(&held.dir, mode | OWNER_CHANGES);
        }
    }

    /// Gives directories that were opened for their owner the modes that they had.
    pub(super) fn close_opened(&self) {
        for (path, mode) in std::mem::take(&mut *lock(&self.opened)) {
            if let Ok(dir) = self.root.open_dir_beneath(path.as_path()) {
                // Best effort: it was set by this process a moment ago.
                let _ = meta::set_mode(&dir, mode);
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

    /// Gives a staged root its name. With `fsync`, what is in it is on the disk before.
    ///
    /// Returns the directory that it lies in, if it had none before.
    pub(super) fn publish_root(&mut self) -> rustix::io::Result<Option<Dir>> {
        let Some(StagedRoot { parent, temp, name }) = &self.root_place else { return Ok(None) };
        match parent.rename_new(temp, name) {
            // Somebody made it meanwhile. Empty, it can be replaced, rename(2); else nothing of it is touched.
            Err(Errno::EXIST) => parent.rename(temp, name),
            result => result,
        }?;
        Ok(self.root_place.take().map(|place| place.parent))
    }

    /// The directory at `path` has its name.
    pub(super) fn is_published(&self, path: RelPath<'_>) {
        self.staged.write().unwrap_or_else(PoisonError::into_inner).remove(&path.to_buf());
    }

    /// Removes everything that has no final name yet. Best effort: what cannot be removed is known by its name.
    pub(crate) fn abandon(&mut self) {
        if let Some(StagedRoot { parent, temp, .. }) = &self.root_place {
            let _ = remove_tree(parent, temp);
        }
        let staged = self.staged.read().unwrap_or_else(PoisonError::into_inner).clone();
        let unpublished = std::mem::take(&mut *lock(&self.unpublished));
        for (path, temp) in staged.into_iter().chain(unpublished) {
            let (parent, _) = path.as_path().split();
            if let Ok(dir) = self.root.open_dir_beneath(parent) {
                let _ = remove_tree(&dir, &temp);
            }
        }
        self.close_opened();
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

/// The guarded collections are whole at every point where a panic could occur.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
