//! Parses one rule.
//!
//! Owns the grammar of rsync(1), "FILTER RULES IN DEPTH" and "FILTER RULE MODIFIERS": prefixes, their long names,
//! separators, modifiers, and which modifier goes with which rule. Reads no file and compiles no pattern;
//! [`super::expand`] splits files into rules.

use crate::error::RuleFault;

/// A parsed rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Parsed {
    Pattern(PatternRule),
    Merge(MergeRule),
    /// `-C`: the list of names that CVS ignores.
    Cvs(Defaults),
    /// `!`: forget the rules so far.
    Clear,
}

/// An include or exclude.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PatternRule {
    pub(super) pattern: Box<[u8]>,
    pub(super) marks: Defaults,
    /// `!`: the rule takes effect where the pattern does not match.
    pub(super) negated: bool,
    /// `x`: applies to names of extended attributes, not of files.
    pub(super) xattr: bool,
}

/// A rule that names a file with more rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MergeRule {
    pub(super) file: Box<[u8]>,
    /// `:` instead of `.`: read in every directory.
    pub(super) per_directory: bool,
    /// `n`: the rules do not apply in subdirectories.
    pub(super) not_inherited: bool,
    /// `e`: the file itself is excluded.
    pub(super) excludes_itself: bool,
    pub(super) marks: Defaults,
    pub(super) grammar: Grammar,
}

/// Modifiers of a rule, and the defaults for the rules of a merge file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) include: bool,
    /// `/`: compared with the absolute path.
    pub(super) absolute: bool,
    /// `p`: does not apply in directories that are being deleted.
    pub(super) perishable: bool,
    pub(super) sides: RuleSides,
}

/// Which sides a rule names. Naming none means both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RuleSides {
    pub(super) sender: bool,
    pub(super) receiver: bool,
}

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Grammar {
    pub(super) prefixes: Prefixes,
    /// `w`: one rule per word and no comments, instead of one rule per line.
    pub(super) by_words: bool,
}

/// What may come before a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Prefixes {
    /// Every rule begins with its kind.
    #[default]
    Full,
    /// `+ ` or `- ` may; a lone `!` clears. So in `--include`, `--exclude` and the files of their `-from` forms.
    Optional,
    /// Nothing: everything is the pattern.
    Bare,
    /// As `Bare`, but a lone `!` clears. So in a `.cvsignore`.
    Cvs,
}

/// The kind of a rule, by its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuleKind {
    Pattern,
    Merge,
    Clear,
}

/// Long names and their letters.
const NAMES: [(&[u8], u8); 9] = [
    (b"exclude", b'-'),
    (b"include", b'+'),
    (b"merge", b'.'),
    (b"dir-merge", b':'),
    (b"hide", b'H'),
    (b"show", b'S'),
    (b"protect", b'P'),
    (b"risk", b'R'),
    (b"clear", b'!'),
];

/// The file of a `:C` or `.C` without a name.
const CVS_FILE: &[u8] = b".cvsignore";

impl Defaults {
    pub(super) const NONE: Self = Self {
        include: false,
        absolute: false,
        perishable: false,
        sides: RuleSides { sender: false, receiver: false },
    };
}

impl RuleSides {
    pub(super) const SENDER: Self = Self { sender: true, receiver: false };
    pub(super) const RECEIVER: Self = Self { sender: false, receiver: true };

    /// Whether any side is named.
    pub(super) fn is_named(self) -> bool {
        self != Self::default()
    }
}

/// Parses one rule, which is not empty.
pub(super) fn parse(text: &[u8], grammar: Grammar, outer: Defaults) -> Result<Parsed, RuleFault> {
    if text.contains(&0) {
        return Err(RuleFault::Nul);
    }
    let bare = |pattern: &[u8], include| {
        let marks = Defaults { include, ..outer };
        let rule = PatternRule { pattern: pattern.into(), marks, negated: false, xattr: false };
        if pattern.is_empty() { Err(RuleFault::Missing) } else { Ok(Parsed::Pattern(rule)) }
    };
    match (grammar.prefixes, text) {
        (Prefixes::Full, _) => parse_prefixed(text, outer),
        (Prefixes::Cvs | Prefixes::Optional, b"!") => Ok(Parsed::Clear),
        (Prefixes::Optional, [b'-', b' ', pattern @ ..]) => bare(pattern, false),
        (Prefixes::Optional, [b'+', b' ', pattern @ ..]) => bare(pattern, true),
        _ => bare(text, outer.include),
    }
}

fn parse_prefixed(text: &[u8], outer: Defaults) -> Result<Parsed, RuleFault> {
    let (letter, rest) = take_kind(text).ok_or(RuleFault::Unknown)?;
    let mut draft = RuleDraft::new(letter, outer).ok_or(RuleFault::Unknown)?;
    if draft.kind == RuleKind::Clear {
        let rest = rest.strip_prefix(b",").unwrap_or(rest);
        return if rest.is_empty() { Ok(Parsed::Clear) } else { Err(RuleFault::Argument) };
    }
    let modifiers = rest.strip_prefix(b",").unwrap_or(rest);
    let end = modifiers.iter().position(|b| matches!(b, b' ' | b'_')).unwrap_or(modifiers.len());
    for &modifier in &modifiers[..end] {
        draft.modify(modifier)?;
    }
    draft.finish(modifiers.get(end + 1..).unwrap_or_default(), outer)
}

