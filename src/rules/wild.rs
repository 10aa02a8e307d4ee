//! Wildcards: matches a sequence of tokens against a path's bytes.
//!
//! Owns what each wildcard matches, the search for a match, and rsync's spelling of the wildcards. Anchoring, and git's
//! spelling, are up to the callers. A `?` and a class match one byte, as in both programs, in any locale.

/// A compiled sequence of wildcards and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wild(Box<[Token]>);

/// What one element of a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Byte(u8),
    /// `?`: any byte but `/`.
    AnyByte,
    /// `[...]`: one of these, never `/`.
    Class(Box<ByteSet>),
    /// `*`: any number of bytes that are not `/`.
    Star,
    /// `**`: any number of bytes.
    Anything,
    /// Any number of components, each with the `/` after it: nothing, or everything up to some `/`.
    Directories,
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ByteSet([u64; 4]);

/// What `dir/***` ends in.
const DIRECTORY_AND_BELOW: [Token; 2] = [Token::Byte(b'/'), Token::Anything];

impl Wild {
    /// A [`Token::Directories`] must come first, or after a `/`, or after nothing but bytes.
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        Self(tokens.into())
    }

    /// Whether the tokens match all of `text`. With `or_directory`, whether they match `text` or `text` and a `/`.
    ///
    /// The search keeps two places to return to: the last [`Token::Star`], which may take one more byte, and the last
    /// wider gap, which may take one more byte or component. Older ones need no second try. Tokens between two wide
    /// gaps are best matched as early as possible, which leaves the most to what follows. A star cannot cross a `/`, so
    /// stars before the last one are in an earlier component, which is settled, or are again best matched early. So the
    /// time is polynomial for any pattern.
    pub(crate) fn matches(&self, text: &[u8], or_directory: bool) -> bool {
        let tokens = &*self.0;
        let (mut token, mut at) = (0, 0);
        let (mut star, mut wide) = (None, None);
        loop {
            match tokens.get(token) {
                Some(Token::Star) => {
                    token += 1;
                    star = Some((token, at));
                    continue;
                }
                Some(Token::Anything | Token::Directories) => {
                    token += 1;
                    (star, wide) = (None, Some((token, at)));
                    continue;
                }
                Some(one) if at < text.len() && one.takes(text[at]) => {
                    (token, at) = (token + 1, at + 1);
                    continue;
                }
                None if at == text.len() => return true,
                Some(_) if at == text.len() && or_directory && tokens[token..] == DIRECTORY_AND_BELOW => {
                    return true;
                }
                _ => {}
            }
            if let Some((next_token, from)) =
                star.filter(|&(_, from)| text.get(from).is_some_and(|&b| b != b'/'))
            {
                (token, at) = (next_token, from + 1);
                star = Some((token, at));
            } else if let Some((next_token, from)) = wide
                && let Some(next) = tokens[next_token - 1].widen(text, from)
            {
                (token, at) = (next_token, next);
                (star, wide) = (None, Some((token, at)));
            } else {
                return false;
            }
        }
    }
}

/// The tokens of a pattern in rsync's spelling; `None` if it is malformed and so matches nothing.
pub(crate) fn parse_tokens(mut text: &[u8]) -> Option<Vec<Token>> {
    let mut tokens = Vec::with_capacity(text.len() + 1);
    while let Some((&first, rest)) = text.split_first() {
        text = rest;
        tokens.push(match first {
            b'*' if rest.starts_with(b"*") => {
                let stars = rest.iter().take_while(|&&b| b == b'*').count();
                text = &rest[stars..];
                Token::Anything
            }
            b'*' => Token::Star,
            first => {
                let (token, after) = parse_one(first, rest)?;
                text = after;
                token
            }
        });
    }
    Some(tokens)
}

/// Parses the token that begins with `first`, which is not `*`, and continues in `rest`; returns it and the rest.
/// `None` if no text can match.
pub(crate) fn parse_one(first: u8, rest: &[u8]) -> Option<(Token, &[u8])> {
    match first {
        b'?' => Some((Token::AnyByte, rest)),
        b'[' => parse_class(rest),
        b'\\' => rest.split_first().map(|(&escaped, after)| (Token::Byte(escaped), after)),
        byte => Some((Token::Byte(byte), rest)),
    }
}

impl Token {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Token::Byte(own) => *own == byte,
            Token::AnyByte => byte != b'/',
            Token::Class(set) => byte != b'/' && set.contains(byte),
            Token::Star | Token::Anything | Token::Directories => false,
        }
    }

    /// Where this wide gap ends if it takes more of `text` than up to `from`.
    fn widen(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        match self {
            Token::Directories => rest.iter().position(|&b| b == b'/').map(|slash| from + slash + 1),
            _ => Some(from + 1),
        }
    }
}

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn contains(self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }
}

