//! Names on a destination that takes some of them for the same, or takes only some of them.
//!
//! Owns which names of a directory are one name to such a destination, which of them it forbids, and which of its own
//! names stands for which name of the source. `plan::escape` spells names that it does not take. Nothing here is asked of a
//! destination that tells case apart and takes any name.
//!
//! Two names *differ only in case* if their folds (`fold`) are equal: each character by itself, to upper and then to lower
//! case, as far as that is one character again. That is about Unicode's simple case folding, and what SMB servers and
//! NTFS do, whose own tables differ in a few letters. Where this folds more than a destination does, two names fail
//! that could both have been made; where it folds less, the second one is found when it gets its name. Equal text in
//! different normal forms is not folded.

use super::join::Joined;
use crate::account::Cause;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

/// What is done with a name that the destination forbids, or that differs from another one only in case where the
/// destination does not tell case apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OddNames {
    /// It is a failure: nothing is written for it, and everything else is done. Of names that differ only in case, none
    /// is written; from an archive that is read front to back, the first.
    #[default]
    Refuse,
    /// The same, but it is reported as left out instead of as a failure.
    Skip,
    /// It is written with escapes: `%` and two hexadecimal digits stand for one byte. Each byte that the destination
    /// forbids is escaped, and each `%` before two such digits. Of names that differ only in case, the first in byte
    /// order (from an archive that is read front to back, the first) keeps its name; in each other one, the letters that
    /// are not lower case are escaped, and if it has none, its first letter.
    Escape,
}

/// What a destination makes of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NameRules {
    /// It takes names that differ only in case for the same.
    pub(crate) folds: bool,
    /// It takes no names that Windows forbids.
    pub(crate) forbids: bool,
    /// What is done with a name that it does not take.
    pub(crate) odd: OddNames,
}

impl NameRules {
    /// Whether it takes every name for itself.
    pub(crate) fn is_plain(self) -> bool {
        !self.folds && !self.forbids
    }

    /// Whether names are spelled with escapes.
    pub(crate) fn escapes(self) -> bool {
        !self.is_plain() && self.odd == OddNames::Escape
    }

    /// Why the destination takes no such name, whatever else there is.
    pub(crate) fn forbidden(self, name: &[u8]) -> Option<Forbidden> {
        if self.forbids { forbidden(name) } else { None }
    }
}

/// What Windows, and so an SMB server, forbids about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// A character in it.
    Character(u8),
    /// Bytes that are not UTF-8: its names are text.
    NotText,
    /// Its last character, which would be cut off.
    Last(u8),
    /// It is the name of a device, with or without an extension.
    Device,
}

/// Why a name of the source is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NameFault {
    Forbidden(Forbidden),
    /// All names that differ only in case, in byte order.
    Collides(Box<[Box<[u8]>]>),
}

impl From<NameFault> for Cause {
    fn from(fault: NameFault) -> Self {
        match fault {
            NameFault::Forbidden(what) => Cause::ForbiddenName(what.to_string().into()),
            NameFault::Collides(names) => Cause::SameName(names),
        }
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Forbidden::Character(byte) if byte.is_ascii_control() => {
                write!(f, "control characters such as \\x{byte:02x}")
            }
            Forbidden::Character(byte) => write!(f, "names with {}", char::from(*byte)),
            Forbidden::NotText => f.write_str("names that are not UTF-8"),
            Forbidden::Last(b' ') => f.write_str("names that end with a space"),
            Forbidden::Last(_) => f.write_str("names that end with a dot"),
            Forbidden::Device => f.write_str("names of devices"),
        }
    }
}

/// What Windows forbids about `name`, if anything.
pub(crate) fn forbidden(name: &[u8]) -> Option<Forbidden> {
    if std::str::from_utf8(name).is_err() {
        return Some(Forbidden::NotText);
    }
    if let Some(&byte) = name.iter().find(|&&byte| is_forbidden(byte)) {
        return Some(Forbidden::Character(byte));
    }
    match name.last() {
        Some(&last @ (b'.' | b' ')) => Some(Forbidden::Last(last)),
        _ => is_device(name).then_some(Forbidden::Device),
    }
}

