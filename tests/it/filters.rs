//! The filter language: compares what haul's rules decide with what rsync does.
//!
//! A case is a source, a destination and a list of rules. rsync makes the destination a mirror of the source; the
//! library's decisions say, by a walk over the same trees in memory, what must then be there. What `haul sync` makes of
//! such cases is then the measure of all other verbs: with the same rules, they choose the same entries.

use crate::support::oracle::{Outcome, haul_command, peer, run};
use crate::support::scratch::Scratch;
use haul::rules::{Given, MergeFile, RuleError, Rules, Scope, Settings, Side};
use haul::tree::RelPath;
use haul::tree::path::escape;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::Command;

/// Every path below a root, with the content of files; `None` is a directory.
type Tree = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

#[derive(Clone)]
struct Case {
    src: Tree,
    dst: Tree,
    /// The file that some rules merge, or read patterns from.
    list: Vec<u8>,
    options: Vec<Given>,
    delete_excluded: bool,
    cvs_exclude: bool,
    nul_separated: bool,
}

/// Stands for the directory that holds both trees, in rules that are about absolute paths.
const PLACE: &[u8] = b"@";
/// Names the list of the case.
const LIST: &[u8] = b"@/list";
/// `$HOME/.cvsignore`, and `$CVSIGNORE`.
const CVS_HOME: &str = "*.c ! [ab]b";
const CVS_ENVIRONMENT: &str = "y.*";

impl fmt::Debug for Case {
    /// The command, and the trees it is run on, as text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command: Vec<_> = self.arguments().map(|argument| show(argument.as_bytes())).collect();
        writeln!(f, "rsync {}\nlist: {}", command.join(" "), show(&self.list))?;
        writeln!(f, "source:\n{}destination:\n{}", listing(&self.src), listing(&self.dst))
    }
}

impl Case {
    fn arguments(&self) -> impl Iterator<Item = OsString> {
        let flags = [
            (self.delete_excluded, "--delete-excluded"),
            (self.nul_separated, "--from0"),
            (self.cvs_exclude, "--cvs-exclude"),
        ];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| OsString::from(flag));
        flags.chain(self.options.iter().map(argument))
    }

    /// The rules with `place` filled in, and the files' contents joined as `--from0` asks.
    fn bind(&self, place: &Path) -> Self {
        let place = place.as_os_str().as_bytes();
        let text = |text: &[u8]| replace(text, PLACE, place);
        let file = |content: &[u8]| {
            let content = text(content);
            if self.nul_separated { replace(&content, b"\n", b"\0") } else { content }
        };
        let tree = |tree: &Tree| {
            tree.iter().map(|(path, content)| (path.clone(), content.as_deref().map(file))).collect()
        };
        let option = |option: &Given| match option {
            Given::Filter(rule) => Given::Filter(text(rule)),
            Given::Include(rule) => Given::Include(text(rule)),
            Given::Exclude(rule) => Given::Exclude(text(rule)),
            Given::IncludeFrom(name) => Given::IncludeFrom(text(name)),
            Given::ExcludeFrom(name) => Given::ExcludeFrom(text(name)),
            Given::Only(pattern) => Given::Only(text(pattern)),
            Given::ExcludeVcs | Given::FilterFiles | Given::HideFilterFiles => option.clone(),
        };
        let options = self.options.iter().map(option).collect();
        Self { src: tree(&self.src), dst: tree(&self.dst), list: file(&self.list), options, ..self.clone() }
    }

    /// Writes both trees and the list into `place`.
    fn build(&self, place: &Path) {
        for (name, tree) in [("src", &self.src), ("dst", &self.dst)] {
            fs::create_dir(place.join(name)).unwrap();
            for (path, content) in tree {
                let path = place.join(name).join(OsStr::from_bytes(path));
                match content {
                    None => fs::create_dir(path).unwrap(),
                    Some(content) => fs::write(path, content).unwrap(),
                }
            }
        }
        fs::write(place.join("list"), &self.list).unwrap();
        fs::write(place.join(".cvsignore"), CVS_HOME).unwrap();
        fs::write(place.join(".rsync-filter"), "- /src/b/[ab]\n- /dst/ab\n").unwrap();
    }

    /// The destination after rsync; `None` if it refuses the rules.
    fn mirror_with_rsync(&self, place: &Path) -> Option<Tree> {
        let mut command = Command::new("rsync");
        // Every file that is sent is written, even if it looks unchanged.
        command.args(["--recursive", "--ignore-times", "--delete-before"]).current_dir(place);
        command.args(self.arguments());
        command.args(["src/", "dst/"]).env("HOME", place).env("CVSIGNORE", CVS_ENVIRONMENT);
        let outcome = run(&mut command, None);
        match outcome.code() {
            Some(0) => Some(read_tree(&place.join("dst"))),
            // "Syntax or usage error", and "errors selecting input/output files".
            Some(1 | 3 | 11 | 12) => None,
            _ => panic!("{outcome}"),
        }
    }

    /// The destination after the library's decisions.
    fn mirror_by_rules(&self, place: &Path) -> Result<Tree, RuleError> {
        let settings = Settings {
            nul_separated: self.nul_separated,
            delete_excluded: self.delete_excluded,
            cvs_exclude: self.cvs_exclude,
            cvs_home: CVS_HOME.into(),
            cvs_environment: CVS_ENVIRONMENT.into(),
            gitignore: false,
        };
        let rules =
            Rules::new(&self.options, settings, &mut |name| fs::read(place.join(OsStr::from_bytes(name))))?;
        let location = |name| place.join(name).into_os_string().into_vec();
        let root = rules.root(Side::Sender, &location("src"), &mut |file| read(&self.src, file))?;
        let mut sent = BTreeSet::new();
        send(&self.src, &root, b"", &mut sent)?;
        let root = rules.root(Side::Receiver, &location("dst"), &mut |file| read(&self.dst, file))?;
        let mut mirror = self.dst.clone();
        sweep(&self.dst, &root, b"", &sent, &mut mirror)?;
        mirror.extend(sent.into_iter().map(|path| (path.clone(), self.src[&path].clone())));
        Ok(mirror)
    }
}

