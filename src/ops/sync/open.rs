//! The beginning of a run: roots, lock, precautions.

use crate::account::Observer;
use crate::cancel::Cancel;
use crate::dest::Capabilities;
use crate::dest::backup::BackupPlace;
use crate::dest::survey::{Intent, Surveyed, survey};
use crate::error::{Act, Error, Precaution};
use crate::mirror::options::{Delta, SyncOptions};
use crate::mirror::{Alternates, Ground, Manifest, Root, XattrRules};
use crate::ops::flight::flight;
use crate::ops::hold::{Hold, hold};
use crate::plan::names::NameRules;
use crate::plan::removal::{RunFacts, Stays, may_remove};
use crate::source::SourceDirectory;
use crate::sys::grain::grains;
use crate::sys::{self, Dir, Names, meta, process};
use crate::tree::Locality;
use crate::tree::attributes::Who;
use crate::tree::grain::Grains;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Both sides, as the user named them.
#[derive(Clone, Copy)]
pub(super) struct Paths<'a> {
    pub(super) src: &'a Path,
    pub(super) dst: &'a Path,
}

/// Opens everything that a run needs. Changes nothing yet, except that it creates the destination. `None` if the run
/// was asked to stop while it waited for another.
pub(super) fn open<'a>(
    sides: Paths<'a>,
    options: &'a SyncOptions,
    cancel: &'a Cancel,
    observer: &'a dyn Observer,
) -> Result<Option<(Ground<'a>, Capabilities)>, Error> {
    let Paths { src: src_path, dst: dst_path } = sides;
    let src = open_root(src_path)?.ok_or_else(|| Error::io(Act::Open, src_path, Errno::NOENT))?;
    let manifest = match options.delete.as_ref().and_then(|delete| delete.manifest.as_ref()) {
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
    let xattrs = policy.keep.xattrs || policy.keep.acls;
    let intent = Intent { options: &options.destination, who: &who, xattrs, is_dry: options.dry_run };
    let dst = dst.map(|Root { path, location, dir, stat }| Root { path, location, dir: Arc::new(dir), stat });
    let Surveyed { can, grain, locality } = survey(dst.as_ref().map(|dst| &dst.dir), intent);
    let delta = match options.copying.delta {
        Delta::Always => true,
        Delta::Never => false,
        Delta::Auto => locality == Locality::Network,
    };
    let sides = [Some(meta::locality(&src.dir)), dst.as_ref().map(|dst| meta::locality(&dst.dir))];
    let flight = flight(&options.destination, options.threads, sides.into_iter().flatten());
    let ground = Ground {
        options,
        policy,
        observer,
        alternates: Alternates::open(&options.alternates, dst_path, observer)?,
        backup: open_backup(options, dst_path)?,
        manifest,
        began: process::now(),
        grains: dst.as_ref().map_or(Grains::UNKNOWN, |dst| grains(&dst.dir).or(grain)),
        xattr_rules: XattrRules::of(&options.choice.rules).map_err(Error::Rule)?,
        src: Root {
            path: src.path,
            location: src.location,
            dir: SourceDirectory::Local(src.dir, NameRules::default()),
            stat: src.stat,
        },
        dst,
        who,
        delta,
        flight,
    };
    Ok(Some((ground, can)))
}

/// The destination, created if missing and locked by this run. `None` if the run was asked to stop while it waited.
fn take<'a>(
    path: &'a Path,
    mut opened: Option<Root<'a, Dir>>,
    wait: bool,
    cancel: &Cancel,
    observer: &dyn Observer,
) -> Result<Option<Root<'a, Dir>>, Error> {
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

fn open_backup(options: &SyncOptions, dst: &Path) -> Result<Option<BackupPlace>, Error> {
    let Some(backup) = &options.backup else { return Ok(None) };
    BackupPlace::open(backup.dir.as_ref().map(|dir| dst.join(dir)), &backup.suffix).map(Some)
}

/// Who runs.
fn who() -> Who {
    let (uid, gid) = process::identity();
    Who { uid, gid, groups: process::groups(), umask: process::umask().unwrap_or(0o777) }
}

fn open_root(path: &Path) -> Result<Option<Root<'_, Dir>>, Error> {
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

/// An empty source is usually one that is not mounted.
fn refuse_empty(src: &Root<'_, Dir>, dst: &Root<'_, Dir>, options: &SyncOptions) -> Result<(), Error> {
    let delete = options.delete.as_ref();
    let facts = RunFacts {
        is_asked: delete.is_some(),
        allows_empty_source: delete.is_some_and(|delete| delete.allow_empty_source),
        source_is_empty: true,
        ..RunFacts::default()
    };
    if may_remove(facts) != Err(Stays::SourceIsEmpty) {
        return Ok(());
    }
    let is_empty = |root: &Root<'_, Dir>| {
        let names = root.dir.open_dir(b".").and_then(|dir| Names::of(&dir, &mut Vec::new()));
        names.map(|names| names.len() == 0).map_err(|errno| Error::io(Act::List, root.path, errno))
    };
    if is_empty(src)? && !is_empty(dst)? {
        return Err(Precaution::EmptySource { src: src.path.to_owned(), dst: dst.path.to_owned() }.into());
    }
    Ok(())
}
