//! One glob pattern against one path, both as bytes.
//!
//! Owns the grammar of patterns and what they match; [`super::filter`] owns what follows from a match. Patterns are
//! cut at `/` and matched component by component, so nothing but `**` can ever match a `/`. (The matchers at hand
//! translate a glob into one regular expression over the whole path: there `[!a]` matches `/`, and `?` matches a
//! byte where a person sees a character.)
//!
//! A character is a UTF-8 sequence or, where a name is not UTF-8, a single byte.

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    steps: Box<[Step]>,
    /// How many components at the end of a path are compared; `None` for all of them.
    tail: Option<usize>,
    directories_only: bool,
}

/// Why a pattern is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each is the sentence that it prints
#[non_exhaustive]
pub enum PatternError {
    #[error("it is empty")]
    Empty,
    #[error("it has an empty component")]
    EmptyComponent,
    #[error("no path has a '.' or '..' component; write /NAME for a name at the top")]
    DotComponent,
    #[error("'**' must stand alone between slashes")]
    DoubleStar,
    #[error("a '[' is not closed")]
    OpenClass,
    #[error("a range of characters is in reverse")]
    ReversedRange,
    #[error("named classes such as [:alpha:] are not known")]
    NamedClass,
    #[error("nothing follows the last '\\'")]
    OpenEscape,
}

/// What one component of a pattern matches.
#[derive(Debug, Clone)]
enum Step {
    /// `**`: any number of components.
    Depth,
    Name(Box<[u8]>),
    Glob(Box<[Token]>),
}

/// What one character of a component's pattern matches.
#[derive(Debug, Clone)]
enum Token {
    /// `*`: any number of characters.
    Star,
    AnyOne,
    Byte(u8),
    Class {
        negated: bool,
        ranges: Box<[(char, char)]>,
    },
}

impl Pattern {
    pub(super) fn parse(text: &[u8]) -> Result<Self, PatternError> {
        let (text, anchored) = strip(text.strip_prefix(b"/"), text);
        let (text, directories_only) = strip(text.strip_suffix(b"/"), text);
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let mut steps = text.split(|&b| b == b'/').map(parse_step).collect::<Result<Vec<_>, _>>()?;
        if let Some(Step::Depth) = steps.last() {
            // `a/**` means what is below `a`, not `a` itself: at least one more component.
            steps.push(Step::Glob([Token::Star].into()));
        }
        let has_depth = steps.iter().any(|step| matches!(step, Step::Depth));
        if !anchored && has_depth {
            steps.insert(0, Step::Depth);
        }
        let tail = (!anchored && !has_depth).then_some(steps.len());
        Ok(Self { steps: steps.into(), tail, directories_only })
    }

    /// Whether the pattern matches this path, itself and not what is above it.
    pub(super) fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        if self.directories_only && !is_dir {
            return false;
        }
        let compared = self.tail.map_or(path, |count| last_components(path, count));
        matches(&self.steps, compared)
    }
}

fn strip<'a>(stripped: Option<&'a [u8]>, whole: &'a [u8]) -> (&'a [u8], bool) {
    stripped.map_or((whole, false), |rest| (rest, true))
}

fn last_components(path: &[u8], count: usize) -> &[u8] {
    let slashes = path.iter().enumerate().rev().filter(|&(_, &b)| b == b'/');
    slashes.map(|(at, _)| &path[at + 1..]).nth(count - 1).unwrap_or(path)
}

fn parse_step(text: &[u8]) -> Result<Step, PatternError> {
    match text {
        b"" => return Err(PatternError::EmptyComponent),
        b"." | b".." => return Err(PatternError::DotComponent),
        b"**" => return Ok(Step::Depth),
        _ => {}
    }
    let tokens = parse_tokens(text)?;
    let literal: Option<Box<[u8]>> =
        tokens.iter().map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None }).collect();
    Ok(literal.map_or(Step::Glob(tokens.into()), Step::Name))
}

