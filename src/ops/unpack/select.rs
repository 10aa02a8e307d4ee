//! Which members of an archive are unpacked, and as what.
//!
//! Pure. If the first name of a hard-link group is left out, the first name that is not gets the content.

use crate::archive::index::Record;
use crate::rules::Chooser;
use crate::rules::Select;
use crate::tree::{Entry, Kind, RelPath};
use std::collections::HashMap;

/// What is done with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) enum MemberChoice {
    /// It is left out.
    Left,
    /// It is unpacked as it is.
    Taken,
    /// Its content is unpacked as this entry: the first chosen name of a hard-link group whose own first name is left
    /// out gets the content, and the others are links to it.
    As(Box<Entry>),
}

impl MemberChoice {
    /// The entry to create, if any.
    pub(in crate::ops) fn entry<'a>(&'a self, record: &'a Record) -> Option<&'a Entry> {
        match self {
            MemberChoice::Left => None,
            MemberChoice::Taken => Some(&record.entry),
            MemberChoice::As(entry) => Some(entry),
        }
    }
}

/// What is done with each record.
pub(in crate::ops) fn choose(records: &[Record], chooser: &Chooser<'_>) -> Vec<MemberChoice> {
    let entries =
        records.iter().map(|Record { entry, .. }| (entry.path.as_path(), entry.kind == Kind::Directory));
    let kept = chooser.kept(entries).into_iter();
    let mut choices: Vec<_> =
        kept.map(|kept| if kept { MemberChoice::Taken } else { MemberChoice::Left }).collect();
    if !chooser.is_all() {
        pass_on_content(records, &mut choices);
    }
    choices
}

/// Gives the content of files that are left out to the first of their links that is not left out.
pub(super) fn pass_on_content(records: &[Record], choices: &mut [MemberChoice]) {
    let mut heirs: HashMap<RelPath<'_>, usize> = HashMap::new();
    for number in 0..records.len() {
        let Kind::HardLink(target) = &records[number].entry.kind else { continue };
        if choices[number] == MemberChoice::Left {
            continue;
        }
        let Ok(first) = records.binary_search_by(|record| record.entry.path.cmp(target)) else { continue };
        match heirs.get(&target.as_path()) {
            Some(&heir) => {
                let kind = Kind::HardLink(records[heir].entry.path.clone());
                choices[number] = MemberChoice::As(Box::new(Entry { kind, ..records[number].entry.clone() }));
            }
            None if choices[first] == MemberChoice::Left => {
                let path = records[number].entry.path.clone();
                choices[first] = MemberChoice::As(Box::new(Entry { path, ..records[first].entry.clone() }));
                choices[number] = MemberChoice::Left;
                heirs.insert(target.as_path(), number);
            }
            None => {}
        }
    }
}

/// The given paths that no record matches.
pub(super) fn unmatched<'s>(records: &[Record], select: &'s Select) -> Vec<RelPath<'s>> {
    let is_there = |given: RelPath<'_>| {
        records.binary_search_by(|record| record.entry.path.as_path().cmp(&given)).is_ok() || given.is_root()
    };
    select.paths.iter().map(|path| path.as_path()).filter(|&given| !is_there(given)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Given, Rules, Side};
    use crate::tree::{Metadata, RelPathBuf, Timestamp};
    use std::sync::Arc;

    fn path(text: &str) -> RelPathBuf {
        RelPathBuf::from_member_name(text.as_bytes()).unwrap()
    }

    fn records() -> Vec<Record> {
        let link = || Kind::HardLink(path("a/first"));
        let dir = Kind::Directory;
        let entries = [
            (".", dir.clone()),
            ("a", dir.clone()),
            ("a/first", Kind::file(1)),
            ("a/x", Kind::file(1)),
            ("b", dir.clone()),
            ("b/link", link()),
            ("b/link2", link()),
            ("c", dir),
        ];
        let meta =
            Metadata { mode: 0, owner: Arc::default(), mtime: Timestamp::default(), xattrs: Box::default() };
        let record = |(text, kind): (&str, Kind)| {
            let entry = Entry { path: path(text), kind, meta: meta.clone() };
            Record { entry, digest: None, offset: 0, header_bytes: 512 }
        };
        entries.map(record).to_vec()
    }

    fn made(select: &Select) -> Vec<String> {
        let records = records();
        let choices = choose(&records, &select.on(Side::Sender).unwrap());
        let shown = |entry: &Entry| match &entry.kind {
            Kind::HardLink(to) => format!("{} -> {}", entry.path.as_path().display(), to.as_path().display()),
            _ => entry.path.as_path().display().into_owned(),
        };
        choices.iter().zip(&records).filter_map(|(choice, record)| choice.entry(record)).map(shown).collect()
    }

    #[test]
    fn a_path_takes_what_is_below_it_and_the_directories_above() {
        let select = Select { paths: vec![path("a/x")], ..Select::default() };
        assert_eq!(made(&select), [".", "a", "a/x"]);
        let select = Select { paths: vec![path("a")], ..Select::default() };
        assert_eq!(made(&select), [".", "a", "a/first", "a/x"]);
    }

    #[test]
    fn the_first_chosen_link_inherits_the_content() {
        let select = Select { paths: vec![path("b")], ..Select::default() };
        assert_eq!(made(&select), [".", "b/link", "b", "b/link2 -> b/link"]);
    }

    #[test]
    fn rules_drop_what_they_exclude() {
        let given = ["/a", "link2"].map(|pattern| Given::Exclude(pattern.into()));
        let rules = Rules::plain(&given).unwrap();
        assert_eq!(made(&Select { rules, ..Select::default() }), [".", "b/link", "b", "c"]);
        assert_eq!(made(&Select::default()).len(), 8);
    }

    #[test]
    fn a_path_that_is_not_there_is_told() {
        let select = Select { paths: vec![path("a"), path("nowhere")], ..Select::default() };
        assert_eq!(unmatched(&records(), &select), [path("nowhere").as_path()]);
    }
}
