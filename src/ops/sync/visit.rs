//! Comes to a directory: opens both sides, lists them, and shares its names out.

use super::Pass;
use super::alternates;
use super::choose::{Sought, circle};
use super::directory::Opened;
use super::fault::{Fault, at_destination, at_source};
use super::pair::{Choice, Pair, Sides};
use super::worker::Worker;
use crate::error::Act;
use crate::pool;
use crate::rules::listed::Cursor;
use crate::sys::Names;
use crate::sys::{Dir, FileKind};
use crate::tree::{RelPath, RelPathBuf};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Directories with more names are worked on by several threads, so many names at a time.
const STRETCH_NAMES: usize = 512;
const WIDE_NAMES: usize = 2_048;

/// Something to do.
pub(super) enum Task {
    Root,
    Directory(Child),
    Stretch(Arc<Pair>, Range<usize>),
}

/// A directory of the source, in one that is worked on.
pub(super) struct Child {
    pub(super) above: Arc<Pair>,
    pub(super) name: Box<[u8]>,
    /// It is a symlink to a directory, and followed.
    pub(super) follow: bool,
    pub(super) there: There,
}

/// What the destination has in the place of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    Directory,
    /// A symlink to a directory, which counts as one.
    DirectoryLink,
    Other,
}

impl Worker<'_> {
    pub(super) fn visit(&mut self, pass: Pass, task: Task, tasks: &mut pool::Found<Task>) {
        match task {
            Task::Root => match self.root(pass) {
                Ok(pair) => self.share_out(pass, &Arc::new(pair), tasks),
                Err(fault) => self.fail(RelPath::ROOT, fault),
            },
            Task::Stretch(pair, range) => {
                self.stretch(pass, &pair, range, tasks);
                self.end_stretch(&pair);
            }
            Task::Directory(child) => {
                let entered = if self.run.is_ending() { Ok(None) } else { self.enter(pass, &child) };
                match entered {
                    Ok(Some(pair)) => self.share_out(pass, &Arc::new(pair), tasks),
                    Ok(None) => self.end_child(&child.above),
                    Err(fault) => {
                        if let Ok(path) = child.above.as_path().join(&child.name) {
                            self.fail(path.as_path(), fault);
                        }
                        self.end_child(&child.above);
                    }
                }
            }
        }
    }

    /// All names at once, or in stretches that other threads can take.
    fn share_out(&mut self, pass: Pass, pair: &Arc<Pair>, tasks: &mut pool::Found<Task>) {
        let count = pair.joined.len();
        self.run.plan(pair.src_names.len() as u64, 0);
        if count <= WIDE_NAMES {
            self.stretch(pass, pair, 0..count, tasks);
        } else {
            for start in (0..count).step_by(STRETCH_NAMES).collect::<Vec<_>>().into_iter().rev() {
                pair.add_stretch();
                tasks.push(Task::Stretch(Arc::clone(pair), start..count.min(start + STRETCH_NAMES)));
            }
        }
        self.end_stretch(pair);
    }

    fn root(&mut self, pass: Pass) -> Result<Pair, Fault> {
        let run = self.run;
        let src = run.src.dir.open_dir(b".").map_err(at_source(Act::Open))?;
        let path = RelPathBuf::default();
        let choice = self.root_choice(&src)?;
        let names = self.source_names(&src, &choice)?;
        let (mut dst, mut dst_names) = (Opened::default(), Names::default());
        if let Some(root) = &run.dst {
            let dir = root.dir.open_dir(b".").map_err(at_destination(Act::Open))?;
            dst_names = Names::of(&dir, &mut self.buffer).map_err(at_destination(Act::List))?;
            dst = Opened::live(dir, root.stat.clone(), &run.who);
        }
        run.flags.was_empty.store(dst_names.len() == 0, Ordering::Relaxed);
        let is_told = choice.cursor.as_ref().is_none_or(Cursor::is_listed);
        let changes =
            self.compare_directory(pass, path.as_path(), (&src, &run.src.stat), (&mut dst, is_told));
        let sides = Sides { src: (src, run.src.stat.clone(), names), dst, dst_names, changes };
        let mut pair = Pair::new(path, sides, choice, None);
        pair.alternates = run.alternates.root();
        Ok(pair)
    }

    /// Opens both sides of a directory; `None` when it is to be left alone.
    fn enter(&mut self, pass: Pass, child: &Child) -> Result<Option<Pair>, Fault> {
        let Child { above, name, follow, there } = child;
        let (run, policy) = (self.run, self.run.policy());
        let Ok(path) = above.as_path().join(name) else { return Ok(None) };
        let is_passed = above.choice.passes(path.as_path());
        let prunes = run.options.choice.prune_empty_dirs || is_passed;
        let is_left = match there {
            There::Nothing => pass != Pass::Transfer || policy.existing,
            There::Other => pass != Pass::Transfer || policy.ignore_existing,
            There::Directory | There::DirectoryLink => false,
        };
        // What is in the place of a directory that does not take part is superfluous.
        if is_left && !(prunes && *there == There::Other) {
            return Ok(None);
        }
        let src = if *follow { above.src.open_dir_following(name) } else { above.src.open_dir(name) };
        let src = src.map_err(at_source(Act::Open))?;
        let src_stat = src.stat_self().map_err(at_source(Act::Stat))?;
        if run.dst.as_ref().is_some_and(|dst| dst.stat.id() == src_stat.id()) {
            self.skip(path.as_path(), "it is the destination");
            return Ok(None);
        }
        let Some(mut choice) = above.choice.enter(name, &src_stat) else {
            return Err(circle());
        };
        self.enter_source(&mut choice, &src, path.as_path())?;
        let crosses = run.options.choice.one_file_system && src_stat.mount_id() != run.src.stat.mount_id();
        let names = if crosses { Names::default() } else { self.source_names(&src, &choice)? };
        let takes_directories = !run.options.choice.prune_empty_dirs;
        let sought = Sought { choice: &choice, takes_directories };
        if prunes && !self.holds(&src, &names, sought, path.as_path()) {
            if *there != There::Nothing {
                let kind = (*there == There::Directory).then_some(FileKind::Directory);
                self.extraneous(pass, above, name, kind);
            }
            return Ok(None);
        }
        if is_left {
            return Ok(None);
        }
        let mut dst = self.enter_destination(above, name, *there)?;
        let mut dst_names = Names::default();
        if let (Some(target), Some(_)) = (&dst.dst, &dst.dst_stat) {
            dst_names = Names::of(&target.dir, &mut self.buffer).map_err(at_destination(Act::List))?;
            self.enter_protected(&mut choice, &target.dir, path.as_path())?;
        }
        let changes = self.compare_directory(pass, path.as_path(), (&src, &src_stat), (&mut dst, true));
        let sides = Sides { src: (src, src_stat, names), dst, dst_names, changes };
        let mut pair = Pair::new(path, sides, choice, Some(Arc::clone(above)));
        pair.alternates = alternates::enter(&above.alternates, name);
        // Another mount's content takes no part, on either side.
        if crosses {
            pair.joined.clear();
        }
        Ok(Some(pair))
    }

    /// A stretch is done: with the last one the directory gets its name.
    fn end_stretch(&mut self, pair: &Arc<Pair>) {
        if pair.end_stretch() {
            self.publish_directory(pair);
            if let Some(above) = pair.take_above() {
                self.end_child(&above);
            }
        }
        self.end_child(pair);
    }

    /// Nothing more of one part of the directory is to come: with the last one it is as it should be.
    fn end_child(&mut self, pair: &Arc<Pair>) {
        if pair.end_part() {
            self.settle_directory(pair);
        }
    }

    fn source_names(&mut self, src: &Dir, choice: &Choice) -> Result<Names, Fault> {
        if let Some(names) = choice.cursor.as_ref().and_then(|cursor| cursor.names()) {
            return Ok(Names::only(names));
        }
        Names::of(src, &mut self.buffer).map_err(at_source(Act::List))
    }
}
