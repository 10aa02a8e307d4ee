//! Decides whether what the source has at a name takes part: by rules, selected paths, and symlink options.

use super::error::{StepResult, at_source};
use super::hands::Hands;
use super::place::{PARTIAL_DIR, SourceEntry};
use super::scopes::Scopes;
use super::state::RunState;
use crate::error::Act;
use crate::plan::symlinks::{Treatment, treat};
use crate::source::SourceDirectory;
use crate::sys::{FileKind, Names};
use crate::tree::{RelPath, RelPathBuf};

/// What the source has at a name.
pub(super) enum Look {
    /// Nothing that takes part.
    Nothing,
    /// An entry that is left out, and whose place in the destination is left alone.
    LeftOut,
    /// A directory; followed if it is a symlink.
    Directory { follow: bool },
    /// Anything else.
    Entry(SourceEntry),
}

/// A directory of the source, and what takes part in it.
#[derive(Clone, Copy)]
pub(super) struct LookIn<'a> {
    pub(super) src: &'a SourceDirectory,
    pub(super) scopes: &'a Scopes,
}

/// What the source has at `path`, which was listed as `kind`, if it takes part. Reports what is left out on purpose.
pub(super) fn look(
    hands: &mut Hands<'_>,
    dir: LookIn<'_>,
    path: RelPath<'_>,
    kind: Option<FileKind>,
) -> StepResult<Look> {
    let looked = glance(hands.state, dir, path, kind);
    if matches!(looked, Ok(Look::LeftOut)) {
        hands.account.skip(path, "the symlink points outside the tree");
    }
    looked
}

/// The same, and reports nothing.
pub(super) fn glance(
    state: &RunState<'_>,
    dir: LookIn<'_>,
    path: RelPath<'_>,
    kind: Option<FileKind>,
) -> StepResult<Look> {
    let LookIn { src, scopes } = dir;
    let name = path.file_name();
    if !scopes.selects(name) || name == PARTIAL_DIR {
        return Ok(Look::Nothing);
    }
    let sent = |kind: FileKind| scopes.sends(path, kind == FileKind::Directory);
    // With d_type, an entry that is left out costs no call, and a directory only the calls on its own descriptor.
    match kind {
        Some(FileKind::Directory) if sent(FileKind::Directory) => {
            return Ok(Look::Directory { follow: false });
        }
        Some(kind) if kind != FileKind::Symlink && !sent(kind) => return Ok(Look::Nothing),
        _ => {}
    }
    let mut stat = src.stat(name, false).map_err(at_source(Act::Stat))?;
    let (mut target, mut follow) = (None, false);
    if stat.kind == FileKind::Symlink {
        let text = src.read_link(name).map_err(at_source(Act::ReadLink))?;
        match treatment(state, src, path, &text) {
            Treatment::Leave => return Ok(Look::LeftOut),
            Treatment::Follow => {
                stat = match src.stat(name, true) {
                    // What it would be is not known, so a rule about either leaves it out, as in rsync.
                    Err(_) if !sent(FileKind::Symlink) || !sent(FileKind::Directory) => {
                        return Ok(Look::Nothing);
                    }
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
        _ => Look::Entry(SourceEntry { stat, target, follow }),
    })
}

fn treatment(state: &RunState<'_>, src: &SourceDirectory, path: RelPath<'_>, target: &[u8]) -> Treatment {
    let follows = state.ground.follows_directories();
    let leads_to = follows.then(|| src.stat(path.file_name(), true).ok().map(|stat| stat.kind)).flatten();
    treat(state.ground.policy.symlinks, path, target, leads_to)
}

/// Whether the directory at `path` holds, at any depth, something that takes part by itself. Directories do not where empty
/// ones are left out. Without recursion, since a tree may be deeper than a stack.
pub(super) fn holds_entries(
    hands: &mut Hands<'_>,
    top: LookIn<'_>,
    path: RelPath<'_>,
    names: &Names,
) -> bool {
    let root = &hands.state.ground.src.dir;
    let Some(mut waiting) = only_directories(hands, top, path, names) else { return true };
    while let Some(WaitingDirectory { path: below, follow, mut scopes }) = waiting.pop() {
        let Ok(src) = top.src.enter_beneath(below.as_path().below(path), follow) else { return true };
        let Ok(names) = src.names(&mut hands.buffer) else { return true };
        if scopes.add_sent(&mut hands.account, root, &src, below.as_path()).is_err() {
            return true;
        }
        let dir = LookIn { src: &src, scopes: &scopes };
        let Some(more) = only_directories(hands, dir, below.as_path(), &names) else { return true };
        waiting.extend(more);
    }
    false
}

/// The directories in the one at `path`; `None` if it holds anything that takes part by itself.
fn only_directories(
    hands: &mut Hands<'_>,
    dir: LookIn<'_>,
    path: RelPath<'_>,
    names: &Names,
) -> Option<Vec<WaitingDirectory>> {
    let takes_directories = !hands.state.ground.options.choice.prune_empty_dirs;
    let mut directories = Vec::new();
    for number in 0..names.len() as u32 {
        let name = names.name(number);
        let Ok(below) = path.join(name) else { continue };
        match look(hands, dir, below.as_path(), names.kind(number)) {
            Ok(Look::Directory { .. }) if takes_directories && !dir.scopes.passes(below.as_path()) => {
                return None;
            }
            Ok(Look::Directory { follow }) => {
                let scopes = dir.scopes.enter_named(name);
                directories.push(WaitingDirectory { path: below, follow, scopes });
            }
            Ok(Look::Nothing) => {}
            // An entry that cannot be looked at counts, and so does one that the destination does not get.
            Ok(Look::Entry(_) | Look::LeftOut) | Err(_) => return None,
        }
    }
    Some(directories)
}

/// A directory still to be searched.
struct WaitingDirectory {
    path: RelPathBuf,
    follow: bool,
    scopes: Scopes,
}
