//! The rules of the code that no lint checks: which layer may use which, and how large a file may be.
//!
//! `docs/architecture.md` explains them. The bounds on functions, and the ban of `std::fs` paths outside `src/sys`,
//! are clippy's (`clippy.toml`).

mod circles;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules at the bottom, which every layer may use and which use only each other.
const BASE: &[&str] = &["tree", "error", "account", "cancel"];

/// Who may use whom, beside itself and the base.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "ops",
        &["mirror", "source", "record", "walk", "plan", "dest", "rules", "archive", "delta", "pool", "sys"],
    ),
    ("mirror", &["source", "dest", "record", "plan", "rules", "pool", "sys"]),
    ("source", &["archive", "walk", "plan", "rules", "sys", "pool"]),
    ("dest", &["plan", "delta", "sys", "pool"]),
    // Only for `benches/micro.rs`.
    ("bench", &["archive", "plan"]),
    ("walk", &["plan", "rules", "sys", "pool"]),
    ("archive", &["pool"]),
    // A policy holds what the languages of modes and owners say.
    ("plan", &["rules"]),
    ("record", &["plan"]),
    ("rules", &[]),
    ("delta", &[]),
    ("sys", &[]),
    ("pool", &[]),
    ("tree", &[]),
    ("error", &[]),
    ("account", &[]),
    ("cancel", &[]),
];

/// One file of `src/`, by its path below it.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The code without the tests at its end, and without comments.
    fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]\nmod tests").next().unwrap();
        code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// The layer that the file belongs to: the first component of its path.
    fn layer(&self) -> String {
        let first = self.path.components().next().unwrap();
        first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path: path.strip_prefix(&root).unwrap().to_owned(), text });
            }
        }
    }
    assert!(sources.len() > 10, "the sources were not found");
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The modules that `code` names by a path from the root of `krate`: `crate::a::b`, `use crate::{a::b, c}`, and
/// `super::` chains, which `depth` tells apart from the file's own layer.
fn used_layers(code: &str, krate: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, root) in code.match_indices(&format!("{krate}::")) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + root.len()..];
        match rest.strip_prefix('{') {
            None => used.extend(first_name(rest)),
            Some(group) => used.extend(top_names(group)),
        }
    }
    used
}

