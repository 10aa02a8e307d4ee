//! The rules that apply in one directory.
//!
//! Owns the order of rules, and how a directory's merge files change the rules of its parent. A [`Scope`] is immutable
//! and shares with its parent everything that is the same, so a parallel walk can pass one to every directory's task.
//!
//! # Order
//!
//! Rules are tried in the given order, and the first that matches decides. A per-directory merge rule stands for the
//! rules of its file in this directory, then those of its file in the parent, and so on up. What no rule decides is
//! transferred, and is not protected.
//!
//! If there are `--only` patterns, an entry must also match one of them, or be below a directory that does. Other
//! directories are passed through: their contents may match.

use super::expand::{DEPTH_LIMIT, Expander, Reading, RuleLine};
use super::gitignore;
use super::parse::{MergeRule, Parsed};
use super::pattern::Pattern;
use super::place::{Anchor, MergeFile, below, resolve, split};
use super::rule::{Rule, Site};
use super::settings::Side;
use crate::error::{Origin, RuleError, RuleFault};
use crate::tree::RelPath;
use std::sync::Arc;

/// Returns the content of a merge file, or `None` if there is none. The caller reports a file that cannot be read: as
/// in rsync, the rules continue without it.
pub type ReadMerge<'a> = dyn FnMut(MergeFile<'_>) -> Option<Vec<u8>> + 'a;

/// The answer for one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The entry takes part. Entries below it are judged separately.
    Keep,
    /// A directory that takes part only if something below it does.
    Pass,
    /// Neither the entry nor anything below it takes part.
    Drop,
}

/// The rules that apply in one directory of one side's tree.
#[derive(Debug, Clone)]
pub struct Scope {
    site: Arc<Site>,
    rules: Arc<[Clause]>,
    only: Arc<[Pattern]>,
    /// Every per-directory merge rule that is known here; a [`Clause::Merge`] is an index into it. `None` if a `!`
    /// removed the rule.
    slots: Arc<[Option<MergeSlot>]>,
    here: Here,
}

/// What is special about a directory.
#[derive(Debug, Clone, Copy)]
struct Here {
    /// An `--only` pattern has matched the directory or one above it, or there are none.
    is_within: bool,
    /// It will itself be deleted: perishable rules protect nothing in it.
    is_deleted: bool,
}

/// An element of a list of rules.
#[derive(Debug, Clone)]
enum Clause {
    Rule(Rule),
    Merge(usize),
}

/// A per-directory merge rule, and the rules of its files down to some directory.
#[derive(Debug, Clone)]
struct MergeSlot {
    merge: Arc<Merge>,
    rules: Chain,
    /// The absolute path that the rule named, if the directories above the tree must still be searched.
    from: Option<Arc<[u8]>>,
    /// How many files are between this rule and the options.
    depth: usize,
}

#[derive(Debug)]
struct Merge {
    /// One component.
    file: Box<[u8]>,
    language: Language,
}

#[derive(Debug)]
enum Language {
    Rsync(MergeRule),
    Git,
}

type Chain = Option<Arc<FileRules>>;

/// The rules of one directory's file, and those that it inherits.
#[derive(Debug)]
struct FileRules {
    items: Vec<Clause>,
    above: Chain,
}

impl Scope {
    pub(super) fn root(site: Site, lines: &[RuleLine], read: &mut ReadMerge<'_>) -> Result<Self, RuleError> {
        let mut loading = Loading { site: &site, slots: Vec::new(), is_changed: true, read };
        let folder = Folder { dir: &site.location, base: &Anchor::Root, depth: 0, is_above: false };
        let mut layer = loading.fold(lines, &folder, None)?;
        if site.settings.gitignore {
            layer.items.push(Clause::Merge(loading.slots.len()));
            loading.slots.push(Some(MergeSlot::git()));
        }
        loading.load(&site.location)?;
        let (rules, slots) = (std::mem::take(&mut layer.items).into(), loading.slots.into());
        let here = Here { is_within: true, is_deleted: false };
        Ok(Self { site: Arc::new(site), rules, only: Arc::default(), slots, here })
    }

    /// The same rules, restricted to entries that one of these patterns matches; not restricted if there are none.
    pub(super) fn narrowed(self, only: &Arc<[Pattern]>) -> Self {
        Self { here: Here { is_within: only.is_empty(), ..self.here }, only: Arc::clone(only), ..self }
    }

