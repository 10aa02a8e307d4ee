//! Which entries of a directory take part: rules, selected paths, symlinks.

use super::fault::{Fault, at_source};
use super::pair::Choice;
use super::worker::Worker;
use crate::account::Cause;
use crate::error::Act;
use crate::plan::symlinks::{Treatment, treat};
use crate::rules::Verdict;
use crate::sys::Names;
use crate::sys::{Dir, FileKind, Stat};
use crate::tree::{RelPath, RelPathBuf};

/// What lies in an interrupted run's directory of partial files is the mirror's own.
pub(super) const PARTIAL_DIR: &[u8] = b".haul-partial";

/// What the source has at a name.
pub(super) enum Look {
    /// Nothing that takes part.
    Nothing,
    /// Something that is left out, and whose place in the destination is left alone.
    LeftOut,
    /// A directory; to be followed if it is a symlink.
    Directory { follow: bool },
    /// Anything else.
    Leaf(Leaf),
}

/// An entry that is no directory.
pub(super) struct Leaf {
    pub(super) stat: Stat,
    /// A symlink's text.
    pub(super) target: Option<Box<[u8]>>,
    /// It is a symlink, and what it leads to is taken in its place.
    pub(super) follow: bool,
}

/// What a directory must hold to be made.
#[derive(Clone, Copy)]
pub(super) struct Sought<'a> {
    /// What takes part in it.
    pub(super) choice: &'a Choice,
    /// Directories count, too.
    pub(super) takes_directories: bool,
}

impl Choice {
    /// Whether the directory at `path`, which is in this one, is only on the way to what is meant.
    pub(super) fn passes(&self, path: RelPath<'_>) -> bool {
        self.sent.as_ref().is_some_and(|scope| scope.verdict(path, true) == Verdict::Pass)
    }
}

impl Worker<'_> {
    /// What the source has at `name`, as far as it takes part.
    pub(super) fn look(
        &mut self,
        src: &Dir,
        choice: &Choice,
        path: RelPath<'_>,
        kind: Option<FileKind>,
    ) -> Result<Look, Fault> {
        let name = path.file_name();
        let selected = choice.cursor.as_ref().is_none_or(|cursor| cursor.enter(name).is_some());
        if !selected || name == PARTIAL_DIR {
            return Ok(Look::Nothing);
        }
        let sent = |kind: FileKind| {
            choice.sent.as_ref().is_none_or(|scope| scope.transfers(path, kind == FileKind::Directory))
        };
        // With d_type, what is left out costs no call, and a directory only those on its own descriptor.
        match kind {
            Some(FileKind::Directory) if sent(FileKind::Directory) => {
                return Ok(Look::Directory { follow: false });
            }
            Some(kind) if kind != FileKind::Symlink && !sent(kind) => return Ok(Look::Nothing),
            _ => {}
        }
        let mut stat = src.stat(name).map_err(at_source(Act::Stat))?;
        let (mut target, mut follow) = (None, false);
        if stat.kind == FileKind::Symlink {
            let text = src.read_link(name).map_err(at_source(Act::ReadLink))?;
            match self.treatment(src, path, &text) {
                Treatment::Leave => {
                    self.skip(path, "the symlink points outside of the tree");
                    return Ok(Look::LeftOut);
                }
                Treatment::Follow => {
                    stat = match src.stat_following(name) {
                        Err(_) if !sent(FileKind::Symlink) => return Ok(Look::Nothing),
                        followed => followed.map_err(at_source(Act::Stat))?,
                    };
                    follow = true;
                }
                Treatment::Keep => target = Some(text),
            }
        }
        Ok(match stat.kind {
            kind if !sent(kind) => Look::Nothing,
            FileKind::Directory => Look::Directory { follow },
            _ => Look::Leaf(Leaf { stat, target, follow }),
        })
    }

    fn treatment(&self, src: &Dir, path: RelPath<'_>, target: &[u8]) -> Treatment {
        let symlinks = self.run.policy().symlinks;
        let leads_to = (symlinks.copy || symlinks.copy_unsafe || symlinks.copy_dirs)
            .then(|| src.stat_following(path.file_name()).ok().map(|stat| stat.kind))
            .flatten();
        treat(symlinks, path, target, leads_to)
    }

    /// Whether the directory holds, at any depth, something that is sought. Without recursion, since a tree may be
    /// deeper than a stack.
    pub(super) fn holds(&mut self, src: &Dir, names: &Names, sought: Sought<'_>, path: RelPath<'_>) -> bool {
        let takes_directories = sought.takes_directories;
        let mut waiting: Vec<(RelPathBuf, bool, Choice)> = Vec::new();
        if self.holds_itself(src, names, (path, sought), &mut waiting) {
            return true;
        }
        while let Some((below, follow, mut choice)) = waiting.pop() {
            let way = below.as_path().below(path);
            let opened =
                if follow { src.open_dir_following(way.as_bytes()) } else { src.open_dir_beneath(way) };
            let Ok(dir) = opened else { return true };
            let Ok(names) = Names::of(&dir, &mut self.buffer) else { return true };
            if self.enter_source(&mut choice, &dir, below.as_path()).is_err() {
                return true;
            }
            let sought = Sought { choice: &choice, takes_directories };
            if self.holds_itself(&dir, &names, (below.as_path(), sought), &mut waiting) {
                return true;
            }
        }
        false
    }

    fn holds_itself(
        &mut self,
        dir: &Dir,
        names: &Names,
        (path, Sought { choice, takes_directories }): (RelPath<'_>, Sought<'_>),
        waiting: &mut Vec<(RelPathBuf, bool, Choice)>,
    ) -> bool {
        (0..names.len() as u32).any(|number| {
            let name = names.name(number);
            let Ok(below) = path.join(name) else { return false };
            match self.look(dir, choice, below.as_path(), names.kind(number)) {
                Ok(Look::Directory { .. }) if takes_directories && !choice.passes(below.as_path()) => true,
                Ok(Look::Directory { follow }) => {
                    let cursor = choice.cursor.as_ref().and_then(|cursor| cursor.enter(name));
                    waiting.push((below, follow, Choice { cursor, ..choice.clone() }));
                    false
                }
                Ok(Look::Nothing) => false,
                // What cannot be looked at is taken for something, and what the destination does not get is something.
                Ok(Look::Leaf(_) | Look::LeftOut) | Err(_) => true,
            }
        })
    }
}

/// A directory that leads back to one above it, reached through a symlink.
pub(super) fn circle() -> Fault {
    Fault::Source(Act::Open, Cause::Loop)
}
