//! The source of a side of a comparison: a directory, the index of an archive, or an archive front to back.
//!
//! Each gives a list of nodes in path order; so does an archive with deltas on top of it.

use super::Run;
use super::tree::{IsSent, Node, Tree};
use crate::account::{End, Event, Report};
use crate::archive::layers::Layers;
use crate::archive::tar;
use crate::error::{Act, Error, IndexUse, Unfit};
use crate::ops::events::each_event;
use crate::ops::gather::Gathered;
use crate::ops::layers::{self, Files};
use crate::ops::unpack::Source;
use crate::rules::{Chooser, Side};
use crate::sys::Dir;
use crate::sys::grain::grains;
use crate::tree::grain::{Grain, Grains};
use crate::walk::{self, Chosen, Scan};
use rustix::io::Errno;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An open layer.
pub(super) enum Layer<'a, 'p> {
    Directory(&'p Path, Dir),
    Archives(Files<'p>),
    Reader(&'a mut (dyn Read + Send)),
}

/// Opens what `side` names, and the deltas on top of it.
pub(super) fn open<'a: 'p, 'p>(side: Source<'a>, deltas: &'p [PathBuf]) -> Result<Layer<'a, 'p>, Error> {
    let path = match side {
        Source::Reader(reader) if deltas.is_empty() => return Ok(Layer::Reader(reader)),
        Source::Reader(_) => return Err(no_base(Path::new("-"))),
        Source::Path(path) => path,
    };
    match Dir::open(path) {
        Ok(dir) if deltas.is_empty() => Ok(Layer::Directory(path, dir)),
        Ok(_) => Err(no_base(path)),
        Err(Errno::NOTDIR) => Ok(Layer::Archives(layers::open(path, deltas)?)),
        Err(errno) => Err(Error::io(Act::Open, path, errno)),
    }
}

fn no_base(side: &Path) -> Error {
    Error::unfit(side, Unfit::NoIndex(IndexUse::Delta))
}

impl Run<'_> {
    /// Everything that a layer holds, with the rules' verdicts. For the destination, `is_sent` says what the source
    /// has.
    pub(super) fn read(&self, layer: Layer<'_, '_>, side: Side, is_sent: IsSent<'_>) -> Result<Tree, Error> {
        let rules = &self.options.rules;
        let mut tree = match layer {
            Layer::Directory(location, root) => {
                return Ok(self.scan(root, Chosen { rules, side, location, is_sent }));
            }
            Layer::Reader(reader) => self.stream(Path::new("-"), reader)?,
            Layer::Archives(files) => match (layers::stack(&files)?, files.first()) {
                (None, Some((path, file))) => self.stream(path, file)?,
                (archive, _) => {
                    let records = archive.map(Layers::into_records).unwrap_or_default();
                    let nodes = records.into_iter().map(|record| Node::Held(record.entry, record.digest));
                    Tree::new(nodes.collect(), Grains::everywhere(Grain::Exact))
                }
            },
        };
        let chooser = Chooser::of(rules, side)?;
        tree.choose(&chooser.receiving(is_sent), side, is_sent);
        Ok(tree)
    }

    fn scan(&self, root: Dir, chosen: Chosen<'_>) -> Tree {
        let (side, is_sent) = (chosen.side, chosen.is_sent);
        let options =
            walk::Options { threads: self.options.threads, chosen, one_file_system: false, leave_out: None };
        let Scan { found, report } = walk::scan(&root, &options, self.cancel, self.observer);
        let nodes = found.into_iter().map(Node::Found).collect();
        let grains = grains(&root);
        let mut tree = Tree { root: Some(root), report, ..Tree::new(nodes, grains) };
        if side == Side::Receiver && !self.options.rules.is_empty() {
            tree.spare(is_sent, |node| matches!(node, Node::Found(one) if one.leaves_out || one.is_passed));
        }
        tree
    }

    fn stream(&self, path: &Path, reader: impl Read + Send) -> Result<Tree, Error> {
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
        let node = |(entry, digest)| Node::Held(entry, digest);
        let nodes = gathered.finish().into_values().map(node).collect();
        let grains = Grains::everywhere(Grain::Unit(Grain::SECOND));
        Ok(Tree { report: Report { end, ..Report::default() }, ..Tree::new(nodes, grains) })
    }
}
