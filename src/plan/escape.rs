//! Spells names that a destination does not take with escapes that it does.
//!
//! Owns the rule, which is written down in [`super::names::OddNames`] and in the user's guide: `%` and two hexadecimal
//! digits stand for one byte. A `%` before two such digits is itself escaped, so that every spelling stands for one
//! name ([`unescape`]), and no two names have spellings that differ only in case.

use super::names::{NameRules, fold_char, is_device, is_forbidden, only};
use crate::tree::RelPath;
use std::borrow::Cow;

/// The spelling of a name that no other one differs from only in case.
pub(crate) fn escape_forbidden(name: &[u8], rules: NameRules) -> Cow<'_, [u8]> {
    let marks = forbidden_bytes(name, rules);
    if marks.contains(&true) { Cow::Owned(spell(name, &marks)) } else { Cow::Borrowed(name) }
}

/// The spelling of a name that differs from an earlier one only in case.
pub(crate) fn escape_case(name: &[u8], rules: NameRules) -> Vec<u8> {
    let mut marks = forbidden_bytes(name, rules);
    let mut any = false;
    for (at, char) in chars(name) {
        if fold_char(char) != char && !marks[at] {
            marks[at..at + char.len_utf8()].fill(true);
            any = true;
        }
    }
    if !any {
        let has_case = |&(at, char): &(usize, char)| !marks[at] && only(char.to_uppercase()) != Some(char);
        let first = chars(name).find(has_case);
        if let Some((at, char)) = first {
            marks[at..at + char.len_utf8()].fill(true);
        }
    }
    spell(name, &marks)
}

/// The name that a spelling stands for. What this module never writes stands for itself.
pub(crate) fn unescape(spelling: &[u8]) -> Cow<'_, [u8]> {
    if !spelling.contains(&b'%') {
        return Cow::Borrowed(spelling);
    }
    let mut name = Vec::with_capacity(spelling.len());
    let mut rest = spelling;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(byte) = escaped(rest) {
            name.push(byte);
            rest = &rest[3..];
        } else {
            name.push(first);
            rest = after;
        }
    }
    Cow::Owned(name)
}

/// The path that a spelling stands for, component by component; the spelling itself if that is no valid path.
pub(crate) fn unescape_path(spelling: RelPath<'_>) -> Cow<'_, [u8]> {
    let bytes = spelling.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    // No escape stands for a `/`.
    let path = unescape(bytes);
    if RelPath::new(&path).is_ok() { path } else { Cow::Borrowed(bytes) }
}

/// The byte that an escape at the start of `text` stands for. No name has a `/` or a NUL.
fn escaped(text: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(1..3)?).ok()?;
    if text[0] != b'%' || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok().filter(|byte| !matches!(byte, b'/' | 0))
}

/// Which bytes are escaped because of the name alone.
fn forbidden_bytes(name: &[u8], rules: NameRules) -> Vec<bool> {
    let mut marks: Vec<_> = (0..name.len()).map(|at| escaped(&name[at..]).is_some()).collect();
    if !rules.forbids {
        return marks;
    }
    for (mark, &byte) in marks.iter_mut().zip(name) {
        *mark |= is_forbidden(byte);
    }
    let mut start = 0;
    for chunk in name.utf8_chunks() {
        start += chunk.valid().len();
        let end = start + chunk.invalid().len();
        marks[start..end].fill(true);
        start = end;
    }
    if let (Some(b'.' | b' '), Some(mark)) = (name.last(), marks.last_mut()) {
        *mark = true;
    }
    if is_device(name) {
        marks[0] = true;
    }
    marks
}

/// The characters of a name and where they begin, without bytes that are not UTF-8.
fn chars(name: &[u8]) -> impl Iterator<Item = (usize, char)> {
    let mut end = 0;
    name.utf8_chunks().flat_map(move |chunk| {
        let start = end;
        end += chunk.valid().len() + chunk.invalid().len();
        chunk.valid().char_indices().map(move |(at, char)| (start + at, char))
    })
}

