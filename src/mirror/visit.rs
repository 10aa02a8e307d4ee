//! Visits a directory: opens both sides, lists them, and distributes its names.

use super::choose::{LookIn, holds_entries};
use super::directory::{
    directory_changes, enter_destination, let_inherit, publish_directory, report_directory, settle_directory,
};
use super::error::{StepError, StepResult, at_destination, at_source};
use super::extraneous::{ListedName, extraneous};
use super::hands::Hands;
use super::names::{join_names, report_refused};
use super::pair::{DestSide, DirectoryPair, SourceSide};
use super::recording::moment;
use super::roots::enter_alternates;
use super::scopes::Scopes;
use super::stretch::work_through;
use super::task::{ChildDirectory, Occupant, Purpose, Stretch, WalkTask};
use super::walk::Walk;
use crate::account::Cause;
use crate::error::Act;
use crate::plan::names::JoinedNames;
use crate::plan::step::leaves_directory;
use crate::pool;
use crate::rules::listed::Cursor;
use crate::source::SourceDirectory;
use crate::sys::{FileKind, Names};
use crate::tree::{RelPath, RelPathBuf, Standing};
use std::sync::Arc;

/// Directories with more names are handled by several threads, this many names at a time; where each name waits for an
/// answer, all directories are, and a name or a few at a time.
const STRETCH_NAMES: usize = 512;
const WIDE_NAMES: usize = 2_048;

/// Carries out a task.
pub(super) fn visit(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    purpose: Purpose,
    task: WalkTask,
    tasks: &mut pool::FoundTasks<WalkTask>,
) {
    match task {
        WalkTask::Root => match open_roots(hands, purpose) {
            Ok(pair) => share_out(walk, hands, purpose, &Arc::new(pair), tasks),
            Err(error) => hands.account.fail(RelPath::ROOT, error),
        },
        WalkTask::Stretch(stretch) => {
            let pair = Arc::clone(&stretch.pair);
            work_through(walk, hands, purpose, stretch, tasks);
            end_stretch(hands, &pair);
        }
        WalkTask::Directory(child) => {
            let entered = if walk.state.is_ending() { Ok(None) } else { enter(walk, hands, purpose, &child) };
            match entered {
                Ok(Some(pair)) => return share_out(walk, hands, purpose, &Arc::new(pair), tasks),
                Ok(None) => {}
                Err(error) => {
                    if let Ok(path) = child.above.as_path().join(&child.name) {
                        hands.account.fail(path.as_path(), error);
                    }
                }
            }
            end_child(hands, &child.above);
        }
    }
}

/// Handles all names at once, or in stretches that other threads can take.
fn share_out(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    purpose: Purpose,
    pair: &Arc<DirectoryPair>,
    tasks: &mut pool::FoundTasks<WalkTask>,
) {
    let count = pair.joined.len();
    hands.account.planned(pair.src.names.len() as u64);
    let stretch = |range| Stretch { pair: Arc::clone(pair), range };
    let crew = walk.state.ground.crew();
    let at_a_time = crew.share(count, STRETCH_NAMES);
    if count <= if crew.is_waiting() { at_a_time } else { WIDE_NAMES } {
        work_through(walk, hands, purpose, stretch(0..count), tasks);
    } else {
        for start in (0..count).step_by(at_a_time).collect::<Vec<_>>().into_iter().rev() {
            pair.add_stretch();
            tasks.push(WalkTask::Stretch(stretch(start..count.min(start + at_a_time))));
        }
    }
    end_stretch(hands, pair);
}

fn open_roots(hands: &mut Hands<'_>, purpose: Purpose) -> StepResult<DirectoryPair> {
    let ground = &hands.state.ground;
    let dir = ground.src.dir.enter(b".", false).map_err(at_source(Act::Open))?;
    let scopes = Scopes::root(ground, &mut hands.account)?;
    let names = source_names(hands, &dir, &scopes)?;
    let mut src = SourceSide { dir, stat: ground.src.stat.clone(), names };
    let mut dst = DestSide::default();
    if let Some(root) = &ground.dst {
        let dir = root.dir.open_dir(b".").map_err(at_destination(Act::Open))?;
        let names = Names::of(&dir, &mut hands.buffer).map_err(at_destination(Act::List))?;
        dst = DestSide { names, ..DestSide::live(dir, root.stat.clone(), &ground.who, &hands.state.can) };
    }
    hands.state.flags.note_was_empty(dst.names.len() == 0);
    let is_reported = scopes.cursor.as_ref().is_none_or(Cursor::is_listed);
    let names = join_names(hands, RelPath::ROOT, (&mut src, &dst), &scopes);
    let mut pair = DirectoryPair::new(RelPathBuf::default(), src, dst, scopes, names);
    pair.alternates = ground.alternates.root();
    prepare(hands, purpose, &mut pair, is_reported);
    Ok(pair)
}