/// The letter of the rule's kind, and what follows the letter or the long name.
fn take_kind(text: &[u8]) -> Option<(u8, &[u8])> {
    for (name, letter) in NAMES {
        if let Some(rest) = text.strip_prefix(name)
            && matches!(rest, [] | [b' ' | b'_' | b',', ..])
        {
            return Some((letter, rest));
        }
    }
    text.split_first().map(|(&letter, rest)| (letter, rest))
}

/// A rule whose modifiers are being read.
struct RuleDraft {
    kind: RuleKind,
    per_directory: bool,
    own: Defaults,
    /// `H`, `S`, `P` and `R` name a side, so `s`, `r` and `C` are not allowed.
    kind_names_side: bool,
    grammar: Grammar,
    cvs: bool,
    negated: bool,
    xattr: bool,
    not_inherited: bool,
    excludes_itself: bool,
}

impl RuleDraft {
    fn new(letter: u8, outer: Defaults) -> Option<Self> {
        let (kind, include, sides) = match letter {
            b'-' => (RuleKind::Pattern, false, None),
            b'+' => (RuleKind::Pattern, true, None),
            b'H' => (RuleKind::Pattern, false, Some(RuleSides::SENDER)),
            b'S' => (RuleKind::Pattern, true, Some(RuleSides::SENDER)),
            b'P' => (RuleKind::Pattern, false, Some(RuleSides::RECEIVER)),
            b'R' => (RuleKind::Pattern, true, Some(RuleSides::RECEIVER)),
            b'.' | b':' => (RuleKind::Merge, false, None),
            b'!' => (RuleKind::Clear, false, None),
            _ => return None,
        };
        Some(Self {
            kind,
            per_directory: letter == b':',
            own: Defaults { include, sides: sides.unwrap_or_default(), ..outer },
            kind_names_side: sides.is_some(),
            grammar: Grammar::default(),
            cvs: false,
            negated: false,
            xattr: false,
            not_inherited: false,
            excludes_itself: false,
        })
    }

    fn modify(&mut self, modifier: u8) -> Result<(), RuleFault> {
        let is_merge = self.kind == RuleKind::Merge;
        let is_bare = self.grammar.prefixes != Prefixes::Full;
        match modifier {
            b'/' => self.own.absolute = true,
            b'p' => self.own.perishable = true,
            b'x' => self.xattr = true,
            b's' if !self.kind_names_side => self.own.sides.sender = true,
            b'r' if !self.kind_names_side => self.own.sides.receiver = true,
            b'!' if !is_merge => self.negated = true,
            b'C' if !is_bare && !self.kind_names_side => {
                self.grammar = Grammar { prefixes: Prefixes::Cvs, by_words: true };
                (self.cvs, self.not_inherited) = (true, true);
            }
            b'-' | b'+' if is_merge && !is_bare => {
                self.grammar.prefixes = Prefixes::Bare;
                self.own.include = modifier == b'+';
            }
            b'e' if is_merge => self.excludes_itself = true,
            b'n' if is_merge => self.not_inherited = true,
            b'w' if is_merge => self.grammar.by_words = true,
            _ => return Err(RuleFault::Modifier(modifier)),
        }
        Ok(())
    }

    fn finish(mut self, argument: &[u8], outer: Defaults) -> Result<Parsed, RuleFault> {
        if outer.sides.is_named() {
            if self.own.sides.is_named() {
                return Err(RuleFault::Sides);
            }
            self.own.sides = outer.sides;
        }
        // rsync accepts `x` here, and `!` with `C`, but then does something else; it is better to refuse them.
        if self.xattr && (self.cvs || self.kind == RuleKind::Merge) {
            return Err(RuleFault::Modifier(b'x'));
        }
        if self.negated && self.cvs {
            return Err(RuleFault::Modifier(b'!'));
        }
        match self.kind {
            RuleKind::Clear => Ok(Parsed::Clear),
            RuleKind::Pattern if self.cvs && !argument.is_empty() => Err(RuleFault::Argument),
            RuleKind::Pattern if self.cvs => Ok(Parsed::Cvs(self.own)),
            RuleKind::Merge if self.cvs && argument.is_empty() => self.merge(CVS_FILE),
            _ if argument.is_empty() => Err(RuleFault::Missing),
            RuleKind::Merge => self.merge(argument),
            RuleKind::Pattern => {
                let Self { own: marks, negated, xattr, .. } = self;
                Ok(Parsed::Pattern(PatternRule { pattern: argument.into(), marks, negated, xattr }))
            }
        }
    }

    fn merge(self, file: &[u8]) -> Result<Parsed, RuleFault> {
        let name = file.rsplit(|&b| b == b'/').next().unwrap_or_default();
        if matches!(name, b"" | b"." | b"..") {
            return Err(RuleFault::NoFileName);
        }
        Ok(Parsed::Merge(MergeRule {
            file: file.into(),
            per_directory: self.per_directory,
            not_inherited: self.not_inherited,
            excludes_itself: self.excludes_itself,
            marks: self.own,
            grammar: self.grammar,
        }))
    }
}
