//! Removes from a tree what its archive does not have.
//!
//! The last thing of a run, and only of one without any error. What the selection leaves out stays, and so does every
//! directory above it. Nothing on another mount is touched, and no symlink is followed.

use super::Run;
use super::remove::{Remover, close, kind_of, let_owner_write};
use crate::account::Report;
use crate::error::Act;
use crate::pool;
use crate::sys::Names;
use crate::sys::{Dir, FileKind};
use crate::tree::{RelPath, RelPathBuf};
use crate::walk::Verdict;

/// What an archive has, by path: whether it is a directory.
pub(super) type Held<'a> = dyn Fn(RelPath<'_>) -> Option<bool> + Sync + 'a;

/// What is removed, and from where.
pub(super) struct Deletion<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) held: &'a Held<'a>,
}

impl Deletion<'_> {
    /// Removes everything below `root` that the archive does not have.
    pub(super) fn everything(&self, root: &Dir) -> Report {
        let removers = pool::crawl(
            self.run.options.threads,
            RelPathBuf::default(),
            || Remover::new(self.run, root),
            |remover, path, found| self.directory(remover, root, path.as_path(), found),
        );
        let mut report = Report::default();
        report.merge_all(removers.into_iter().map(|remover| remover.report));
        report
    }

    fn directory(
        &self,
        remover: &mut Remover<'_>,
        root: &Dir,
        path: RelPath<'_>,
        found: &mut Vec<RelPathBuf>,
    ) {
        if self.run.cancel.is_set() {
            return;
        }
        let opened = root.open_dir_beneath(path);
        let (dir, names) = match opened.and_then(|dir| Ok((Names::of(&dir, &mut remover.buffer)?, dir))) {
            Ok((names, dir)) => (dir, names),
            Err(errno) => return remover.fail(path, Act::List, errno),
        };
        let mut closed = None;
        for number in 0..names.len() as u32 {
            let Ok(child) = path.join(names.name(number)) else { continue };
            let child = child.as_path();
            let Some(kind) = kind_of(&dir, &names, number) else { continue };
            let Some(is_directory) = (self.held)(child) else {
                closed = closed.or_else(|| let_owner_write(&dir));
                remover.remove(&dir, child, kind);
                continue;
            };
            let is_meant = || remover.select().verdict(child, true) != Verdict::Drop;
            if is_directory && kind == FileKind::Directory && is_meant() {
                found.push(child.to_buf());
            }
        }
        close(&dir, closed);
    }
}

/// Removes the directories at `paths`, which the archive has something else in the place of.
pub(super) fn blocking(run: &Run<'_>, root: &Dir, paths: &[RelPathBuf]) -> Report {
    let mut remover = Remover::new(run, root);
    for path in paths {
        let (parent, _) = path.as_path().split();
        match root.open_dir_beneath(parent) {
            Ok(dir) => drop(remover.remove(&dir, path.as_path(), FileKind::Directory)),
            Err(errno) => remover.fail(path.as_path(), Act::Open, errno),
        }
    }
    remover.report
}