/// Determines what must be set on a directory in the end, and reports it.
fn prepare(hands: &mut Hands<'_>, purpose: Purpose, pair: &mut DirectoryPair, is_reported: bool) {
    if purpose == Purpose::Survey {
        return;
    }
    let path = pair.path.as_path();
    if let (Purpose::Transfer, Some(recording)) = (purpose, &hands.state.recording) {
        pair.begun = Some(moment(hands.state));
        pair.children = recording.children(path);
        pair.known = match path.parent() {
            None => recording.known(&pair.children, b""),
            Some(parent) => recording.known(&recording.children(parent), path.file_name()),
        };
    }
    let is_right = pair.is_recorded_right();
    let changes = directory_changes(hands, path, (&pair.src, &pair.dst), is_right);
    if purpose == Purpose::Transfer {
        let_inherit(hands, path, &mut pair.dst, changes.as_ref());
        if is_reported {
            report_directory(hands, path, &pair.src, &pair.dst, changes.as_ref());
        }
        report_refused(hands, pair);
    }
    pair.changes = changes;
}

/// Opens both sides of a directory; `None` if it is left alone.
fn enter(
    walk: &Walk<'_>,
    hands: &mut Hands<'_>,
    purpose: Purpose,
    child: &ChildDirectory,
) -> StepResult<Option<DirectoryPair>> {
    let ChildDirectory { above, name, there, .. } = child;
    let ground = &hands.state.ground;
    let Ok(path) = above.as_path().join(name) else { return Ok(None) };
    // What the rules only pass through is made for what is in it.
    let prunes = ground.options.choice.prune_empty_dirs || above.scopes.passes(path.as_path());
    let is_new = there.standing() != Standing::Directory;
    let is_left =
        is_new && purpose != Purpose::Transfer || leaves_directory(there.standing(), &ground.policy);
    // What is in the place of a directory that does not take part is extraneous.
    if is_left && !(prunes && *there == Occupant::Other) {
        return Ok(None);
    }
    let Some(Entered { mut src, mut scopes, crosses }) = enter_source(hands, child, path.as_path())? else {
        return Ok(None);
    };
    let dir = LookIn { src: &src.dir, scopes: &scopes };
    if prunes && !holds_entries(hands, dir, path.as_path(), &src.names) {
        if *there != Occupant::Nothing {
            let kind = (*there == Occupant::Directory).then_some(FileKind::Directory);
            extraneous(walk, hands, purpose, above, ListedName { name, kind });
        }
        return Ok(None);
    }
    if is_left {
        return Ok(None);
    }
    let mut dst = enter_destination(hands, above, name, *there)?;
    if let (Some(target), Some(_)) = (&dst.target, &dst.stat) {
        dst.names = Names::of(&target.dir, &mut hands.buffer).map_err(at_destination(Act::List))?;
        let root = ground.dst.as_ref().map_or(&target.dir, |root| &root.dir);
        scopes.add_protected(&mut hands.account, root, &target.dir, path.as_path())?;
    }
    // The content of another mount takes no part, on either side.
    let names = if crosses {
        JoinedNames::default()
    } else {
        join_names(hands, path.as_path(), (&mut src, &dst), &scopes)
    };
    let mut pair = DirectoryPair::new(path, src, dst, scopes, names).below(above);
    pair.alternates = enter_alternates(&above.alternates, name);
    prepare(hands, purpose, &mut pair, true);
    Ok(Some(pair))
}

/// The source's side of a directory that is entered.
struct Entered {
    src: SourceSide,
    scopes: Scopes,
    /// It is on another mount, whose content takes no part.
    crosses: bool,
}

/// Opens the source's side; `None` if it is left alone.
fn enter_source(
    hands: &mut Hands<'_>,
    child: &ChildDirectory,
    path: RelPath<'_>,
) -> StepResult<Option<Entered>> {
    let ground = &hands.state.ground;
    let dir = child.above.src.dir.enter(&child.name, child.follow).map_err(at_source(Act::Open))?;
    let stat = dir.stat_self().map_err(at_source(Act::Stat))?;
    if ground.dst.as_ref().is_some_and(|dst| dst.stat.id() == stat.id()) {
        hands.account.skip(path, "it is the destination");
        return Ok(None);
    }
    // Through a symlink, it may lead back to a directory above it.
    let Some(mut scopes) = child.above.scopes.enter(&child.name, &stat) else {
        return Err(StepError::Source(Act::Open, Cause::Loop));
    };
    scopes.add_sent(&mut hands.account, &ground.src.dir, &dir, path)?;
    let crosses = ground.options.choice.one_file_system && stat.is_on_other_file_system(&ground.src.stat);
    let names = if crosses { Names::default() } else { source_names(hands, &dir, &scopes)? };
    Ok(Some(Entered { src: SourceSide { dir, stat, names }, scopes, crosses }))
}

fn source_names(hands: &mut Hands<'_>, src: &SourceDirectory, scopes: &Scopes) -> StepResult<Names> {
    if let Some(names) = scopes.cursor.as_ref().and_then(|cursor| cursor.names()) {
        return Ok(src.spell_names(Names::only(names)));
    }
    src.names(&mut hands.buffer).map_err(at_source(Act::List))
}

/// Ends a stretch: with the last one the directory gets its name.
fn end_stretch(hands: &mut Hands<'_>, pair: &Arc<DirectoryPair>) {
    if pair.end_stretch() {
        publish_directory(hands, pair);
        if let Some(above) = pair.take_above() {
            end_child(hands, &above);
        }
    }
    end_child(hands, pair);
}

/// Ends one part of the directory: with the last one it is complete.
fn end_child(hands: &mut Hands<'_>, pair: &Arc<DirectoryPair>) {
    if pair.end_part() {
        settle_directory(hands, pair);
    }
}
