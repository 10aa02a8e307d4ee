//! The rules that hold in one directory.
//!
//! Owns the order in which rules are asked, and how a directory's merge files change what its parent's say. A
//! [`Scope`] never changes once it is made, and shares with its parent all that did not change, so a parallel walk
//! can hand one to every directory's task.
//!
//! # Order
//!
//! Rules are asked in the order in which they were given, and the first that matches decides. A per-directory merge
//! rule stands for the rules of its file in this directory, then those of its file in the parent, and so on up.
//! What no rule decides is transferred, and is not protected.

use super::expand::{DEPTH_LIMIT, Expander, Line, Reading};
use super::gitignore;
use super::list::Side;
use super::parse::{MergeRule, Parsed};
use super::place::{Base, MergeFile, below, resolve, split};
use super::rule::{Rule, Site};
use crate::error::{Origin, RuleError, RuleFault};
use crate::tree::RelPath;
use std::sync::Arc;

/// Returns the content of a merge file, or `None` if there is none. What cannot be read is the caller's to report: as
/// rsync, the rules go on without it.
pub type ReadMerge<'a> = dyn FnMut(MergeFile<'_>) -> Option<Vec<u8>> + 'a;

/// The rules that hold in one directory of one side's tree.
#[derive(Debug, Clone)]
pub struct Scope {
    site: Arc<Site>,
    rules: Arc<[Item]>,
    /// Every per-directory merge rule that is known here; an [`Item::Merge`] is an index into it. `None` where a `!`
    /// removed the rule.
    slots: Arc<[Option<Slot>]>,
    doomed: bool,
}

/// An element of a list of rules.
#[derive(Debug, Clone)]
enum Item {
    Rule(Rule),
    Merge(usize),
}

/// A per-directory merge rule, and what its files say down to some directory.
#[derive(Debug, Clone)]
struct Slot {
    merge: Arc<Merge>,
    rules: Chain,
    /// The absolute path that the rule named, if the directories above the tree are still to be looked at.
    from: Option<Arc<[u8]>>,
    /// How many files stand between this rule and the options.
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

type Chain = Option<Arc<Layer>>;

/// The rules of one directory's file, and those that it inherits.
#[derive(Debug)]
struct Layer {
    items: Vec<Item>,
    above: Chain,
}

impl Scope {
    pub(super) fn root(site: Site, lines: &[Line], read: &mut ReadMerge<'_>) -> Result<Self, RuleError> {
        let mut loading = Loading { site: &site, slots: Vec::new(), is_changed: true, read };
        let folder = Folder { dir: &site.location, base: &Base::Root, depth: 0, is_above: false };
        let mut layer = loading.fold(lines, &folder, None)?;
        if site.settings.gitignore {
            layer.items.push(Item::Merge(loading.slots.len()));
            loading.slots.push(Some(Slot::git()));
        }
        loading.load(&site.location)?;
        let (rules, slots) = (std::mem::take(&mut layer.items).into(), loading.slots.into());
        Ok(Self { site: Arc::new(site), rules, slots, doomed: false })
    }

    /// The rules that hold in the directory `dir`, whose parent's are these.
    pub fn enter(&self, dir: RelPath<'_>, read: &mut ReadMerge<'_>) -> Result<Self, RuleError> {
        if self.slots.is_empty() {
            return Ok(self.clone());
        }
        let mut loading = Loading { site: &self.site, slots: self.slots.to_vec(), is_changed: false, read };
        loading.load(&resolve(&self.site.location, dir.as_bytes()))?;
        let slots = if loading.is_changed { loading.slots.into() } else { Arc::clone(&self.slots) };
        Ok(Self { slots, ..self.clone() })
    }

    /// The same rules for a directory that is itself to be deleted: perishable rules protect nothing in it. It must
    /// then stay if anything below it is protected.
    #[must_use]
    pub fn doomed(&self) -> Self {
        Self { doomed: true, ..self.clone() }
    }

    /// Whether the entry at `path`, which is in this scope's directory, is sent. Of a [`Side::Sender`]'s scope only.
    pub fn transfers(&self, path: RelPath<'_>, is_dir: bool) -> bool {
        debug_assert_eq!(self.site.side, Side::Sender);
        !self.excludes(path, is_dir)
    }

    /// Whether the entry at `path`, which is in this scope's directory, is kept from being deleted. Of a
    /// [`Side::Receiver`]'s scope only.
    pub fn protects(&self, path: RelPath<'_>, is_dir: bool) -> bool {
        debug_assert_eq!(self.site.side, Side::Receiver);
        self.excludes(path, is_dir)
    }

    /// Whether the extended attribute `name` takes part; `None` if no rule is about attributes, so that the caller's
    /// default holds.
    pub fn keeps_xattr(&self, name: &[u8]) -> Option<bool> {
        self.find(&self.rules, &mut |rule| rule.xattr)?;
        let mut scratch = Vec::new();
        let decided =
            self.find(&self.rules, &mut |rule| rule.xattr && rule.matches(name, false, &mut scratch));
        Some(decided.is_none_or(|rule| rule.include))
    }

    fn excludes(&self, path: RelPath<'_>, is_dir: bool) -> bool {
        if path.is_root() {
            return false;
        }
        let (path, mut scratch) = (path.as_bytes(), Vec::new());
        let decided =
            self.find(&self.rules, &mut |rule| !rule.xattr && rule.matches(path, is_dir, &mut scratch));
        decided.is_some_and(|rule| !rule.include)
    }

