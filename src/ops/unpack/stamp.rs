//! `--if-changed`: a stamp next to a tree that says which archive it is, so that the next run need not look.
//!
//! Owns what the stamp says and when it is trusted. It is removed before anything is changed and written after
//! everything else, so there is never a stamp next to a tree that is half one archive and half another.

use super::options::{StampPlace, UnpackOptions};
use super::run::UnpackRun;
use crate::archive::Fault;
use crate::archive::index::Identity;
use crate::error::{Act, Error, Unfit};
use crate::sys::output::{self, OutputPlace};
use crate::sys::{Dir, meta, open, process};
use rustix::io::Errno;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// The stamp of one tree.
pub(super) struct TreeStamp {
    path: PathBuf,
    /// What it says about the archive and the options.
    what: String,
    fsync: bool,
}

impl TreeStamp {
    /// The stamp for this run, whether it exists or not; `None` if none is requested, or if the archive has no index,
    /// which would identify it.
    pub(super) fn of(run: &UnpackRun<'_>, (archive, file): (&Path, &File)) -> Result<Option<Self>, Error> {
        let Some(place) = &run.options.if_changed else { return Ok(None) };
        let path = match place {
            StampPlace::At(path) => path.clone(),
            StampPlace::Beside => beside(run.dst).ok_or_else(|| Error::unfit(run.dst, Unfit::NoName))?,
        };
        let identity = Identity::of(file).map_err(|fault: Fault| fault.at(archive))?;
        let Some(Identity { index, len }) = identity else { return Ok(None) };
        let options = options_digest(run.options);
        let what = format!("haul-stamp 1\narchive {index:032x} {len}\noptions {options:032x}\n");
        Ok(Some(TreeStamp { path, what, fsync: run.options.fsync }))
    }

    /// Whether the tree at `dst` is the result of this run, according to the stamp.
    pub(super) fn holds(&self, dst: &Path) -> bool {
        let (Ok(said), Ok(root)) = (open::read_whole(&self.path), Dir::open(dst)) else { return false };
        let is = |durable| self.text(&root, durable).is_ok_and(|text| text.as_bytes() == said);
        is(true) || (!self.fsync && is(false))
    }

    /// Removes the stamp before the tree is changed. Fails if none could be written in the end.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let io = |act| move |errno: Errno| Error::io(act, &self.path, errno);
        let place = OutputPlace::open(&self.path).map_err(io(Act::Create))?;
        let exists = place.existing().is_some();
        place.create().map_err(io(Act::Create))?.discard();
        if exists {
            output::remove_durably(&self.path).map_err(io(Act::Remove))?;
        }
        Ok(())
    }

    /// Writes the stamp for the complete tree below `root`.
    pub(super) fn write(&self, root: &Dir) -> Result<(), Error> {
        let io = |act| move |errno: Errno| Error::io(act, &self.path, errno);
        let text = self.text(root, self.fsync).map_err(io(Act::Stat))?;
        let output = OutputPlace::open(&self.path).and_then(OutputPlace::create).map_err(io(Act::Create))?;
        if let Err(error) = (&output).write_all(text.as_bytes()) {
            output.discard();
            return Err(Error::io(Act::Write, &self.path, error));
        }
        // Its owner, who can always read it, uses it.
        output.publish(self.fsync).map(|_| ()).map_err(io(Act::Publish))
    }

    /// What the stamp says about a tree. Without a sync it is valid only until the next boot.
    fn text(&self, root: &Dir, durable: bool) -> rustix::io::Result<String> {
        let stat = root.stat_self()?;
        let born = meta::birth(root.as_fd())?.unwrap_or_default();
        let boot = if durable { "-".to_owned() } else { process::boot_id().ok_or(Errno::NOENT)? };
        let (device, mtime) = (stat.dev, stat.mtime);
        Ok(format!(
            "{}root {}:{} {} {}.{:09} {}.{:09}\nboot {boot}\n",
            self.what,
            device.major,
            device.minor,
            stat.ino,
            born.seconds,
            born.nanos,
            mtime.seconds,
            mtime.nanos
        ))
    }
}

/// `.NAME.haul-stamp` next to the directory NAME.
fn beside(dst: &Path) -> Option<PathBuf> {
    let name = dst.file_name()?;
    let mut stamp = std::ffi::OsString::from(".");
    stamp.push(name);
    stamp.push(".haul-stamp");
    Some(dst.with_file_name(stamp))
}

/// The options and the properties of the user that affect the resulting tree.
fn options_digest(options: &UnpackOptions) -> u128 {
    let umask = (!options.same_permissions).then(process::umask);
    let who = (process::identity(), umask, env!("CARGO_PKG_VERSION"));
    let how = (options.same_owner, options.same_permissions, options.numeric_owner, options.deletes());
    let UnpackOptions { modes, users, groups, times, omit_dir_times, .. } = *options;
    let UnpackOptions { symlinks, hard_links, xattrs, acls, .. } = *options;
    let kept = [modes, users, groups, times, omit_dir_times, symlinks, hard_links, xattrs, acls];
    xxh3_128(format!("{who:?} {how:?} {kept:?} {:?} {:?}", options.destination, options.select).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_lies_beside_the_directory() {
        for (dst, stamp) in [
            ("/srv/app", Some("/srv/.app.haul-stamp")),
            ("app/", Some(".app.haul-stamp")),
            ("/", None),
            ("..", None),
        ] {
            assert_eq!(beside(Path::new(dst)).as_deref(), stamp.map(Path::new), "{dst}");
        }
    }
}
