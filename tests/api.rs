//! The library's public interface, pinned: `tests/data/api.txt` names every item that a user can reach.
//!
//! Read from the source text, so that it costs no build: modules are followed from `src/lib.rs`, re-exports to what they
//! name, and each type comes with its public fields, variants and methods, and with the traits that it implements. What
//! is hidden from the documentation is no part of the interface.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stderr, clippy::missing_panics_doc)]

use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Fields, ImplItem, Item, TraitItem, UseTree, Visibility};

/// A path from the crate's root.
type Place = Vec<String>;

/// All that is in the crate, by the module that it is written in.
#[derive(Default)]
struct Crate {
    modules: BTreeMap<Place, Vec<Item>>,
}

fn file_of(dir: &Path, name: &str) -> PathBuf {
    let flat = dir.join(format!("{name}.rs"));
    if flat.exists() { flat } else { dir.join(name).join("mod.rs") }
}

fn has(attributes: &[Attribute], name: &str, word: &str) -> bool {
    attributes.iter().any(|one| one.path().is_ident(name) && text(&one.meta).contains(word))
}

fn is_test(attributes: &[Attribute]) -> bool {
    has(attributes, "cfg", "test")
}

fn text(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        (" :: ", "::"),
        (" , ", ", "),
        (" : ", ": "),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        ("& ", "&"),
        ("( ", "("),
        (" (", "("),
        (" )", ")"),
        ("[ ", "["),
        (" ]", "]"),
        (" ;", ";"),
        ("->", "-> "),
        ("->  ", "-> "),
        (" -> ", " -> "),
        (",)", ")"),
    ] {
        text = text.replace(from, to);
    }
    text.replace(" ->", "->").replace("->", " ->")
}

impl Crate {
    fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut all = Crate::default();
        let items = parse(&src.join("lib.rs"));
        all.add(Vec::new(), items, &src);
        all
    }

    /// Adds a module, whose own modules are in files of `dir`.
    fn add(&mut self, place: Place, items: Vec<Item>, dir: &Path) {
        let mut kept = Vec::new();
        for item in items {
            match item {
                Item::Mod(module) if is_test(&module.attrs) => {}
                Item::Mod(mut module) => {
                    let name = module.ident.to_string();
                    let inner = match module.content.take() {
                        Some((_, items)) => items,
                        None => parse(&file_of(dir, &name)),
                    };
                    let below = [place.clone(), vec![name.clone()]].concat();
                    self.add(below, inner, &dir.join(&name));
                    kept.push(Item::Mod(module));
                }
                item => kept.push(item),
            }
        }
        self.modules.insert(place, kept);
    }

    /// Where the item at `path` is written, from inside the module `from`; `None` for what is of another crate.
    fn resolve(&self, from: &Place, path: &[String]) -> Option<(Place, String)> {
        let (first, rest) = path.split_first()?;
        let mut place = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len() - 1].to_vec(),
            name if self.modules.contains_key(&below(from, name)) => below(from, name),
            name => {
                return if rest.is_empty() {
                    self.find(from, name)
                } else {
                    let (at, name) = self.used(from, name)?;
                    self.resolve(
                        &Vec::new(),
                        &[vec!["crate".to_owned()], at, vec![name], rest.to_vec()].concat(),
                    )
                };
            }
        };
        let Some((last, between)) = rest.split_last() else {
            let name = place.pop()?;
            return Some((place, name));
        };
        for name in between {
            place = below(&place, name);
        }
        self.find(&place, last)
    }

    /// The item `name` in a module, or what a re-export of that name leads to.
    fn find(&self, place: &Place, name: &str) -> Option<(Place, String)> {
        let items = self.modules.get(place)?;
        if items.iter().any(|item| name_of(item).is_some_and(|one| one == name)) {
            return Some((place.clone(), name.to_owned()));
        }
        self.used(place, name)
    }

    /// What a `use` in a module binds to `name`.
    fn used(&self, place: &Place, name: &str) -> Option<(Place, String)> {
        let uses = self.modules.get(place)?.iter().filter_map(|item| match item {
            Item::Use(one) => Some(leaves(&one.tree, Vec::new())),
            _ => None,
        });
        let leaf = uses.flatten().find(|(_, bound)| bound == name)?;
        self.resolve(place, &leaf.0)
    }
}

fn below(place: &[String], name: &str) -> Place {
    [place, &[name.to_owned()]].concat()
}

fn parse(path: &Path) -> Vec<Item> {
    let source = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display())).items
}

fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(one) => one.ident.to_string(),
        Item::Enum(one) => one.ident.to_string(),
        Item::Fn(one) => one.sig.ident.to_string(),
        Item::Mod(one) => one.ident.to_string(),
        Item::Static(one) => one.ident.to_string(),
        Item::Struct(one) => one.ident.to_string(),
        Item::Trait(one) => one.ident.to_string(),
        Item::Type(one) => one.ident.to_string(),
        _ => return None,
    })
}

/// Each path of a `use`, and the name that it binds.
fn leaves(tree: &UseTree, before: Vec<String>) -> Vec<(Vec<String>, String)> {
    match tree {
        UseTree::Path(one) => leaves(&one.tree, below(&before, &one.ident.to_string())),
        UseTree::Name(one) if one.ident == "self" => {
            let name = before.last().cloned().unwrap_or_default();
            vec![(before, name)]
        }
        UseTree::Name(one) => vec![(below(&before, &one.ident.to_string()), one.ident.to_string())],
        UseTree::Rename(one) => vec![(below(&before, &one.ident.to_string()), one.rename.to_string())],
        UseTree::Group(group) => group.items.iter().flat_map(|item| leaves(item, before.clone())).collect(),
        UseTree::Glob(_) => panic!("a glob in a re-export cannot be followed"),
    }
}

/// Lists what can be reached.
struct Lister<'a> {
    all: &'a Crate,
    lines: BTreeSet<String>,
}

