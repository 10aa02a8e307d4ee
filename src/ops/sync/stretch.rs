//! Works through a stretch of a directory's names: what each side has, and who sees to it.

use super::choose::{Leaf, Look, PARTIAL_DIR};
use super::fault::{Fault, at_destination};
use super::pair::Pair;
use super::visit::{Child, Task, There};
use super::worker::Worker;
use super::{DeleteWhen, Pass};
use crate::dest::target::Target;
use crate::error::Act;
use crate::pool;
use crate::rules::Scope;
use crate::sys::{Dir, FileKind, Stat, commit};
use crate::tree::RelPath;
use rustix::io::Errno;
use std::ops::Range;
use std::sync::Arc;

/// The place of one entry on both sides.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) src: &'a Dir,
    /// `None` in a dry run, where it does not exist.
    pub(super) dst: Option<&'a Target>,
    pub(super) path: RelPath<'a>,
    pub(super) name: &'a [u8],
    pub(super) alternates: &'a [Option<Dir>],
    /// What must not be removed from what gives way here.
    pub(super) protected: Option<&'a Scope>,
}

/// What the destination has at a name.
pub(super) struct Found {
    pub(super) stat: Stat,
    /// A symlink's text.
    pub(super) target: Option<Box<[u8]>>,
}

impl Found {
    /// What lies in `dir` under this name, or at which act it could not be found out.
    pub(super) fn at(dir: &Dir, name: &[u8]) -> Result<Self, (Act, Errno)> {
        let stat = dir.stat(name).map_err(|errno| (Act::Stat, errno))?;
        let target = match stat.kind {
            FileKind::Symlink => Some(dir.read_link(name).map_err(|errno| (Act::ReadLink, errno))?),
            _ => None,
        };
        Ok(Found { stat, target })
    }
}

/// Whether the destination has a name, and what it was listed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    Not,
    As(Option<FileKind>),
}

impl Listed {
    fn kind(self) -> Option<FileKind> {
        match self {
            Listed::Not => None,
            Listed::As(kind) => kind,
        }
    }
}

impl Worker<'_> {
    pub(super) fn stretch(
        &mut self,
        pass: Pass,
        pair: &Arc<Pair>,
        range: Range<usize>,
        tasks: &mut pool::Found<Task>,
    ) {
        let mut children = Vec::new();
        for joined in &pair.joined[range] {
            if self.run.is_ending() {
                break;
            }
            let there = joined.dst.map_or(Listed::Not, |number| Listed::As(pair.dst_names.kind(number)));
            let Some(number) = joined.src else {
                let name = joined.dst.map(|number| pair.dst_names.name(number)).unwrap_or_default();
                self.extraneous(pass, pair, name, there.kind());
                continue;
            };
            let name = pair.src_names.name(number);
            // A name from getdents64(2) is one component; an odd file system's `..` does not pass for one.
            let Ok(path) = pair.as_path().join(name) else { continue };
            let kind = pair.src_names.kind(number);
            let done = match self.look(&pair.src, &pair.choice, path.as_path(), kind) {
                Ok(Look::Nothing) => {
                    if there != Listed::Not {
                        self.extraneous(pass, pair, name, there.kind());
                    }
                    Ok(())
                }
                Ok(Look::Directory { follow }) => self.there(pair, name, there).map(|there| {
                    let above = Arc::clone(pair);
                    children.push(Task::Directory(Child { above, name: name.into(), follow, there }));
                }),
                Ok(Look::Leaf(leaf)) if pass == Pass::Transfer => {
                    self.pair_leaf(pair, path.as_path(), &leaf, there)
                }
                Ok(Look::Leaf(_) | Look::LeftOut) => Ok(()),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = done {
                self.fail(path.as_path(), fault);
            }
        }
        pair.add_children(children.len());
        // The last one is worked on next.
        tasks.extend(children.into_iter().rev());
    }

    fn pair_leaf(&mut self, pair: &Pair, path: RelPath<'_>, leaf: &Leaf, there: Listed) -> Result<(), Fault> {
        let name = path.file_name();
        let (dst, alternates) = (pair.dst.as_ref(), &pair.alternates[..]);
        let protected = pair.choice.protected.as_ref();
        let spot = Spot { src: &pair.src, dst, path, name, alternates, protected };
        let found = if there == Listed::Not { None } else { find(dst, name)? };
        let done = self.leaf(spot, leaf, found);
        // What failed may have been begun under a temporary name.
        if !matches!(done, Ok(false)) {
            pair.touch();
        }
        done.map(|_| ())
    }

    /// What the destination has in the place of a directory.
    fn there(&self, pair: &Pair, name: &[u8], listed: Listed) -> Result<There, Fault> {
        let (Listed::As(kind), Some(target)) = (listed, &pair.dst) else { return Ok(There::Nothing) };
        let kind = match kind {
            Some(kind) => kind,
            None => match target.dir.stat(name) {
                Ok(stat) => stat.kind,
                Err(Errno::NOENT) => return Ok(There::Nothing),
                Err(errno) => return Err(at_destination(Act::Stat)(errno)),
            },
        };
        let leads_to_directory =
            || target.dir.stat_following(name).is_ok_and(|stat| stat.kind == FileKind::Directory);
        Ok(match kind {
            FileKind::Directory => There::Directory,
            FileKind::Symlink if self.run.policy().symlinks.keep_dirs && leads_to_directory() => {
                There::DirectoryLink
            }
            _ => There::Other,
        })
    }

    /// A name of the destination that the source does not have, or that does not take part.
    pub(super) fn extraneous(&mut self, pass: Pass, pair: &Arc<Pair>, name: &[u8], kind: Option<FileKind>) {
        let Some(target) = &pair.dst else { return };
        let Ok(path) = pair.as_path().join(name) else { return };
        if name == PARTIAL_DIR || pair.choice.cursor.as_ref().is_some_and(|cursor| cursor.names().is_some()) {
            return;
        }
        if commit::is_temp_name(name) && self.remove_stale(target, name) {
            return pair.touch();
        }
        if self.run.options.delete.is_none() {
            return;
        }
        let kind = kind.or_else(|| target.dir.stat(name).ok().map(|stat| stat.kind));
        let is_directory = kind == Some(FileKind::Directory);
        let is_protected =
            pair.choice.protected.as_ref().is_some_and(|scope| scope.protects(path.as_path(), is_directory));
        if is_protected || self.run.backup.as_ref().is_some_and(|backup| backup.made(name)) {
            return;
        }
        match pass {
            Pass::Survey => self.survey(target, path.as_path(), is_directory),
            Pass::Delete => self.delete_now(pair, path.as_path(), is_directory),
            Pass::Transfer if self.run.deletes(DeleteWhen::During) => {
                self.delete_now(pair, path.as_path(), is_directory);
            }
            Pass::Transfer if self.run.deletes(DeleteWhen::Delayed) => {
                self.run.late.doom(pair, name, is_directory);
            }
            Pass::Transfer => {}
        }
    }
}

/// What the destination has at `name`.
pub(super) fn find(target: Option<&Target>, name: &[u8]) -> Result<Option<Found>, Fault> {
    let Some(target) = target else { return Ok(None) };
    match Found::at(&target.dir, name) {
        Ok(found) => Ok(Some(found)),
        Err((Act::Stat, Errno::NOENT)) => Ok(None),
        Err((act, errno)) => Err(at_destination(act)(errno)),
    }
}