fn parse_tokens(mut text: &[u8]) -> Result<Vec<Token>, PatternError> {
    let mut tokens = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        text = rest;
        tokens.push(match first {
            b'*' if rest.first() == Some(&b'*') => return Err(PatternError::DoubleStar),
            b'*' => Token::Star,
            b'?' => Token::AnyOne,
            b'[' => {
                let (class, after) = parse_class(rest)?;
                text = after;
                class
            }
            b'\\' => {
                let (&escaped, after) = rest.split_first().ok_or(PatternError::OpenEscape)?;
                text = after;
                Token::Byte(escaped)
            }
            byte => Token::Byte(byte),
        });
    }
    Ok(tokens)
}

/// Parses what follows a `[`, as glob(7) has it: `!` or `^` negates, a `]` in first place is a member.
fn parse_class(text: &[u8]) -> Result<(Token, &[u8]), PatternError> {
    let (mut text, negated) = strip(text.strip_prefix(b"!").or(text.strip_prefix(b"^")), text);
    let mut ranges = Vec::new();
    loop {
        match text {
            [] => return Err(PatternError::OpenClass),
            [b']', rest @ ..] if !ranges.is_empty() => {
                return Ok((Token::Class { negated, ranges: ranges.into() }, rest));
            }
            [b'[', b':' | b'.' | b'=', ..] => return Err(PatternError::NamedClass),
            _ => {}
        }
        let (low, rest) = parse_member(text)?;
        let (high, rest) = match rest {
            // A `-` in last place is a member.
            [b'-', after @ ..] if !matches!(after, [] | [b']', ..]) => parse_member(after)?,
            _ => (low, rest),
        };
        if high < low {
            return Err(PatternError::ReversedRange);
        }
        ranges.push((low, high));
        text = rest;
    }
}

fn parse_member(text: &[u8]) -> Result<(char, &[u8]), PatternError> {
    let text = text.strip_prefix(b"\\").unwrap_or(text);
    let (character, rest) = take_character(text).ok_or(PatternError::OpenClass)?;
    // A byte that is not UTF-8 cannot be a member: the pattern was cut inside a character.
    Ok((character.ok_or(PatternError::OpenClass)?, rest))
}

/// The first character, `None` for a byte that is not UTF-8, and what follows it.
fn take_character(text: &[u8]) -> Option<(Option<char>, &[u8])> {
    let &first = text.first()?;
    if first.is_ascii() {
        return Some((Some(char::from(first)), &text[1..]));
    }
    let head = &text[..text.len().min(4)];
    let valid = head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    Some((valid, &text[valid.map_or(1, char::len_utf8)..]))
}

/// An element of a pattern: a component of a path's pattern, or a character of a component's pattern.
trait Element {
    /// Whether this matches any number of units, none included.
    fn is_gap(&self) -> bool;
    /// What follows the one unit that this matches; `None` if it does not match the first unit of `text`.
    fn take<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]>;
    /// What follows the first unit of `text`.
    fn skip_unit(text: &[u8]) -> &[u8];
}

/// Whether `elements` match all of `text`.
///
/// On a mismatch the last gap takes one unit more. Earlier gaps need no second try: if the elements between two gaps
/// match at all, matching them at the earliest place leaves the most for what follows. So the time is bounded by the
/// product of the lengths, whatever the pattern.
fn matches<E: Element>(elements: &[E], text: &[u8]) -> bool {
    let (mut at, mut rest) = (0, text);
    let mut last_gap = None;
    loop {
        let next = match elements.get(at) {
            Some(element) if element.is_gap() => {
                last_gap = Some((at + 1, rest));
                Some(rest)
            }
            Some(element) => element.take(rest),
            None if rest.is_empty() => return true,
            None => None,
        };
        if let Some(next) = next {
            (at, rest) = (at + 1, next);
            continue;
        }
        let Some((behind_gap, from)) = last_gap.filter(|(_, from)| !from.is_empty()) else { return false };
        (at, rest) = (behind_gap, E::skip_unit(from));
        last_gap = Some((at, rest));
    }
}

impl Element for Step {
    fn is_gap(&self) -> bool {
        matches!(self, Step::Depth)
    }

