//! Changes of owners and groups: the language of `--usermap`, `--groupmap` and `--chown`.
//!
//! Owns rsync's language for them, and the mapping of numbers. The caller looks up names.
//!
//! # The language
//!
//! `FROM:TO,...`; the first rule that matches a number decides. `FROM` is a number, a range of numbers (`1000-1999`), a
//! name, a name with wildcards (`*`, `?`, `[...]`), or nothing, which matches the numbers without a name; `*` matches
//! all numbers. `TO` is a number or a name. Anything that begins with a digit is a number.
//!
//! With `--numeric-ids`, no number has a name for rsync: `*` and an empty `FROM` then match all numbers, a name matches
//! none. The caller achieves this by returning no names.
//!
//! rsync warns about an unknown `TO` and continues without the rule, treats a reversed range as empty, and lets large
//! numbers overflow; here, all of these are errors.

use crate::rules::wild::{Wild, parse_tokens};
use crate::tree::path::escape;

/// A map of numbers; by default each number maps to itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMap {
    rules: Vec<IdRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct IdRule {
    from: Whom,
    to: u32,
}

/// Which owners a rule applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whom {
    All,
    /// These numbers, including the last.
    Numbers(u32, u32),
    /// Without a name if it is empty.
    Name(Box<[u8]>),
    Names(Wild),
    /// A pattern that can match nothing, such as `[a`.
    Nobody,
}

/// A text that is not a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid owner map '{}': {fault}", escape(rule))]
pub struct IdMapError {
    /// The rule in question.
    pub rule: Box<[u8]>,
    /// How many bytes of the text come before it.
    pub at: usize,
    /// What is wrong with it.
    pub fault: IdMapFault,
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each is the sentence that it prints
#[non_exhaustive]
pub enum IdMapFault {
    #[error("expected FROM:TO")]
    NoColon,
    #[error("expected a name or a number after ':'")]
    NoTarget,
    #[error("expected a number below 4294967296 or a range of two, found '{}'", escape(.0))]
    Number(Box<[u8]>),
    #[error("the range '{}' ends before it begins", escape(.0))]
    Reversed(Box<[u8]>),
    #[error("unknown name '{}'", escape(.0))]
    Unknown(Box<[u8]>),
    #[error("4294967295 cannot be an owner or group, chown(2)")]
    NoId,
}

/// Finds the number of a name.
pub type LookUp<'a> = dyn Fn(&[u8]) -> Option<u32> + 'a;

impl IdMap {
    /// Reads a map. `look_up` finds the number of a name after a `:`.
    pub fn parse(text: &[u8], look_up: &LookUp<'_>) -> Result<IdMap, IdMapError> {
        let mut rules = Vec::new();
        let mut at = 0;
        for rule in text.split(|&b| b == b',') {
            let refuse = |fault| IdMapError { rule: rule.into(), at, fault };
            rules.push(parse_rule(rule, look_up).map_err(refuse)?);
            at += rule.len() + 1;
        }
        Ok(IdMap { rules })
    }

    /// Reads the value of `--chown`, `USER`, `USER:GROUP` or `:GROUP`, into a map for users and one for groups. The one
    /// that is not named is empty.
    pub fn parse_chown(
        text: &[u8],
        user_id: &LookUp<'_>,
        group_id: &LookUp<'_>,
    ) -> Result<(IdMap, IdMap), IdMapError> {
        let colon = text.iter().position(|&b| b == b':').unwrap_or(text.len());
        let group_at = text.len().min(colon + 1);
        let everybody = |name: &[u8], at, look_up| match parse_target(name, look_up) {
            _ if name.is_empty() => Ok(IdMap::default()),
            Ok(to) => Ok(IdMap { rules: vec![IdRule { from: Whom::All, to }] }),
            Err(fault) => Err(IdMapError { rule: text.into(), at, fault }),
        };
        Ok((everybody(&text[..colon], 0, user_id)?, everybody(&text[group_at..], group_at, group_id)?))
    }

    /// Whether every number maps to itself.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The number that `id` maps to. `name_of` is asked for its name at most once, and only if a rule needs it.
    pub fn apply(&self, id: u32, name_of: &dyn Fn(u32) -> Option<Box<[u8]>>) -> u32 {
        self.find(id, name_of).unwrap_or(id)
    }

