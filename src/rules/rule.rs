//! A compiled rule.
//!
//! Owns what is decided before any entry is judged: which side a rule is for, what its pattern is compared with, and
//! the names that CVS ignores. [`super::scope`] owns the order of rules.

use super::expand::{Expander, Reading, RuleLine};
use super::gitignore::GitRule;
use super::parse::{Defaults, Grammar, Parsed, PatternRule, Prefixes, RuleSides};
use super::pattern::Pattern;
use super::place::{Anchor, MergeFile, below};
use super::settings::{Settings, Side};
use crate::error::RuleError;
use crate::tree::RelPath;
use std::sync::Arc;

/// One compiled include or exclude.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pattern: Pattern,
    base: Anchor,
    negated: bool,
    pub(super) include: bool,
    pub(super) perishable: bool,
    pub(super) xattr: bool,
}

/// The tree that rules apply to.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) side: Side,
    /// The absolute path of the root, without its leading `/`.
    pub(super) location: Box<[u8]>,
    pub(super) settings: Arc<Settings>,
}

/// The list in rsync's manual for `--cvs-exclude`.
const CVS_IGNORED: &[u8] = b"RCS SCCS CVS CVS.adm RCSLOG cvslog.* tags TAGS .make.state .nse_depinfo *~ #* .#* ,* \
    _$* *$ *.old *.bak *.BAK *.orig *.rej .del-* *.a *.olb *.o *.obj *.so *.exe *.Z *.elc *.ln core .svn/ .git/ \
    .hg/ .bzr/";

impl Rule {
    /// Compiles a rule of the file in `base`; `None` if it is not for this side.
    pub(super) fn new(rule: &PatternRule, base: &Anchor, site: &Site) -> Option<Self> {
        if !site.is_meant(rule.marks.sides) {
            return None;
        }
        let base = match (rule.marks.absolute, &*rule.pattern) {
            // The name of an attribute is not in a directory.
            _ if rule.xattr => Anchor::Root,
            (true, _) => Anchor::new(b"", &site.location),
            (false, [b'/', ..]) => base.clone(),
            (false, _) => Anchor::Root,
        };
        Some(Self {
            pattern: Pattern::rsync(&rule.pattern),
            base,
            negated: rule.negated,
            include: rule.marks.include,
            perishable: rule.marks.perishable,
            xattr: rule.xattr,
        })
    }

    /// A rule of the `.gitignore` in `base`.
    pub(super) fn git(rule: GitRule, base: &Anchor) -> Self {
        let GitRule { pattern, include } = rule;
        Self { pattern, base: base.clone(), negated: false, include, perishable: false, xattr: false }
    }

    /// Whether the rule matches `path`, of an entry or an attribute. `scratch` is reused by later calls.
    pub(super) fn matches(&self, path: &[u8], is_dir: bool, scratch: &mut Vec<u8>) -> bool {
        let seen = if self.pattern.is_name_only() { path } else { self.base.view(path, scratch) };
        self.pattern.matches(seen, is_dir) != self.negated
    }
}

impl Site {
    pub(super) fn new(side: Side, location: &[u8], settings: Arc<Settings>) -> Self {
        Self { side, location: super::place::resolve(b"", location).into(), settings }
    }

    /// Whether a rule that names `sides` is for this side.
    pub(super) fn is_meant(&self, sides: RuleSides) -> bool {
        let sides = match sides.is_named() {
            true => sides,
            false if self.settings.delete_excluded => RuleSides::SENDER,
            false => return true,
        };
        match self.side {
            Side::Sender => sides.sender,
            Side::Receiver => sides.receiver,
        }
    }

    /// The file at the absolute `path`, as a caller can open it.
    pub(super) fn merge_file<'p>(&self, path: &'p [u8]) -> MergeFile<'p> {
        match below(&self.location, path).map(RelPath::new) {
            Some(Ok(inside)) => MergeFile::Inside(inside),
            _ => MergeFile::Outside(path),
        }
    }

    /// The rules that a `-C` stands for.
    pub(super) fn cvs_rules(&self, marks: Defaults) -> Result<Vec<Rule>, RuleError> {
        // None of these texts can name a file to merge: the whole word is the pattern.
        let mut open = |_: &[u8]| Ok(Vec::new());
        let mut expander = Expander::new(&mut open, self.settings.nul_separated);
        let grammar = Grammar { prefixes: Prefixes::Cvs, by_words: true };
        let own = Reading { grammar, outer: marks, file: None };
        let built_in = Reading { outer: Defaults { perishable: true, ..marks }, ..own };
        expander.file(CVS_IGNORED, built_in)?;
        expander.file(&self.settings.cvs_home, Reading { file: Some(b"$HOME/.cvsignore"), ..own })?;
        expander.file(&self.settings.cvs_environment, Reading { file: Some(b"$CVSIGNORE"), ..own })?;
        let mut rules = Vec::new();
        for RuleLine { rule, .. } in &expander.lines {
            match rule {
                Parsed::Pattern(rule) => rules.extend(Rule::new(rule, &Anchor::Root, self)),
                Parsed::Clear => rules.clear(),
                Parsed::Merge(_) | Parsed::Cvs(_) => {}
            }
        }
        Ok(rules)
    }
}
