//! The eleven columns of rsync's `--itemize-changes`, and the lines that name changes.
//!
//! Owns the form of the line for a change; what changes is decided elsewhere. The columns are those of rsync 3.5 for a
//! local copy, `YXcstpoguax`, as its manual describes them under `--itemize-changes`: scripts that read rsync's lines
//! can read these. (The column for creation times, `n`, is never filled: Linux has no call that sets them.)

use haul::account::{Aspects, Change, Deed};
use haul::tree::path::escape;
use haul::tree::{FileKind, RelPath};
use std::fmt::Write as _;

/// The text instead of the columns for a removed entry.
const DELETING: &str = "*deleting  ";
/// Where the columns of single aspects begin, after those of the deed and the kind.
const FIRST_ASPECT: usize = 2;

/// The eleven columns for a change.
pub(crate) fn columns(change: &Change<'_>) -> String {
    match change.deed {
        Deed::Delete => DELETING.to_owned(),
        Deed::Create => new(first(change.deed, change.kind), change.kind),
        Deed::Link if change.is_new => new('h', change.kind),
        deed => compared(first(deed, change.kind), change.kind, change.differs),
    }
}

/// The eleven columns for an unchanged entry.
pub(crate) fn unchanged(kind: FileKind) -> String {
    compared('.', kind, Aspects::default())
}

/// `>f.st...... a/b`, followed by a symlink's or a hard link's target.
pub(crate) fn line(change: &Change<'_>) -> String {
    format!("{} {}", columns(change), named(change))
}

/// The line for an unchanged entry.
pub(crate) fn unchanged_line(path: RelPath<'_>, kind: FileKind) -> String {
    format!("{} {}", unchanged(kind), name(path, kind))
}

/// `a/b`, or `deleting a/b`: the line without columns.
pub(crate) fn name_line(change: &Change<'_>) -> String {
    let what = if change.deed == Deed::Delete { "deleting " } else { "" };
    format!("{what}{}", named(change))
}

fn named(change: &Change<'_>) -> String {
    let mut text = name(change.path, change.kind);
    let arrow = match (change.deed, change.kind) {
        (Deed::Delete, _) => return text,
        (Deed::Link, _) => "=>",
        (Deed::Rename, _) => "<=",
        (_, FileKind::Symlink) => "->",
        _ => return text,
    };
    if let Some(target) = change.target {
        // Writing to a String cannot fail.
        let _ = write!(text, " {arrow} {}", escape(target));
    }
    text
}

/// The name, with a `/` after a directory's; the root is `./`.
fn name(path: RelPath<'_>, kind: FileKind) -> String {
    let slash = if kind == FileKind::Directory { "/" } else { "" };
    format!("{}{slash}", path.display())
}

/// The first column: content is copied (`>`), something is created or changed locally (`c`), a name becomes a hard link
/// (`h`), or only metadata changes (`.`).
fn first(deed: Deed, kind: FileKind) -> char {
    match (deed, kind) {
        (Deed::Link, _) => 'h',
        (Deed::SetMetadata | Deed::Delete, _) => '.',
        (Deed::Create | Deed::Update, FileKind::File) => '>',
        (Deed::Create | Deed::Update | Deed::Rename, _) => 'c',
    }
}

/// The second column.
fn letter(kind: FileKind) -> char {
    match kind {
        FileKind::File => 'f',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'L',
        FileKind::CharDevice | FileKind::BlockDevice => 'D',
        FileKind::Fifo | FileKind::Socket => 'S',
    }
}

fn new(first: char, kind: FileKind) -> String {
    format!("{first}{}+++++++++", letter(kind))
}