    fn take<'t>(&self, path: &'t [u8]) -> Option<&'t [u8]> {
        let rest = Step::skip_unit(path);
        let name = path[..path.len() - rest.len()].strip_suffix(b"/").unwrap_or(path);
        let is_match = !name.is_empty()
            && match self {
                Step::Depth => false,
                Step::Name(literal) => **literal == *name,
                Step::Glob(tokens) => matches(tokens, name),
            };
        is_match.then_some(rest)
    }

    fn skip_unit(path: &[u8]) -> &[u8] {
        path.iter().position(|&b| b == b'/').map_or(&[], |slash| &path[slash + 1..])
    }
}

impl Element for Token {
    fn is_gap(&self) -> bool {
        matches!(self, Token::Star)
    }

    fn take<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        match self {
            Token::Star => None,
            Token::Byte(byte) => text.strip_prefix(&[*byte]),
            Token::AnyOne => take_character(text).map(|(_, rest)| rest),
            Token::Class { negated, ranges } => {
                let (character, rest) = take_character(text)?;
                let listed =
                    character.is_some_and(|c| ranges.iter().any(|&(low, high)| (low..=high).contains(&c)));
                (listed != *negated).then_some(rest)
            }
        }
    }

    fn skip_unit(text: &[u8]) -> &[u8] {
        take_character(text).map_or(&[], |(_, rest)| rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_match(pattern: &str, path: impl AsRef<[u8]>, is_dir: bool) -> bool {
        Pattern::parse(pattern.as_bytes()).unwrap().matches(path.as_ref(), is_dir)
    }

    #[test]
    fn patterns_match_what_the_table_says() {
        for (pattern, yes, no) in [
            // A name, at any depth.
            ("a", &["a", "b/a", "c/b/a"][..], &["ab", "a/b", "ba"][..]),
            ("*.pyc", &["x.pyc", ".pyc", "d/x.pyc"], &["x.py", "x.pyc/y"]),
            // A path: at the end, on component boundaries.
            ("a/b", &["a/b", "x/a/b"], &["xa/b", "a/bx", "a/x/b", "b"]),
            ("a/*/c", &["a/b/c", "x/a/b/c"], &["a/c", "a/b/b/c"]),
            // Anchored at the root.
            ("/a", &["a"], &["b/a", "a/a"]),
            ("/a/b", &["a/b"], &["x/a/b"]),
            ("/*", &["a", "b"], &["a/b"]),
            // Any depth.
            ("**", &["a", "a/b"], &[""]),
            ("a/**", &["a/b", "a/b/c", "x/a/b"], &["a", "x/a"]),
            ("/a/**", &["a/b", "a/b/c"], &["a", "x/a/b"]),
            ("**/a", &["a", "x/a", "x/y/a"], &["a/x"]),
            ("a/**/b", &["a/b", "a/x/b", "a/x/y/b", "z/a/b"], &["a", "b", "ab"]),
            ("/**/a/**/b/c", &["a/b/c", "x/a/y/b/c", "a/b/c/b/c"], &["a/b/c/d", "b/c"]),
            // Characters.
            ("a?c", &["abc", "aäc", "a€c"], &["ac", "a/c", "abbc"]),
            ("a*b*c", &["abc", "axxbyyc", "abbcc"], &["acb", "ab/c"]),
            ("[abc]", &["a", "c"], &["d", "ab"]),
            ("[a-cx]", &["b", "x"], &["d", "-"]),
            ("[!a-c]", &["d", "ä"], &["a", "c"]),
            ("[^a]b", &["cb"], &["ab", "b"]),
            ("[]a]", &["]", "a"], &["b"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[ä-ü]", &["ö", "ä"], &["a"]),
            ("x[!a]y", &["xby"], &["x/y", "xay"]),
            // Nothing else is special.
            ("{arch}", &["{arch}"], &["arch"]),
            (r"\*", &["*"], &["a"]),
            (r"[\]]", &["]"], &["\\"]),
            (" a ", &[" a "], &["a"]),
        ] {
            for path in yes {
                assert!(is_match(pattern, path, false), "{pattern} should match {path}");
            }
            for path in no {
                assert!(!is_match(pattern, path, false), "{pattern} should not match {path}");
            }
        }
    }

    #[test]
    fn a_trailing_slash_asks_for_a_directory() {
        assert!(is_match("a/", "x/a", true) && !is_match("a/", "x/a", false));
        assert!(is_match("/a/b/", "a/b", true) && !is_match("/a/b/", "a/b", false));
    }

    #[test]
    fn a_byte_that_is_not_utf8_counts_as_one_character() {
        assert!(is_match("a?b", b"a\xffb", false));
        assert!(is_match("[!x]", b"\xff", false) && !is_match("[a-\u{ff}]", b"\xff", false));
        assert!(!is_match("a??b", "aäb", false), "a character is not its bytes");
        assert!(!is_match("*??", "€", false), "a star does not split a character");
        assert!(Pattern::parse(b"\xff*").unwrap().matches(b"x/\xff\xfe", false));
    }

    #[test]
    fn a_pattern_that_cannot_be_meant_is_an_error() {
        for (pattern, error) in [
            ("", PatternError::Empty),
            ("/", PatternError::Empty),
            ("a//b", PatternError::EmptyComponent),
            ("./a", PatternError::DotComponent),
            ("../a", PatternError::DotComponent),
            ("a**b", PatternError::DoubleStar),
            ("***", PatternError::DoubleStar),
            ("[a", PatternError::OpenClass),
            ("[]", PatternError::OpenClass),
            ("[a/b]", PatternError::OpenClass),
            ("[b-a]", PatternError::ReversedRange),
            ("[[:alpha:]]", PatternError::NamedClass),
            ("a\\", PatternError::OpenEscape),
        ] {
            assert_eq!(Pattern::parse(pattern.as_bytes()).err(), Some(error), "{pattern}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!is_match(&format!("{}b", "*a".repeat(60)), "a".repeat(255), false));
        assert!(!is_match(&format!("{}b", "**/a/".repeat(60)), "a/".repeat(500) + "a", false));
    }

    /// The definition, written as plainly as it can be: try everything.
    fn naive(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (["**"], _) => !path.is_empty(),
            (["**", rest @ ..], _) => (0..=path.len()).any(|n| naive(rest, &path[n..])),
            ([first, rest @ ..], [name, names @ ..]) => {
                let (first, name): (Vec<_>, Vec<_>) = (first.chars().collect(), name.chars().collect());
                naive_name(&first, &name) && naive(rest, names)
            }
            _ => false,
        }
    }

    fn naive_name(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=name.len()).any(|n| naive_name(rest, &name[n..])),
            (['[', '!', not, ']', rest @ ..], [c, cs @ ..]) => c != not && naive_name(rest, cs),
            (['[', one, ']', rest @ ..], [c, cs @ ..]) => c == one && naive_name(rest, cs),
            (['?', rest @ ..], [_, cs @ ..]) => naive_name(rest, cs),
            ([first, rest @ ..], [c, cs @ ..]) => first == c && naive_name(rest, cs),
            _ => false,
        }
    }

    fn component() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec!["a", "b", "ü", "?", "*", "[a]", "[!b]"]);
        let glob = prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat().replace("**", "*"));
        prop_oneof![1 => Just("**".to_owned()), 4 => glob]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn matching_agrees_with_the_definition(
            pattern in prop::collection::vec(component(), 1..5),
            path in prop::collection::vec("[abü]{1,4}", 1..6),
        ) {
            let parts: Vec<&str> = pattern.iter().map(String::as_str).collect();
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            let (pattern, path) = (pattern.join("/"), path.join("/"));
            prop_assert_eq!(is_match(&format!("/{pattern}"), &path, false), naive(&parts, &names));
            let anywhere = (0..names.len()).any(|n| naive(&parts, &names[n..]));
            prop_assert_eq!(is_match(&pattern, &path, false), anywhere);
        }

        #[test]
        fn no_bytes_make_parsing_or_matching_panic(pattern: Vec<u8>, path: Vec<u8>) {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                pattern.matches(&path, true);
            }
        }
    }
}
