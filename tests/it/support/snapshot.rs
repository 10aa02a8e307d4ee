//! A tree as a value: everything that haul promises to keep, read independently of haul's own code.
//!
//! Reads relative to descriptors, so that paths longer than `PATH_MAX` are seen, and skips holes, so that a file of a
//! terabyte costs nothing.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, SeekFrom, Stat, openat, readlinkat, seek, statat};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// A tree: each path below its root, the root itself as the empty path.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(pub BTreeMap<Vec<u8>, Node>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
    /// All names in the tree of this inode, when there are several.
    pub names: BTreeSet<Vec<u8>>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Regular file: size, hash of what is not zero, and the stretches that are not holes.
    File(u64, u128, Vec<(u64, u64)>),
    Directory,
    Symlink(Vec<u8>),
    Fifo,
    Char(u64),
    Block(u64),
    Socket,
}

/// What is compared between two nodes.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    pub mode: bool,
    pub owner: bool,
    /// Times that differ by this many nanoseconds are equal; `None` compares no times.
    pub mtime_slack: Option<u64>,
    /// Of directories too: a tool may set them too early.
    pub directory_mtime: bool,
    /// Of symlinks too: a tool may not set them at all.
    pub symlink_mtime: bool,
    pub names: bool,
    pub xattrs: bool,
    pub holes: bool,
}

impl Fields {
    pub const ALL: Fields = Fields {
        mode: true,
        owner: true,
        mtime_slack: Some(0),
        directory_mtime: true,
        symlink_mtime: true,
        names: true,
        xattrs: true,
        holes: true,
    };
}

impl Snapshot {
    #[track_caller]
    pub fn of(root: &Path) -> Self {
        let dir = openat(rustix::fs::CWD, root, OFlags::DIRECTORY, Mode::empty())
            .unwrap_or_else(|e| panic!("cannot open {}: {e}", root.display()));
        let mut reader = Reader::default();
        let stat = rustix::fs::fstat(&dir).unwrap();
        reader.add(Vec::new(), &stat, Kind::Directory, xattrs(dir.as_fd()));
        reader.directory(dir.as_fd(), &[]);
        reader.finish()
    }

    /// The paths, as text for messages and comparisons, without the root.
    pub fn paths(&self) -> Vec<String> {
        self.0.keys().filter(|path| !path.is_empty()).map(|path| shown(path)).collect()
    }

    pub fn get(&self, path: impl AsRef<[u8]>) -> &Node {
        let path = path.as_ref();
        self.0.get(path).unwrap_or_else(|| panic!("{} is not in {:?}", shown(path), self.paths()))
    }

    /// Without the entries for which `drop` holds.
    pub fn without(mut self, drop: impl Fn(&[u8], &Node) -> bool) -> Self {
        self.0.retain(|path, node| !drop(path, node));
        self
    }

    /// Without the root, whose metadata a test may not care about.
    pub fn without_root(self) -> Self {
        self.without(|path, _| path.is_empty())
    }

    /// One line for each path on which the two differ.
    pub fn diff(&self, other: &Snapshot, fields: Fields) -> Vec<String> {
        let paths: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        paths
            .into_iter()
            .filter_map(|path| {
                let what = match (self.0.get(path), other.0.get(path)) {
                    (Some(a), Some(b)) => a.diff(b, fields),
                    (Some(_), None) => "is missing".to_owned(),
                    (None, _) => "is too much".to_owned(),
                };
                (!what.is_empty()).then(|| format!("{}: {what}", shown(path)))
            })
            .collect()
    }

    /// Panics when `copy` is not what `self` is.
    #[track_caller]
    pub fn assert_same(&self, copy: &Snapshot, fields: Fields) {
        let diff = self.diff(copy, fields);
        assert!(diff.is_empty(), "{} differences:\n{}", diff.len(), diff[..diff.len().min(30)].join("\n"));
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.paths()).finish()
    }
}

impl Node {
    fn diff(&self, other: &Node, fields: Fields) -> String {
        let mut out = String::new();
        let mut differ = |differs: bool, what: &str, a: String, b: String| {
            if differs {
                let _ = write!(out, "{what} {a} became {b}; ");
            }
        };
        let content = |kind: &Kind| match kind {
            Kind::File(size, hash, data) => {
                Kind::File(*size, *hash, if fields.holes { data.clone() } else { vec![] })
            }
            kind => kind.clone(),
        };
        let (a, b) = (content(&self.kind), content(&other.kind));
        differ(a != b, "content", format!("{a:x?}"), format!("{b:x?}"));
        differ(
            fields.mode && self.mode != other.mode,
            "mode",
            format!("{:o}", self.mode),
            format!("{:o}", other.mode),
        );
        let owner = |node: &Node| format!("{}:{}", node.uid, node.gid);
        differ(fields.owner && owner(self) != owner(other), "owner", owner(self), owner(other));
        let timed = match self.kind {
            Kind::Directory => fields.directory_mtime,
            Kind::Symlink(_) => fields.symlink_mtime,
            _ => true,
        };
        let late = fields.mtime_slack.is_some_and(|slack| apart(self.mtime, other.mtime) > u128::from(slack));
        differ(timed && late, "mtime", format!("{:?}", self.mtime), format!("{:?}", other.mtime));
        let names = |node: &Node| node.names.iter().map(|n| shown(n)).collect::<Vec<_>>().join(" ");
        differ(fields.names && self.names != other.names, "hard links", names(self), names(other));
        let xattrs =
            |node: &Node| format!("{:?}", node.xattrs.iter().map(|(k, v)| (shown(k), v)).collect::<Vec<_>>());
        differ(fields.xattrs && self.xattrs != other.xattrs, "xattrs", xattrs(self), xattrs(other));
        out
    }
}

