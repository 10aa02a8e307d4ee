//! `--gitignore`: compares what haul leaves out with what git ignores.
//!
//! Many small trees are in one repository, so that one `git check-ignore` covers them all: a `.gitignore` applies only
//! to what is below it.

use crate::support::oracle::{peer, run};
use crate::support::scratch::Scratch;
use haul::rules::{MergeFile, Rules, Scope, Settings, Side};
use haul::tree::RelPath;
use haul::tree::path::escape;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

/// Every path below a root, with the content of files; `None` is a directory.
type Tree = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => select(vec!["a", "b", "ab", "foo", "x", "o", "."]),
        5 => select(vec!["*", "*", "**", "***", "?"]),
        3 => select(vec!["/", "/**", "**/", "/**/", "/*"]),
        2 => select(vec!["[ab]", "[!a]", "[^b-z]", "[[:alpha:]]", "[]a]", "[a-]", "[\\]b]", "[a/b]"]),
        1 => select(vec!["[a", "\\*", "\\a", "\\", "\\/", "[[:nope:]]", "[[:a]", " ", "\\ ", "\t", "#", "!"]),
    ];
    let body = prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat());
    let front = select(vec!["", "", "", "", "!", "!", "/", "!/", "\\", "#", "\u{feff}"]);
    let back = select(vec!["", "", "", "", "/", " ", "  ", "\r", "\\ ", "\\  ", " \\"]);
    (front, body, back).prop_map(|(front, body, back)| format!("{front}{body}{back}"))
}

fn tree() -> impl Strategy<Value = Tree> {
    let names = select(vec!["a", "b", "ab", "foo", "x.o", "foox", "a ", "#a", "!b", "a*", "[a]", "b\\", "ü"]);
    let entry = (any::<Index>(), names, any::<bool>());
    let file = prop::collection::vec(pattern(), 1..5).prop_map(|lines| lines.join("\n").into_bytes());
    let files = prop::collection::vec((any::<Index>(), file), 1..4);
    (prop::collection::vec(entry, 4..20), files).prop_map(|(entries, files)| {
        let (mut tree, mut dirs) = (Tree::new(), vec![Vec::new()]);
        for (parent, name, is_dir) in entries {
            let path = join(parent.get::<Vec<u8>>(&dirs), name.as_bytes());
            if tree.contains_key(&path) {
                continue;
            }
            if is_dir {
                dirs.push(path.clone());
            }
            tree.insert(path, (!is_dir).then(Vec::new));
        }
        for (dir, content) in files {
            tree.insert(join(dir.get::<Vec<u8>>(&dirs), b".gitignore"), Some(content));
        }
        tree
    })
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    RelPath::new(dir).unwrap().join(name).unwrap().as_path().as_bytes().to_vec()
}

fn build(root: &Path, tree: &Tree) {
    fs::create_dir(root).unwrap();
    for (path, content) in tree {
        let path = root.join(OsStr::from_bytes(path));
        match content {
            None => fs::create_dir(path).unwrap(),
            Some(content) => fs::write(path, content).unwrap(),
        }
    }
}

/// Adds to `ignored` what the rules leave out of the directory that `scope` is about, with all that lies below.
fn leave_out(tree: &Tree, scope: &Scope, dir: &[u8], ignored: &mut BTreeSet<Vec<u8>>) {
    for (path, content) in tree {
        let rel = RelPath::new(path).unwrap();
        if rel.parent().unwrap().as_bytes() != dir {
            continue;
        }
        if !scope.transfers(rel, content.is_none()) {
            ignored.extend(tree.keys().filter(|below| RelPath::new(below).unwrap().is_within(rel)).cloned());
        } else if content.is_none() {
            leave_out(tree, &scope.enter(rel, &mut |file| read(tree, file)).unwrap(), path, ignored);
        }
    }
}

fn read(tree: &Tree, file: MergeFile<'_>) -> Option<Vec<u8>> {
    match file {
        MergeFile::Inside(path) => tree.get(path.as_bytes()).cloned().flatten(),
        MergeFile::Outside(_) => None,
    }
}

fn ignored_by_rules(tree: &Tree) -> BTreeSet<Vec<u8>> {
    let settings = Settings { gitignore: true, ..Settings::default() };
    let rules = Rules::new(&[], settings, &mut |_| unreachable!("no rule names a file")).unwrap();
    let mut ignored = BTreeSet::new();
    let root = rules.root(Side::Sender, b"/anywhere", &mut |file| read(tree, file)).unwrap();
    leave_out(tree, &root, b"", &mut ignored);
    ignored
}

fn git(place: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(place)
        .env("HOME", place)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git
}

/// What git ignores of the trees, each in the directory of its number, all in one repository.
fn ignored_by_git(trees: &[Tree]) -> Vec<BTreeSet<Vec<u8>>> {
    let scratch = Scratch::new();
    let place = scratch.path();
    run(git(place).args(["init", "--quiet"]), None).expect(0);
    let mut asked = Vec::new();
    for (number, tree) in trees.iter().enumerate() {
        build(&place.join(number.to_string()), tree);
        for path in tree.keys() {
            asked.extend_from_slice(&[number.to_string().as_bytes(), b"/", path, b"\0"].concat());
        }
    }
    let outcome = run(git(place).args(["check-ignore", "--no-index", "--stdin", "-z"]), Some(&asked));
    assert!(matches!(outcome.code(), Some(0 | 1)), "{outcome}");
    let mut ignored = vec![BTreeSet::new(); trees.len()];
    for path in outcome.stdout.split(|&b| b == 0).filter(|path| !path.is_empty()) {
        let slash = path.iter().position(|&b| b == b'/').unwrap();
        let number: usize = std::str::from_utf8(&path[..slash]).unwrap().parse().unwrap();
        ignored[number].insert(path[slash + 1..].to_vec());
    }
    ignored
}

fn show(paths: &BTreeSet<Vec<u8>>) -> Vec<String> {
    paths.iter().map(|path| escape(path).into_owned()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(2, |cases| cases.parse::<u32>().unwrap().div_ceil(100)),
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    })]
    #[test]
    fn gitignore_files_leave_out_what_git_ignores(trees in prop::collection::vec(tree(), 1..=100)) {
        if !peer("git") {
            return Ok(());
        }
        for (tree, theirs) in trees.iter().zip(ignored_by_git(&trees)) {
            let ours = ignored_by_rules(tree);
            let files: Vec<_> = tree.iter().filter_map(|(path, content)| Some((escape(path), escape(content.as_ref()?)))).filter(|(_, content)| !content.is_empty()).collect();
            prop_assert!(ours == theirs, "haul: {:?}\ngit:  {:?}\nin {:#?}", show(&ours), show(&theirs), files);
        }
    }
}
