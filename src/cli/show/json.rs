//! The JSON that scripts read.
//!
//! Owns its shape, which is a promise: fields are added, never renamed or removed. A UTF-8 name is written as it is.
//! For any other name, `path` is the escaped text and `path_bytes` the exact bytes in hexadecimal; the same holds for
//! `target`.

use super::itemize;
use crate::cli::exit::Exit;
use crate::cli::hint::{explained, explained_failure};
use haul::account::{Cause, Change, Counts, Deed, Difference, End, Failure, Report};
use haul::error::{Act, Error, errno_name};
use haul::ops::list::Listed;
use haul::tree::path::escape;
use haul::tree::{FileKind, Kind, RelPath, Xattr};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

/// Writes one value and a line end.
pub(crate) fn write_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// What `--json` shows about a run.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome<'a> {
    command: &'static str,
    /// `complete`, `interrupted` or `stopped`.
    end: &'static str,
    exit_code: u8,
    /// Why it was stopped: the message that is shown to people.
    error: Option<String>,
    /// The same as a word that never changes.
    error_kind: Option<&'static str>,
    elapsed_seconds: f64,
    counts: Counts,
    failures: Vec<FailureLine>,
    differences: &'a [Difference],
}

#[derive(Debug, Serialize)]
struct FailureLine {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    act: Act,
    errno: Option<i32>,
    errno_name: Option<&'static str>,
    /// The cause as a word that never changes.
    kind: &'static str,
    /// The message that is shown to people.
    message: String,
}

impl<'a> Outcome<'a> {
    pub(crate) fn new(
        command: &'static str,
        outcome: &'a Result<Report, Error>,
        exit: Exit,
        elapsed: Duration,
    ) -> Self {
        let report = outcome.as_ref().ok();
        let (end, error) = match outcome.as_ref().map(|report| &report.end) {
            Ok(End::Complete) => ("complete", None),
            Ok(End::Interrupted) => ("interrupted", None),
            Ok(End::Stopped(error)) | Err(error) => ("stopped", Some(error)),
        };
        Self {
            command,
            end,
            exit_code: exit.code(),
            error: error.map(|error| explained(error).to_string()),
            error_kind: error.map(Error::kind),
            elapsed_seconds: elapsed.as_secs_f64(),
            counts: report.map(|report| report.counts.clone()).unwrap_or_default(),
            failures: report.map_or_else(Vec::new, |report| report.failures.iter().map(failure).collect()),
            differences: report.map_or(&[], |report| &report.differences),
        }
    }
}

fn failure(failure: &Failure) -> FailureLine {
    let (path, path_bytes) = text(&failure.path);
    let errno = if let Cause::Os(error) = &failure.cause { error.raw_os_error() } else { None };
    FailureLine {
        path,
        path_bytes,
        act: failure.act,
        errno,
        errno_name: errno.and_then(errno_name),
        kind: failure.cause.kind(),
        message: explained_failure(failure).to_string(),
    }
}

