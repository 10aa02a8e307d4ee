//! The end of a run that keeps a state: reads back what was written, and writes the state.
//!
//! An entry is recorded only as the destination shows it once everything is written and closed and the clock has moved
//! on, and only if it is what it was when this run was done with it: what somebody else has changed since is not
//! recorded. Nothing is recorded of an entry that failed. A state is written as a whole or not at all; the old one stays
//! true until then, since it is compared with what is there.

use super::records::Note;
use super::state::RunState;
use crate::account::{End, Report};
use crate::error::{Act, Error};
use crate::plan::recorded::{Mark, TICK, is_settled as settled, recorded_size};
use crate::pool;
use crate::record::{NewRecord, StateIdentity, encode};
use crate::sys::{Dir, FileKind, Names, Stat, meta, output, process};
use crate::tree::{Locality, RelPath, Timestamp};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// From this many names on, a directory of a mount is listed before they are looked at: servers send the attributes of
/// many names with a listing.
const WORTH_LISTING: usize = 16;

/// Reads back what was noted, and writes the state, if one is kept.
pub(super) fn record(state: &RunState<'_>, notes: Vec<Note>, report: &Report) -> Result<(), Error> {
    let Some(recording) = state.recording.as_ref().filter(|_| state.records()) else { return Ok(()) };
    let failed: HashSet<&[u8]> = report.failures.iter().map(|failure| &*failure.path).collect();
    let mut notes = read_back(state, notes);
    settle_groups(&mut notes, &failed);
    notes.retain(|note| !failed.contains(note.path.as_path().as_bytes()));
    // What an incomplete run did not come to is as it was.
    let choice = &state.ground.options.choice;
    let is_partial = state.is_ending()
        || !matches!(report.end, End::Complete)
        || !report.failures.is_empty()
        || choice.selection.is_some();
    let carried = recording.carried(is_partial).filter(|(parent, name, _)| !is_in(&failed, parent, name));
    let mut entries: Vec<_> =
        carried.map(|(parent, name, recorded)| NewRecord { parent, name, recorded }).collect();
    // What is on the disk stays what it is after a power cut.
    let is_synced = state.ground.options.fsync && !state.is_ending();
    let identity =
        StateIdentity { boot: if is_synced { 0 } else { recording.identity.boot }, ..recording.identity };
    if notes.is_empty() && recording.is_enough(entries.len(), identity.boot) {
        return Ok(());
    }
    entries.extend(notes.iter().map(|note| {
        let path = note.path.as_path();
        let parent = path.parent().unwrap_or(RelPath::ROOT).as_bytes();
        NewRecord { parent, name: path.file_name(), recorded: note.recorded }
    }));
    let bytes = encode(&identity, &mut entries).ok_or(Errno::FBIG);
    let bytes = bytes.map_err(|errno| Error::io(Act::Write, &recording.path, errno))?;
    write(&recording.path, &bytes, state.ground.options.fsync)
}

fn is_in(failed: &HashSet<&[u8]>, parent: &[u8], name: &[u8]) -> bool {
    if failed.is_empty() {
        return false;
    }
    let path = if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() };
    failed.contains(&*path)
}

fn write(path: &Path, bytes: &[u8], fsync: bool) -> Result<(), Error> {
    let io = |act| move |errno: Errno| Error::io(act, path, errno);
    let output =
        output::OutputPlace::open(path).and_then(output::OutputPlace::create).map_err(io(Act::Create))?;
    match (&output).write_all(bytes) {
        Ok(()) => output.publish(fsync).map(|_| ()).map_err(io(Act::Publish)),
        Err(error) => {
            output.discard();
            Err(Error::io(Act::Write, path, error))
        }
    }
}