fn first_name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// The first name of each element of a `{...}` group, whose opening brace is already taken off.
fn top_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0_usize, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && c.is_alphabetic() => {
                names.extend(first_name(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

/// What a file of `layer` may name.
fn is_allowed(layer: &str, used: &str) -> bool {
    let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == layer) else { return false };
    used == layer || BASE.contains(&used) || below.contains(&used)
}

#[test]
fn every_layer_uses_only_those_below_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        let layer = source.layer();
        if ["main", "cli"].contains(&layer.as_str()) || layer == "lib" {
            continue;
        }
        for used in used_layers(&source.code(), "crate") {
            if !is_allowed(&layer, &used) {
                wrong.push(format!("src/{} ({layer}) uses crate::{used}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_path_climbs_out_of_its_layer() {
    for source in sources() {
        // `a/b.rs` is at depth 2 of the crate, so one `super` stays in `a`; `a/mod.rs` is at depth 1.
        let depth = source.path.components().count() - usize::from(source.path.ends_with("mod.rs"));
        let climb = "super::".repeat(depth);
        assert!(!source.code().contains(&climb), "src/{} climbs out of its layer", source.path.display());
    }
}

/// Folders of `src/` whose files import each other in floors. Others are to follow.
const FOLDERS_IN_FLOORS: &[&str] = &["account", "mirror", "source"];

/// Of the files directly in `folder`, which ones each uses; `mod` is the folder's own `mod.rs`.
fn uses_within(sources: &[Source], folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let stem = |source: &Source| source.path.file_stem().unwrap().to_str().unwrap().to_owned();
    let files: Vec<_> = sources
        .iter()
        .filter(|source| source.path.parent() == Some(Path::new(folder)))
        .map(|source| (stem(source), source.code()))
        .collect();
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let uses = |(name, code): &(String, String)| {
        let mut used = used_layers(code, &format!("crate::{folder}"));
        if name == "mod" {
            // Its children are in scope by their names alone.
            let is_used = |child: &&&str| !used_layers(code, child).is_empty();
            used.extend(names.iter().filter(is_used).map(|child| (*child).to_owned()));
        } else {
            used.extend(used_layers(code, "super"));
        }
        // What is not a file is an item of `mod.rs`.
        let file = |used: String| if names.contains(used.as_str()) { used } else { "mod".to_owned() };
        (name.clone(), used.into_iter().map(file).filter(|used| used != name).collect())
    };
    files.iter().map(uses).collect()
}

/// A file that uses itself through others, if there is one.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<&str> {
    uses.keys().map(String::as_str).find(|start| {
        let (mut seen, mut waiting) = (BTreeSet::new(), vec![*start]);
        while let Some(name) = waiting.pop() {
            for used in uses.get(name).into_iter().flatten() {
                if used == start {
                    return true;
                }
                if seen.insert(used.as_str()) {
                    waiting.push(used);
                }
            }
        }
        false
    })
}

#[test]
fn no_file_uses_itself_through_others_of_its_folder() {
    let sources = sources();
    for folder in FOLDERS_IN_FLOORS {
        let uses = uses_within(&sources, folder);
        assert!(uses.len() > 1, "src/{folder} was not found");
        assert_eq!(circle(&uses), None, "src/{folder}: {uses:#?}");
    }
}

#[test]
fn a_circle_is_found_however_long_it_is() {
    let uses = |list: &[(&str, &[&str])]| {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        list.iter().map(|&(name, used)| (name.to_owned(), owned(used))).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(circle(&uses(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])), None);
    assert_eq!(circle(&uses(&[("x", &["a"]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])])), Some("a"));
}

#[test]
fn the_tar_codec_uses_only_the_base() {
    for source in sources().iter().filter(|source| source.path.starts_with("archive/tar")) {
        let code = source.code();
        for used in used_layers(&code, "crate") {
            let is_codec =
                used == "archive" && !code.replace("crate::archive::tar", "").contains("crate::archive");
            assert!(
                BASE.contains(&used.as_str()) || is_codec,
                "src/{} uses crate::{used}",
                source.path.display()
            );
        }
        let climb = "super::"
            .repeat(source.path.components().count() - usize::from(source.path.ends_with("mod.rs")) - 1);
        assert!(!code.contains(&climb), "src/{} climbs out of the codec", source.path.display());
    }
}

#[test]
fn the_terminal_uses_only_the_public_library() {
    for source in sources().iter().filter(|source| source.layer() == "cli") {
        let used = used_layers(&source.code(), "crate");
        assert!(used.iter().all(|used| used == "cli"), "src/{} uses {used:?}", source.path.display());
    }
}

#[test]
fn the_library_neither_prints_nor_exits_nor_asks_for_a_terminal() {
    let is_test = |source: &Source| source.path.components().any(|part| part.as_os_str() == "tests");
    let is_library =
        |source: &&Source| !["cli", "main"].contains(&source.layer().as_str()) && !is_test(source);
    for source in sources().iter().filter(is_library) {
        for word in ["print!", "println!", "stderr()", "process::exit", "is_terminal"] {
            assert!(!source.code().contains(word), "src/{} says {word}", source.path.display());
        }
    }
}

/// The words of a command line are its front end's; another one has other flags.
#[test]
fn the_library_names_no_flag() {
    let is_flag = |text: &str| {
        text.match_indices("--").any(|(at, _)| {
            let name = text[at + 2..].chars().take_while(char::is_ascii_alphanumeric).count();
            name > 1 && !text[..at].ends_with('-')
        })
    };
    assert!(is_flag("needs --update") && !is_flag("a -- b") && !is_flag("--x") && !is_flag("---"));
    let is_test = |source: &Source| source.path.iter().any(|part| part == "tests" || part == "tests.rs");
    let is_library =
        |source: &&Source| !["cli", "main"].contains(&source.layer().as_str()) && !is_test(source);
    for source in sources().iter().filter(is_library) {
        // Every other piece between quotation marks is a string, as long as none is escaped on that line.
        for line in source.code().lines().filter(|line| !line.contains("\\\"")) {
            let strings: Vec<_> = line.split('"').skip(1).step_by(2).filter(|text| is_flag(text)).collect();
            assert!(strings.is_empty(), "src/{} names a flag: {strings:?}", source.path.display());
        }
    }
}

#[test]
fn unsafe_code_is_only_in_sys() {
    for source in sources().iter().filter(|source| source.layer() != "sys") {
        let has_unsafe =
            source.code().split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        assert!(!has_unsafe, "src/{} has unsafe code", source.path.display());
    }
}

#[test]
fn every_file_says_what_it_owns() {
    for source in sources() {
        assert!(source.text.starts_with("//! "), "src/{} has no module docs", source.path.display());
    }
}

#[test]
fn main_is_short() {
    for source in sources().iter().filter(|source| source.layer() == "main") {
        assert!(source.text.lines().count() <= 80, "src/main.rs has more than 80 lines");
    }
}

#[test]
fn the_reader_of_paths_finds_every_form_of_use() {
    let code = "use crate::error::{Act, Error};\nuse crate::{\n    sys::{self, dir::Dir},\n    tree::path, walk};\nlet x = crate::pool::run();";
    let found: Vec<_> = used_layers(code, "crate").into_iter().collect();
    assert_eq!(found, ["error", "pool", "sys", "tree", "walk"]);
    assert!(used_layers("mycrate::sys::x", "crate").is_empty());
    assert!(is_allowed("walk", "sys") && is_allowed("walk", "walk") && is_allowed("walk", "tree"));
    assert!(!is_allowed("walk", "archive") && !is_allowed("tree", "sys") && !is_allowed("new-layer", "tree"));
}
