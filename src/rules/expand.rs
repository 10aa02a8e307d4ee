//! Expands options and files into a flat sequence of rules.
//!
//! Owns how a file is split into rules, and the merging of files that are read once (`.`): the result has no such rule
//! left. Opens nothing itself: the caller resolves a name and returns the content.

use super::parse::{Defaults, Grammar, MergeRule, Parsed, PatternRule, parse};
use crate::error::{Origin, RuleError, RuleFault};

/// How deep merge files may name each other. rsync has the same limit.
pub(super) const DEPTH_LIMIT: usize = 32;

/// One rule of a flat sequence.
#[derive(Debug, Clone)]
pub(super) struct RuleLine {
    /// All remaining merge rules are read per directory.
    pub(super) rule: Parsed,
    /// Whether it came from a file that another file named. A leading `/` then means the root of the transfer even if
    /// that other file is a directory's own. rsync does the same, and its manual does not contradict.
    pub(super) nested: bool,
}

/// Opens the file that a `.` rule names.
pub(super) type Open<'a> = dyn FnMut(&[u8]) -> Result<Vec<u8>, RuleFault> + 'a;

/// Collects rules in order.
pub(super) struct Expander<'a> {
    open: &'a mut Open<'a>,
    nul_separated: bool,
    depth: usize,
    pub(super) lines: Vec<RuleLine>,
}

/// How a text is read: its grammar, the defaults of its rules, and where it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) grammar: Grammar,
    pub(super) outer: Defaults,
    /// The file's name for messages; `None` for an option's value.
    pub(super) file: Option<&'a [u8]>,
}

impl<'a> Expander<'a> {
    /// `nul_separated` is `--from0`: rules in files end in NUL bytes and not in line feeds.
    pub(super) fn new(open: &'a mut Open<'a>, nul_separated: bool) -> Self {
        Self { open, nul_separated, depth: 0, lines: Vec::new() }
    }

    /// Adds every rule of `content`.
    pub(super) fn file(&mut self, content: &[u8], reading: Reading<'_>) -> Result<(), RuleError> {
        for (line, rule) in split(content, reading.grammar.by_words, self.nul_separated) {
            self.rule(rule, reading, line)?;
        }
        Ok(())
    }

    /// Adds every rule of the file `name`.
    pub(super) fn named_file(&mut self, name: &[u8], reading: Reading<'_>) -> Result<(), RuleError> {
        let refuse = |fault| RuleError { rule: name.into(), origin: Origin::default(), fault };
        let content = (self.open)(name).map_err(refuse)?;
        self.file(&content, Reading { file: Some(name), ..reading })
    }

    /// Adds the single rule `text`. An empty text adds nothing.
    pub(super) fn rule(&mut self, text: &[u8], reading: Reading<'_>, line: usize) -> Result<(), RuleError> {
        if text.is_empty() {
            return Ok(());
        }
        let refuse = |fault| RuleError {
            rule: text.into(),
            origin: Origin { file: reading.file.map(Into::into), line },
            fault,
        };
        let rule = parse(text, reading.grammar, reading.outer).map_err(refuse)?;
        let Parsed::Merge(merge) = rule else {
            self.push(rule);
            return Ok(());
        };
        if merge.excludes_itself {
            self.push(Parsed::Pattern(itself_excluded(&merge)));
        }
        if merge.per_directory {
            self.push(Parsed::Merge(merge));
            return Ok(());
        }
        if self.depth == DEPTH_LIMIT {
            return Err(refuse(RuleFault::TooDeep(DEPTH_LIMIT)));
        }
        let content = (self.open)(&merge.file).map_err(refuse)?;
        self.depth += 1;
        let inner = Reading { grammar: merge.grammar, outer: merge.marks, file: Some(&merge.file) };
        self.file(&content, inner)?;
        self.depth -= 1;
        Ok(())
    }

    fn push(&mut self, rule: Parsed) {
        self.lines.push(RuleLine { rule, nested: self.depth > 0 });
    }
}

/// The rule that the `e` of a merge rule adds.
fn itself_excluded(merge: &MergeRule) -> PatternRule {
    let name = merge.file.rsplit(|&b| b == b'/').next().unwrap_or_default();
    PatternRule { pattern: name.into(), marks: Defaults::NONE, negated: false, xattr: false }
}

/// The rules of a file, numbered by line, or by position if the file has no lines. Empty ones and comments are left
/// out. A carriage return also ends a line.
fn split(content: &[u8], by_words: bool, nul_separated: bool) -> Vec<(usize, &[u8])> {
    // isspace(3) in the C locale.
    let is_space = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r');
    let is_nul = |b: &u8| nul_separated && *b == 0;
    if by_words {
        let words = content.split(|b| is_space(b) || is_nul(b)).filter(|word| !word.is_empty());
        return words.enumerate().map(|(index, word)| (index + 1, word)).collect();
    }
    let is_rule = |(_, line): &(usize, &[u8])| !matches!(line, [] | [b'#' | b';', ..]);
    let end = if nul_separated { 0 } else { b'\n' };
    let lines = content.split(|&b| b == end).enumerate().map(|(index, line)| (index + 1, line));
    if nul_separated {
        return lines.filter(is_rule).collect();
    }
    lines
        .flat_map(|(n, line)| line.split(|&b| b == b'\r').map(move |part| (n, part)))
        .filter(is_rule)
        .collect()
}
