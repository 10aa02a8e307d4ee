//! Renamed files: what is to be removed serves for what is to be made, if it has the same content.

use super::choose::Leaf;
use super::fault::{Fault, at_destination};
use super::links::check_link;
use super::stretch::Spot;
use super::worker::Worker;
use crate::dest::target::Target;
use crate::error::Act;
use crate::pool::lock;
use crate::sys::Names;
use crate::sys::{Dir, FileKind, Handle, Stat};
use crate::tree::attributes::Attributes;
use crate::tree::{RelPath, RelPathBuf};
use std::collections::HashMap;
use std::sync::Mutex;

/// The files that are to be removed, by their length. A file with several names is none of them, since one of its names
/// may stay.
#[derive(Debug, Default)]
pub(super) struct Renames {
    by_size: Mutex<HashMap<u64, Vec<RelPathBuf>>>,
}

impl Renames {
    fn add(&self, path: RelPath<'_>, stat: &Stat) {
        if stat.kind == FileKind::File && stat.size > 0 && stat.nlink == 1 {
            lock(&self.by_size).entry(stat.size).or_default().push(path.to_buf());
        }
    }

    fn of_size(&self, size: u64) -> Vec<RelPathBuf> {
        lock(&self.by_size).get(&size).cloned().unwrap_or_default()
    }

    /// Takes a file for one use; `false` if another thread was faster.
    fn take(&self, size: u64, path: &RelPathBuf) -> bool {
        let mut by_size = lock(&self.by_size);
        let Some(paths) = by_size.get_mut(&size) else { return false };
        let Some(at) = paths.iter().position(|one| one == path) else { return false };
        paths.swap_remove(at);
        true
    }
}

impl Worker<'_> {
    /// Notes the entry at `path`, which is to be removed, and everything below it.
    pub(super) fn survey(&mut self, target: &Target, path: RelPath<'_>, is_directory: bool) {
        let Some(renames) = &self.run.renames else { return };
        if !is_directory {
            if let Ok(stat) = target.dir.stat(path.file_name()) {
                renames.add(path, &stat);
            }
            return;
        }
        // What cannot be opened or listed serves for nothing.
        let Ok(top) = target.dir.open_dir(path.file_name()) else { return };
        let mut waiting = vec![(path.to_buf(), top)];
        while let Some((path, dir)) = waiting.pop() {
            let Ok(names) = Names::of(&dir, &mut self.buffer) else { continue };
            for name in names.iter() {
                let (Ok(below), Ok(stat)) = (path.as_path().join(name), dir.stat(name)) else { continue };
                if stat.kind != FileKind::Directory {
                    renames.add(below.as_path(), &stat);
                } else if let Ok(child) = dir.open_dir(name) {
                    waiting.push((below, child));
                }
            }
        }
    }

    /// Makes the entry of a file that is to be removed and has its content. Returns that file's path.
    pub(super) fn renamed_from(&mut self, spot: Spot<'_>, leaf: &Leaf) -> Result<Option<RelPathBuf>, Fault> {
        let (Some(renames), Some(root)) = (&self.run.renames, &self.run.dst) else { return Ok(None) };
        if leaf.stat.kind != FileKind::File || leaf.stat.size == 0 {
            return Ok(None);
        }
        for path in renames.of_size(leaf.stat.size) {
            let (parent, name) = path.as_path().split();
            let Ok(dir) = root.dir.open_dir_beneath(parent) else { continue };
            let same = match self.has_same_content_at(spot, leaf, (&dir, name)) {
                // It may be gone by now, and what cannot be read serves for nothing.
                Err(Fault::Destination(..)) => false,
                same => same?,
            };
            if !same || !renames.take(leaf.stat.size, &path) {
                continue;
            }
            if self.run.is_dry() || self.take_over(spot, leaf, (&dir, name))? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn take_over(&mut self, spot: Spot<'_>, leaf: &Leaf, (dir, name): (&Dir, &[u8])) -> Result<bool, Fault> {
        let Some(target) = spot.dst else { return Ok(false) };
        let stat = dir.stat(name).map_err(at_destination(Act::Stat))?;
        let Ok(temp) = target.create_link(spot.name, dir, name) else { return Ok(false) };
        let at = temp.as_deref().unwrap_or(spot.name);
        check_link(target, at, Some(stat.id()))?;
        let source = self.open_source(spot.src, spot.name, leaf.follow, &leaf.stat)?;
        let wanted = self.wanted(&leaf.stat, None);
        let (handle, have) = (Handle::Named(&target.dir, at), Attributes::of(&stat));
        self.settle_linked(spot, handle, (&wanted, &have), &source.xattrs);
        self.put(target, spot, temp, None)?;
        Ok(true)
    }
}
