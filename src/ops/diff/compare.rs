//! Compares what both sides have at each path, on all threads.

use super::run::DiffRun;
use super::tree::{DiffTree, TreeNode};
use crate::account::{Cause, End, Event, Ledger, Report};
use crate::error::Act;
use crate::plan::diff::{DiffName, DiffRules, Step, create, delete, needs_content, step};
use crate::plan::same::Precision;
use crate::pool;
use crate::source::pairs::{HasEntry, Pair, Pairs};
use crate::tree::{Digest, Entry, Kind, RelPath, RelPathBuf};
use crate::walk::content::Reader;
use std::borrow::Cow;
use std::collections::HashSet;

/// The steps that make the second side like the first, in any order. What is `unread` is left out.
pub(super) fn compare(
    run: &DiffRun<'_>,
    sides: [&DiffTree; 2],
    unread: &HashSet<RelPathBuf>,
) -> (Report, Vec<Step>) {
    let [src, dst] = sides;
    let pairs = || {
        Pairs { src: &src.nodes, dst: &dst.nodes }.filter(|pair| is_read(pair.entry().path.as_path(), unread))
    };
    run.observer.event(planned(run, pairs(), sides));
    let start = || Comparer {
        run,
        sides,
        readers: sides.map(|side| side.root.as_ref().map(Reader::new)),
        buffer: Vec::new(),
        ledger: Ledger::new(run.observer),
        steps: Vec::new(),
    };
    let jobs = pairs().take_while(|_| !run.cancel.is_set());
    let comparers = pool::scatter(run.options.threads, jobs, start, Comparer::pair);
    let (mut report, mut steps) = (Report::default(), Vec::new());
    for comparer in comparers {
        report.merge(comparer.ledger.report);
        steps.extend(comparer.steps);
    }
    if run.cancel.is_set() {
        report.end = End::Interrupted;
    }
    (report, steps)
}

fn is_read(path: RelPath<'_>, unread: &HashSet<RelPathBuf>) -> bool {
    unread.is_empty()
        || !path.ancestors().chain([RelPath::ROOT, path]).any(|above| unread.contains(&above.to_buf()))
}

impl DiffRun<'_> {
    /// The rules by which two nodes with the same path are compared.
    fn rules(&self, sides: [&DiffTree; 2], nodes: [&TreeNode; 2]) -> DiffRules {
        let (src, dst) = (sides[0].source_grain(nodes[0]), sides[1].grain(nodes[1]));
        let precision = Precision { src, dst, ..Precision::EXACT };
        DiffRules { fields: self.options.fields, trust: self.options.trust, precision }
    }
}

/// How much there is to do: the bytes are those that must be read.
fn planned<'a>(
    run: &DiffRun<'_>,
    pairs: impl Iterator<Item = Pair<'a, TreeNode, TreeNode>>,
    sides: [&DiffTree; 2],
) -> Event<'static> {
    let directories = sides.iter().filter(|side| side.root.is_some()).count() as u64;
    let (mut entries, mut bytes) = (0, 0);
    for pair in pairs {
        entries += 1;
        if let Pair::Both(src, dst) = pair
            && needs_content(src.entry(), dst.entry(), run.rules(sides, [src, dst]))
        {
            bytes += src.entry().kind.size() * directories;
        }
    }
    Event::Planned { entries, bytes }
}

/// One thread's comparison.
struct Comparer<'a> {
    run: &'a DiffRun<'a>,
    sides: [&'a DiffTree; 2],
    /// For each side that is a directory.
    readers: [Option<Reader<'a>>; 2],
    buffer: Vec<u8>,
    ledger: Ledger<'a>,
    steps: Vec<Step>,
}

/// What has been learned about one node.
struct SeenPair<'a> {
    entry: Cow<'a, Entry>,
    digest: Option<Digest>,
}

impl<'a> Comparer<'a> {
    fn pair(&mut self, pair: Pair<'a, TreeNode, TreeNode>) {
        let [src_side, dst_side] = self.sides;
        let step = match pair {
            Pair::Src(src) => Ok(Some(create(src_side.name(src)))),
            Pair::Dst(dst) => Ok(Some(delete(dst_side.name(dst)))),
            Pair::Both(src, dst) => self.both(src, dst),
        };
        let entry = pair.entry();
        match step {
            Ok(step) => self.steps.extend(step),
            Err((act, cause)) => return self.ledger.fail(entry.path.as_path(), act, cause),
        }
        if !matches!(pair, Pair::Dst(_)) {
            self.ledger.report.counts.count(&entry.kind);
        }
        self.ledger.tell(Event::Done(entry));
    }

    fn both(&mut self, src: &'a TreeNode, dst: &'a TreeNode) -> Result<Option<Step>, (Act, Cause)> {
        let [src_side, dst_side] = self.sides;
        let rules = self.run.rules(self.sides, [src, dst]);
        let (Kind::File { .. }, Kind::File { .. }) = (&src.entry().kind, &dst.entry().kind) else {
            return Ok(step(src_side.name(src), dst_side.name(dst), false, rules));
        };
        let wants_content = needs_content(src.entry(), dst.entry(), rules);
        let src = self.look(0, src, wants_content)?;
        let dst = self.look(1, dst, wants_content)?;
        let name = |entry| DiffName { entry, inode: entry };
        Ok(step(name(&src.entry), name(&dst.entry), wants_content && src.digest != dst.digest, rules))
    }

    /// Reads what the scan has not read of a file in a directory.
    fn look<'n>(
        &mut self,
        side: usize,
        node: &'n TreeNode,
        wants_content: bool,
    ) -> Result<SeenPair<'n>, (Act, Cause)> {
        let fields = self.run.options.fields;
        let wants_xattrs = fields.xattrs || fields.acls;
        let (found, reader) = match (node, &mut self.readers[side]) {
            (TreeNode::Found(found), Some(reader)) if wants_content || wants_xattrs => (found, reader),
            (TreeNode::Held(entry, digest), _) => {
                return Ok(SeenPair { entry: Cow::Borrowed(entry), digest: *digest });
            }
            _ => return Ok(SeenPair { entry: Cow::Borrowed(node.entry()), digest: None }),
        };
        let content = reader.open(found).map_err(|cause| (Act::Open, cause))?;
        let mut entry = found.entry.clone();
        if wants_xattrs {
            entry.meta.xattrs = content.xattrs().map_err(|error| (Act::ReadXattrs, error.into()))?;
        }
        let mut digest = None;
        if wants_content {
            let read = content.digest(found, &mut self.buffer).map_err(|error| (Act::Read, error.into()));
            // A file that changed in the meantime is reported as changed, even if it became shorter.
            content.check(found).map_err(|cause| (Act::Read, cause))?;
            digest = Some(read?);
            self.ledger.tell(Event::Moved(found.stamp.size));
        }
        Ok(SeenPair { entry: Cow::Owned(entry), digest })
    }
}