/// Parses what follows a `[`; returns the class and what follows its `]`. `None` if the class is not closed or names
/// an unknown `[:class:]`: a pattern with such a class matches nothing.
///
/// A leading `!` or `^` negates, a `]` in first place is a member, `\` makes the next byte literal, and a reversed
/// range has no member.
fn parse_class(text: &[u8]) -> Option<(Token, &[u8])> {
    let (negated, mut text) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut set = ByteSet::default();
    // The byte where a `-` would begin a range: the one just before it, if that was a single byte.
    let mut range_start = None;
    let mut is_first = true;
    loop {
        match text {
            [b']', rest @ ..] if !is_first => {
                let bytes = if negated { ByteSet(set.0.map(|word| !word)) } else { set };
                return Some((Token::Class(Box::new(bytes)), rest));
            }
            [b'[', b':', rest @ ..] if named_class_end(rest)?.is_some() => {
                let end = named_class_end(rest)??;
                let member = named_class(&rest[..end])?;
                (0..=u8::MAX).filter(member).for_each(|byte| set.insert(byte));
                (range_start, text) = (None, &rest[end + 2..]);
            }
            [b'-', rest @ ..] if range_start.is_some() && !matches!(rest, [] | [b']', ..]) => {
                let (last, rest) = take_member(rest)?;
                (range_start.take()?..=last).for_each(|byte| set.insert(byte));
                text = rest;
            }
            _ => {
                let (byte, rest) = take_member(text)?;
                set.insert(byte);
                (range_start, text) = (Some(byte), rest);
            }
        }
        is_first = false;
    }
}

fn take_member(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\'] | [] => None,
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => Some((*byte, rest)),
    }
}

/// How long the name is that `rest`, which follows a `[:`, begins with: `Some(None)` if no name ends in `:]` before
/// the next `]`, so that the `[` is an ordinary member; `None` if there is no `]` at all.
#[allow(clippy::option_option)] // unclosed, ordinary, named: three answers, asked for in one place
fn named_class_end(rest: &[u8]) -> Option<Option<usize>> {
    let close = rest.iter().position(|&b| b == b']')?;
    Some(close.checked_sub(1).filter(|&colon| rest[colon] == b':'))
}

/// The members of a POSIX class, for ASCII only.
fn named_class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        // Unlike Rust, isspace(3) counts the vertical tab.
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// Whether `tokens` match all of `text`, by trying every way.
    fn matches_some_way(tokens: &[Token], text: &[u8]) -> bool {
        let Some((first, rest)) = tokens.split_first() else { return text.is_empty() };
        let gap_ends: Vec<usize> = match first {
            Token::Star => (0..=text.iter().position(|&b| b == b'/').unwrap_or(text.len())).collect(),
            Token::Anything => (0..=text.len()).collect(),
            Token::Directories => (0..=text.len()).filter(|&end| end == 0 || text[end - 1] == b'/').collect(),
            one => return text.first().is_some_and(|&b| one.takes(b)) && matches_some_way(rest, &text[1..]),
        };
        gap_ends.into_iter().any(|end| matches_some_way(rest, &text[end..]))
    }

    fn token() -> impl Strategy<Value = Token> {
        let ab = parse_class(b"ab]").unwrap().0;
        prop_oneof![
            6 => select(b"aab/".as_slice()).prop_map(Token::Byte),
            1 => Just(Token::AnyByte),
            1 => Just(ab),
            3 => Just(Token::Star),
            1 => Just(Token::Anything),
            1 => Just(Token::Directories),
        ]
    }

    /// Makes the tokens such as [`Wild::new`] wants.
    fn placed(tokens: Vec<Token>) -> Vec<Token> {
        let mut placed = Vec::new();
        for token in tokens {
            let is_free = placed.iter().all(|before| matches!(before, Token::Byte(_)));
            if token == Token::Directories && !is_free && placed.last() != Some(&Token::Byte(b'/')) {
                placed.push(Token::Byte(b'/'));
            }
            placed.push(token);
        }
        placed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn the_search_finds_a_match_where_there_is_one(
            tokens in prop::collection::vec(token(), 0..10).prop_map(placed),
            text in "[ab/]{0,10}",
        ) {
            let wild = Wild::new(tokens.clone());
            prop_assert_eq!(wild.matches(text.as_bytes(), false), matches_some_way(&tokens, text.as_bytes()));
            let or_directory = ["", "/"].map(|end| matches_some_way(&tokens, (text.clone() + end).as_bytes()));
            if tokens.ends_with(&DIRECTORY_AND_BELOW) {
                prop_assert_eq!(wild.matches(text.as_bytes(), true), or_directory.contains(&true));
            }
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let mut patterns = vec!["**/".repeat(20) + "x", "*/".repeat(20) + "x", "**/*a".repeat(9) + "b"];
        patterns.extend(
            ["*a", "**a", "a*", "?*", "*[a]", "*a**a", "**a*a", "*a/**/"].map(|p| p.repeat(20) + "b"),
        );
        let texts = ["a".repeat(4000), "a/".repeat(2000), "aaaaaaa/".repeat(500), "aaab".repeat(1000) + "a"];
        for pattern in &patterns {
            let wild = Wild::new(parse_tokens(pattern.as_bytes()).unwrap());
            for text in &texts {
                // Quadratic in the worst of these; exponential time would not end.
                let begin = std::time::Instant::now();
                wild.matches(text.as_bytes(), true);
                assert!(begin.elapsed().as_secs() < 5, "{pattern} on {}...", &text[..20]);
            }
        }
    }
}