fn spell(name: &[u8], marks: &[bool]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut spelling = Vec::with_capacity(name.len() + 8);
    for (&byte, &mark) in name.iter().zip(marks) {
        if mark {
            let digit = |value: u8| DIGITS[usize::from(value)];
            spelling.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            spelling.push(byte);
        }
    }
    spelling
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::names::{OddNames, collisions, fold, forbidden};
    use proptest::prelude::*;

    const RULES: NameRules = NameRules { folds: true, forbids: true, odd: OddNames::Escape };

    #[test]
    fn a_spelling_has_only_what_the_destination_takes() {
        for (name, spelling) in [
            ("plain name.txt", "plain name.txt"),
            ("a:b", "a%3Ab"),
            ("end.", "end%2E"),
            ("end..", "end.%2E"),
            ("end ", "end%20"),
            ("con", "%63on"),
            ("NUL.txt", "%4EUL.txt"),
            ("100%", "100%"),
            ("100%:", "100%%3A"),
            ("%3A", "%253A"),
            ("%3a", "%253a"),
            ("%2f", "%2f"),
            ("%zz", "%zz"),
            ("a\nb", "a%0Ab"),
        ] {
            let (name, spelling) = (name.as_bytes(), spelling.as_bytes());
            assert_eq!(*escape_forbidden(name, RULES), *spelling, "{}", name.escape_ascii());
            assert_eq!(*unescape(spelling), *name, "{}", spelling.escape_ascii());
        }
        assert_eq!(*escape_forbidden(b"\xffa", RULES), *b"%FFa");
        let any = NameRules { forbids: false, ..RULES };
        assert_eq!(*escape_forbidden(b"a:\xff.", any), *b"a:\xff.");
    }

    #[test]
    fn case_is_spelled_out_where_it_is_all_that_differs() {
        for (name, spelling) in [
            ("README", "%52%45%41%44%4D%45"),
            ("Readme", "%52eadme"),
            ("readme", "%72eadme"),
            ("Con", "%43%6Fn"),
            ("1a", "1%61"),
            ("Ä", "%C3%84"),
            ("A:b", "%41%3Ab"),
        ] {
            let spelled = escape_case(name.as_bytes(), RULES);
            assert_eq!(String::from_utf8_lossy(&spelled), spelling);
            assert_eq!(*unescape(&spelled), *name.as_bytes());
        }
    }

    #[test]
    fn a_path_is_read_back_by_component() {
        for (path, name) in [("a%3Ab/c%2E", "a:b/c."), ("%2e%2E/x", "%2e%2E/x"), ("a%2Fb", "a%2Fb"), ("", "")]
        {
            assert_eq!(*unescape_path(RelPath::new(path.as_bytes()).unwrap()), *name.as_bytes(), "{path}");
        }
    }

    proptest! {
        /// All names of a directory, as they are written there.
        #[test]
        fn no_two_names_of_a_directory_get_spellings_that_differ_only_in_case(
            names in prop::collection::btree_set("[aAbBnN%4:.CocO ]{1,5}", 0..24),
            more in prop::collection::btree_set("(con|CON|Con|%41|%4a|%4A|a|A)(\\.|:|%63)?", 0..16),
            forbids: bool,
        ) {
            let rules = NameRules { forbids, ..RULES };
            let names: Vec<_> = names.union(&more).collect::<std::collections::BTreeSet<_>>().into_iter()
                .filter(|name| !matches!(name.as_str(), "." | "..")).collect();
            let mut spelled: Vec<Vec<u8>> =
                names.iter().map(|name| escape_forbidden(name.as_bytes(), rules).into_owned()).collect();
            for group in collisions(spelled.clone().iter().map(Vec::as_slice)) {
                for &number in &group[1..] {
                    spelled[number as usize] = escape_case(names[number as usize].as_bytes(), rules);
                }
            }
            let mut folds: Vec<_> = spelled.iter().map(|name| fold(name).into_owned()).collect();
            folds.sort();
            folds.dedup();
            prop_assert_eq!(folds.len(), names.len());
            for (name, spelling) in names.iter().zip(&spelled) {
                prop_assert_eq!(&*unescape(spelling), name.as_bytes());
                prop_assert!(!forbids || forbidden(spelling).is_none(), "{:?}", spelling);
            }
        }
    }
}
