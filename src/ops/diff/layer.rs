//! What a side of a comparison is read from: a directory, the index of an archive, or an archive front to back.
//!
//! A side is one layer today. A stack of them would be read here, too: each layer is a list of nodes in path order, and
//! so is what they make together.

use super::Run;
use super::tree::{Node, Tree};
use crate::archive::reader::Archive;
use crate::archive::tar;
use crate::error::{Act, Error};
use crate::event::Event;
use crate::ops::events::each_event;
use crate::ops::gather::Gathered;
use crate::ops::layers::refuse_delta;
use crate::ops::unpack::Source;
use crate::report::{End, Report};
use crate::sys::{Dir, open};
use crate::walk::{self, Scan};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// An open layer.
pub(super) enum Layer<'a> {
    Directory(Dir),
    Archive(&'a Path, File),
    Reader(&'a mut (dyn Read + Send)),
}

/// Opens what `side` names.
pub(super) fn open(side: Source<'_>) -> Result<Layer<'_>, Error> {
    let path = match side {
        Source::Reader(reader) => return Ok(Layer::Reader(reader)),
        Source::Path(path) => path,
    };
    match Dir::open(path) {
        Ok(dir) => Ok(Layer::Directory(dir)),
        Err(Errno::NOTDIR) => match open::input(path) {
            Ok(file) => Ok(Layer::Archive(path, file)),
            Err(errno) => Err(Error::io(Act::Open, path, errno)),
        },
        Err(errno) => Err(Error::io(Act::Open, path, errno)),
    }
}

impl Run<'_> {
    /// All that a layer holds.
    pub(super) fn read(&self, layer: Layer<'_>) -> Result<Tree, Error> {
        match layer {
            Layer::Directory(root) => Ok(self.scan(root)),
            Layer::Reader(reader) => self.stream(Path::new("-"), reader),
            Layer::Archive(path, file) => match Archive::open(&file).map_err(|fault| fault.at(path))? {
                Some(archive) => {
                    refuse_delta(path, &archive)?;
                    let node =
                        |record: crate::archive::index::Record| Node::Held(record.entry, record.digest);
                    let nodes = archive.into_records().into_iter().map(node).collect();
                    Ok(Tree { nodes, root: None, is_coarse: false, report: Report::default() })
                }
                None => self.stream(path, &file),
            },
        }
    }

    fn scan(&self, root: Dir) -> Tree {
        let options = walk::Options {
            threads: self.options.threads,
            filter: &self.options.filter,
            one_file_system: false,
            leave_out: None,
        };
        let Scan { found, report } = walk::scan(&root, &options, self.cancel, self.observer);
        let nodes = found.into_iter().map(Node::Found).collect();
        Tree { nodes, root: Some(root), is_coarse: false, report }
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
        Ok(Tree { nodes, root: None, is_coarse: true, report: Report { end, ..Report::default() } })
    }
}
