//! Opens the state of an earlier run, if one is kept, and says for what this run's holds.

use crate::account::Event;
use crate::error::{Act, Error, Unfit};
use crate::mirror::options::{StateTrust, SyncOptions};
use crate::mirror::{Ground, Recording, Root};
use crate::plan::policy::{Compare, Policy};
use crate::record::{StateFault, StateIdentity, StateTable};
use crate::source::SourceDirectory;
use crate::sys::output::{self, OutputPlace};
use crate::sys::{Dir, Names, meta, open, process};
use crate::tree::{Device, Locality};
use rustix::io::Errno;
use std::os::fd::AsFd;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// What is read and written of a state in this run; `None` if none is kept.
pub(super) fn open(ground: &Ground<'_>) -> Result<Option<Recording>, Error> {
    let SyncOptions { state, .. } = ground.options;
    let (Some(path), Some(dst)) = (&state.path, &ground.dst) else { return Ok(None) };
    let SourceDirectory::Local(src, _) = &ground.src.dir;
    refuse_inside(path, [ground.src.stat.id(), dst.stat.id()])?;
    if !ground.options.dry_run {
        // What cannot be written in the end should not come out only then.
        OutputPlace::open(path).map_err(|errno| Error::io(Act::Create, path, errno))?;
    }
    let identity = StateIdentity {
        src: root_hash(&ground.src, src),
        dst: root_hash(dst, &dst.dir),
        options: options_hash(ground),
        boot: boot_hash(ground, &dst.dir),
    };
    let table = match read(path, &identity)? {
        Earlier::Usable(table) => Some(table),
        Earlier::Missing => {
            if !is_empty(&dst.dir) {
                warn(ground, "there is no recorded state of the destination");
            }
            None
        }
        Earlier::Unusable(why) => {
            warn(ground, why);
            None
        }
    };
    let recording = Recording::new(path.clone(), identity, table);
    let is_local = meta::locality(&dst.dir) == Locality::Local;
    Ok(Some(recording.doubted(state.trust == StateTrust::Nothing).by_ctime(is_local)))
}

fn warn(ground: &Ground<'_>, why: &str) {
    ground.observer.event(Event::Warning(&format!("{why}: everything is compared")));
}

fn is_empty(dir: &Dir) -> bool {
    let names = dir.open_dir(b".").and_then(|dir| Names::of(&dir, &mut Vec::new()));
    names.is_ok_and(|names| names.len() == 0)
}

/// The state that an earlier run has left.
enum Earlier {
    Usable(StateTable),
    Missing,
    Unusable(&'static str),
}

fn read(path: &Path, wanted: &StateIdentity) -> Result<Earlier, Error> {
    let bytes = match open::read_whole(path) {
        Ok(bytes) => bytes,
        Err(Errno::NOENT) => return Ok(Earlier::Missing),
        Err(errno) => return Err(Error::io(Act::Read, path, errno)),
    };
    Ok(match StateTable::decode(bytes) {
        Err(StateFault::Foreign) => Earlier::Unusable("the file for the recorded state is something else"),
        Err(StateFault::Version) => {
            Earlier::Unusable("the recorded state was written by another version of haul")
        }
        Err(StateFault::Damaged) => Earlier::Unusable("the recorded state is damaged"),
        Ok(table) => {
            let is = table.identity();
            if (is.src, is.dst) != (wanted.src, wanted.dst) {
                Earlier::Unusable("the recorded state is that of other directories")
            } else if is.boot != 0 && is.boot != wanted.boot {
                Earlier::Unusable(
                    "the recorded state may have outlived what was written, as the system was restarted",
                )
            } else {
                Earlier::Usable(table)
            }
        }
    })
}

/// A state is not kept in a directory that it is about: it would be copied, or removed.
fn refuse_inside(path: &Path, roots: [(Device, u64); 2]) -> Result<(), Error> {
    let io = |errno: Errno| Error::io(Act::Open, path, errno);
    let (mut dir, _) = output::open_parent(&output::followed(path)).map_err(io)?;
    let mut below = None;
    loop {
        let id = dir.stat_self().map_err(io)?.id();
        if roots.contains(&id) {
            return Err(Error::unfit(path, Unfit::Inside));
        }
        // Above the root is the root.
        if below.replace(id) == Some(id) {
            return Ok(());
        }
        dir = dir.open_dir(b"..").map_err(io)?;
    }
}

/// A root, by what stays when it is mounted again: its path, its inode, when that was created and, unless a mount may
/// get another one each time, its device.
fn root_hash<D>(root: &Root<'_, D>, dir: &Dir) -> u128 {
    let is_local = meta::locality(dir) == Locality::Local;
    let device = is_local.then_some(root.stat.dev);
    let born = meta::birth(dir.as_fd()).ok().flatten();
    xxh3_128(format!("{:?} {} {device:?} {born:?}", root.location, root.stat.ino).as_bytes())
}

/// The options and the properties of the user on which it depends what the destination should be like.
fn options_hash(ground: &Ground<'_>) -> u128 {
    let SyncOptions { choice, alternates, destination, .. } = ground.options;
    let compare = match ground.policy.compare {
        // What is known by content is known whatever is compared.
        Compare::Checksum | Compare::Never => Compare::Quick,
        compare => compare,
    };
    let policy = Policy { compare, force: false, ..ground.policy.clone() };
    let text = format!(
        "{:?} {policy:?} {choice:?} {alternates:?} {destination:?} {}",
        ground.who,
        env!("CARGO_PKG_VERSION")
    );
    xxh3_128(text.as_bytes())
}

/// The boot within which a state holds, unless all of it was synced. What was written to a disk of this machine may be lost in a power cut
/// although its metadata is there.
fn boot_hash(ground: &Ground<'_>, dst: &Dir) -> u128 {
    if meta::locality(dst) != Locality::Local {
        return 0;
    }
    // Without an id of the boot it holds for no other run.
    let boot = process::boot_id().unwrap_or_else(|| format!("{:?}", ground.began));
    xxh3_128(boot.as_bytes()).max(1)
}