    /// Whether different rules can apply in a directory below this one, so that [`Scope::enter`] is needed.
    pub fn varies(&self) -> bool {
        !self.slots.is_empty() || !self.here.is_within
    }

    /// The rules that apply in the directory `dir`, whose parent has these rules.
    pub fn enter(&self, dir: RelPath<'_>, read: &mut ReadMerge<'_>) -> Result<Self, RuleError> {
        let is_within = self.here.is_within || self.is_matched(dir, true);
        let here = Here { is_within, ..self.here };
        if self.slots.is_empty() {
            return Ok(Self { here, ..self.clone() });
        }
        let mut loading = Loading { site: &self.site, slots: self.slots.to_vec(), is_changed: false, read };
        loading.load(&resolve(&self.site.location, dir.as_bytes()))?;
        let slots = if loading.is_changed { loading.slots.into() } else { Arc::clone(&self.slots) };
        Ok(Self { slots, here, ..self.clone() })
    }

    /// The same rules for a directory that will itself be deleted: perishable rules protect nothing in it. The
    /// directory must stay if anything below it is protected.
    #[must_use]
    pub fn deleted(&self) -> Self {
        Self { here: Here { is_deleted: true, ..self.here }, ..self.clone() }
    }

    /// The verdict on the entry at `path` in this scope's directory: on the sending side whether it is sent, on the
    /// receiving side whether it may be deleted.
    pub fn verdict(&self, path: RelPath<'_>, is_dir: bool) -> Verdict {
        self.judge(self.here, path, is_dir)
    }

    /// The same for an entry anywhere below this scope's directory, if no directory on the way has its own rules. On
    /// the receiving side, an entry that the sender has (`is_sent`) replaces what is there, so no rule protects it; a
    /// directory that only the receiver has will itself be deleted.
    pub fn verdict_below(
        &self,
        path: RelPath<'_>,
        is_dir: bool,
        is_sent: &dyn Fn(RelPath<'_>) -> bool,
    ) -> Verdict {
        let mut here = self.here;
        for directory in path.ancestors() {
            match self.judge(here, directory, true) {
                Verdict::Keep => here.is_within = true,
                Verdict::Drop if !is_sent(directory) => return Verdict::Drop,
                Verdict::Pass | Verdict::Drop => {}
            }
            here.is_deleted |= self.site.side == Side::Receiver && !is_sent(directory);
        }
        match self.judge(here, path, is_dir) {
            Verdict::Drop | Verdict::Pass if is_sent(path) => Verdict::Keep,
            verdict => verdict,
        }
    }

    /// Whether the entry at `path` in this scope's directory is sent. Only for a [`Side::Sender`]'s scope.
    pub fn transfers(&self, path: RelPath<'_>, is_dir: bool) -> bool {
        debug_assert_eq!(self.site.side, Side::Sender);
        self.verdict(path, is_dir) != Verdict::Drop
    }

    /// Whether the entry at `path` in this scope's directory is protected from deletion. Only for a
    /// [`Side::Receiver`]'s scope.
    pub fn protects(&self, path: RelPath<'_>, is_dir: bool) -> bool {
        debug_assert_eq!(self.site.side, Side::Receiver);
        self.verdict(path, is_dir) == Verdict::Drop
    }

    /// Whether the extended attribute `name` takes part; `None` if no rule is about attributes, so that the caller's
    /// default applies.
    pub fn keeps_xattr(&self, name: &[u8]) -> Option<bool> {
        self.find(&self.rules, &mut |rule| rule.xattr)?;
        let mut scratch = Vec::new();
        let decided =
            self.find(&self.rules, &mut |rule| rule.xattr && rule.matches(name, false, &mut scratch));
        Some(decided.is_none_or(|rule| rule.include))
    }

    fn judge(&self, here: Here, path: RelPath<'_>, is_dir: bool) -> Verdict {
        match here.is_within || self.is_matched(path, is_dir) {
            _ if self.excludes(here, path, is_dir) => Verdict::Drop,
            true => Verdict::Keep,
            false if is_dir => Verdict::Pass,
            false => Verdict::Drop,
        }
    }

    fn is_matched(&self, path: RelPath<'_>, is_dir: bool) -> bool {
        !path.is_root() && self.only.iter().any(|pattern| pattern.matches(path.as_bytes(), is_dir))
    }

    fn excludes(&self, here: Here, path: RelPath<'_>, is_dir: bool) -> bool {
        if path.is_root() {
            return false;
        }
        let (path, mut scratch) = (path.as_bytes(), Vec::new());
        let decided = self.find(&self.rules, &mut |rule| {
            let is_void = rule.xattr || (here.is_deleted && rule.perishable);
            !is_void && rule.matches(path, is_dir, &mut scratch)
        });
        decided.is_some_and(|rule| !rule.include)
    }

    /// The first rule that applies here and passes `test`. The recursion is as deep as merge rules are nested, so at
    /// most [`DEPTH_LIMIT`] calls.
    fn find<'s>(&'s self, items: &'s [Clause], test: &mut impl FnMut(&Rule) -> bool) -> Option<&'s Rule> {
        for item in items {
            match item {
                Clause::Rule(rule) if test(rule) => return Some(rule),
                Clause::Rule(_) => {}
                Clause::Merge(index) => {
                    let mut chain = self.slots[*index].as_ref().and_then(|slot| slot.rules.as_deref());
                    while let Some(layer) = chain {
                        if let Some(rule) = self.find(&layer.items, test) {
                            return Some(rule);
                        }
                        chain = layer.above.as_deref();
                    }
                }
            }
        }
        None
    }
}

impl MergeSlot {
    fn git() -> Self {
        let merge = Merge { file: b".gitignore".as_slice().into(), language: Language::Git };
        Self { merge: Arc::new(merge), rules: None, from: None, depth: 0 }
    }

