//! No file imports another one that imports it, directly or through others; and a type name is used once.
//!
//! Reads the paths in the code: `use` trees, `crate::` and `super::` paths, and paths through a module that the file declares.
//! A name that a `mod.rs` only passes on counts for the file that it comes from.

use super::{Source, sources};
use std::collections::{BTreeMap, BTreeSet};

/// Names that are used for more than one type: those of the sans-IO codecs, each of which has its own (of tar, of deltas, of
/// archives by their index), and which nobody uses together.
const EXCEPTIONS: &[&str] = &["Decoder", "Event", "Member"];

/// A module by its path below `src`; a `mod.rs` is its folder.
type Module = Vec<String>;
/// A path as it is written, such as `crate::tree::path::escape`.
type Path = Vec<String>;

/// What one file names.
#[derive(Default)]
struct Names {
    /// The modules that it declares.
    children: BTreeSet<String>,
    used: Vec<Path>,
    /// What it only passes on: the name, and where that comes from.
    passed_on: BTreeMap<String, Path>,
}

struct House(BTreeMap<Module, Names>);

impl House {
    fn read() -> Self {
        let is_facade =
            |source: &Source| ["main.rs", "lib.rs"].iter().any(|name| source.path.ends_with(name));
        let sources = sources().into_iter().filter(|source| !is_facade(source) && !is_test(source));
        House(sources.map(|source| (module(&source), names(&source.code()))).collect())
    }

    /// The file that `path` leads to from `from`; `None` outside of the crate.
    fn resolve(&self, from: &Module, path: &[String]) -> Option<Module> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" | "super" => (from.clone(), path),
            child if self.0[from].children.contains(child) => (from.clone(), path),
            _ => return None,
        };
        while let Some(word) = rest.first() {
            match word.as_str() {
                "self" => {}
                "super" => drop(at.pop()),
                _ => {
                    at.push(word.clone());
                    if !self.0.contains_key(&at) {
                        at.pop();
                        break;
                    }
                }
            }
            rest = &rest[1..];
        }
        let origin = self.0.get(&at)?.passed_on.get(rest.first().map_or("", String::as_str));
        origin.map_or(Some(at.clone()), |origin| self.resolve(&at, origin))
    }

    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let of = |(module, names): (&Module, &Names)| {
            let found = names.used.iter().filter_map(|path| self.resolve(module, path));
            (module.clone(), found.filter(|found| found != module).collect())
        };
        self.0.iter().map(of).collect()
    }
}

fn is_test(source: &Source) -> bool {
    source.path.iter().any(|part| part == "tests" || part == "tests.rs")
}

fn module(source: &Source) -> Module {
    let path = source.path.with_extension("");
    let mut module: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// What the code of a file names.
fn names(code: &str) -> Names {
    let mut names = Names::default();
    let mut rest = String::new();
    let mut uses = Vec::new();
    for statement in code.split_inclusive(';') {
        // The last line that begins a declaration; what comes before it is other code.
        let start = statement.rfind("\nuse ").or_else(|| statement.rfind(" use ")).or_else(|| {
            let at = statement.rfind("use ")?;
            (at == 0).then_some(0)
        });
        let declared = statement.trim_end_matches(';').rsplit("mod ").next().unwrap().to_owned();
        match start {
            Some(at) if !statement[at..].contains('=') => {
                let is_public = statement[..at].trim_end().ends_with(['b', ')'])
                    && statement[..at].rsplit('\n').next().unwrap().trim_start().starts_with("pub");
                uses.push((is_public, statement[at..].replace("use ", "").replace(';', "")));
                rest.push_str(&statement[..at]);
            }
            _ => {
                if statement.contains("mod ") && declared.chars().all(|c| c.is_alphanumeric() || c == '_') {
                    names.children.insert(declared);
                }
                rest.push_str(statement);
            }
        }
    }
    for (is_public, tree) in uses {
        for path in expanded(&tree) {
            if is_public && names.children.contains(&path[0]) {
                names.passed_on.insert(path.last().unwrap().clone(), path);
            } else {
                names.used.push(path);
            }
        }
    }
    names.used.extend(written_out(&rest, &names.children));
    names
}

/// The paths of a `use` tree.
fn expanded(tree: &str) -> Vec<Path> {
    let words = |text: &str| -> Path {
        let name = text.split(" as ").next().unwrap();
        name.split("::").map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
    };
    let Some((front, group)) = tree.split_once('{') else { return vec![words(tree)] };
    let group = &group[..group.rfind('}').unwrap_or(group.len())];
    let (mut parts, mut depth) = (vec![String::new()], 0_usize);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| expanded(part)).map(|path| [words(front), path].concat()).collect()
}

