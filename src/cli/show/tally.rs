//! The table of `haul diff --stat`.
//!
//! Two blocks of rows, by top-level directory and by type, each followed by the same total. Added entries are only in
//! the first tree, removed ones only in the second. A changed file counts with its whole length on both sides; a file
//! of which only metadata differs counts with 0.

use haul::account::{Deed, Differs};
use haul::ops::diff::Step;
use haul::tree::path::escape;
use haul::tree::{FileKind, RelPath};
use indicatif::HumanCount;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One row.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    added: u64,
    removed: u64,
    changed: u64,
    added_bytes: u64,
    removed_bytes: u64,
}

impl Tally {
    fn add(&mut self, step: &Step) {
        let is_missing = step.what == [Differs::Missing];
        match step.deed {
            Deed::Delete => self.removed += 1,
            Deed::Create | Deed::Link if is_missing => self.added += 1,
            _ => self.changed += 1,
        }
        self.added_bytes += step.added_bytes;
        self.removed_bytes += step.removed_bytes;
    }

    fn columns(&self) -> [u64; 5] {
        [self.added, self.removed, self.changed, self.added_bytes, self.removed_bytes]
    }
}

/// The table, with a line end after each line; empty without differences.
pub(crate) fn table(steps: &[Step]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let directories = rows(steps, |step| top_level(step.path.as_path(), step.kind));
    let types = rows(steps, |step| type_of(step.path.as_path(), step.kind));
    let mut total = Tally::default();
    for step in steps {
        total.add(step);
    }
    let mut text = block("directory", &directories, &total);
    text.push('\n');
    text + &block("type", &types, &total)
}

fn rows(steps: &[Step], name: impl Fn(&Step) -> Vec<u8>) -> BTreeMap<Vec<u8>, Tally> {
    let mut rows: BTreeMap<Vec<u8>, Tally> = BTreeMap::new();
    for step in steps {
        rows.entry(name(step)).or_default().add(step);
    }
    rows
}

/// `lib/` for that directory and everything below it; `./` for the root and the other entries in it.
fn top_level(path: RelPath<'_>, kind: FileKind) -> Vec<u8> {
    match path.components().next() {
        Some(first) if path.depth() > 1 || kind == FileKind::Directory => [first, b"/"].concat(),
        _ => b"./".to_vec(),
    }
}

/// `.py`; `file` for a file without an extension; the kind for everything else.
fn type_of(path: RelPath<'_>, kind: FileKind) -> Vec<u8> {
    let name = path.file_name();
    match name.iter().rposition(|&b| b == b'.') {
        Some(dot) if kind == FileKind::File && dot > 0 && dot + 1 < name.len() => name[dot..].to_vec(),
        _ => kind.name().into(),
    }
}

fn block(title: &str, rows: &BTreeMap<Vec<u8>, Tally>, total: &Tally) -> String {
    const HEADS: [&str; 5] = ["added", "removed", "changed", "bytes added", "bytes removed"];
    let line = |name: &str, tally: &Tally| {
        let numbers = tally.columns().map(|number| HumanCount(number).to_string());
        (name.to_owned(), numbers)
    };
    let mut lines = vec![(title.to_owned(), HEADS.map(str::to_owned))];
    lines.extend(rows.iter().map(|(name, tally)| line(&escape(name), tally)));
    lines.push(line("total", total));
    let first = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADS.len())
        .map(|column| lines.iter().map(|(_, numbers)| numbers[column].len()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (name, numbers) in &lines {
        // Writing to a String cannot fail.
        let _ = write!(text, "{name:first$}");
        for (number, width) in numbers.iter().zip(&widths) {
            let _ = write!(text, "  {number:>width$}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::Aspects;
    use haul::tree::RelPathBuf;

    fn step(path: &str, kind: FileKind, deed: Deed, bytes: (u64, u64)) -> Step {
        Step {
            path: RelPathBuf::from_member_name(path.as_bytes()).unwrap(),
            kind,
            deed,
            is_new: deed == Deed::Create,
            differs: Aspects::default(),
            what: match deed {
                Deed::Create => vec![Differs::Missing],
                Deed::Delete => vec![Differs::Extra],
                _ => vec![Differs::Content],
            },
            target: None,
            size: bytes.0,
            added_bytes: bytes.0,
            removed_bytes: bytes.1,
        }
    }

    #[test]
    fn every_difference_is_in_one_row_of_each_block() {
        let steps = [
            step("README", FileKind::File, Deed::Update, (1000, 20)),
            step("lib", FileKind::Directory, Deed::SetMetadata, (0, 0)),
            step("lib/a.py", FileKind::File, Deed::Create, (7, 0)),
            step("lib/b.py", FileKind::File, Deed::Delete, (0, 5)),
            step("lib/.hidden", FileKind::File, Deed::Create, (1, 0)),
            step("link", FileKind::Symlink, Deed::Update, (0, 0)),
        ];
        assert_eq!(
            table(&steps),
            "\
directory  added  removed  changed  bytes added  bytes removed
./             0        0        2        1,000             20
lib/           2        1        1            8              5
total          2        1        3        1,008             25

type       added  removed  changed  bytes added  bytes removed
.py            1        1        0            7              5
directory      0        0        1            0              0
file           1        0        1        1,001             20
symlink        0        0        1            0              0
total          2        1        3        1,008             25
"
        );
        assert_eq!(table(&[]), "");
    }
}