/// How many nanoseconds lie between two times.
fn apart(a: (i64, u32), b: (i64, u32)) -> u128 {
    let nanos = |(seconds, nanos): (i64, u32)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    nanos(a).abs_diff(nanos(b))
}

/// A path as text for messages.
pub fn shown(path: &[u8]) -> String {
    let text: String = path.escape_ascii().to_string();
    if text.len() > 100 { format!("{}...({} bytes)", &text[..100], path.len()) } else { text }
}

/// Builds a snapshot; groups hard links when all is seen.
#[derive(Default)]
struct Reader {
    nodes: BTreeMap<Vec<u8>, Node>,
    inodes: BTreeMap<(u64, u64), BTreeSet<Vec<u8>>>,
}

impl Reader {
    fn directory(&mut self, dir: BorrowedFd<'_>, path: &[u8]) {
        for entry in Dir::read_from(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                let path = if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() };
                self.entry(dir, name, &path);
            }
        }
    }

    fn entry(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &[u8]) {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).unwrap();
        // O_PATH opens anything, unreadable or blocking or not, and names it for the xattr calls.
        let node = openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).unwrap();
        let attributes = xattrs(node.as_fd());
        let open = |flags| openat(dir, name, flags | OFlags::NOFOLLOW, Mode::empty());
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink(readlinkat(dir, name, Vec::new()).unwrap().into_bytes()),
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::Char(stat.st_rdev),
            FileType::BlockDevice => Kind::Block(stat.st_rdev),
            _ => match open(OFlags::RDONLY) {
                Ok(file) => content(&file, stat.st_size.cast_unsigned()),
                Err(e) => panic!("cannot read {}: {e}", shown(path)),
            },
        };
        let is_directory = kind == Kind::Directory;
        self.add(path.to_vec(), &stat, kind, attributes);
        if is_directory {
            let child =
                open(OFlags::DIRECTORY).unwrap_or_else(|e| panic!("cannot open {}: {e}", shown(path)));
            self.directory(child.as_fd(), path);
        }
    }

    fn add(&mut self, path: Vec<u8>, stat: &Stat, kind: Kind, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) {
        if stat.st_nlink > 1 && kind != Kind::Directory {
            self.inodes.entry((stat.st_dev, stat.st_ino)).or_default().insert(path.clone());
        }
        #[allow(clippy::unnecessary_cast)] // the field's type depends on the architecture
        let mtime = (stat.st_mtime as i64, stat.st_mtime_nsec as u32);
        let names = BTreeSet::new();
        let (uid, gid, mode) = (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777);
        self.nodes.insert(path, Node { kind, mode, uid, gid, mtime, names, xattrs });
    }

    fn finish(mut self) -> Snapshot {
        for names in self.inodes.into_values().filter(|names| names.len() > 1) {
            for name in &names {
                self.nodes.get_mut(name).unwrap().names.clone_from(&names);
            }
        }
        Snapshot(self.nodes)
    }
}

/// A file's content: hashed in blocks with their offsets, without blocks of zeros, so that the same bytes have the same
/// hash whether zeros are stored or are holes.
fn content(file: &OwnedFd, size: u64) -> Kind {
    const BLOCK: usize = 4096;
    let mut hash = Xxh3::new();
    let mut data = Vec::new();
    let mut buffer = vec![0; 256 * BLOCK];
    let (mut end, mut hashed) = (0, 0);
    while let Some(start) = offset(seek(file, SeekFrom::Data(end))) {
        end = offset(seek(file, SeekFrom::Hole(start))).unwrap();
        data.push((start, end));
        // Whole blocks, each once, also where a file system's blocks are smaller.
        let mut at = (start - start % BLOCK as u64).max(hashed);
        while at < end {
            let want = buffer.len().min((end - at).next_multiple_of(BLOCK as u64) as usize);
            let read = rustix::io::pread(file, &mut buffer[..want], at).unwrap();
            assert!(read > 0, "a file shrinks while a test looks at it");
            for (i, block) in buffer[..read].chunks(BLOCK).enumerate() {
                let block = &block[..block.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1)];
                if !block.is_empty() {
                    hash.update(&(at + (i * BLOCK) as u64).to_le_bytes());
                    hash.update(block);
                }
            }
            at += read as u64;
        }
        hashed = at;
    }
    Kind::File(size, hash.digest128(), data)
}