    fn is_inherited(&self) -> bool {
        !matches!(&self.merge.language, Language::Rsync(rule) if rule.not_inherited)
    }
}

impl Drop for FileRules {
    /// A loop, not recursion: a chain is as long as the tree is deep, and nested calls would use up the stack.
    fn drop(&mut self) {
        let mut chain = self.above.take();
        while let Some(mut layer) = chain.and_then(Arc::into_inner) {
            chain = layer.above.take();
        }
    }
}

/// The rules of a directory that is being entered.
struct Loading<'a, 'r> {
    site: &'a Site,
    slots: Vec<Option<MergeSlot>>,
    is_changed: bool,
    read: &'a mut ReadMerge<'r>,
}

/// A directory whose merge file is read.
struct Folder<'a> {
    /// Its absolute path.
    dir: &'a [u8],
    base: &'a Anchor,
    depth: usize,
    /// Whether it is one of those above the tree, which are searched for a merge rule that names a path.
    is_above: bool,
}

impl Loading<'_, '_> {
    /// Reads every merge file of the directory `dir`. Reading one can add more, which are then read, too.
    fn load(&mut self, dir: &[u8]) -> Result<(), RuleError> {
        let base = Anchor::new(dir, &self.site.location);
        let mut index = 0;
        while index < self.slots.len() {
            if let Some(mut slot) = self.slots[index].clone() {
                if !slot.is_inherited() && slot.rules.take().is_some() {
                    self.is_changed = true;
                }
                if let Some(from) = slot.from.take() {
                    slot.rules = self.load_above(&slot, &from, dir)?;
                    self.is_changed = true;
                }
                let folder = Folder { dir, base: &base, depth: slot.depth, is_above: false };
                slot.rules = self.load_file(&slot, &folder)?;
                self.slots[index] = Some(slot);
            }
            index += 1;
        }
        Ok(())
    }

    /// The rules that `slot` has found before `dir`: those of the directories from the one that contains `from` down to
    /// the parent of `dir`. None if `from` is not in a directory above `dir`.
    fn load_above(&mut self, slot: &MergeSlot, from: &[u8], dir: &[u8]) -> Result<Chain, RuleError> {
        let (top, _) = split(from);
        let mut slot = MergeSlot { rules: None, ..slot.clone() };
        let Some(way) = below(top, dir).filter(|way| !way.is_empty()) else { return Ok(None) };
        let first = dir.len() - way.len();
        let ends = (first..dir.len()).filter(|&at| at == first || dir[at] == b'/');
        for end in ends {
            let above = dir[..end].strip_suffix(b"/").unwrap_or(&dir[..end]);
            let base = Anchor::new(above, &self.site.location);
            let folder = Folder { dir: above, base: &base, depth: slot.depth, is_above: true };
            slot.rules = self.load_file(&slot, &folder)?.filter(|_| slot.is_inherited());
        }
        Ok(slot.rules.clone())
    }