fn show(text: &[u8]) -> String {
    format!("'{}'", escape(text))
}

/// A tree as text: one path a line, with the content of what is a file.
fn listing(tree: &Tree) -> String {
    let entry = |(path, content): (&Vec<u8>, &Option<Vec<u8>>)| match content {
        Some(content) => format!("  {} {}\n", show(path), show(content)),
        None => format!("  {}/\n", show(path)),
    };
    tree.iter().map(entry).collect()
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The option on rsync's command line.
fn argument(option: &Given) -> OsString {
    let (name, value): (_, &[u8]) = match option {
        Given::Filter(rule) => ("--filter=", rule),
        Given::Include(rule) => ("--include=", rule),
        Given::Exclude(rule) => ("--exclude=", rule),
        Given::IncludeFrom(file) => ("--include-from=", file),
        Given::ExcludeFrom(file) => ("--exclude-from=", file),
        Given::FilterFiles | Given::HideFilterFiles => ("-F", b""),
        Given::ExcludeVcs => ("--exclude-vcs", b""),
        Given::Only(pattern) => ("--only=", pattern),
    };
    OsString::from_vec([name.as_bytes(), value].concat())
}

fn read_tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut dirs = vec![root.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            let content = path.is_file().then(|| fs::read(&path).unwrap());
            if content.is_none() {
                dirs.push(path);
            }
            tree.insert(name, content);
        }
    }
    tree
}

fn read(tree: &Tree, file: MergeFile<'_>) -> Option<Vec<u8>> {
    match file {
        MergeFile::Inside(path) => tree.get(path.as_bytes()).cloned().flatten(),
        MergeFile::Outside(path) => fs::read(Path::new("/").join(OsStr::from_bytes(path))).ok(),
    }
}

/// The entries of the directory `dir`, and whether each is a directory.
fn children(tree: &Tree, dir: &[u8]) -> Vec<(Vec<u8>, bool)> {
    let is_child = |path: &[u8]| RelPath::new(path).unwrap().parent().unwrap().as_bytes() == dir;
    let entries = tree.iter().filter(|(path, _)| is_child(path));
    entries.map(|(path, content)| (path.clone(), content.is_none())).collect()
}

/// Collects what a sender sends of the directory `dir`.
fn send(tree: &Tree, scope: &Scope, dir: &[u8], sent: &mut BTreeSet<Vec<u8>>) -> Result<(), RuleError> {
    for (path, is_dir) in children(tree, dir) {
        let rel = RelPath::new(&path).unwrap();
        if !scope.transfers(rel, is_dir) {
            continue;
        }
        if is_dir {
            send(tree, &scope.enter(rel, &mut |file| read(tree, file))?, &path, sent)?;
        }
        sent.insert(path);
    }
    Ok(())
}

/// Removes from `left` what a receiver deletes in the directory `dir`, which was sent, and below it.
fn sweep(
    tree: &Tree,
    scope: &Scope,
    dir: &[u8],
    sent: &BTreeSet<Vec<u8>>,
    left: &mut Tree,
) -> Result<(), RuleError> {
    for (path, is_dir) in children(tree, dir) {
        let rel = RelPath::new(&path).unwrap();
        let enter = || scope.enter(rel, &mut |file| read(tree, file));
        if sent.contains(&path) {
            if is_dir {
                sweep(tree, &enter()?, &path, sent, left)?;
            }
        } else if !scope.protects(rel, is_dir) && (!is_dir || delete(tree, &enter()?.deleted(), &path, left)?)
        {
            left.remove(&path);
        }
    }
    Ok(())
}

