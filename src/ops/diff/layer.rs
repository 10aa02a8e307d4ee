//! Reads a side of a comparison: a directory, the index of an archive, or an archive front to back.
//!
//! Each gives a list of nodes in path order; so does an archive with deltas on top of it.

use super::run::DiffRun;
use super::tree::{DiffTree, IsSent, TreeNode};
use crate::account::{End, Event, Report};
use crate::archive::index::Record;
use crate::archive::tar;
use crate::error::Error;
use crate::rules::{Chooser, Side};
use crate::source::Opened;
use crate::source::events::each_event;
use crate::source::gather::Gathered;
use crate::source::layers::{self, Contents};
use crate::sys::Dir;
use crate::sys::grain::grains;
use crate::tree::grain::{Grain, Grains};
use crate::walk::{self, Chosen, Scan};
use std::io::Read;
use std::path::Path;

impl DiffRun<'_> {
    /// Everything that a side holds, with the rules' verdicts. For the destination, `is_sent` says what the source has.
    pub(super) fn read(
        &self,
        opened: Opened<'_, '_>,
        side: Side,
        is_sent: IsSent<'_>,
    ) -> Result<DiffTree, Error> {
        let rules = &self.options.rules;
        let mut tree = match opened {
            Opened::Tree(location, root) => {
                return Ok(self.scan(root, Chosen { rules, side, location, is_sent }));
            }
            Opened::Stream(reader) => self.stream(Path::new("-"), reader)?,
            Opened::Archives(files) => match layers::contents(&files)? {
                Some(Contents::Stream(path, file)) => self.stream(path, file)?,
                Some(Contents::Indexed(archive)) => held(archive.into_records()),
                None => held(Vec::new()),
            },
        };
        let chooser = Chooser::of(rules, side)?;
        tree.choose(&chooser.receiving(is_sent), side, is_sent);
        Ok(tree)
    }

    fn scan(&self, root: Dir, chosen: Chosen<'_>) -> DiffTree {
        let (side, is_sent) = (chosen.side, chosen.is_sent);
        let options = walk::ScanOptions {
            threads: self.options.threads,
            chosen,
            one_file_system: false,
            leave_out: None,
        };
        let Scan { found, report } = walk::scan(&root, &options, self.cancel, self.observer);
        let nodes = found.into_iter().map(TreeNode::Found).collect();
        let grains = grains(&root);
        let mut tree = DiffTree { root: Some(root), report, ..DiffTree::new(nodes, grains) };
        if side == Side::Receiver && !self.options.rules.is_empty() {
            tree.spare(
                is_sent,
                |node| matches!(node, TreeNode::Found(one) if one.leaves_out || one.is_passed),
            );
        }
        tree
    }

    fn stream(&self, path: &Path, reader: impl Read + Send) -> Result<DiffTree, Error> {
        let mut gathered = Gathered::new(true);
        let end = each_event(reader, path, self.options.threads, self.cancel, |event| {
            if let tar::Event::Data { bytes, .. } = &event {
                self.observer.event(Event::Moved(bytes.len() as u64));
            }
            gathered.take(event);
            Ok(())
        });
        if let End::Stopped(error) = end {
            return Err(error);
        }
        let node = |(entry, digest)| TreeNode::Held(entry, digest);
        let nodes = gathered.finish().into_iter().map(node).collect();
        let grains = Grains::everywhere(Grain::Unit(Grain::SECOND));
        Ok(DiffTree { report: Report { end, ..Report::default() }, ..DiffTree::new(nodes, grains) })
    }
}

/// What an index says.
fn held(records: Vec<Record>) -> DiffTree {
    let nodes = records.into_iter().map(|record| TreeNode::Held(record.entry, record.digest)).collect();
    DiffTree::new(nodes, Grains::everywhere(Grain::Exact))
}