/// Whether no name may have this character.
pub(super) fn is_forbidden(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'*' | b':' | b'<' | b'>' | b'?' | b'\\' | b'|')
}

/// Whether a name leads to a device: up to its first dot, and whatever its case.
pub(super) fn is_device(name: &[u8]) -> bool {
    let base = name.split(|&byte| byte == b'.').next().unwrap_or_default().trim_ascii_end();
    let is = |device: &[u8]| base.eq_ignore_ascii_case(device);
    let numbered = || match base.split_at_checked(3) {
        Some((port, number)) => {
            (port.eq_ignore_ascii_case(b"COM") || port.eq_ignore_ascii_case(b"LPT"))
                && matches!(number, [b'1'..=b'9'] | [0xc2, 0xb9 | 0xb2 | 0xb3])
        }
        None => false,
    };
    is(b"CON") || is(b"PRN") || is(b"AUX") || is(b"NUL") || is(b"CLOCK$") || numbered()
}

/// The same for all names that differ only in case.
pub(crate) fn fold(name: &[u8]) -> Cow<'_, [u8]> {
    if name.is_ascii() {
        let is_folded = !name.iter().any(u8::is_ascii_uppercase);
        return if is_folded { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) };
    }
    let mut folded = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars() {
            folded.extend_from_slice(fold_char(char).encode_utf8(&mut [0; 4]).as_bytes());
        }
        folded.extend_from_slice(chunk.invalid());
    }
    Cow::Owned(folded)
}

/// The same for both cases of a character.
pub(super) fn fold_char(char: char) -> char {
    // Its upper case is that of another letter, and Unicode does not fold it.
    const DOTLESS_I: char = '\u{131}';
    if char == DOTLESS_I {
        return char;
    }
    let upper = only(char.to_uppercase()).unwrap_or(char);
    only(upper.to_lowercase()).unwrap_or(upper)
}

/// The only one, if there is one.
pub(super) fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    first.filter(|_| chars.next().is_none())
}

/// The names that differ only in case, by their numbers: groups of at least two, each in order.
pub(crate) fn collisions<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u32>> {
    let mut folded: Vec<_> = names.map(fold).zip(0_u32..).collect();
    folded.sort_unstable();
    let groups = folded.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
    groups.map(|group| group.iter().map(|&(_, number)| number).collect()).collect()
}

/// The names of both sides of a directory, joined.
#[derive(Debug, Default)]
pub(crate) struct JoinedNames {
    /// Without those that are not written, and what the destination has in their places.
    pub(crate) joined: Vec<Joined>,
    /// The names of the source that are not written, and why.
    pub(crate) refused: Vec<(u32, NameFault)>,
    /// Whether names that differ only in case were taken for one.
    pub(crate) folds: bool,
}

impl From<Vec<Joined>> for JoinedNames {
    fn from(joined: Vec<Joined>) -> Self {
        JoinedNames { joined, refused: Vec::new(), folds: false }
    }
}

/// The names of both sides of a directory.
#[derive(Clone, Copy)]
pub(crate) struct BothNames<'n> {
    pub(crate) src: &'n dyn Fn(u32) -> &'n [u8],
    pub(crate) dst: &'n dyn Fn(u32) -> &'n [u8],
}