    /// The first rule that holds here and passes `test`. As deep as merge rules are nested, so at most
    /// [`DEPTH_LIMIT`] calls.
    fn find<'s>(&'s self, items: &'s [Item], test: &mut impl FnMut(&Rule) -> bool) -> Option<&'s Rule> {
        for item in items {
            match item {
                Item::Rule(rule) if (self.doomed && rule.perishable) || !test(rule) => {}
                Item::Rule(rule) => return Some(rule),
                Item::Merge(index) => {
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

impl Slot {
    fn git() -> Self {
        let merge = Merge { file: b".gitignore".as_slice().into(), language: Language::Git };
        Self { merge: Arc::new(merge), rules: None, from: None, depth: 0 }
    }

    fn is_inherited(&self) -> bool {
        !matches!(&self.merge.language, Language::Rsync(rule) if rule.not_inherited)
    }
}

impl Drop for Layer {
    /// One after the other: a chain is as long as the tree is deep, and each nested call would take of the stack.
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
    slots: Vec<Option<Slot>>,
    is_changed: bool,
    read: &'a mut ReadMerge<'r>,
}

/// A directory whose merge file is read.
struct Folder<'a> {
    /// Its absolute path.
    dir: &'a [u8],
    base: &'a Base,
    depth: usize,
    /// It is one of those above the tree, which are looked at for a merge rule that names a path.
    is_above: bool,
}

impl Loading<'_, '_> {
    /// Reads every merge file of the directory `dir`. Reading one can make more known, which are then read too.
    fn load(&mut self, dir: &[u8]) -> Result<(), RuleError> {
        let base = Base::new(dir, &self.site.location);
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

    /// The rules that `slot` has found when it comes to `dir`: those of the directories from the one that `from` is
    /// in down to the parent of `dir`. None at all if `from` is not in a directory above `dir`.
    fn load_above(&mut self, slot: &Slot, from: &[u8], dir: &[u8]) -> Result<Chain, RuleError> {
        let (top, _) = split(from);
        let mut slot = Slot { rules: None, ..slot.clone() };
        let Some(way) = below(top, dir).filter(|way| !way.is_empty()) else { return Ok(None) };
        let first = dir.len() - way.len();
        let ends = (first..dir.len()).filter(|&at| at == first || dir[at] == b'/');
        for end in ends {
            let above = dir[..end].strip_suffix(b"/").unwrap_or(&dir[..end]);
            let base = Base::new(above, &self.site.location);
            let folder = Folder { dir: above, base: &base, depth: slot.depth, is_above: true };
            slot.rules = self.load_file(&slot, &folder)?.filter(|_| slot.is_inherited());
        }
        Ok(slot.rules.clone())
    }

    /// The rules of `slot` with those of its file in `folder` in front.
    fn load_file(&mut self, slot: &Slot, folder: &Folder<'_>) -> Result<Chain, RuleError> {
        let inherited = slot.rules.clone();
        let path = resolve(folder.dir, &slot.merge.file);
        let Some(content) = (self.read)(self.site.merge_file(&path)) else { return Ok(inherited) };
        self.is_changed = true;
        let layer = match &slot.merge.language {
            Language::Git => {
                let rules = gitignore::parse(&content).into_iter();
                let items = rules.map(|rule| Item::Rule(Rule::git(rule, folder.base))).collect();
                Layer { items, above: inherited }
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
    ) -> Result<Vec<Line>, RuleError> {
        let (site, read) = (self.site, &mut *self.read);
        let mut open = |name: &[u8]| {
            // A bare name is looked for in the working directory, which for rsync is the root of this side.
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
    fn fold(&mut self, lines: &[Line], folder: &Folder<'_>, inherited: Chain) -> Result<Layer, RuleError> {
        let mut layer = Layer { items: Vec::new(), above: inherited };
        for line in lines {
            match &line.rule {
                Parsed::Pattern(rule) => {
                    let base = if line.nested { &Base::Root } else { folder.base };
                    layer.items.extend(Rule::new(rule, base, self.site).map(Item::Rule));
                }
                Parsed::Cvs(marks) => {
                    layer.items.extend(self.site.cvs_rules(*marks)?.into_iter().map(Item::Rule));
                }
                Parsed::Merge(rule) => layer.items.extend(self.register(rule, folder)?.map(Item::Merge)),
                Parsed::Clear => {
                    for item in layer.items.drain(..) {
                        if let Item::Merge(index) = item {
                            self.slots[index] = None;
                        }
                    }
                    layer.above = None;
                }
            }
        }
        Ok(layer)
    }

    /// Makes a merge rule known. `None` if it is for the other side only, or if a rule with the same file name is
    /// known: then rsync ignores the later one.
    fn register(&mut self, rule: &MergeRule, folder: &Folder<'_>) -> Result<Option<usize>, RuleError> {
        let (_, name) = split(&rule.file);
        let is_same =
            |slot: &Slot| *slot.merge.file == *name && matches!(slot.merge.language, Language::Rsync(_));
        // A rule of the options is known on both sides even if its rules are only for one.
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
        self.slots.push(Some(Slot { merge, rules: None, from, depth: folder.depth + 1 }));
        Ok(Some(self.slots.len() - 1))
    }
}