fn compared(first: char, kind: FileKind, differs: Aspects) -> String {
    let time = match differs {
        Aspects { time_of_transfer: true, .. } => 'T',
        Aspects { time: true, .. } => 't',
        _ => '.',
    };
    let mark = |differs: bool, letter: char| if differs { letter } else { '.' };
    let has_size = kind == FileKind::File;
    let columns = [
        first,
        letter(kind),
        mark(differs.content, 'c'),
        mark(differs.size && has_size, 's'),
        time,
        mark(differs.mode, 'p'),
        mark(differs.user, 'o'),
        mark(differs.group, 'g'),
        mark(differs.atime, 'u'),
        mark(differs.acl, 'a'),
        mark(differs.xattr, 'x'),
    ];
    // A copied entry is never shown with blanks.
    let blank = first != '>' && columns[FIRST_ASPECT..].iter().all(|&column| column == '.');
    let shown = |(at, column)| if blank && at >= FIRST_ASPECT { ' ' } else { column };
    columns.into_iter().enumerate().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use FileKind::{CharDevice, Directory, Fifo, File, Socket, Symlink};

    fn change(path: &str, kind: FileKind, deed: Deed) -> Change<'_> {
        let path = RelPath::new(path.as_bytes()).unwrap();
        let is_new = deed == Deed::Create;
        Change { path, kind, deed, is_new, differs: Aspects::default(), target: None, size: 0 }
    }

    /// Every line was printed by `rsync -aHAXi`, version 3.5.0.
    #[test]
    fn what_is_new_or_gone_is_told_as_rsync_tells_it() {
        let link = Change { is_new: true, target: Some(b"h"), ..change("f", File, Deed::Link) };
        let symlink = Change { target: Some(b"f"), ..change("l", Symlink, Deed::Create) };
        for (change, expected) in [
            (change("h", File, Deed::Create), ">f+++++++++ h"),
            (symlink, "cL+++++++++ l -> f"),
            (change("p", Fifo, Deed::Create), "cS+++++++++ p"),
            (change("c", CharDevice, Deed::Create), "cD+++++++++ c"),
            (change("d", Directory, Deed::Create), "cd+++++++++ d/"),
            (link, "hf+++++++++ f => h"),
            (change("del/x", Directory, Deed::Delete), "*deleting   del/x/"),
            (change("z", File, Deed::Delete), "*deleting   z"),
            (Change { target: Some(b"f"), ..change("l", Symlink, Deed::Delete) }, "*deleting   l"),
        ] {
            assert_eq!(line(&change), expected);
        }
    }

    /// The same.
    #[test]
    fn what_differs_is_told_as_rsync_tells_it() {
        let none = Aspects::default();
        let with = |differs, change| Change { differs, ..change };
        let target = |target, change| Change { target: Some(target), ..change };
        for (change, expected) in [
            (
                with(Aspects { time: true, ..none }, change("", Directory, Deed::SetMetadata)),
                ".d..t...... ./",
            ),
            (
                with(Aspects { mode: true, ..none }, change("d", Directory, Deed::SetMetadata)),
                ".d...p..... d/",
            ),
            (with(Aspects { size: true, ..none }, change("f", File, Deed::Update)), ">f.s....... f"),
            (with(Aspects { content: true, ..none }, change("p", File, Deed::Update)), ">fc........ p"),
            (change("x", File, Deed::Update), ">f......... x"),
            (
                target(
                    b"d",
                    with(Aspects { content: true, size: true, ..none }, change("l", Symlink, Deed::Update)),
                ),
                "cLc........ l -> d",
            ),
            (
                target(
                    b"d2",
                    with(
                        Aspects { content: true, time_of_transfer: true, ..none },
                        change("l", Symlink, Deed::Update),
                    ),
                ),
                "cLc.T...... l -> d2",
            ),
            (
                with(Aspects { content: true, time: true, ..none }, change("c", CharDevice, Deed::Update)),
                "cDc.t...... c",
            ),
            (
                with(Aspects { user: true, group: true, ..none }, change("p", Fifo, Deed::SetMetadata)),
                ".S....og... p",
            ),
            (with(Aspects { acl: true, ..none }, change("e", File, Deed::SetMetadata)), ".f.......a. e"),
            (with(Aspects { xattr: true, ..none }, change("x", File, Deed::SetMetadata)), ".f........x x"),
            (with(Aspects { atime: true, ..none }, change("p", File, Deed::SetMetadata)), ".f......u.. p"),
            (
                target(b"f", with(Aspects { size: true, ..none }, change("h", File, Deed::Link))),
                "hf.s....... h => f",
            ),
            (target(b"x", change("y", File, Deed::Link)), "hf          y => x"),
            (target(b"D", change("d", Directory, Deed::Rename)), "cd          d/ <= D"),
        ] {
            assert_eq!(line(&change), expected);
        }
    }

    #[test]
    fn what_is_as_it_should_be_has_blank_columns() {
        for (path, kind, expected) in [
            ("", Directory, ".d          ./"),
            ("f", File, ".f          f"),
            ("l", Symlink, ".L          l"),
            ("s", Socket, ".S          s"),
        ] {
            assert_eq!(unchanged_line(RelPath::new(path.as_bytes()).unwrap(), kind), expected);
        }
    }

    #[test]
    fn there_are_always_eleven_columns() {
        for deed in [Deed::Create, Deed::Update, Deed::Link, Deed::SetMetadata, Deed::Rename, Deed::Delete] {
            for kind in [File, Directory, Symlink, Fifo, CharDevice, FileKind::BlockDevice, Socket] {
                assert_eq!(columns(&change("a", kind, deed)).len(), 11, "{deed:?} {kind:?}");
            }
        }
    }

    #[test]
    fn names_without_columns_tell_what_is_removed_and_escape_what_could_move_the_cursor() {
        for (change, expected) in [
            (change("a/b", Directory, Deed::Create), "a/b/"),
            (change("a", Directory, Deed::Delete), "deleting a/"),
            (change("a\nb", File, Deed::Update), "a\\nb"),
            (Change { target: Some(b"\x1b[2J"), ..change("l", Symlink, Deed::Create) }, "l -> \\x1b[2J"),
            (Change { target: Some(b"a"), ..change("b", File, Deed::Link) }, "b => a"),
        ] {
            assert_eq!(name_line(&change), expected);
        }
    }
}