/// Pairs a name of the source that the destination lacks with one of its names that differs only in case, the first in
/// order that `is_same` says is the same to it.
///
/// No name of the destination is paired with two names of the source, and none that has a name of its own in the source
/// is paired with another one.
pub(crate) fn pair(
    joined: Vec<Joined>,
    names: BothNames<'_>,
    mut is_same: impl FnMut(u32, u32) -> bool,
) -> Vec<Joined> {
    let mut lacked = HashMap::new();
    for one in &joined {
        if let Joined { src: Some(src), dst: None } = *one {
            lacked.entry(fold((names.src)(src))).or_insert(src);
        }
    }
    let mut partners = HashMap::new();
    for one in &joined {
        if let Joined { src: None, dst: Some(dst) } = *one
            && !lacked.is_empty()
            && let Some(&src) = lacked.get(&fold((names.dst)(dst)))
            && !partners.contains_key(&src)
            && is_same(src, dst)
        {
            partners.insert(src, dst);
        }
    }
    if partners.is_empty() {
        return joined;
    }
    let taken: HashSet<_> = partners.values().copied().collect();
    let paired = joined.into_iter().filter_map(|one| match one {
        Joined { src: Some(src), dst: None } => Some(Joined { dst: partners.get(&src).copied(), ..one }),
        Joined { src: None, dst: Some(dst) } if taken.contains(&dst) => None,
        _ => Some(one),
    });
    paired.collect()
}