/// What `haul list --json` shows about an entry.
#[derive(Debug, Serialize)]
pub(crate) struct EntryLine {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    kind: &'static str,
    size: u64,
    /// Octal, as chmod(1) takes it.
    mode: String,
    uid: u32,
    gid: u32,
    user: String,
    group: String,
    mtime_seconds: i64,
    mtime_nanos: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_bytes: Option<String>,
    /// Major and minor number.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<[u32; 2]>,
    /// Offset and length of each stretch of data in a sparse file.
    #[serde(skip_serializing_if = "Option::is_none")]
    extents: Option<Vec<[u64; 2]>>,
    /// Values in hexadecimal.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// A removal of a delta, as one line of a listing.
#[derive(Serialize)]
pub(crate) struct Gone {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    removed: bool,
}

impl Gone {
    pub(crate) fn new(path: RelPath<'_>) -> Self {
        let (path, path_bytes) = text(path.as_bytes());
        Self { path, path_bytes, removed: true }
    }
}

impl EntryLine {
    pub(crate) fn new(listed: Listed<'_>) -> Self {
        let Listed { entry, digest, .. } = listed;
        let (path, path_bytes) = text(entry.path.as_path().as_bytes());
        let (target, target_bytes) = match &entry.kind {
            Kind::Symlink(target) => Some(text(target)).unzip(),
            Kind::HardLink(first) => Some(text(first.as_path().as_bytes())).unzip(),
            _ => (None, None),
        };
        let owner = &entry.meta.owner;
        Self {
            path,
            path_bytes,
            kind: entry.kind.name(),
            size: entry.kind.size(),
            mode: format!("{:04o}", entry.meta.mode),
            uid: owner.uid,
            gid: owner.gid,
            user: escape(&owner.user).into_owned(),
            group: escape(&owner.group).into_owned(),
            mtime_seconds: entry.meta.mtime.seconds,
            mtime_nanos: entry.meta.mtime.nanos,
            target,
            target_bytes: target_bytes.flatten(),
            device: match &entry.kind {
                Kind::CharDevice(device) | Kind::BlockDevice(device) => Some([device.major, device.minor]),
                _ => None,
            },
            extents: match &entry.kind {
                Kind::File { extents: Some(extents), .. } => {
                    Some(extents.iter().map(|extent| [extent.offset, extent.len]).collect())
                }
                _ => None,
            },
            xattrs: entry.meta.xattrs.iter().map(xattr).collect(),
            digest: digest.map(|digest| digest.to_string()),
        }
    }
}

fn xattr(xattr: &Xattr) -> (String, String) {
    (escape(&xattr.name).into_owned(), hex(&xattr.value))
}

/// What `haul sync --json -v` shows about a change.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeLine {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    kind: &'static str,
    /// `create`, `update`, `link`, `set-metadata`, `rename` or `delete`; `none` if nothing changes.
    action: &'static str,
    /// rsync's eleven columns.
    itemize: String,
    /// The target of a symlink, or the name that a `link` joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl ChangeLine {
    pub(crate) fn new(change: &Change<'_>) -> Self {
        let (path, path_bytes) = text(change.path.as_bytes());
        let (target, target_bytes) = change.target.map(text).unzip();
        Self {
            path,
            path_bytes,
            kind: change.kind.name(),
            action: action(change.deed),
            itemize: itemize::columns(change),
            target,
            target_bytes: target_bytes.flatten(),
            size: Some(change.size),
        }
    }

    pub(crate) fn unchanged(path: RelPath<'_>, kind: FileKind) -> Self {
        let (path, path_bytes) = text(path.as_bytes());
        Self {
            path,
            path_bytes,
            kind: kind.name(),
            action: "none",
            itemize: itemize::unchanged(kind),
            target: None,
            target_bytes: None,
            size: None,
        }
    }
}

fn action(deed: Deed) -> &'static str {
    match deed {
        Deed::Create => "create",
        Deed::Update => "update",
        Deed::Link => "link",
        Deed::SetMetadata => "set-metadata",
        Deed::Rename => "rename",
        Deed::Delete => "delete",
    }
}