/// Removes what is not protected in the directory `dir`, which is to go; returns whether that was all.
fn delete(tree: &Tree, scope: &Scope, dir: &[u8], left: &mut Tree) -> Result<bool, RuleError> {
    let mut is_empty = true;
    for (path, is_dir) in children(tree, dir) {
        let rel = RelPath::new(&path).unwrap();
        let enter = || scope.enter(rel, &mut |file| read(tree, file));
        if !scope.protects(rel, is_dir) && (!is_dir || delete(tree, &enter()?, &path, left)?) {
            left.remove(&path);
        } else {
            is_empty = false;
        }
    }
    Ok(is_empty)
}

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => select(vec!["a", "b", "ab", "foo", "x", "x.d", ".o", "ü"]),
        4 => select(vec!["*", "**", "***", "?"]),
        3 => select(vec!["/", "/*", "*/", "/**", "**/", "/**/", "/***"]),
        2 => select(vec!["[ab]", "[!a]", "[^b-z]", "[[:alpha:]]", "[]a]", "[a-]", "[[:punct:]x]", "[\\]b]"]),
        1 => select(vec!["[!]x-]", "[^^]", "[a-f-z]", "[--b]", "[\\a-\\f]", "[[:alpha:]-z]", "[a-[:alpha:]]"]),
        1 => select(vec!["[a", "[", "\\*", "\\a", "\\", "[[:nope:]]", "[[:a]", "[b-a]", "[a/b]", "\\/"]),
        1 => select(vec!["**/**", "*/**", "**/*", "*a*", "a*b*", "//", "./", "../", "[!/]", "[^]", "[]", "\\\\"]),
    ];
    let body = prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat());
    let front = prop_oneof![6 => Just(""), 3 => Just("/")];
    let back = prop_oneof![6 => Just(""), 2 => Just("/")];
    (front, body, back).prop_map(|(front, body, back)| format!("{front}{body}{back}"))
}

/// Up to two of `letters`.
fn modifiers(letters: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(select(letters), 0..3).prop_map(|letters| letters.concat())
}

/// The beginning of a rule: its kind, modifiers, and what ends them.
fn head(
    kinds: &'static [&'static str],
    letters: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (select(kinds), letters, select(vec![" ", "_"]), any::<bool>()).prop_map(|(kind, letters, end, comma)| {
        let comma = if comma || (kind.len() > 1 && !letters.is_empty()) { "," } else { "" };
        format!("{kind}{comma}{letters}{end}")
    })
}

/// One include or exclude with its modifiers.
fn rule(sided: bool) -> impl Strategy<Value = String> {
    let plain = head(&["-", "+", "exclude", "include"], Just(String::new()));
    let modified = head(&["-", "+", "exclude", "include"], modifiers(&["!", "p"]));
    let odd =
        head(&["-", "+", "hide", "X", "merge", "clear", "."], modifiers(&["x", "C", "s", "n", "/", ","]));
    let with_side = prop_oneof![
        head(&["H", "S", "P", "R", "hide", "show", "protect", "risk"], modifiers(&["!", "p", "p"])),
        head(&["-", "+"], modifiers(&["s", "r", "p"])),
    ];
    let absolute =
        (select(vec!["-/ ", "+/ "]), select(vec!["/@/src", "/@/dst", "src", "/@/*", "@", "/**"]), pattern())
            .prop_map(|(kind, front, pattern)| format!("{kind}{front}/{pattern}"));
    let join = |(kind, body): (String, String)| kind + &body;
    let other = (prop_oneof![40 => plain, 10 => modified, 1 => odd], pattern()).prop_map(join);
    let sided_rule = (with_side, pattern()).prop_map(join);
    prop_oneof![8 => other, if sided { 3 } else { 0 } => sided_rule, 1 => absolute]
        // Where haul is stricter.
        .prop_filter("an error here, and ignored by rsync", |rule| {
            let letters = rule.split([' ', '_']).next().unwrap();
            let is_merge = letters.starts_with(['.', 'm']);
            !(letters.contains('C') || (is_merge && letters.contains('x')))
        })
}

