//! Names of a stream that the destination does not take, or has under another spelling.
//!
//! Later names are not known yet: of names that differ only in case the first one is written, and each later one is
//! found when it is met.

use super::names::{report_one, respell_one};
use super::run::UnpackRun;
use crate::account::Ledger;
use crate::dest::Destination;
use crate::plan::escape::{escape_case, escape_forbidden};
use crate::plan::names::{NameFault, NameRules, fold};
use crate::sys::Names;
use crate::tree::{Entry, Kind, RelPath, RelPathBuf};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64;

/// The names of a directory, by their folds.
type SpellingByFold = HashMap<Vec<u8>, Vec<u8>>;

/// The names of a stream so far, as the destination takes them.
pub(super) struct StreamNames<'a> {
    run: &'a UnpackRun<'a>,
    destination: &'a Destination,
    rules: NameRules,
    /// By the hash of a written path, folded: the hash of the entry's own path.
    first: HashMap<u64, u64>,
    /// The hashes of the refused paths that were reported.
    reported: HashSet<u64>,
    /// The directories of the destination above the last name, each with its names by their folds.
    listed: Vec<(RelPathBuf, SpellingByFold)>,
}

impl<'a> StreamNames<'a> {
    pub(super) fn new(run: &'a UnpackRun<'a>, destination: &'a Destination) -> Self {
        let rules = destination.can.names();
        let (first, reported, listed) = (HashMap::new(), HashSet::new(), Vec::new());
        StreamNames { run, destination, rules, first, reported, listed }
    }

    /// Whether the entry is written; then it gets the path that it is written under, and the destination has no other
    /// spelling of that. If it is not written, that is reported once for the topmost name.
    pub(super) fn take(&mut self, ledger: &mut Ledger<'_>, entry: &mut Entry) -> bool {
        if self.rules.is_plain() {
            return true;
        }
        match self.written(entry.path.as_path()) {
            Ok(written) => entry.path = written,
            Err((path, fault)) => {
                // By its own hash, so that each spelling is reported.
                if self.reported.insert(key(path.as_path().as_bytes())) {
                    report_one(ledger, self.run.options.destination.names, path.as_path(), fault);
                }
                return false;
            }
        }
        if let Kind::HardLink(target) = &entry.kind
            && let Ok(written) = self.written(target.as_path())
        {
            entry.kind = Kind::HardLink(written);
        }
        self.respell(ledger, entry.path.as_path());
        true
    }

    /// The path that an entry is written under; or the topmost path that is not written, and why.
    pub(super) fn written(&mut self, path: RelPath<'_>) -> Result<RelPathBuf, (RelPathBuf, NameFault)> {
        let mut written = RelPathBuf::default();
        for above in path.ancestors().chain([path]).filter(|above| !above.is_root()) {
            written = self.written_in(written.as_path(), above).map_err(|fault| (above.to_buf(), fault))?;
        }
        Ok(written)
    }

    /// The path that `own` is written under, in the directory `parent`.
    fn written_in(&mut self, parent: RelPath<'_>, own: RelPath<'_>) -> Result<RelPathBuf, NameFault> {
        let (name, rules) = (own.file_name(), self.rules);
        let within = |spelling: &[u8]| parent.join(spelling).unwrap_or_default();
        if !rules.escapes() {
            if let Some(forbidden) = rules.forbidden(name) {
                return Err(NameFault::Forbidden(forbidden));
            }
            let written = within(name);
            let is_free = !rules.folds || self.claim(written.as_path(), own);
            return if is_free { Ok(written) } else { Err(NameFault::Collides([name.into()].into())) };
        }
        let written = within(&escape_forbidden(name, rules));
        if !rules.folds || self.claim(written.as_path(), own) {
            return Ok(written);
        }
        let written = within(&escape_case(name, rules));
        if self.claim(written.as_path(), own) {
            Ok(written)
        } else {
            Err(NameFault::Collides([name.into()].into()))
        }
    }

    /// Whether no other path than `own` is written under a path that differs from `written` only in case.
    fn claim(&mut self, written: RelPath<'_>, own: RelPath<'_>) -> bool {
        let own = key(own.as_bytes());
        *self.first.entry(key(&fold(written.as_bytes()))).or_insert(own) == own
    }

    /// Gives what the destination has under other spellings the names of the archive.
    fn respell(&mut self, ledger: &mut Ledger<'_>, path: RelPath<'_>) {
        let may_change = !self.destination.is_new() && !self.run.options.keep_existing;
        if !self.rules.folds || !may_change {
            return;
        }
        for above in path.ancestors().chain([path]) {
            let (parent, name) = above.split();
            let listed = self.names_of(parent);
            let Some(spelling) = listed.get(&*fold(name)).filter(|spelling| **spelling != name).cloned()
            else {
                continue;
            };
            listed.insert(fold(name).into_owned(), name.to_vec());
            if let Ok(there) = parent.join(&spelling) {
                respell_one(self.run, self.destination, ledger, there.as_path(), above);
            }
        }
    }

    /// The names of a directory of the destination, by their folds. One that cannot be listed has none.
    fn names_of(&mut self, path: RelPath<'_>) -> &mut HashMap<Vec<u8>, Vec<u8>> {
        while self.listed.last().is_some_and(|(last, _)| !path.is_within(last.as_path())) {
            self.listed.pop();
        }
        if self.listed.last().is_none_or(|(last, _)| last.as_path() != path) {
            let listed = self.destination.root().open_dir_beneath(path);
            let names = listed.and_then(|dir| Names::of(&dir, &mut Vec::new())).unwrap_or_default();
            let by_fold = names.iter().map(|name| (fold(name).into_owned(), name.to_vec())).collect();
            self.listed.push((path.to_buf(), by_fold));
        }
        let last = self.listed.len() - 1;
        &mut self.listed[last].1
    }
}

fn key(path: &[u8]) -> u64 {
    xxh3_64(path)
}
