//! The beginning of a run: roots, lock, precautions.

use super::alternates::Alternates;
use super::groups::Links;
use super::late::Late;
use super::manifest::Manifest;
use super::options::{DeleteWhen, Delta, Options};
use super::renames::Renames;
use super::rules::XattrRules;
use super::run::{Flags, Root, Run, who};
use crate::account::Observer;
use crate::cancel::Cancel;
use crate::dest::Capabilities;
use crate::dest::backup::BackupPlace;
use crate::dest::barrier::Barrier;
use crate::error::{Act, Error, Precaution};
use crate::ops::hold::{Hold, hold};
use crate::sys::Names;
use crate::sys::grain::grains;
use crate::sys::{self, Dir, meta, process};
use crate::tree::grain::Grains;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

/// Opens everything that a run needs. Nothing is changed yet, but that the destination is made. `None` if the run was
/// asked to stop while it waited for another.
pub(super) fn open<'a>(
    (src_path, dst_path): (&'a Path, &'a Path),
    options: &'a Options,
    cancel: &'a Cancel,
    observer: &'a dyn Observer,
) -> Result<Option<Run<'a>>, Error> {
    let src = open_root(src_path)?.ok_or_else(|| Error::io(Act::Open, src_path, Errno::NOENT))?;
    let deletable = match options.delete.as_ref().and_then(|delete| delete.manifest.as_ref()) {
        Some(path) => Some(Manifest::read(path)?),
        None => None,
    };
    let mut dst = open_root(dst_path)?;
    if dst.as_ref().is_some_and(|dst| dst.stat.id() == src.stat.id()) {
        return Err(Precaution::SameDirectory { src: src_path.to_owned(), dst: dst_path.to_owned() }.into());
    }
    if let Some(dst) = &dst {
        refuse_empty(&src, dst, options)?;
    }
    if !options.dry_run {
        dst = take(dst_path, dst, options.wait, cancel, observer)?;
        if dst.is_none() {
            return Ok(None);
        }
    }
    let mut policy = options.policy.clone();
    let who = who();
    // Only root can make device nodes, mknod(2).
    policy.keep.devices &= who.is_root();
    let delta = match options.copying.delta {
        Delta::Always => true,
        Delta::Never => false,
        Delta::Auto => dst.as_ref().is_some_and(|dst| meta::is_network(&dst.dir)),
    };
    Ok(Some(Run {
        options,
        policy,
        cancel,
        observer,
        alternates: Alternates::open(&options.alternates, dst_path)?,
        backup: open_backup(options, dst_path)?,
        deletable,
        xattr_rules: XattrRules::of(&options.choice.rules)?,
        renames: may_detect_renames(options).then(Renames::default),
        began: process::now(),
        grains: dst.as_ref().map_or(Grains::UNKNOWN, |dst| grains(&dst.dir)),
        src,
        dst,
        who,
        can: Capabilities::without(&options.without, options.insist),
        links: Links::default(),
        delta,
        late: Late::default(),
        barrier: Barrier::default(),
        flags: Flags::default(),
        kept: Mutex::default(),
    }))
}

/// The destination, made where it is missing and held by this run. `None` if that was asked to stop while it waited.
fn take<'a>(
    path: &'a Path,
    mut opened: Option<Root<'a>>,
    wait: bool,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Option<Root<'a>>, Error> {
    loop {
        let Some(root) = opened else {
            sys::open::create_dir(path).map_err(|errno| Error::io(Act::Create, path, errno))?;
            opened = open_root(path)?;
            continue;
        };
        match hold(path, &root.dir, wait, cancel, observer)? {
            Hold::Ours => return Ok(Some(root)),
            Hold::Stopped => return Ok(None),
            Hold::Moved => opened = open_root(path)?,
        }
    }
}

fn open_backup(options: &Options, dst: &Path) -> Result<Option<BackupPlace>, Error> {
    let Some(backup) = &options.backup else { return Ok(None) };
    BackupPlace::open(backup.dir.as_ref().map(|dir| dst.join(dir)), &backup.suffix).map(Some)
}

/// Whether there is anything that a renamed file could be made of: it is removed afterwards.
fn may_detect_renames(options: &Options) -> bool {
    let when = options.delete.as_ref().map(|delete| delete.when);
    options.detect_renames && when.is_some_and(|when| when != DeleteWhen::Before)
}

fn open_root(path: &Path) -> Result<Option<Root<'_>>, Error> {
    let io = |act| move |errno: Errno| Error::io(act, path, errno);
    let dir = match Dir::open(path) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(io(Act::Open)(errno)),
    };
    let stat = dir.stat_self().map_err(io(Act::Stat))?;
    let absolute = process::absolute(path);
    let location = absolute.as_os_str().as_bytes();
    let location = location.strip_prefix(b"/").unwrap_or(location).to_vec();
    Ok(Some(Root { path, location, dir, stat }))
}

/// An empty source mostly is one that is not mounted.
fn refuse_empty(src: &Root<'_>, dst: &Root<'_>, options: &Options) -> Result<(), Error> {
    if options.delete.as_ref().is_none_or(|delete| delete.allow_empty_source) {
        return Ok(());
    }
    let is_empty = |root: &Root<'_>| {
        let names = root.dir.open_dir(b".").and_then(|dir| Names::of(&dir, &mut Vec::new()));
        names.map(|names| names.len() == 0).map_err(|errno| Error::io(Act::List, root.path, errno))
    };
    if is_empty(src)? && !is_empty(dst)? {
        return Err(Precaution::EmptySource { src: src.path.to_owned(), dst: dst.path.to_owned() }.into());
    }
    Ok(())
}

impl Run<'_> {
    /// Whether the source's name still leads to the directory that was opened.
    pub(super) fn is_same_source(&self) -> bool {
        let now = Dir::open(self.src.path).and_then(|dir| dir.stat_self());
        now.is_ok_and(|now| now.id() == self.src.stat.id() && now.mount == self.src.stat.mount)
    }
}