impl Lister<'_> {
    fn module(&mut self, place: &Place, shown: &str) {
        let items = &self.all.modules[place];
        for item in items {
            match item {
                Item::Use(one) if is_public(&one.vis) && !has(&one.attrs, "doc", "hidden") => {
                    for (path, bound) in leaves(&one.tree, Vec::new()) {
                        let shown = format!("{shown}::{bound}");
                        match self.all.resolve(place, &path) {
                            Some((at, name)) => self.named(&at, &name, &shown),
                            None => self.line(format!("use {shown} = {}", path.join("::"))),
                        }
                    }
                }
                item => {
                    if let Some(name) = name_of(item) {
                        self.item(item, place, &format!("{shown}::{name}"));
                    }
                }
            }
        }
    }

    fn named(&mut self, place: &Place, name: &str, shown: &str) {
        let items = self.all.modules.get(place).map_or(&[][..], Vec::as_slice);
        if let Some(item) = items.iter().find(|item| name_of(item).is_some_and(|one| one == name)) {
            if let Item::Mod(_) = item {
                // Private modules can be re-exported under another name.
                return self.module(&below(place, name), shown);
            }
            self.item(item, place, shown);
        }
    }

    fn line(&mut self, line: String) {
        self.lines.insert(line);
    }

    fn item(&mut self, item: &Item, place: &Place, shown: &str) {
        match item {
            Item::Mod(one) if is_public(&one.vis) && !has(&one.attrs, "doc", "hidden") => {
                self.line(format!("mod {shown}"));
                self.module(&below(place, &one.ident.to_string()), shown);
            }
            Item::Fn(one) if is_public(&one.vis) => self.line(signature(&one.sig, shown)),
            Item::Const(one) if is_public(&one.vis) => {
                self.line(format!("const {shown}: {}", text(&one.ty)));
            }
            Item::Type(one) if is_public(&one.vis) => self.line(format!("type {shown} = {}", text(&one.ty))),
            Item::Struct(one) if is_public(&one.vis) => {
                self.line(format!("struct {shown}{}{}", text(&one.generics), open(&one.attrs)));
                self.fields(&one.fields, shown, false);
                self.implementations(&one.ident.to_string(), &one.attrs, shown);
            }
            Item::Enum(one) if is_public(&one.vis) => {
                self.line(format!("enum {shown}{}{}", text(&one.generics), open(&one.attrs)));
                for variant in &one.variants {
                    let shown = format!("{shown}::{}", variant.ident);
                    self.line(format!("variant {shown}{}", unnamed(&variant.fields)));
                    self.fields(&variant.fields, &shown, true);
                }
                self.implementations(&one.ident.to_string(), &one.attrs, shown);
            }
            Item::Trait(one) if is_public(&one.vis) => {
                self.line(format!("trait {shown}"));
                for item in &one.items {
                    if let TraitItem::Fn(function) = item {
                        self.line(signature(&function.sig, &format!("{shown}::{}", function.sig.ident)));
                    }
                }
            }
            _ => {}
        }
    }

    fn fields(&mut self, fields: &Fields, shown: &str, all: bool) {
        for field in fields {
            if let Some(name) = field.ident.as_ref().filter(|_| all || is_public(&field.vis)) {
                self.line(format!("field {shown}::{name}: {}", text(&field.ty)));
            }
        }
    }

    /// What is implemented for a type. A type name is used once in `src`, or else implemented where it is written.
    fn implementations(&mut self, name: &str, attributes: &[Attribute], shown: &str) {
        for attribute in attributes.iter().filter(|one| one.path().is_ident("derive")) {
            if let syn::Meta::List(list) = &attribute.meta {
                for derived in list.tokens.to_string().split(',') {
                    let derived = derived.replace(' ', "");
                    let derived = derived.rsplit("::").next().unwrap_or_default().to_owned();
                    if !derived.is_empty() {
                        self.line(format!("impl {derived} for {shown}"));
                    }
                }
            }
        }
        let all = self.all;
        for item in all.modules.values().flatten() {
            let Item::Impl(one) = item else { continue };
            let syn::Type::Path(path) = &*one.self_ty else { continue };
            if is_test(&one.attrs) || path.path.segments.last().is_none_or(|last| last.ident != name) {
                continue;
            }
            if let Some((_, of, _)) = &one.trait_ {
                self.line(format!("impl {} for {shown}", text(of)));
                continue;
            }
            for item in &one.items {
                match item {
                    ImplItem::Fn(function) if is_public(&function.vis) => {
                        self.line(signature(&function.sig, &format!("{shown}::{}", function.sig.ident)));
                    }
                    ImplItem::Const(one) if is_public(&one.vis) => {
                        self.line(format!("const {shown}::{}: {}", one.ident, text(&one.ty)));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether more may be added without breaking users.
fn open(attributes: &[Attribute]) -> &'static str {
    if attributes.iter().any(|one| one.path().is_ident("non_exhaustive")) { " (non-exhaustive)" } else { "" }
}

fn unnamed(fields: &Fields) -> String {
    match fields {
        Fields::Unnamed(fields) => {
            let types: Vec<_> = fields.unnamed.iter().map(|field| text(&field.ty)).collect();
            format!("({})", types.join(", "))
        }
        _ => String::new(),
    }
}

fn signature(function: &syn::Signature, shown: &str) -> String {
    let inputs: Vec<_> = function.inputs.iter().map(text).collect();
    let (generics, output) = (text(&function.generics), text(&function.output));
    let filter = function.generics.where_clause.as_ref().map(|filter| format!(" {}", text(filter)));
    let filter = filter.unwrap_or_default();
    format!("fn {shown}{generics}({}){output}{filter}", inputs.join(", "))
}

fn surface() -> String {
    let all = Crate::read();
    let mut lister = Lister { all: &all, lines: BTreeSet::new() };
    lister.module(&Vec::new(), "haul");
    // Sorted by what is named, so that the parts of a type stand together.
    let key = |line: &String| line.split_once("haul::").map_or_else(String::new, |(_, rest)| rest.to_owned());
    let mut lines: Vec<_> = lister.lines.into_iter().collect();
    lines.sort_by_key(|line| (key(line), line.clone()));
    lines.into_iter().map(|line| line + "\n").collect()
}

#[test]
fn the_public_interface_is_the_one_that_is_written_down() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/api.txt");
    let (actual, written) = (surface(), fs::read_to_string(&place).unwrap_or_default());
    assert!(actual.lines().count() > 100, "the interface was not found:\n{actual}");
    if std::env::var_os("HAUL_UPDATE_API").is_some() {
        fs::write(&place, actual).unwrap();
        return;
    }
    let (new, old): (BTreeSet<_>, BTreeSet<_>) = (actual.lines().collect(), written.lines().collect());
    let added = new.difference(&old).map(|line| format!("+ {line}\n"));
    let removed = old.difference(&new).map(|line| format!("- {line}\n"));
    let changed: String = removed.chain(added).collect();
    assert!(
        changed.is_empty() && actual == written,
        "the public interface has changed:\n{changed}\nWhere that is meant, note it in CHANGELOG.md and write it down:\n    \
         HAUL_UPDATE_API=1 cargo test --test api"
    );
}

/// What the list is worth: it must show an item that is added, of each kind.
#[test]
fn every_kind_of_item_is_listed() {
    let surface = surface();
    for expected in [
        "struct haul::PackOptions (non-exhaustive)",
        "field haul::PackOptions::level: i32",
        "impl Default for haul::PackOptions",
        "fn haul::ArchiveReader::read(",
        "fn haul::pack(",
        "mod haul::tree",
        "enum haul::Error (non-exhaustive)",
        "variant haul::Error::Io",
        "trait haul::Observer",
    ] {
        assert!(surface.lines().any(|line| line.starts_with(expected)), "{expected}\n{surface}");
    }
    for hidden in ["rustix", "internals", "haul::sys"] {
        assert!(!surface.contains(hidden), "{hidden} is public:\n{surface}");
    }
}
