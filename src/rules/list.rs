//! The rules of a run, in the given order.
//!
//! Owns the step from options to the rules that are the same for every directory. The rules that apply in one
//! directory, with those found there, are a [`Scope`], which [`Rules::root`] begins.

use super::expand::{Expander, Reading, RuleLine};
use super::parse::{Defaults, Grammar, Parsed, Prefixes};
use super::pattern::Pattern;
use super::rule::Site;
use super::scope::{ReadMerge, Scope};
use super::settings::{Settings, Side};
use crate::error::{Origin, RuleError, RuleFault};
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
    /// `--exclude-vcs`: the files and directories of version control systems are excluded.
    ExcludeVcs,
    /// `--only`: a pattern. Only entries that one of these patterns matches take part, with everything below them and
    /// the directories on the way there, unless the rules exclude them. Their order does not matter.
    Only(Vec<u8>),
    /// The first `-F`: reads a `.rsync-filter` in every directory, and in those above the tree.
    FilterFiles,
    /// The second `-F`: leaves out these files.
    HideFilterFiles,
}

/// The rules of a run, not yet bound to a tree.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    lines: Vec<RuleLine>,
    only: Arc<[Pattern]>,
    settings: Arc<Settings>,
}

impl Rules {
    /// Reads the rules in `given`. `read` opens the files that they name, as in options: relative to the working
    /// directory, with `-` for standard input.
    pub fn new(
        given: &[Given],
        settings: Settings,
        read: &mut dyn FnMut(&[u8]) -> io::Result<Vec<u8>>,
    ) -> Result<Self, RuleError> {
        let mut open = |name: &[u8]| read(name).map_err(RuleFault::Unreadable);
        let mut expander = Expander::new(&mut open, settings.nul_separated);
        let mut only = Vec::new();
        for option in given {
            match option {
                Given::Filter(rule) => expander.rule(rule, FULL, 0)?,
                Given::Include(rule) => expander.rule(rule, old_style(true), 0)?,
                Given::Exclude(rule) => expander.rule(rule, old_style(false), 0)?,
                Given::IncludeFrom(file) => expander.named_file(file, old_style(true))?,
                Given::ExcludeFrom(file) => expander.named_file(file, old_style(false))?,
                Given::ExcludeVcs => {
                    VERSION_CONTROL.iter().try_for_each(|name| expander.rule(name, old_style(false), 0))?;
                }
                Given::Only(pattern) => only.push(only_pattern(pattern)?),
                Given::FilterFiles => expander.rule(b": /.rsync-filter", FULL, 0)?,
                Given::HideFilterFiles => expander.rule(b"- .rsync-filter", FULL, 0)?,
            }
        }
        if settings.cvs_exclude {
            expander.rule(b":C", FULL, 0)?;
            expander.rule(b"-C", FULL, 0)?;
        }
        Ok(Self { lines: expander.lines, only: only.into(), settings: Arc::new(settings) })
    }

    /// The rules in `given`, none of which may name a file.
    pub fn plain(given: &[Given]) -> Result<Self, RuleError> {
        Self::new(given, Settings::default(), &mut |_| Err(io::ErrorKind::Unsupported.into()))
    }

    /// Whether nothing is ever left out.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.only.is_empty() && !self.settings.gitignore
    }

    /// The rules about the names of extended attributes, which apply to the whole tree: those from options and from
    /// files that are read once. `None` if there are none on either side.
    pub fn about_xattrs(&self, side: Side) -> Result<Option<Scope>, RuleError> {
        let is_about_xattrs = |line: &&RuleLine| matches!(&line.rule, Parsed::Pattern(rule) if rule.xattr);
        if !self.lines.iter().any(|line| is_about_xattrs(&line)) {
            return Ok(None);
        }
        let or_clears = |line: &&RuleLine| is_about_xattrs(line) || matches!(line.rule, Parsed::Clear);
        let lines: Vec<_> = self.lines.iter().filter(or_clears).cloned().collect();
        let everywhere = Site::new(side, b"", Arc::clone(&self.settings));
        Scope::root(everywhere, &lines, &mut |_| None).map(Some)
    }

    /// Refuses rules about extended attributes, for callers that have no use for them.
    pub fn refuse_xattr_rules(&self) -> Result<(), RuleError> {
        let about_xattrs = self.lines.iter().find_map(|line| match &line.rule {
            Parsed::Pattern(rule) if rule.xattr => Some(rule),
            _ => None,
        });
        about_xattrs.map_or(Ok(()), |rule| Err(refused(&rule.pattern, RuleFault::AboutXattrs)))
    }

    /// The rules that apply in the root of a tree at the absolute path `location`. `read` returns the content of a
    /// merge file, or `None` if there is none.
    pub fn root(&self, side: Side, location: &[u8], read: &mut ReadMerge<'_>) -> Result<Scope, RuleError> {
        let tree = Site::new(side, location, Arc::clone(&self.settings));
        Ok(Scope::root(tree, &self.lines, read)?.narrowed(&self.only))
    }

    /// The rules as they apply to an archive, which has no files to read rules from, and no absolute paths. A rule that
    /// needs either is an error.
    pub fn in_archive(&self, side: Side) -> Result<Scope, RuleError> {
        self.refuse_xattr_rules()?;
        if self.settings.gitignore {
            return Err(refused(b".gitignore", RuleFault::NeedsDirectory));
        }
        for line in &self.lines {
            match &line.rule {
                Parsed::Merge(rule) => return Err(refused(&rule.file, RuleFault::NeedsDirectory)),
                Parsed::Pattern(rule) if rule.marks.absolute => {
                    return Err(refused(&rule.pattern, RuleFault::NeedsLocation));
                }
                Parsed::Pattern(_) | Parsed::Cvs(_) | Parsed::Clear => {}
            }
        }
        self.root(side, b"", &mut |_| None)
    }
}

/// What GNU tar 1.34 excludes with `--exclude-vcs`, and Jujutsu's directory.
const VERSION_CONTROL: [&[u8]; 22] = [
    b"CVS",
    b".cvsignore",
    b"RCS",
    b"SCCS",
    b".svn",
    b".git",
    b".gitignore",
    b".gitattributes",
    b".gitmodules",
    b".arch-ids",
    b"{arch}",
    b"=RELEASE-ID",
    b"=meta-update",
    b"=update",
    b".bzr",
    b".bzrignore",
    b".bzrtags",
    b".hg",
    b".hgignore",
    b".hgtags",
    b"_darcs",
    b".jj",
];

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

/// The pattern of an `--only`. A pattern that can match nothing is an error: everything would be left out.
fn only_pattern(text: &[u8]) -> Result<Pattern, RuleError> {
    let refuse = |fault| Err(refused(text, fault));
    let pattern = Pattern::rsync(text);
    match text {
        b"" | b"/" => refuse(RuleFault::Missing),
        _ if text.contains(&0) => refuse(RuleFault::Nul),
        _ if pattern.matches_nothing() => refuse(RuleFault::Malformed),
        _ => Ok(pattern),
    }
}

fn refused(rule: &[u8], fault: RuleFault) -> RuleError {
    RuleError { rule: rule.into(), origin: Origin::default(), fault }
}
