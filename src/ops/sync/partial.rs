//! Large files that outlive an interruption: `--partial`.
//!
//! The file grows in a directory of the mirror's own beside its place, under its own name, and moves to its place when
//! it is complete. A later run finds it there and goes on: whatever it holds is compared with the source, block by
//! block, and only what differs is written.

use super::choose::PARTIAL_DIR;
use super::fault::{Fault, at_destination};
use super::file::Source;
use super::stretch::{Found, Spot};
use super::worker::{Worker, moved};
use crate::account::Cause;
use crate::dest::remove::remove_tree;
use crate::dest::target::Target;
use crate::error::Act;
use crate::sys::{Dir, FileKind, Handle, Stat, commit};
use crate::tree::attributes::Attributes;
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;

impl Worker<'_> {
    pub(super) fn file_in_parts(
        &mut self,
        target: &Target,
        spot: Spot<'_>,
        source: &Source,
        old: Option<&Found>,
    ) -> Result<(), Fault> {
        let dir = self.partial_dir(target)?;
        let (file, is_new) = self.partial_file(&dir, spot.name)?;
        let filled = if is_new {
            self.copier.fresh(source.as_content(), &file, &mut moved(self.run))
        } else {
            self.copier.inplace(source.as_content(), &file, &mut moved(self.run))
        };
        // Whatever comes of it, what was written stays for the next run.
        self.judge(source, filled)?;
        let wanted = self.wanted_anew(&source.stat, old);
        self.settle_new(spot, Handle::Open(file.as_fd()), (&wanted, &Attributes::default()), &source.xattrs);
        commit::close(file).map_err(at_destination(Act::Write))?;
        self.make_way_for(target, spot, old)?;
        if self.run.options.fsync {
            // Its name comes once its content is on the disk; until then it lies under a temporary one beside it.
            let moved = commit::retry_names(|temp| dir.rename_into(spot.name, &target.dir, temp));
            let (temp, ()) = moved.map_err(at_destination(Act::Publish))?;
            let _ = self.run.barrier.publish_later(spot.path, temp);
        } else {
            dir.rename_into(spot.name, &target.dir, spot.name).map_err(at_destination(Act::Publish))?;
        }
        // Another thread's file may be in it, or one of an earlier run.
        let _ = target.dir.remove_dir(PARTIAL_DIR);
        Ok(())
    }

    /// The directory of partial files, open to its owner only. What somebody else has put there is not trusted.
    fn partial_dir(&self, target: &Target) -> Result<Dir, Fault> {
        target.unlock();
        match target.dir.create_dir(PARTIAL_DIR, 0o700) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(at_destination(Act::Create)(errno)),
        }
        let dir = target.dir.open_dir(PARTIAL_DIR).map_err(at_destination(Act::Open))?;
        let stat = dir.stat_self().map_err(at_destination(Act::Stat))?;
        let is_private = stat.uid == self.run.who.uid && stat.mode & 0o777 == 0o700;
        if is_private { Ok(dir) } else { Err(Fault::Destination(Act::Open, Cause::Os(Errno::ACCESS.into()))) }
    }

    fn partial_file(&self, dir: &Dir, name: &[u8]) -> Result<(File, bool), Fault> {
        match dir.open_file_for_update(name) {
            Ok(file) => {
                let stat = Stat::of(file.as_fd()).map_err(at_destination(Act::Stat))?;
                let is_ours = stat.kind == FileKind::File && stat.uid == self.run.who.uid && stat.nlink == 1;
                if is_ours {
                    return Ok((file, false));
                }
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(at_destination(Act::Open)(errno)),
        }
        remove_tree(dir, name).map_err(at_destination(Act::Remove))?;
        let file = dir.create_file(name, 0o600).map_err(at_destination(Act::Create))?;
        Ok((file, true))
    }
}

/// Removes what is kept of the file `name`, which is complete. Best effort: the next run may find it, and goes on from
/// whatever it holds.
pub(super) fn drop_partial(target: &Target, name: &[u8]) {
    if let Ok(dir) = target.dir.open_dir(PARTIAL_DIR) {
        let _ = dir.remove_file(name);
        let _ = target.dir.remove_dir(PARTIAL_DIR);
    }
}