/// A merge rule with its modifiers, for one of `files`.
fn merge(
    kinds: &'static [&'static str],
    files: &'static [&'static str],
    sided: bool,
) -> impl Strategy<Value = String> {
    let ends: &[&str] = if sided { &["", "", "", "", "s", "r"] } else { &[""] };
    let letters = (modifiers(&["e", "n", "w", "p", "/"]), select(vec!["", "", "-", "+", "C"]), select(ends))
        .prop_map(|(letters, grammar, end)| format!("{grammar}{letters}{end}"));
    (head(kinds, letters), select(files)).prop_map(|(head, file)| head + file)
}

fn lines(line: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<u8>> {
    let end = select(vec!["\n", "\n", "\n", "\n", "\n", "\n", "\r\n", "\n\n", " \n", "\r"]);
    let lines = prop::collection::vec((line, end), 0..5);
    (lines, any::<bool>()).prop_map(|(lines, is_ended)| {
        let mut text: String = lines.into_iter().map(|(line, end)| line + end).collect();
        if !is_ended && text.ends_with('\n') {
            text.pop();
        }
        text.into_bytes()
    })
}

/// The content of a `.f`: rules.
fn rules_file() -> impl Strategy<Value = Vec<u8>> {
    let merges = vec![
        ": .h",
        ":n .h",
        ":- .g",
        ":n+ .g",
        ":C .g",
        ". .inner",
        ". ./.inner",
        ": ../.h",
        "dir-merge,-p_.g",
    ];
    lines(prop_oneof![
        12 => rule(true),
        3 => select(merges).prop_map(str::to_owned),
        1 => merge(&[":", "dir-merge"], &[".g", ".h", ".g", "/.g", "../.g"], true),
        1 => merge(&[".", "merge"], &[".inner", "./.inner"], false),
        2 => select(vec!["!", "clear", "!", "# x", "; x", " # x", "", "-C"]).prop_map(str::to_owned),
    ])
}

/// The content of a `.g` or `.cvsignore`: patterns, on lines of their own, so that they are words too.
fn patterns_file() -> impl Strategy<Value = Vec<u8>> {
    let words = (pattern(), select(vec![" ", "\t", "  "]), pattern()).prop_map(|(a, gap, b)| a + gap + &b);
    lines(prop_oneof![9 => pattern(), 1 => words, 1 => select(vec!["!", "#", ";a"]).prop_map(str::to_owned)])
}

fn option() -> impl Strategy<Value = Given> {
    let merges = vec![
        ": .f",
        ": .f",
        ":n .f",
        ":e .f",
        ":p .f",
        ":/ .f",
        ":- .g",
        ":+ .g",
        ":-e .g",
        ":C",
        ":C .g",
        ":nw- .g",
        ":s- .g",
        ":r- .g",
        ": .g",
        ".- @/list",
        ". @/list",
        ".+p @/list",
        ".s @/list",
        "merge,w- @/list",
        "-C",
        ": /.rsync-filter",
        ": ../.rsync-filter",
        ": /@/src/.f",
        ": sub/.f",
        "!",
    ];
    let old = prop_oneof![
        8 => pattern(),
        1 => pattern().prop_map(|pattern| format!("+ {pattern}")),
        1 => pattern().prop_map(|pattern| format!("- {pattern}")),
        1 => Just("!".to_owned()),
    ];
    prop_oneof![
        8 => rule(true).prop_map(|rule| Given::Filter(rule.into())),
        6 => select(merges).prop_map(|rule| Given::Filter(rule.into())),
        3 => merge(&[":", "dir-merge"], &[".f", ".g", ".g", ".h", "/.g", "../.g", "a/.g"], true)
            .prop_map(|rule| Given::Filter(rule.into())),
        1 => merge(&[".", "merge"], &["@/list"], true).prop_map(|rule| Given::Filter(rule.into())),
        2 => old.clone().prop_map(|rule| Given::Include(rule.into())),
        3 => old.prop_map(|rule| Given::Exclude(rule.into())),
        1 => Just(Given::IncludeFrom(LIST.into())),
        1 => Just(Given::ExcludeFrom(LIST.into())),
        1 => Just(Given::FilterFiles),
    ]
}

/// Two trees in which every path is of the same kind.
fn trees() -> impl Strategy<Value = (Tree, Tree)> {
    let names = vec!["a", "b", "ab", "foo", "x.o", "x.d", "ü"];
    let odd = vec!["a*", "[a]", "b\\", "core", "y.c", "-", " a", "#b"];
    // No directory has a wildcard in its name: rsync takes the path of a merge file's directory for a pattern.
    let entry = prop_oneof![
        5 => (select(names.clone()), Just(true)),
        5 => (select(names), Just(false)),
        2 => (select(odd), Just(false)),
    ];
    let content = |file: BoxedStrategy<Vec<u8>>| (any::<Index>(), file.clone(), prop::option::of(file));
    let merge_file = prop_oneof![
        4 => (Just(".f"), content(rules_file().boxed())),
        2 => (Just(".g"), content(patterns_file().boxed())),
        2 => (Just(".h"), content(lines(rule(true)).boxed())),
        1 => (Just(".cvsignore"), content(patterns_file().boxed())),
        1 => (Just(".rsync-filter"), content(lines(rule(true)).boxed())),
    ];
    let inner = lines(rule(false));
    let drafts = prop::collection::vec((any::<Index>(), entry, 1..4u8), 1..16);
    (drafts, prop::collection::vec(merge_file, 0..4), inner).prop_map(|(drafts, merge_files, inner)| {
        let (mut src, mut dst) = (Tree::new(), Tree::new());
        let mut dirs = vec![(Vec::new(), 3)];
        for (parent, (name, is_dir), sides) in drafts {
            let (parent, parent_sides) = parent.get(&dirs).clone();
            let path = join(&parent, name);
            let sides = sides & parent_sides;
            if src.contains_key(&path) || dst.contains_key(&path) {
                continue;
            }
            for (tree, side, content) in [(&mut src, 1, b"sent"), (&mut dst, 2, b"here")] {
                if sides & side != 0 {
                    tree.insert(path.clone(), (!is_dir).then(|| content.to_vec()));
                }
            }
            if is_dir {
                dirs.push((path, sides));
            }
        }
        for (name, (dir, content, other)) in merge_files {
            let (dir, sides) = dir.get(&dirs);
            for (tree, side, content) in
                [(&mut src, 1, &content), (&mut dst, 2, other.as_ref().unwrap_or(&content))]
            {
                if sides & side != 0 {
                    tree.insert(join(dir, name), Some(content.clone()));
                }
            }
        }
        for (dir, sides) in &dirs {
            for (tree, side) in [(&mut src, 1), (&mut dst, 2)] {
                if sides & side != 0 {
                    tree.insert(join(dir, ".inner"), Some(inner.clone()));
                }
            }
        }
        (src, dst)
    })
}

fn join(dir: &[u8], name: &str) -> Vec<u8> {
    RelPath::new(dir).unwrap().join(name.as_bytes()).unwrap().as_path().as_bytes().to_vec()
}

fn case() -> impl Strategy<Value = Case> {
    let list = prop_oneof![rules_file(), patterns_file()];
    let flags = (prop::bool::weighted(0.15), prop::bool::weighted(0.15), prop::bool::weighted(0.1));
    (trees(), list, prop::collection::vec(option(), 1..6), flags).prop_map(
        |((mut src, mut dst), list, mut options, (delete_excluded, cvs_exclude, nul_separated))| {
            if delete_excluded {
                // In such a file, and in the rule that an `e` in a file adds, rsync forgets that rules are now the
                // sender's only.
                for (path, content) in src.iter_mut().chain(&mut dst) {
                    if let Some(content) = content {
                        let is_inner = path.ends_with(b".inner");
                        let lines = content.split_inclusive(|&b| b == b'\n');
                        *content = lines
                            .filter(|line| !is_inner && !excludes_itself(line))
                            .collect::<Vec<_>>()
                            .concat();
                    }
                }
            }
            let mut filter_files = 0;
            for option in options.iter_mut().filter(|option| **option == Given::FilterFiles) {
                filter_files += 1;
                if filter_files == 2 {
                    *option = Given::HideFilterFiles;
                }
            }
            Case { src, dst, list, options, delete_excluded, cvs_exclude, nul_separated }
        },
    )
}

/// Whether a line of a merge file is a merge rule with the modifier `e`.
fn excludes_itself(line: &[u8]) -> bool {
    let head = line.split(|b| matches!(b, b' ' | b'_')).next().unwrap();
    let letters =
        [b":".as_slice(), b".", b"dir-merge", b"merge"].iter().find_map(|kind| head.strip_prefix(*kind));
    letters.is_some_and(|letters| letters.contains(&b'e'))
}

/// As many as `PROPTEST_CASES` says, if it is set.
fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(default),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

#[test]
fn rules_decide_as_rsync_does() {
    if !peer("rsync") {
        return;
    }
    let config = cases(600);
    check(config, &case(), |case, place| {
        let ours = case.mirror_by_rules(place);
        let theirs = case.mirror_with_rsync(place);
        let show = |mirror: Option<&Tree>| mirror.map_or("refused\n".to_owned(), listing);
        let (ours, why) = (show(ours.as_ref().ok()), ours.err());
        let theirs = show(theirs.as_ref());
        prop_assert!(ours == theirs, "by haul:\n{ours}{why:?}\nby rsync:\n{theirs}");
        Ok(())
    });
}

/// Runs cases, each with its trees on the disk in a place of their own.
fn check(
    config: ProptestConfig,
    cases: &impl Strategy<Value = Case>,
    test: impl Fn(&Case, &Path) -> Result<(), TestCaseError>,
) {
    // The same cases every time, so that a failure is due to the tested change; with a larger number, new ones each
    // time.
    let mut runner = if std::env::var_os("PROPTEST_CASES").is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let result = runner.run(cases, |case| {
        let scratch = Scratch::new();
        let place = scratch.path().canonicalize().unwrap();
        let case = case.bind(&place);
        case.build(&place);
        test(&case, &place)
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

impl Case {
    /// `haul` with these words, the flags of the case, and these words.
    fn haul(&self, place: &Path, front: &[&str], back: &[&str]) -> Outcome {
        let mut command = haul_command();
        command.current_dir(place).env("HOME", place).env("CVSIGNORE", CVS_ENVIRONMENT);
        run(command.args(front).args(self.arguments()).args(back), None)
    }

    /// Whether the library takes a rule that was read by itself.
    fn takes(&self, option: &Given, test: impl Fn(&Rules) -> bool) -> bool {
        let settings = Settings { nul_separated: self.nul_separated, ..Settings::default() };
        let rules = Rules::new(std::slice::from_ref(option), settings, &mut |_| Ok(self.list.clone()));
        // What is no rule is refused by all verbs alike.
        rules.map_or(true, |rules| test(&rules))
    }
}

/// Cases for all verbs: with patterns of haul's own, and without rules that only a mirror has.
fn case_for_all() -> impl Strategy<Value = Case> {
    let only = prop::collection::vec(pattern().prop_map(|pattern| Given::Only(pattern.into_bytes())), 0..3);
    let own = (prop::bool::weighted(0.5), only, prop::bool::weighted(0.1));
    (case(), own).prop_map(|(case, (is_narrow, only, without_vcs))| {
        let mut options = case.options.clone();
        options.retain(|option| case.takes(option, |rules| rules.refuse_xattr_rules().is_ok()));
        options.extend(only.into_iter().filter(|_| is_narrow));
        options.extend(without_vcs.then_some(Given::ExcludeVcs));
        Case { options, delete_excluded: false, ..case }
    })
}

/// The paths below `root`; none if it is not there.
fn paths(root: &Path) -> Vec<Vec<u8>> {
    if root.exists() { read_tree(root).into_keys().collect() } else { Vec::new() }
}

/// What `haul list` shows, without the root.
fn listed(outcome: &Outcome) -> Vec<Vec<u8>> {
    let objects = outcome.lines();
    let path = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["path"].clone();
    let names = objects.iter().map(path).map(|path| path.as_str().unwrap().as_bytes().to_vec());
    names.filter(|name| name != b"." && !name.is_empty()).collect()
}

fn show_all(names: &[Vec<u8>]) -> String {
    names.iter().map(|name| show(name) + "\n").collect()
}

#[test]
fn pack_chooses_what_sync_chooses() {
    check(cases(100), &case_for_all(), |case, place| {
        let mirrored = case.haul(place, &["sync", "-q"], &["src", "mirror"]);
        let packed = case.haul(place, &["pack", "-q"], &["src", "a.tar.zst"]);
        prop_assert_eq!(packed.code(), mirrored.code(), "{}\n{}", packed, mirrored);
        if packed.code() == Some(0) {
            let list = run(haul_command().args(["list", "--json", "a.tar.zst"]).current_dir(place), None);
            let (mut ours, theirs) = (listed(&list.expect(0)), paths(&place.join("mirror")));
            ours.sort();
            prop_assert!(ours == theirs, "packed:\n{}mirrored:\n{}", show_all(&ours), show_all(&theirs));
        }
        Ok(())
    });
}

/// Rules that an archive can have, and what is refused of one that it cannot.
fn case_for_archives() -> impl Strategy<Value = Case> {
    case_for_all().prop_map(|case| {
        let mut options = case.options.clone();
        options.retain(|option| {
            let is_for_trees = matches!(option, Given::FilterFiles | Given::HideFilterFiles);
            !is_for_trees && case.takes(option, |rules| rules.in_archive(Side::Sender).is_ok())
        });
        Case { options, cvs_exclude: false, ..case }
    })
}

#[test]
fn unpack_chooses_what_sync_chooses() {
    check(cases(100), &case_for_archives(), |case, place| {
        run(haul_command().args(["pack", "-q", "src", "a.tar.zst"]).current_dir(place), None).expect(0);
        let mirrored = case.haul(place, &["sync", "-q"], &["src", "mirror"]);
        for (archive, copy) in [("a.tar.zst", "by-index"), ("plain.tar", "by-stream")] {
            if archive == "plain.tar" {
                let bytes = fs::read(place.join("a.tar.zst")).unwrap();
                fs::write(place.join(archive), zstd::decode_all(&bytes[..]).unwrap()).unwrap();
            }
            let unpacked = case.haul(place, &["unpack", "-q"], &[archive, copy]);
            if unpacked.code() == Some(2) && unpacked.stderr.contains("and this is an archive") {
                // A list that a rule names can hold rules that an archive cannot have, which shows only when it is read.
                return Ok(());
            }
            prop_assert_eq!(unpacked.code(), mirrored.code(), "{}\n{}", unpacked, mirrored);
            if unpacked.code() != Some(0) {
                continue;
            }
            let (ours, theirs) = (paths(&place.join(copy)), paths(&place.join("mirror")));
            prop_assert!(ours == theirs, "unpacked:\n{}mirrored:\n{}", show_all(&ours), show_all(&theirs));
            // A listing leaves out the directories that are only on the way.
            let list = listed(&case.haul(place, &["list", "--json"], &[archive]).expect(0));
            let is_on_the_way = |path: &Vec<u8>| {
                let below = [path, &b"/"[..]].concat();
                list.iter().any(|listed| listed.starts_with(&below))
            };
            prop_assert!(list.iter().all(|path| ours.contains(path)), "{}", show_all(&list));
            prop_assert!(
                ours.iter().all(|path| list.contains(path) || is_on_the_way(path)),
                "{}",
                show_all(&list)
            );
            let verified = case.haul(place, &["verify", "-q"], &[archive, "src"]);
            prop_assert_eq!(verified.code(), Some(0), "{}", verified);
        }
        Ok(())
    });
}

/// Without what a mirror must replace by something of another kind: where a rule protects that, it is a failure.
fn without_replaced(mut case: Case) -> Case {
    let is_dir = |tree: &Tree, path: &[u8]| tree.get(path).map(Option::is_none);
    let differs =
        |path: &[u8]| is_dir(&case.src, path).is_some_and(|dir| is_dir(&case.dst, path) != Some(dir));
    let replaced: Vec<_> = case.dst.keys().filter(|path| differs(path)).cloned().collect();
    let is_replaced = |path: &[u8]| {
        replaced.iter().any(|above| path == above || path.starts_with(&[above, &b"/"[..]].concat()))
    };
    case.dst.retain(|path, _| !is_replaced(path));
    case
}

#[test]
fn unpack_deletes_what_sync_deletes() {
    check(cases(60), &case_for_archives().prop_map(without_replaced), |case, place| {
        let haul = |args: &[&str]| run(haul_command().args(args).current_dir(place), None);
        haul(&["pack", "-q", "src", "a.tar.zst"]).expect(0);
        run(Command::new("cp").args(["-a", "dst", "copy"]).current_dir(place), None).expect(0);
        let mirrored = case.haul(place, &["sync", "-q", "--delete", "--allow-empty-source"], &["src", "dst"]);
        let unpacked = case.haul(place, &["unpack", "-q", "--update", "--delete"], &["a.tar.zst", "copy"]);
        if unpacked.stderr.contains("would be deleted") {
            return Ok(());
        }
        prop_assert_eq!(unpacked.code(), mirrored.code(), "{}\n{}", unpacked, mirrored);
        let (ours, theirs) = (paths(&place.join("copy")), paths(&place.join("dst")));
        prop_assert!(ours == theirs, "unpacked:\n{}mirrored:\n{}", show_all(&ours), show_all(&theirs));
        Ok(())
    });
}

#[test]
fn diff_chooses_what_sync_chooses() {
    let compare = |case: &Case, place: &Path, sides: &[[&str; 2]]| {
        let what = ["--no-times", "--no-perms"];
        let front =
            [&["sync", "-n", "-i", "--delete", "--checksum", "--allow-empty-source"][..], &what].concat();
        let mirrored = case.haul(place, &front, &["src", "dst"]);
        for [src, dst] in sides {
            let outcome = case.haul(place, &[&["diff"][..], &what].concat(), &[src, dst]);
            if mirrored.code() != Some(0) {
                prop_assert_eq!(outcome.code(), mirrored.code(), "{}\n{}", outcome, mirrored);
                continue;
            }
            let sorted = |outcome: &Outcome| {
                // The time that a file gets with its content, rsync's T, is no difference.
                let mut lines: Vec<_> = outcome.lines();
                lines
                    .iter_mut()
                    .filter(|line| line[4..].starts_with('T'))
                    .for_each(|line| line.replace_range(4..5, "."));
                lines.sort();
                lines
            };
            let (ours, theirs) = (sorted(&outcome), sorted(&mirrored));
            prop_assert!(ours == theirs, "{src} {dst}:\n{}\nmirror:\n{}", ours.join("\n"), theirs.join("\n"));
        }
        Ok(())
    };
    check(cases(80), &case_for_all().prop_map(without_replaced), |case, place| {
        compare(case, place, &[["src", "dst"]])
    });
    check(cases(40), &case_for_archives().prop_map(without_replaced), |case, place| {
        for tree in ["src", "dst"] {
            let archive = format!("{tree}.tar.zst");
            run(haul_command().args(["pack", "-q", tree, &archive]).current_dir(place), None).expect(0);
        }
        let sides = [["src", "dst.tar.zst"], ["src.tar.zst", "dst"], ["src.tar.zst", "dst.tar.zst"]];
        compare(case, place, &sides)
    });
}

#[test]
fn an_archive_has_no_rules_of_its_own() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("src")).unwrap();
    fs::write(scratch.join("src/.rules"), "- a\n").unwrap();
    let haul = |args: &[&str]| run(haul_command().args(args).current_dir(scratch.path()), None);
    haul(&["pack", "src", "a.tar.zst"]).expect(0);
    let rules = [
        (": .rules", "rules are read from files of a directory, and this is an archive"),
        ("-/ /a", "absolute paths are those of a directory, and this is an archive"),
        ("-x user.*", "only a mirror has rules about extended attributes"),
    ];
    for (rule, why) in rules {
        for verb in [
            &["unpack", "a.tar.zst", "copy"][..],
            &["list", "a.tar.zst"],
            &["verify", "a.tar.zst", "src"],
            &["diff", "a.tar.zst", "src"],
            &["diff", "src", "a.tar.zst"],
        ] {
            // What a side of a comparison is shows only when it is opened.
            let code = if verb[0] == "diff" && !rule.starts_with("-x") { 1 } else { 2 };
            haul(&[verb, &["--filter", rule]].concat()).expect(code).expect_once(why);
        }
    }
    assert!(!scratch.join("copy").exists());
    haul(&["pack", "src", "b.tar.zst", "--filter", "-x user.*"]).expect(2);
    fs::write(scratch.join("src/.rules"), "nonsense\n").unwrap();
    let refused = haul(&["pack", "src", "b.tar.zst", "--filter", ": .rules"]);
    refused.expect(1).expect_once("in .rules:1: unknown rule");
    assert!(!scratch.join("b.tar.zst").exists());
}

/// Who writes the merge files of a tree must not read other files through the messages about them.
#[test]
fn no_line_of_a_merge_file_is_quoted() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("src")).unwrap();
    fs::write(scratch.join("secret"), "toor:x:1\n").unwrap();
    for line in [". ../secret", ": ../secret", "-zsecret x", ".,secret x", "merge,secret x"] {
        fs::write(scratch.join("src/.rules"), format!("{line}\n")).unwrap();
        for args in [
            ["sync", "src", "dst", "--filter", ": .rules"],
            ["pack", "src", "a.tar.zst", "--filter", ": .rules"],
            ["sync", "src", "dst", "--filter", ". src/.rules"],
        ] {
            let mut command = haul_command();
            let outcome = run(command.args(args).current_dir(scratch.path()), None);
            assert_ne!(outcome.code(), Some(0), "{line}: {outcome}");
            assert!(!outcome.stderr.contains("toor"), "{line}: {outcome}");
            assert!(!outcome.stderr.contains("'z'"), "{line}: {outcome}");
        }
    }
}

/// Each is a deliberate difference: in rsync these rules hold on both sides, against its manual.
#[test]
fn delete_excluded_is_about_the_sender_in_every_file() {
    let tree = |content: &[u8]| -> Tree {
        let file = |name: &[u8], content: &[u8]| (name.to_vec(), Some(content.to_vec()));
        [file(b".f", content), file(b".g", b""), file(b".inner", b"- .g\n")].into()
    };
    for content in [b"- .g\n".as_slice(), b":e .g\n", b". ./.inner\n"] {
        let case = Case {
            src: tree(content),
            dst: tree(content),
            list: Vec::new(),
            options: vec![Given::Filter(b": .f".to_vec())],
            delete_excluded: true,
            cvs_exclude: false,
            nul_separated: false,
        };
        let mirror = case.mirror_by_rules(Path::new("/nowhere")).unwrap();
        assert!(mirror.contains_key(b".f".as_slice()), "{case:?}");
        assert!(!mirror.contains_key(b".g".as_slice()), "{case:?}");
    }
}
