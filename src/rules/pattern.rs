//! Matches one pattern of rsync against one path, both as bytes.
//!
//! Owns which part of a path a pattern is compared with, and what its text means, according to rsync(1), "PATTERN
//! MATCHING RULES" and "ANCHORING INCLUDE/EXCLUDE PATTERNS". Every text is a pattern: one that cannot match, such as an
//! unclosed `[`, matches nothing.

use crate::rules::wild::{Token, Wild, parse_tokens};

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    reach: Compared,
    body: Body,
    directories_only: bool,
    /// `dir/***`: what `dir/**` matches, and the directory `dir` itself.
    directory_too: bool,
}

/// Which part of a path is compared with a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    Name,
    /// This many components at the end, which must exist.
    Tail(usize),
    Whole,
}

#[derive(Debug, Clone)]
enum Body {
    /// Without wildcards even a backslash is an ordinary byte.
    Literal(Box<[u8]>),
    Wild(Wild),
    /// The text is malformed.
    Nothing,
}

impl Pattern {
    /// Compiles a pattern of rsync. A leading `/` is still part of `text`.
    pub(super) fn rsync(text: &[u8]) -> Self {
        let (text, directories_only) = match text.strip_suffix(b"/") {
            Some(rest) if !rest.is_empty() => (rest, true),
            _ => (text, false),
        };
        let components = text.split(|&b| b == b'/').count();
        let has_double_star = text.windows(2).any(|pair| pair == b"**");
        let (text, anchored) = text.strip_prefix(b"/").map_or((text, false), |rest| (rest, true));
        let reach = match components {
            _ if anchored || has_double_star => Compared::Whole,
            1 => Compared::Name,
            _ => Compared::Tail(components),
        };
        let is_wild = text.iter().any(|b| matches!(b, b'*' | b'?' | b'['));
        let body = match is_wild.then(|| parse(text, !anchored && has_double_star)) {
            None => Body::Literal(text.into()),
            Some(None) => Body::Nothing,
            Some(Some(tokens)) => Body::Wild(Wild::new(tokens)),
        };
        Self { reach, body, directories_only, directory_too: text.ends_with(b"***") }
    }

    /// Compiles a pattern of git, for the name only or the whole path below the file's directory; `None` if it is
    /// malformed.
    pub(super) fn git(tokens: Option<Vec<Token>>, name_only: bool, directories_only: bool) -> Self {
        Self {
            reach: if name_only { Compared::Name } else { Compared::Whole },
            body: tokens.map_or(Body::Nothing, |tokens| Body::Wild(Wild::new(tokens))),
            directories_only,
            directory_too: false,
        }
    }

    /// Whether the text is malformed.
    pub(super) fn matches_nothing(&self) -> bool {
        matches!(self.body, Body::Nothing)
    }

    /// Whether only the last component of a path is compared.
    pub(super) fn is_name_only(&self) -> bool {
        self.reach == Compared::Name
    }

    /// Whether the pattern matches `path` itself, not a directory above it.
    pub(super) fn matches(&self, path: &[u8], is_dir: bool) -> bool {
        if self.directories_only && !is_dir {
            return false;
        }
        let compared = match self.reach {
            Compared::Name => tail(path, 1),
            Compared::Tail(count) => tail(path, count),
            Compared::Whole => Some(path),
        };
        compared.is_some_and(|text| match &self.body {
            Body::Literal(literal) => **literal == *text,
            Body::Wild(wild) => wild.matches(text, self.directory_too && is_dir),
            Body::Nothing => false,
        })
    }
}

/// The last `count` components of `path`; `None` if it has fewer.
fn tail(path: &[u8], count: usize) -> Option<&[u8]> {
    let mut slashes = path.iter().enumerate().rev().filter(|&(_, &b)| b == b'/').map(|(at, _)| at);
    match slashes.by_ref().take(count - 1).count() {
        above if above + 1 < count => None,
        _ => Some(slashes.next().map_or(path, |slash| &path[slash + 1..])),
    }
}

/// The tokens of a wildcard pattern. With `floating`, the match may begin at any component.
fn parse(text: &[u8], floating: bool) -> Option<Vec<Token>> {
    let mut tokens = parse_tokens(text)?;
    if floating {
        // A leading `**/` means the same; taken literally, it would require a `/` before the first component.
        let redundant = if tokens.starts_with(&[Token::Anything, Token::Byte(b'/')]) { 2 } else { 0 };
        tokens.splice(..redundant, [Token::Directories]);
    }
    Some(tokens)
}
