//! What is not removed, whatever the source lacks: the source itself, the backups, other file systems, what no manifest
//! names, and what is beyond `--max-delete`.

use super::fault::Fault;
use super::worker::Worker;
use crate::account::Cause;
use crate::error::Act;
use crate::sys::Stat;
use crate::tree::RelPath;

impl Worker<'_> {
    /// Why a directory is not to be removed, whatever the source has.
    pub(super) fn spared(&self, stat: &Stat) -> Option<&'static str> {
        let run = self.run;
        let crosses = || {
            let root = run.dst.as_ref().map(|dst| dst.stat.mount_id());
            run.options.choice.one_file_system && root != Some(stat.mount_id())
        };
        if stat.id() == run.src.stat.id() {
            Some("it is the source")
        } else if run.backup.as_ref().is_some_and(|backup| backup.is_at(stat.id())) {
            Some("it holds the backups")
        } else if crosses() {
            Some("it is another file system")
        } else {
            None
        }
    }

    /// Whether the manifest, if there is one, lets it be removed.
    pub(super) fn is_deletable(&self, path: RelPath<'_>) -> bool {
        self.run.deletable.as_ref().is_none_or(|manifest| manifest.names(path))
    }

    /// Takes one of the removals that are allowed; says so if there are no more.
    pub(super) fn take_deletion(&mut self, path: RelPath<'_>) -> bool {
        let taken = self.run.take_deletion();
        if !taken {
            self.fail(path, Fault::Destination(Act::Delete, Cause::Limit));
        }
        taken
    }
}