    /// The rules of `slot`, preceded by those of its file in `folder`.
    fn load_file(&mut self, slot: &MergeSlot, folder: &Folder<'_>) -> Result<Chain, RuleError> {
        let inherited = slot.rules.clone();
        let path = resolve(folder.dir, &slot.merge.file);
        let Some(content) = (self.read)(self.site.merge_file(&path)) else { return Ok(inherited) };
        self.is_changed = true;
        let layer = match &slot.merge.language {
            Language::Git => {
                let rules = gitignore::parse(&content).into_iter();
                let items = rules.map(|rule| Clause::Rule(Rule::git(rule, folder.base))).collect();
                FileRules { items, above: inherited }
            }
            Language::Rsync(rule) => {
                let lines = self.expand(&content, rule, folder)?;
                self.fold(&lines, folder, inherited)?
            }
        };
        Ok(if layer.items.is_empty() { layer.above.clone() } else { Some(Arc::new(layer)) })
    }

    fn expand(
        &mut self,
        content: &[u8],
        rule: &MergeRule,
        folder: &Folder<'_>,
    ) -> Result<Vec<RuleLine>, RuleError> {
        let (site, read) = (self.site, &mut *self.read);
        let mut open = |name: &[u8]| {
            // A bare name is looked up in the working directory, which for rsync is the root of this side.
            let is_bare = !folder.is_above && !name.contains(&b'/');
            let path = resolve(if is_bare { &site.location } else { folder.dir }, name);
            read(site.merge_file(&path)).ok_or(RuleFault::Absent)
        };
        let mut expander = Expander::new(&mut open, site.settings.nul_separated);
        let reading = Reading { grammar: rule.grammar, outer: rule.marks, file: Some(&rule.file) };
        expander.file(content, reading)?;
        Ok(expander.lines)
    }

    /// Compiles the rules of one list.
    fn fold(
        &mut self,
        lines: &[RuleLine],
        folder: &Folder<'_>,
        inherited: Chain,
    ) -> Result<FileRules, RuleError> {
        let mut layer = FileRules { items: Vec::new(), above: inherited };
        for line in lines {
            match &line.rule {
                Parsed::Pattern(rule) => {
                    let base = if line.nested { &Anchor::Root } else { folder.base };
                    layer.items.extend(Rule::new(rule, base, self.site).map(Clause::Rule));
                }
                Parsed::Cvs(marks) => {
                    layer.items.extend(self.site.cvs_rules(*marks)?.into_iter().map(Clause::Rule));
                }
                Parsed::Merge(rule) => layer.items.extend(self.register(rule, folder)?.map(Clause::Merge)),
                Parsed::Clear => {
                    for item in layer.items.drain(..) {
                        if let Clause::Merge(index) = item {
                            self.slots[index] = None;
                        }
                    }
                    layer.above = None;
                }
            }
        }
        Ok(layer)
    }

    /// Registers a merge rule. `None` if it is only for the other side, or if a rule with the same file name is known:
    /// rsync ignores the later one.
    fn register(&mut self, rule: &MergeRule, folder: &Folder<'_>) -> Result<Option<usize>, RuleError> {
        let (_, name) = split(&rule.file);
        let is_same =
            |slot: &MergeSlot| *slot.merge.file == *name && matches!(slot.merge.language, Language::Rsync(_));
        // A rule from options is known on both sides even if its rules are only for one.
        let is_other_sides =
            folder.depth > 0 && rule.marks.sides.is_named() && !self.site.is_meant(rule.marks.sides);
        if is_other_sides || self.slots.iter().flatten().any(is_same) {
            return Ok(None);
        }
        if folder.depth == DEPTH_LIMIT {
            let origin = Origin::default();
            return Err(RuleError {
                rule: rule.file.clone(),
                origin,
                fault: RuleFault::TooDeep(DEPTH_LIMIT),
            });
        }
        let names_path = folder.is_above || rule.file.contains(&b'/');
        let from = names_path.then(|| resolve(folder.dir, &rule.file).into());
        let merge = Arc::new(Merge { file: name.into(), language: Language::Rsync(rule.clone()) });
        self.slots.push(Some(MergeSlot { merge, rules: None, from, depth: folder.depth + 1 }));
        Ok(Some(self.slots.len() - 1))
    }
}