/// The paths in code that is no `use`.
fn written_out(code: &str, children: &BTreeSet<String>) -> Vec<Path> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_word(c)).map(|word| word.trim_end_matches(':'));
    let paths = words.filter(|word| word.contains("::"));
    let paths = paths.map(|path| path.split("::").map(str::to_owned).collect::<Path>());
    let is_ours =
        |path: &Path| ["crate", "super", "self"].contains(&&*path[0]) || children.contains(&path[0]);
    paths.filter(is_ours).collect()
}

/// The files that can be reached from `start`.
fn reached<'a>(start: &'a Module, imports: &'a BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![start]);
    while let Some(module) = open.pop() {
        for next in &imports[module] {
            if found.insert(next) {
                open.push(next);
            }
        }
    }
    found
}

/// The files that are part of a circle.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let in_circle = imports.keys().filter(|module| reached(module, imports).contains(module));
    in_circle.map(|module| module.join("/")).collect()
}

#[test]
fn no_file_imports_what_imports_it() {
    let found = circles(&House::read().imports());
    assert!(found.is_empty(), "in a circle of imports: {found:#?}");
}

#[test]
fn a_type_name_is_used_once() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources().iter().filter(|source| !is_test(source)) {
        for line in source.code().lines() {
            let words: Vec<_> = line.split_whitespace().skip_while(|word| word.starts_with("pub")).collect();
            let indented = line.starts_with(char::is_whitespace);
            let [kind, name, ..] = words[..] else { continue };
            if indented || !["struct", "enum", "trait", "union", "type"].contains(&kind) {
                continue;
            }
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            places.entry(name).or_default().insert(source.path.display().to_string());
        }
    }
    assert!(places.len() > 300, "only {} types were found", places.len());
    places.retain(|name, files| files.len() > 1 && !EXCEPTIONS.contains(&name.as_str()));
    assert!(places.is_empty(), "used for more than one type: {places:#?}");
}

#[test]
fn a_circle_is_found_in_whatever_form_it_is_written() {
    let house = |files: &[(&str, &str)]| {
        let files = files
            .iter()
            .map(|(path, code)| (path.split('/').map(str::to_owned).collect::<Module>(), names(code)));
        circles(&House(files.collect()).imports())
    };
    let facade = ("a", "mod b;\nmod c;\npub use b::B;\npub(crate) use c::{C, D as E};\n");
    for (b, c, expected) in [
        ("use super::c::C;", "", 0),
        ("use super::c::C;", "use super::b::{self, B};", 2),
        ("use crate::a::{c::{C}, x};", "fn f() { super::b::f() }", 2),
        ("use crate::a::C;", "use super::B;", 2),
        ("fn f() -> crate::a::c::C {}", "use crate::a::b;", 2),
        ("use std::io;", "use crate::a::b;", 0),
    ] {
        let found = house(&[facade, ("a/b", b), ("a/c", c)]);
        assert_eq!(found.len(), expected, "{b} {c}: {found:?}");
    }
    // What lies in the folder's own file is imported from there.
    let found = house(&[("a", "mod b;\nstruct A;\nfn f() { b::f() }\n"), ("a/b", "use super::A;\n")]);
    assert_eq!(found, ["a", "a/b"]);
}
