//! What an earlier run says about an entry, and what is noted about it for the next one.
//!
//! [`super::records`] holds both; [`super::read_back`] completes the notes at the end of the run.

use super::hands::Hands;
use super::outcome::{EntryOutcome, Holds, Touched};
use super::pair::DirectoryPair;
use super::place::{DestEntry, EntryPair};
use super::records::Note;
use super::state::RunState;
use crate::plan::recorded::{Mark, Proof, Recorded, Witness, recorded_size};
use crate::sys::process;
use crate::tree::{Stat, Timestamp};

/// What a record says about the content of an entry that both sides have; `None` if no state is kept.
pub(super) fn witness(state: &RunState<'_>, pair: EntryPair<'_>, found: &DestEntry) -> Option<Witness> {
    let keeps_ctime = state.recording.as_ref()?.keeps_ctime;
    let said = pair.known.map(|known| known.recorded().content(&pair.src.stat, &found.stat, keeps_ctime));
    Some(said.unwrap_or(Witness::Doubt))
}

/// The time before anything of an entry is read, if a state is kept.
pub(super) fn moment(state: &RunState<'_>) -> Timestamp {
    if state.records() { process::now() } else { Timestamp::default() }
}

/// Notes what became of an entry, which was looked at after `moment`.
pub(super) fn note(hands: &mut Hands<'_>, pair: EntryPair<'_>, outcome: EntryOutcome, moment: Timestamp) {
    let Some(recording) = hands.state.recording.as_ref().filter(|_| hands.state.records()) else { return };
    let (place, src) = (pair.place, &pair.src.stat);
    let (Some(target), false) = (place.dst, outcome.holds == Holds::Unknown) else { return };
    let waiting = match outcome.touched {
        Touched::Name => hands.state.barrier.waiting(place.path),
        _ => None,
    };
    let dst = match (outcome.touched, pair.found) {
        (Touched::Nothing, Some(found)) => Ok(found.stat.clone()),
        _ => target.dir.stat(waiting.as_deref().unwrap_or(place.name)),
    };
    let Ok(dst) = dst else { return };
    let recorded = recorded_now(src, &dst, outcome.holds == Holds::Content, moment);
    if dst.kind != src.kind || recorded_size(&dst) != recorded.size {
        return;
    }
    if outcome.touched == Touched::Nothing && recording.keep(pair.known, &recorded) {
        return;
    }
    let (is_grouped, is_waiting) = (src.nlink > 1, waiting.is_some());
    hands.notes.push(Note { path: place.path.to_buf(), recorded, is_grouped, is_waiting });
}

/// Notes a directory that has its metadata. `was_set` says whether something was set on it.
pub(super) fn note_directory(hands: &mut Hands<'_>, pair: &DirectoryPair, was_set: bool) {
    let Some(recording) = hands.state.recording.as_ref().filter(|_| hands.state.records()) else { return };
    let (Some(target), Some(_), Some(begun)) = (&pair.dst.target, &pair.changes, pair.begun) else { return };
    let dst = match &pair.dst.stat {
        Some(stat) if !was_set && !pair.is_touched() => Ok(stat.clone()),
        _ => target.dir.stat_self(),
    };
    let Ok(dst) = dst else { return };
    let recorded = recorded_now(&pair.src.stat, &dst, false, begun);
    if !recording.keep(pair.known, &recorded) {
        let (path, is_waiting) = (pair.path.clone(), hands.state.ground.options.fsync);
        hands.notes.push(Note { path, recorded, is_grouped: false, is_waiting });
    }
}

/// What is to be recorded, if the destination stays as it is. Only a source that cannot change any more without its
/// marks changing proves anything.
fn recorded_now(src: &Stat, dst: &Stat, content: bool, moment: Timestamp) -> Recorded {
    let mark = Mark::of(src);
    let metadata = mark.is_settled(moment);
    let proof = Proof { content: content && metadata, metadata };
    Recorded { kind: src.kind, size: recorded_size(src), src: mark, dst: Mark::of(dst), digest: None, proof }
}
