//! Names of a stream that the destination does not take, or has under another spelling.
//!
//! Later names are not known yet: of names that differ only in case the first one is written, and each later one is
//! found when it is met.

use super::names::{report_one, respell_one};
use super::run::UnpackRun;
use crate::account::Ledger;
use crate::dest::Destination;
use crate::plan::names::{NameFault, NameRules, fold};
use crate::sys::Names;
use crate::tree::{RelPath, RelPathBuf};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_64;

/// The names of a stream so far, as the destination takes them.
pub(super) struct StreamNames<'a> {
    run: &'a UnpackRun<'a>,
    destination: &'a Destination,
    rules: NameRules,
    /// By the hash of a folded path: the hash of the path that was met first.
    first: HashMap<u64, u64>,
    /// The hashes of the refused paths that were reported.
    reported: HashSet<u64>,
    /// The directories of the destination above the last name, each with its names by their folds.
    listed: Vec<(RelPathBuf, HashMap<Vec<u8>, Vec<u8>>)>,
}

impl<'a> StreamNames<'a> {
    pub(super) fn new(run: &'a UnpackRun<'a>, destination: &'a Destination) -> Self {
        let rules = destination.can.names();
        let (first, reported, listed) = (HashMap::new(), HashSet::new(), Vec::new());
        StreamNames { run, destination, rules, first, reported, listed }
    }

    /// Whether the entry at `path` is written. If not, that is reported once for the topmost name; if it is, the
    /// destination has no other spelling of its names.
    pub(super) fn take(&mut self, ledger: &mut Ledger<'_>, path: RelPath<'_>) -> bool {
        if self.rules.is_plain() || path.is_root() {
            return true;
        }
        for above in path.ancestors().chain([path]) {
            let (own, folded) = (key(above.as_bytes()), key(&fold(above.as_bytes())));
            let first = *self.first.entry(folded).or_insert(own);
            let fault = match self.rules.forbidden(above.file_name()) {
                Some(forbidden) => NameFault::Forbidden(forbidden),
                None if self.rules.folds && first != own => {
                    NameFault::Collides([Box::from(above.file_name())].into())
                }
                None => continue,
            };
            // By its own hash, so that each spelling is reported.
            if self.reported.insert(own) {
                report_one(ledger, self.run.options.destination.names, above, fault);
            }
            return false;
        }
        self.respell(ledger, path);
        true
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