/// Leaves out the names that are not written, and the names of the destination that could stand for them.
pub(crate) fn leave_out(
    joined: Vec<Joined>,
    names: BothNames<'_>,
    refused: Vec<(u32, NameFault)>,
) -> JoinedNames {
    if refused.is_empty() {
        return joined.into();
    }
    let folds: HashSet<_> = refused.iter().map(|&(number, _)| fold((names.src)(number))).collect();
    let numbers: HashSet<_> = refused.iter().map(|&(number, _)| number).collect();
    let stays = |one: &Joined| match *one {
        Joined { src: Some(src), .. } => !numbers.contains(&src),
        Joined { dst: Some(dst), .. } => !folds.contains(&fold((names.dst)(dst))),
        Joined { .. } => true,
    };
    JoinedNames { joined: joined.into_iter().filter(stays).collect(), refused, folds: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::join::join;
    use proptest::prelude::*;

    #[test]
    fn a_fold_is_the_same_for_all_spellings_and_a_spelling_itself() {
        for (a, b, same) in [
            ("README", "readme", true),
            ("a-B_c", "A-b_C", true),
            ("Ärger", "ärger", true),
            ("ΣΑΣ", "σας", true),
            ("\u{212a}", "k", true),
            ("a", "b", false),
            ("ı", "i", false),
            ("ß", "ss", false),
            ("é", "e\u{301}", false),
        ] {
            assert_eq!(fold(a.as_bytes()) == fold(b.as_bytes()), same, "{a} {b}");
        }
        assert_eq!(*fold(b"A\xffB\xc3"), *b"a\xffb\xc3");
        for char in '\0'..=char::MAX {
            assert_eq!(fold_char(fold_char(char)), fold_char(char), "{char:?}");
        }
    }

    #[test]
    fn what_windows_forbids_is_known() {
        use Forbidden::{Character, Device, Last, NotText};
        for (name, expected) in [
            (&b"a:b"[..], Some(Character(b':'))),
            (b"\"", Some(Character(b'"'))),
            (b"a\\b", Some(Character(b'\\'))),
            (b"what?", Some(Character(b'?'))),
            (b"a\x01", Some(Character(1))),
            (b"a.", Some(Last(b'.'))),
            (b"a ", Some(Last(b' '))),
            (b"\xff", Some(NotText)),
            (b"con", Some(Device)),
            (b"Nul.tar.gz", Some(Device)),
            (b"com7.txt", Some(Device)),
            (b"aux .c", Some(Device)),
            ("LPT²".as_bytes(), Some(Device)),
            (b"com0", None),
            (b"com10", None),
            (b"console", None),
            (b"xcon", None),
            (b".con", None),
            (b"co", None),
            (b" a", None),
            ("grün".as_bytes(), None),
            (b"%41", None),
            (b".haul-0123456789abcdef", None),
        ] {
            assert_eq!(forbidden(name), expected, "{}", name.escape_ascii());
        }
        let any = NameRules { folds: true, ..NameRules::default() };
        assert_eq!(any.forbidden(b"a:b"), None);
    }

    #[test]
    fn a_fault_reads_as_the_end_of_a_sentence() {
        let text = |fault: NameFault| Cause::from(fault).to_string();
        let colon = NameFault::Forbidden(Forbidden::Character(b':'));
        assert_eq!(text(colon), "the destination forbids names with :");
        let names = ["README", "Readme"].map(|name| name.as_bytes().into());
        assert_eq!(text(NameFault::Collides(names.into())), "names that differ only in case: README, Readme");
    }

    fn numbers(names: &[&str]) -> Vec<Vec<u32>> {
        collisions(names.iter().map(|name| name.as_bytes()))
    }

    #[test]
    fn names_that_differ_only_in_case_are_a_group() {
        let none: Vec<Vec<u32>> = Vec::new();
        for (names, expected) in [
            (&["a", "b"][..], none.clone()),
            (&["README", "Readme", "a", "readme"], vec![vec![0, 1, 3]]),
            (&["A", "B", "a", "b", "c"], vec![vec![0, 2], vec![1, 3]]),
            (&[], none),
        ] {
            assert_eq!(numbers(names), expected, "{names:?}");
        }
    }

    /// Which name of the source is paired with which of the destination.
    fn paired(src: &[&str], dst: &[&str], same: bool) -> Vec<(Option<String>, Option<String>)> {
        let (src_name, dst_name) = (|n: u32| src[n as usize].as_bytes(), |n: u32| dst[n as usize].as_bytes());
        let joined = join(src.iter().map(|n| n.as_bytes()), dst.iter().map(|n| n.as_bytes()));
        let names = BothNames { src: &src_name, dst: &dst_name };
        let text = |name: &&str| (*name).to_owned();
        pair(joined, names, |_, _| same)
            .into_iter()
            .map(|one| (one.src.map(|n| text(&src[n as usize])), one.dst.map(|n| text(&dst[n as usize]))))
            .collect()
    }

    #[test]
    fn a_name_of_the_destination_stands_for_one_of_the_source() {
        let row = |src: &str, dst: &str| {
            let text = |name: &str| (!name.is_empty()).then(|| name.to_owned());
            (text(src), text(dst))
        };
        for (src, dst, same, expected) in [
            (&["name"][..], &["Name"][..], true, vec![row("name", "Name")]),
            (&["name"], &["Name"], false, vec![row("", "Name"), row("name", "")]),
            (&["name"], &["Name", "name"], true, vec![row("", "Name"), row("name", "name")]),
            (&["Name"], &["NAME", "name"], true, vec![row("Name", "NAME"), row("", "name")]),
            (&["a", "b"], &["b"], true, vec![row("a", ""), row("b", "b")]),
        ] {
            assert_eq!(paired(src, dst, same), expected, "{src:?} {dst:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_is_paired_twice_or_lost(
            src in prop::collection::btree_set("[abAB]{1,2}", 0..8),
            dst in prop::collection::btree_set("[abAB]{1,2}", 0..8),
            same: bool,
        ) {
            let (src, dst): (Vec<_>, Vec<_>) = (src.iter().map(String::as_str).collect(), dst.iter().map(String::as_str).collect());
            let pairs = paired(&src, &dst, same);
            let mut left: Vec<_> = pairs.iter().filter_map(|(src, _)| src.clone()).collect();
            let mut right: Vec<_> = pairs.iter().filter_map(|(_, dst)| dst.clone()).collect();
            left.sort();
            right.sort();
            prop_assert_eq!(left, src.clone());
            prop_assert_eq!(right, dst.clone());
            for (one, other) in &pairs {
                if let (Some(one), Some(other)) = (one, other) {
                    prop_assert_eq!(fold(one.as_bytes()), fold(other.as_bytes()));
                    // What has its own name on the other side keeps it.
                    prop_assert!(one == other || !dst.contains(&one.as_str()) && !src.contains(&other.as_str()));
                }
            }
        }
    }
}
