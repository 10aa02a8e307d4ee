//! Rules in the language of gitignore(5).
//!
//! Owns the meaning of a `.gitignore`'s lines. [`super::scope`] owns where the files are and which rule decides. In git
//! the last rule of a file decides, so the rules are returned in reverse order, and the first one decides.
//!
//! Uses this crate's own matcher, not the `ignore` or `globset` crate: those compile a rule to a regular expression
//! over text, but git, like rsync, matches bytes (see `docs/decisions/0002-globs.md`).

use super::pattern::Pattern;
use crate::rules::wild::{Token, parse_one};

/// One line of a `.gitignore`.
#[derive(Debug, Clone)]
pub(super) struct GitRule {
    pub(super) pattern: Pattern,
    /// `!`: not ignored.
    pub(super) include: bool,
}

/// The rules of a file, the last one first.
pub(super) fn parse(content: &[u8]) -> Vec<GitRule> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let lines = content.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut rules: Vec<_> = lines.filter_map(parse_line).collect();
    rules.reverse();
    rules
}

fn parse_line(line: &[u8]) -> Option<GitRule> {
    if line.starts_with(b"#") {
        return None;
    }
    let text = trim_spaces(line);
    let (text, include) = text.strip_prefix(b"!").map_or((text, false), |rest| (rest, true));
    let (text, directories_only) = text.strip_suffix(b"/").map_or((text, false), |rest| (rest, true));
    if text.is_empty() {
        return None;
    }
    let name_only = !text.contains(&b'/');
    let text = text.strip_prefix(b"/").unwrap_or(text);
    let pattern = Pattern::git(parse_tokens(text, name_only), name_only, directories_only);
    Some(GitRule { pattern, include })
}

/// Strips the spaces at the end, except one after a backslash.
fn trim_spaces(line: &[u8]) -> &[u8] {
    let (mut at, mut kept) = (0, 0);
    while let Some(&byte) = line.get(at) {
        at = line.len().min(if byte == b'\\' { at + 2 } else { at + 1 });
        if byte != b' ' {
            kept = at;
        }
    }
    &line[..kept]
}

/// The tokens of a pattern; `None` if it is malformed and so matches nothing.
///
/// A `**` between slashes is special. git compares the text before the first special character separately, and treats
/// the rest as another pattern; so the manual's "other consecutive asterisks are considered regular asterisks" does not
/// hold for `foo**/bar`, which means `foo`, any directories, `bar`.
fn parse_tokens(whole: &[u8], name_only: bool) -> Option<Vec<Token>> {
    let plain_length = whole.iter().position(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'));
    let mut tokens = Vec::with_capacity(whole.len());
    let mut text = whole;
    while let Some((&first, rest)) = text.split_first() {
        let at = whole.len() - text.len();
        let begins = plain_length == Some(at) || whole[..at].ends_with(b"/");
        tokens.push(match first {
            b'*' => {
                let stars = rest.iter().take_while(|&&b| b == b'*').count();
                text = &rest[stars..];
                match text {
                    _ if name_only || !begins || stars == 0 => Token::Star,
                    [] | [b'\\', b'/', ..] => Token::Anything,
                    [b'/', after @ ..] => {
                        text = after;
                        Token::Directories
                    }
                    _ => Token::Star,
                }
            }
            first => {
                let (token, after) = parse_one(first, rest)?;
                text = after;
                token
            }
        });
    }
    Some(tokens)
}