    /// The result of the rules for the number `id`; `None` if none applies, so its name may decide.
    pub fn find(&self, id: u32, name_of: &dyn Fn(u32) -> Option<Box<[u8]>>) -> Option<u32> {
        let mut name = None;
        let mut is_named =
            |test: &dyn Fn(&[u8]) -> bool| test(name.get_or_insert_with(|| name_of(id).unwrap_or_default()));
        let decided = self.rules.iter().find(|rule| match &rule.from {
            Whom::All => true,
            Whom::Numbers(first, last) => (*first..=*last).contains(&id),
            Whom::Name(own) => is_named(&|name| *name == **own),
            Whom::Names(wild) => is_named(&|name| wild.matches(name, false)),
            Whom::Nobody => false,
        });
        decided.map(|rule| rule.to)
    }
}

fn parse_rule(rule: &[u8], look_up: &LookUp<'_>) -> Result<IdRule, IdMapFault> {
    let colon = rule.iter().position(|&b| b == b':').ok_or(IdMapFault::NoColon)?;
    let (from, to) = (&rule[..colon], &rule[colon + 1..]);
    if to.is_empty() {
        return Err(IdMapFault::NoTarget);
    }
    Ok(IdRule { from: parse_from(from)?, to: parse_target(to, look_up)? })
}

fn parse_from(text: &[u8]) -> Result<Whom, IdMapFault> {
    if text.first().is_some_and(u8::is_ascii_digit) {
        return parse_numbers(text);
    }
    if !text.iter().any(|b| matches!(b, b'*' | b'?' | b'[')) {
        return Ok(Whom::Name(text.into()));
    }
    Ok(match parse_tokens(text) {
        // No name has a `/`, so nothing is left out.
        _ if text.iter().all(|&b| b == b'*') => Whom::All,
        Some(tokens) => Whom::Names(Wild::new(tokens)),
        None => Whom::Nobody,
    })
}

fn parse_numbers(text: &[u8]) -> Result<Whom, IdMapFault> {
    let number = |part| parse_number(part).ok_or_else(|| IdMapFault::Number(text.into()));
    let Some(dash) = text.iter().position(|&b| b == b'-') else {
        let id = number(text)?;
        return Ok(Whom::Numbers(id, id));
    };
    let (first, last) = (number(&text[..dash])?, number(&text[dash + 1..])?);
    if last < first { Err(IdMapFault::Reversed(text.into())) } else { Ok(Whom::Numbers(first, last)) }
}

fn parse_target(text: &[u8], look_up: &LookUp<'_>) -> Result<u32, IdMapFault> {
    if !text.iter().all(u8::is_ascii_digit) {
        return look_up(text).ok_or_else(|| IdMapFault::Unknown(text.into()));
    }
    match parse_number(text) {
        Some(u32::MAX) => Err(IdMapFault::NoId),
        number => number.ok_or_else(|| IdMapFault::Number(text.into())),
    }
}

/// Only digits; `parse` would accept a leading `+`.
fn parse_number(text: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    fn look_up(name: &[u8]) -> Option<u32> {
        match name {
            b"root" => Some(0),
            b"ann" => Some(1000),
            b"bob" => Some(1001),
            _ => None,
        }
    }

    fn name_of(id: u32) -> Option<Box<[u8]>> {
        let name: &[u8] = match id {
            0 => b"root",
            1000 => b"ann",
            1001 => b"bob",
            _ => return None,
        };
        Some(name.into())
    }

    fn map(text: &str) -> IdMap {
        IdMap::parse(text.as_bytes(), &look_up).unwrap()
    }

    fn fault(text: &str) -> (usize, IdMapFault) {
        let error = IdMap::parse(text.as_bytes(), &look_up).unwrap_err();
        (error.at, error.fault)
    }

    #[test]
    fn numbers_become_what_the_table_says() {
        for (text, id, result) in [
            ("0:5", 0, 5),
            ("0:5", 1, 1),
            ("1-5:9", 0, 0),
            ("1-5:9", 1, 9),
            ("1-5:9", 5, 9),
            ("1-5:9", 6, 6),
            ("0-4294967295:9", u32::MAX, 9),
            ("0-0:9", 0, 9),
            ("00007:9", 7, 9),
            ("ann:bob", 1000, 1001),
            ("ann:bob", 1001, 1001),
            ("ann:root", 1000, 0),
            ("root:ann", 0, 1000),
            ("ann:bob,bob:ann", 1001, 1000),
            // The first rule decides, and what it gives is final.
            ("1000:7,ann:8,7:9", 1000, 7),
            ("*:7,ann:8", 1000, 7),
            ("ann:8,*:7", 1000, 8),
            ("ann:8,*:7", 55, 7),
            // No name, any name.
            (":7", 55, 7),
            (":7", 1000, 1000),
            ("?*:7", 55, 55),
            ("?*:7", 1000, 7),
            ("**:7", 55, 7),
            // Wildcards.
            ("a*:7", 1000, 7),
            ("a*:7", 1001, 1001),
            ("b?b:7", 1001, 7),
            ("[!a]*:7", 1001, 7),
            ("[a:7", 1000, 1000),
            ("a[:7", 1000, 1000),
        ] {
            assert_eq!(map(text).apply(id, &name_of), result, "{text} on {id}");
        }
        assert_eq!(map("0-10:5").find(11, &name_of), None);
        assert_eq!(map("5:5").find(5, &name_of), Some(5));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        use IdMapFault::{NoColon, NoId, NoTarget, Number, Reversed, Unknown};
        for (text, at, is) in [
            ("", 0, NoColon),
            ("1", 0, NoColon),
            ("1:2,", 4, NoColon),
            ("1:2,3", 4, NoColon),
            ("1:", 0, NoTarget),
            ("1:2,:,3:4", 4, NoTarget),
            ("1x:2", 0, Number((*b"1x").into())),
            ("1-:2", 0, Number((*b"1-").into())),
            ("1-2-3:2", 0, Number((*b"1-2-3").into())),
            ("1-x:2", 0, Number((*b"1-x").into())),
            ("4294967296:2", 0, Number((*b"4294967296").into())),
            ("1:4294967296", 0, Number((*b"4294967296").into())),
            ("1:4294967295", 0, NoId),
            ("5-1:2", 0, Reversed((*b"5-1").into())),
            ("1:2,3:eve", 4, Unknown((*b"eve").into())),
            ("1:+2", 0, Unknown((*b"+2").into())),
            ("1:2:3", 0, Unknown((*b"2:3").into())),
            ("1:*", 0, Unknown((*b"*").into())),
        ] {
            assert_eq!(fault(text), (at, is), "{text}");
        }
        let error = IdMap::parse(b"1:2,3:e\x1b", &look_up).unwrap_err().to_string();
        assert_eq!(error, "invalid owner map '3:e\\x1b': unknown name 'e\\x1b'");
    }

    #[test]
    fn chown_names_users_and_groups() {
        for (text, user, group) in [
            ("ann:bob", Some(1000), Some(1001)),
            ("ann", Some(1000), None),
            ("ann:", Some(1000), None),
            (":bob", None, Some(1001)),
            ("7:8", Some(7), Some(8)),
            ("", None, None),
            (":", None, None),
        ] {
            let (users, groups) = IdMap::parse_chown(text.as_bytes(), &look_up, &look_up).unwrap();
            assert_eq!((users.find(5, &name_of), groups.find(6, &name_of)), (user, group), "{text}");
            assert_eq!((users.is_empty(), groups.is_empty()), (user.is_none(), group.is_none()), "{text}");
        }
        let error = |text: &str| IdMap::parse_chown(text.as_bytes(), &look_up, &look_up).unwrap_err();
        assert_eq!(error("eve:1").fault, IdMapFault::Unknown((*b"eve").into()));
        assert_eq!((error("1:eve").at, error("1:eve").fault), (2, IdMapFault::Unknown((*b"eve").into())));
        // A comma makes no second rule.
        assert_eq!(error("1,2:3").fault, IdMapFault::Unknown((*b"1,2").into()));
        assert_eq!(error("1:2:3").fault, IdMapFault::Unknown((*b"2:3").into()));
    }

    #[test]
    fn a_name_is_asked_for_once_and_only_if_a_rule_needs_it() {
        let asked = Cell::new(0);
        let name_of = |id| {
            asked.set(asked.get() + 1);
            name_of(id)
        };
        assert_eq!(IdMap::default().apply(1000, &name_of), 1000);
        assert_eq!(map("7:8,1000:9,ann:3").apply(1000, &name_of), 9);
        assert_eq!(map("*:9").apply(1000, &name_of), 9);
        assert_eq!(asked.get(), 0);
        assert_eq!(map("eve:1,b*:2,x?:3,a*:4").apply(1000, &name_of), 4);
        assert_eq!(asked.get(), 1);
    }

    proptest! {
        #[test]
        fn numbers_map_as_a_list_of_ranges_does(
            ranges in prop::collection::vec((0_u32..20, 0_u32..5, 0_u32..100), 1..6),
            id in 0_u32..30,
        ) {
            let text: Vec<_> = ranges.iter().map(|(from, more, to)| format!("{from}-{}:{to}", from + more)).collect();
            let expected = ranges.iter().find(|(from, more, _)| *from <= id && id <= from + more);
            let map = map(&text.join(","));
            prop_assert_eq!(map.apply(id, &|_| panic!("a number needs no name")), expected.map_or(id, |rule| rule.2));
        }

        #[test]
        fn any_text_is_a_map_or_an_error_inside_of_it(text in "[0-9a*?:,-]{0,12}") {
            if let Err(error) = IdMap::parse(text.as_bytes(), &look_up) {
                prop_assert!(text.as_bytes()[error.at..].starts_with(&error.rule));
            }
        }
    }
}