/// The notes that the destination confirms, with what they prove now.
fn read_back(state: &RunState<'_>, mut notes: Vec<Note>) -> Vec<Note> {
    let Some(root) = state.ground.dst.as_ref().filter(|_| !notes.is_empty()) else { return Vec::new() };
    let moment = wait_for_tick(&notes);
    let lists = meta::locality(&root.dir) != Locality::Local;
    notes.sort_by(|a, b| a.path.as_path().split().cmp(&b.path.as_path().split()));
    let mut groups = Vec::new();
    while let Some(last) = notes.last() {
        let parent = last.path.as_path().parent().map(RelPath::to_buf);
        let is_below =
            |note: &Note| note.path.as_path().parent() == parent.as_ref().map(|path| path.as_path());
        let start = notes.iter().rposition(|note| !is_below(note)).map_or(0, |before| before + 1);
        groups.push(notes.split_off(start));
    }
    let keeps_ctime = state.recording.as_ref().is_some_and(|recording| recording.keeps_ctime);
    let empty = || (Vec::new(), Vec::new());
    let confirmed = pool::scatter(
        state.ground.crew(),
        groups.into_iter(),
        empty,
        |(confirmed, buffer), notes: Vec<Note>| {
            let parent = notes[0].path.as_path().parent();
            let Ok(dir) = state.ground.made_dir(parent.unwrap_or(RelPath::ROOT)) else { return };
            if lists && notes.len() >= WORTH_LISTING {
                // Only for what comes with it.
                let _ = Names::of(&dir, buffer);
            }
            confirmed.extend(notes.into_iter().filter_map(|note| {
                let stat = stat(&dir, note.path.as_path()).ok()?;
                confirm(note, &stat, (moment, keeps_ctime))
            }));
        },
    );
    confirmed.into_iter().flat_map(|(confirmed, _)| confirmed).collect()
}

/// The entry at `path`, whose directory is `dir`; the root is that itself.
fn stat(dir: &Dir, path: RelPath<'_>) -> rustix::io::Result<Stat> {
    if path.is_root() { dir.stat_self() } else { dir.stat(path.file_name()) }
}

/// Waits until a later change of anything that was noted would give it another time. Returns a time after which that is
/// so.
fn wait_for_tick(notes: &[Note]) -> Timestamp {
    let now = process::now();
    let times = notes.iter().flat_map(|note| {
        let Mark { mtime, ctime, .. } = note.recorded.dst;
        // It may just have got its name.
        if note.is_grouped || note.is_waiting { [now; 2] } else { [mtime, ctime] }
    });
    let newest = times.filter(|&time| time <= now).max().unwrap_or_default();
    let passed = u64::try_from(now.nanos_since_epoch() - newest.nanos_since_epoch()).unwrap_or(u64::MAX);
    if let Some(wait) = TICK.checked_sub(passed) {
        std::thread::sleep(Duration::from_nanos(wait));
    }
    process::now()
}

/// The note as the destination shows the entry after `moment`; `None` if that is not what was noted.
fn confirm(note: Note, stat: &Stat, (moment, keeps_ctime): (Timestamp, bool)) -> Option<Note> {
    let Note { path, mut recorded, is_grouped, is_waiting } = note;
    let (noted, dst) = (recorded.dst, Mark::of(stat));
    // A directory's time is set last of all.
    let has_time = noted.mtime == dst.mtime || (is_waiting && stat.kind == FileKind::Directory);
    if stat.kind != recorded.kind || recorded_size(stat) != recorded.size || !has_time {
        return None;
    }
    // Links and its own name change the ctime, and nothing else that is recorded.
    let is_same = noted.ino == dst.ino && (noted.ctime == dst.ctime || is_grouped || is_waiting);
    recorded.dst = dst;
    let is_settled = is_same && dst.is_settled(moment);
    recorded.proof.content &= if keeps_ctime { is_settled } else { settled(dst.mtime, moment) };
    recorded.proof.metadata &= is_settled;
    Some(Note { path, recorded, is_grouped, is_waiting })
}

/// Names of one inode on both sides have one content and one metadata: what is known of one is known of all, and if one
/// failed all did.
fn settle_groups(notes: &mut Vec<Note>, failed: &HashSet<&[u8]>) {
    #[derive(Default)]
    struct Group {
        has_failed: bool,
        /// The source when its content was copied or compared.
        proven: Option<Mark>,
    }
    let inodes = |note: &Note| (note.recorded.src.ino, note.recorded.dst.ino);
    let mut groups: HashMap<_, Group> = HashMap::new();
    for note in notes.iter().filter(|note| note.is_grouped) {
        let group = groups.entry(inodes(note)).or_default();
        group.has_failed |= failed.contains(note.path.as_path().as_bytes());
        group.proven = group.proven.or(note.recorded.proof.content.then_some(note.recorded.src));
    }
    notes.retain_mut(|note| {
        let Some(group) = groups.get(&inodes(note)).filter(|_| note.is_grouped) else { return true };
        note.recorded.proof.content |= group.proven == Some(note.recorded.src);
        !group.has_failed
    });
}
