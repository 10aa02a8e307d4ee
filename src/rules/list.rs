//! The rules of a run, in the order in which they were given.
//!
//! Owns the way from options to rules that are the same for every directory. What holds in one directory, with the
//! rules found there, is a [`Scope`], which [`Rules::root`] begins.

use super::expand::{Expander, Line, Reading};
use super::parse::{Defaults, Grammar, Parsed, Prefixes};
use super::rule::Site;
use super::scope::{ReadMerge, Scope};
use crate::error::{RuleError, RuleFault};
use std::io;
use std::sync::Arc;

/// One filter option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// `-f`, `--filter`: one rule.
    Filter(Vec<u8>),
    /// `--include`: one pattern, which may begin with `- ` or `+ `.
    Include(Vec<u8>),
    /// `--exclude`: the same.
    Exclude(Vec<u8>),
    /// `--include-from`: a file of such patterns.
    IncludeFrom(Vec<u8>),
    /// `--exclude-from`: the same.
    ExcludeFrom(Vec<u8>),
    /// The first `-F`: a `.rsync-filter` in every directory, and in those above the tree.
    FilterFiles,
    /// The second `-F`: these files are not transferred.
    HideFilterFiles,
}

/// What bears on the meaning of all rules.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `-0`, `--from0`: rules in files are separated by NUL bytes.
    pub nul_separated: bool,
    /// `--delete-excluded`: a rule that names no side is about what is sent, and protects nothing.
    pub delete_excluded: bool,
    /// `-C`, `--cvs-exclude`: at the end of all rules, leave out what CVS ignores.
    pub cvs_exclude: bool,
    /// The content of `$HOME/.cvsignore`.
    pub cvs_home: Vec<u8>,
    /// The value of `$CVSIGNORE`.
    pub cvs_environment: Vec<u8>,
    /// `--gitignore`: at the end of all rules, leave out what the `.gitignore` files in the tree ignore.
    pub gitignore: bool,
}

/// The rules of a run, not yet bound to a tree.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    lines: Vec<Line>,
    settings: Arc<Settings>,
}

/// Which end of the transfer a decision is about. Each has its own tree, and reads the merge files of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The source: what is excluded is not sent.
    Sender,
    /// The destination: what is excluded is not deleted.
    Receiver,
}

impl Rules {
    /// Reads the rules in `given`. `read` opens the files that they name, as options name files: relative to the
    /// working directory, and `-` for standard input.
    pub fn new(
        given: &[Given],
        settings: Settings,
        read: &mut dyn FnMut(&[u8]) -> io::Result<Vec<u8>>,
    ) -> Result<Self, RuleError> {
        let mut open = |name: &[u8]| read(name).map_err(RuleFault::Unreadable);
        let mut expander = Expander::new(&mut open, settings.nul_separated);
        for option in given {
            match option {
                Given::Filter(rule) => expander.rule(rule, FULL, 0)?,
                Given::Include(rule) => expander.rule(rule, old_style(true), 0)?,
                Given::Exclude(rule) => expander.rule(rule, old_style(false), 0)?,
                Given::IncludeFrom(file) => expander.named_file(file, old_style(true))?,
                Given::ExcludeFrom(file) => expander.named_file(file, old_style(false))?,
                Given::FilterFiles => expander.rule(b": /.rsync-filter", FULL, 0)?,
                Given::HideFilterFiles => expander.rule(b"- .rsync-filter", FULL, 0)?,
            }
        }
        if settings.cvs_exclude {
            expander.rule(b":C", FULL, 0)?;
            expander.rule(b"-C", FULL, 0)?;
        }
        Ok(Self { lines: expander.lines, settings: Arc::new(settings) })
    }

    /// Whether nothing is ever left out.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && !self.settings.gitignore
    }

    /// The rules about the names of extended attributes, which hold in the whole tree: those that options give, or files
    /// that are read once. `None` if there are none on either side.
    pub fn about_xattrs(&self, side: Side) -> Result<Option<Scope>, RuleError> {
        let is_about_xattrs = |line: &&Line| matches!(&line.rule, Parsed::Pattern(rule) if rule.xattr);
        if !self.lines.iter().any(|line| is_about_xattrs(&line)) {
            return Ok(None);
        }
        let or_clears = |line: &&Line| is_about_xattrs(line) || matches!(line.rule, Parsed::Clear);
        let lines: Vec<_> = self.lines.iter().filter(or_clears).cloned().collect();
        let everywhere = Site::new(side, b"", Arc::clone(&self.settings));
        Scope::root(everywhere, &lines, &mut |_| None).map(Some)
    }

    /// The rules that hold in the root of a tree, which lies at the absolute path `location`. `read` returns the
    /// content of a merge file, or `None` if there is none.
    pub fn root(&self, side: Side, location: &[u8], read: &mut ReadMerge<'_>) -> Result<Scope, RuleError> {
        Scope::root(Site::new(side, location, Arc::clone(&self.settings)), &self.lines, read)
    }
}

/// How a `--filter` is read.
const FULL: Reading<'_> = Reading {
    grammar: Grammar { prefixes: Prefixes::Full, by_words: false },
    outer: Defaults::NONE,
    file: None,
};

/// How an `--include` or `--exclude` is read.
fn old_style(include: bool) -> Reading<'static> {
    Reading {
        grammar: Grammar { prefixes: Prefixes::Optional, by_words: false },
        outer: Defaults { include, ..Defaults::NONE },
        file: None,
    }
}
