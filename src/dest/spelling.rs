//! What a destination makes of names: found by trial, and the spelling of a name changed.
//!
//! Which names differ only in case, and which of them are written, is decided in [`crate::plan::names`].

use super::capabilities::Capabilities;
use super::options::Capability;
use super::remove::remove_tree;
use crate::account::Cause;
use crate::plan::names::fold;
use crate::sys::{Dir, Handle, Names, commit, meta};
use crate::tree::Locality;
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

/// A file name that no destination forbids but one that keeps Windows's rules, and one that it would cut.
const ODD: [&[u8]; 2] = [b"a?b", b"a."];

/// Finds out what the destination at `root` makes of names. A known local file system is only asked whether the
/// directory folds case, and nothing is created in one that must not be changed.
///
/// Best effort: what cannot be tried counts as taken, and what is then refused is a failure of its entry.
pub(crate) fn sense_names(root: &Dir, can: &Capabilities, may_write: bool) {
    let is_asked = |capability| can.has(capability);
    if meta::locality(root) == Locality::Local {
        if is_asked(Capability::CaseSensitive) && meta::folds_case(root) {
            can.miss(Capability::CaseSensitive);
        }
        return;
    }
    if can.is_probed() || (!is_asked(Capability::CaseSensitive) && !is_asked(Capability::AnyName)) {
        return;
    }
    if !may_write {
        if by_listing(root) == Some(true) {
            can.miss(Capability::CaseSensitive);
        }
        return;
    }
    let Ok((before, (temp, scratch))) =
        root.stat_self().and_then(|stat| Ok((stat, commit::create_temp_dir(root)?)))
    else {
        return;
    };
    if is_asked(Capability::CaseSensitive) && is_one_entry(root, &temp.to_ascii_uppercase(), &temp) {
        can.miss(Capability::CaseSensitive);
    }
    if is_asked(Capability::AnyName) && !takes_odd_names(&scratch) {
        can.miss(Capability::AnyName);
    }
    // Best effort: what stays is recognised by its name.
    let _ = remove_tree(root, &temp);
    let _ = Handle::Open(root.as_fd()).set_times(None, Some(before.mtime));
}

/// Whether a destination keeps names that Windows forbids as they are.
fn takes_odd_names(scratch: &Dir) -> bool {
    let takes = |name: &&[u8]| scratch.create_file(name, 0o600).is_ok();
    if !ODD.iter().all(takes) {
        return false;
    }
    // A server may take one and cut it.
    scratch
        .open_dir(b".")
        .and_then(|dir| Names::of(&dir, &mut Vec::new()))
        .is_ok_and(|names| ODD.iter().all(|odd| names.iter().any(|name| name == *odd)))
}

/// Whether a directory folds case, by a name in it; `None` if it has none that tells.
fn by_listing(root: &Dir) -> Option<bool> {
    let names = Names::of(&root.open_dir(b".").ok()?, &mut Vec::new()).ok()?;
    let tells = |name: &&[u8]| {
        let other = swapped(name);
        other != *name && !names.iter().any(|name| *name == *other)
    };
    let name = names.iter().find(tells)?;
    Some(is_one_entry(root, &swapped(name), name))
}

/// Why `name`, which leads to an entry of `dir`, must not be given to another one: it is listed only under another
/// spelling, so the entry is another one. `None` if it is listed.
pub(super) fn other_spelling(dir: &Dir, name: &[u8]) -> Option<Cause> {
    let other = swapped(name);
    // Mostly this answers it without a listing.
    if name.is_ascii() && (other == name || dir.stat(&other) == Err(Errno::NOENT)) {
        return None;
    }
    let names = Names::of(&dir.open_dir(b".").ok()?, &mut Vec::new()).ok()?;
    if names.iter().any(|listed| listed == name) {
        return None;
    }
    let same = names.iter().filter(|listed| fold(listed) == fold(name));
    let mut all: Vec<Box<[u8]>> = same.chain([name]).map(Into::into).collect();
    all.sort_unstable();
    Some(Cause::SameName(all.into()))
}

/// The name with the other case of each ASCII letter.
fn swapped(name: &[u8]) -> Vec<u8> {
    let swap = |byte: &u8| {
        if byte.is_ascii_lowercase() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() }
    };
    name.iter().map(swap).collect()
}

/// Whether `spelling`, which is not listed in `dir`, leads to the entry `listed`.
pub(crate) fn is_one_entry(dir: &Dir, spelling: &[u8], listed: &[u8]) -> bool {
    matches!((dir.stat(spelling), dir.stat(listed)), (Ok(one), Ok(other)) if one.id() == other.id())
}

/// Changes the spelling of a name. Between two spellings of one name, rename(2) does nothing, so it takes two steps.
pub(crate) fn respell(dir: &Dir, listed: &[u8], spelling: &[u8]) -> Result<()> {
    let temp = loop {
        let temp = commit::temp_name();
        match dir.rename_new(listed, &temp) {
            Err(Errno::EXIST) => {}
            result => break result.map(|()| temp)?,
        }
    };
    dir.rename_new(&temp, spelling).inspect_err(|_| {
        // Best effort: what stays is a left-over of this run, and the source has it.
        let _ = dir.rename_new(&temp, listed);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_tells_case_apart_and_takes_any_name_lacks_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        let can = Capabilities::default();
        root.create_file(b"A", 0o600).unwrap();
        for may_write in [false, true] {
            sense_names(&root, &can, may_write);
        }
        assert!(can.names().is_plain());
        assert_eq!(by_listing(&root), Some(false));
        root.create_dir(b"scratch", 0o700).unwrap();
        assert!(takes_odd_names(&root.open_dir(b"scratch").unwrap()));
        assert_eq!(Names::of(&root.open_dir(b".").unwrap(), &mut Vec::new()).unwrap().len(), 2);
    }

    #[test]
    fn a_spelling_is_changed_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        let root = Dir::open(temp.path()).unwrap();
        root.create_file(b"Name", 0o600).unwrap();
        let before = root.stat(b"Name").unwrap();
        respell(&root, b"Name", b"name").unwrap();
        assert_eq!(root.stat(b"name").unwrap().id(), before.id());
        root.create_file(b"taken", 0o600).unwrap();
        assert_eq!(respell(&root, b"name", b"taken"), Err(Errno::EXIST));
        let names = Names::of(&root.open_dir(b".").unwrap(), &mut Vec::new()).unwrap();
        assert_eq!(names.iter().collect::<Vec<_>>(), [&b"name"[..], b"taken"]);
    }
}