/// A name as text, and its bytes if the text is not exact. The root is `.`.
fn text(name: &[u8]) -> (String, Option<String>) {
    match std::str::from_utf8(name) {
        Ok("") => (".".to_owned(), None),
        Ok(text) => (text.to_owned(), None),
        Err(_) => (escape(name).into_owned(), Some(hex(name))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use haul::account::Aspects;
    use haul::account::Differs;
    use haul::tree::{Digest, Entry, Extent, Metadata, Owner, RelPathBuf, Timestamp};
    use serde_json::{Value, json};
    use std::path::Path;
    use std::sync::Arc;

    fn value(outcome: &Result<Report, Error>) -> Value {
        let exit = Exit::of(outcome, 2);
        serde_json::to_value(Outcome::new("pack", outcome, exit, Duration::from_millis(1500))).unwrap()
    }

    #[test]
    fn a_report_is_told_in_full() {
        let mut report = Report::default();
        report.counts.files = 3;
        report.fail(RelPath::new(b"a\xff").unwrap(), Act::Open, io::Error::from_raw_os_error(13));
        report.fail(RelPath::new(b"b\n").unwrap(), Act::Read, Cause::Shrunk);
        report
            .differences
            .push(Difference { path: "c".into(), what: vec![Differs::Mode, Differs::HardLink] });
        let value = value(&Ok(report));
        assert_eq!(
            (&value["end"], &value["exit_code"], &value["error"]),
            (&json!("complete"), &json!(3), &Value::Null)
        );
        assert_eq!((&value["counts"]["files"], &value["elapsed_seconds"]), (&json!(3), &json!(1.5)));
        assert_eq!(
            value["failures"][0],
            json!({
                "path": "a\\xff", "path_bytes": "61ff", "act": "open", "errno": 13, "errno_name": "EACCES",
                "kind": "denied",
                "message": "cannot open a\\xff: Permission denied (EACCES)",
            })
        );
        assert_eq!(
            (&value["failures"][1]["path"], &value["failures"][1]["errno"]),
            (&json!("b\n"), &Value::Null)
        );
        assert_eq!((&value["failures"][1]["kind"], &value["error_kind"]), (&json!("shrunk"), &Value::Null));
        assert_eq!(value["differences"], json!([{ "path": "c", "what": ["mode", "hard-link"] }]));
    }

    #[test]
    fn an_error_is_a_report_without_counts() {
        let error = || Error::io(Act::Open, Path::new("x"), io::Error::from_raw_os_error(2));
        let stopped = Report { end: End::Stopped(error()), ..Report::default() };
        for outcome in [Err(error()), Ok(stopped)] {
            let value = value(&outcome);
            assert_eq!((&value["end"], &value["exit_code"]), (&json!("stopped"), &json!(1)));
            assert_eq!(value["error"], json!("cannot open x: No such file or directory (ENOENT)"));
            assert_eq!(value["error_kind"], json!("not-found"));
            assert_eq!(value["counts"]["files"], json!(0));
        }
        let interrupted = value(&Ok(Report { end: End::Interrupted, ..Report::default() }));
        assert_eq!((&interrupted["end"], &interrupted["exit_code"]), (&json!("interrupted"), &json!(130)));
    }

    #[test]
    fn an_entry_is_told_in_full() {
        let owner = Owner { uid: 1, gid: 2, user: b"u"[..].into(), group: [].into() };
        let xattr = Xattr { name: b"user.x"[..].into(), value: [0, 255].into() };
        let mtime = Timestamp { seconds: -2, nanos: 5 };
        let meta = Metadata { mode: 0o4755, owner: Arc::new(owner), mtime, xattrs: [xattr].into() };
        let path = RelPathBuf::from_member_name("d/ü\u{1b}".as_bytes()).unwrap();
        let kind = Kind::File { size: 9, extents: Some([Extent { offset: 4, len: 5 }].into()) };
        let entry = Entry { path, kind, meta };
        let told = |entry, digest| serde_json::to_value(EntryLine::new(Listed::new(entry, digest))).unwrap();
        let expected = json!({
            "path": "d/ü\u{1b}", "kind": "file", "size": 9, "mode": "4755", "uid": 1, "gid": 2, "user": "u",
            "group": "", "mtime_seconds": -2, "mtime_nanos": 5, "extents": [[4, 5]],
            "xattrs": { "user.x": "00ff" }, "digest": "000000000000000000000000000000ab",
        });
        assert_eq!(told(&entry, Some(Digest(0xab))), expected);

        let symlink = Entry { kind: Kind::Symlink(b"\xff"[..].into()), ..entry.clone() };
        let value = told(&symlink, None);
        assert_eq!((&value["target"], &value["target_bytes"]), (&json!("\\xff"), &json!("ff")));
    }

    #[test]
    fn a_change_is_told_in_full() {
        let change = Change {
            path: RelPath::new(b"d/\xff").unwrap(),
            kind: FileKind::Symlink,
            deed: Deed::Update,
            is_new: false,
            differs: Aspects { content: true, time: true, ..Aspects::default() },
            target: Some(b"t"),
            size: 1,
        };
        let told = |change: &Change<'_>| serde_json::to_value(ChangeLine::new(change)).unwrap();
        let expected = json!({
            "path": "d/\\xff", "path_bytes": "642fff", "kind": "symlink", "action": "update",
            "itemize": "cLc.t......", "target": "t", "size": 1,
        });
        assert_eq!(told(&change), expected);
        let gone = Change { deed: Deed::Delete, kind: FileKind::Directory, target: None, ..change };
        assert_eq!(
            (&told(&gone)["action"], &told(&gone)["itemize"]),
            (&json!("delete"), &json!("*deleting  "))
        );
        let same = serde_json::to_value(ChangeLine::unchanged(RelPath::ROOT, FileKind::Directory)).unwrap();
        let expected =
            json!({ "path": ".", "kind": "directory", "action": "none", "itemize": ".d         " });
        assert_eq!(same, expected);
    }
}
