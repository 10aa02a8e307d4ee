//! Wildcards: a sequence of tokens against a path's bytes.
//!
//! Owns what each wildcard matches and the search for a match. Which spelling becomes which token is the business of
//! the two grammars, [`super::pattern`] (rsync) and [`super::gitignore`]. A `?` and a class match one byte, as in
//! both of those programs, whatever the locale.

/// A compiled sequence of wildcards and bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wild(Box<[Token]>);

/// What one element of a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Byte(u8),
    /// `?`: any byte but `/`.
    AnyByte,
    /// `[...]`: one of these, never `/`.
    Class(Box<ByteSet>),
    /// `*`: any number of bytes that are not `/`.
    Star,
    /// `**`: any number of bytes.
    Anything,
    /// Any number of components, each with the `/` behind it: nothing, or everything up to some `/`.
    Directories,
}

/// A set of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ByteSet([u64; 4]);

/// What `dir/***` ends in.
const DIRECTORY_AND_BELOW: [Token; 2] = [Token::Byte(b'/'), Token::Anything];

impl Wild {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        Self(tokens.into())
    }

    /// Whether the tokens match all of `text`. With `or_directory`, whether they match `text` or `text` and a `/`.
    ///
    /// The search keeps two places to come back to: the last [`Token::Star`], which may take one byte more, and the
    /// last wider gap, which may take one byte or one component more. Older ones need no second try. What stands
    /// between two wide gaps is best matched as early as possible, since all that it leaves is open to what follows;
    /// and a star cannot pass a `/`, so those before the last one are in an earlier component, which is settled, or
    /// again are best matched early. So the time is bounded by a polynomial, whatever the pattern.
    pub(super) fn matches(&self, text: &[u8], or_directory: bool) -> bool {
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
            if let Some((behind, from)) = star.filter(|&(_, from)| text.get(from).is_some_and(|&b| b != b'/'))
            {
                (token, at) = (behind, from + 1);
                star = Some((token, at));
            } else if let Some((behind, from)) = wide
                && let Some(next) = tokens[behind - 1].widen(text, from)
            {
                (token, at) = (behind, next);
                (star, wide) = (None, Some((token, at)));
            } else {
                return false;
            }
        }
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

    /// Where this wide gap ends when it takes more of `text` than up to `from`.
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
/// `!` or `^` in front negates, a `]` in first place is a member, `\` takes away the meaning of what follows, and a
/// range that is in reverse has no member.
pub(super) fn parse_class(text: &[u8]) -> Option<(Token, &[u8])> {
    let (negated, mut text) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut set = ByteSet::default();
    // The byte at which a `-` makes a range begin: what came just before it, if that was a single byte.
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