/// The offset, or `None` when there is no more data (ENXIO, lseek(2)).
fn offset(result: Result<u64, Errno>) -> Option<u64> {
    match result {
        Err(Errno::NXIO) => None,
        result => Some(result.unwrap()),
    }
}

/// All xattrs of what an `O_PATH` descriptor stands for. fgetxattr(2) refuses such descriptors; the magic link of
/// proc(5) leads to the object itself, a symlink included.
fn xattrs(node: BorrowedFd<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let path = format!("/proc/self/fd/{}", node.as_raw_fd());
    let mut list = vec![0; 64 << 10];
    let len = match rustix::fs::listxattr(&path, &mut list[..]) {
        Err(Errno::NOTSUP) => 0,
        result => result.unwrap(),
    };
    list[..len]
        .split(|&b| b == 0)
        // The security module labels files on its own, by policy and place.
        .filter(|name| !name.is_empty() && *name != b"security.selinux")
        .map(|name| {
            let mut value = vec![0; 64 << 10];
            let len = rustix::fs::getxattr(&path, name, &mut value[..]).unwrap();
            value.truncate(len);
            (name.to_vec(), value)
        })
        .collect()
}

/// An oracle that sees nothing approves of everything, so it is tested itself.
mod tests {
    use super::*;
    use crate::support::scratch::Scratch;
    use crate::support::tree::{Node, build, dir, fifo, file, hard_link, keeps_xattr, sparse, symlink};

    fn snapshot(nodes: &[Node]) -> Snapshot {
        let scratch = Scratch::new();
        build(&scratch.join("tree"), nodes);
        Snapshot::of(&scratch.join("tree"))
    }

    fn sees(a: Node, b: Node, what: &str) {
        let others = [file("other", "x"), sparse("data", 8192, &[(0, b"x")])];
        let [a, b] = [a, b].map(|node| snapshot(&[&others[..], &[node]].concat()));
        let diff = a.diff(&b, Fields::ALL);
        assert!(diff.iter().any(|line| line.contains(what)), "{what} is not in {diff:?}");
        assert_eq!(a.diff(&a, Fields::ALL), [] as [String; 0]);
    }

    #[test]
    fn a_snapshot_sees_every_kind_of_difference() {
        let node = || file("a", "content");
        sees(node(), file("b", "content"), "is missing");
        sees(node(), file("a", "c0ntent"), "content");
        sees(node(), dir("a"), "content");
        sees(node(), fifo("a"), "content");
        sees(symlink("a", "x"), symlink("a", "y"), "content");
        sees(symlink("a", "x").mtime(5, 0), symlink("a", "x").mtime(5, 1), "mtime");
        sees(node(), node().mode(0o4644), "mode");
        sees(node(), node().mtime(1_700_000_000, 123_456_788), "mtime");
        sees(file("a", "x"), hard_link("a", "other"), "hard links");
        let block = [1; 4096];
        sees(
            sparse("a", 16384, &[(0, &block)]),
            sparse("a", 16384, &[(0, &block), (8192, &[0; 4096])]),
            "content",
        );
        let scratch = Scratch::new();
        if keeps_xattr(scratch.path(), "user.probe", b"") {
            sees(node(), node().xattr("user.a", "b"), "xattrs");
            sees(node().xattr("user.a", "c"), node().xattr("user.a", "b"), "xattrs");
            sees(dir("a"), dir("a").xattr("user.a", "b"), "xattrs");
        }
    }

    #[test]
    fn a_hash_does_not_depend_on_holes() {
        let block = [1; 4096];
        let data: Vec<_> = (0..5).map(|i| (i * 12288, &block[..])).collect();
        let zeros = (0..5).map(|i| (i * 12288 + 4096, &[0; 8192][..]));
        let full: Vec<_> = data.iter().copied().chain(zeros).collect();
        let [holes, full] = [data, full].map(|data| snapshot(&[sparse("a", 5 * 12288, &data)]));
        assert_eq!(holes.diff(&full, Fields { holes: false, ..Fields::ALL }), [] as [String; 0]);
        assert!(!holes.diff(&full, Fields::ALL).is_empty());
    }

    #[test]
    fn two_builds_of_one_tree_are_the_same_and_cp_agrees() {
        let scratch = Scratch::new();
        crate::support::trees::everything(&scratch.join("a"));
        crate::support::trees::everything(&scratch.join("b"));
        Snapshot::of(&scratch.join("a")).assert_same(&Snapshot::of(&scratch.join("b")), Fields::ALL);
        crate::support::oracle::assert_rsync_agrees(&scratch.join("a"), &scratch.join("b"));
    }
}
