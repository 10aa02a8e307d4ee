//! Builds trees from a list of nodes.
//!
//! Everything is made relative to descriptors: a path may be longer than `PATH_MAX`. The order of the list does not
//! matter, and two builds of one list differ in nothing that haul keeps.

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, XattrFlags, chmodat, chownat, linkat, makedev,
    mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// One entry of a tree to be built.
#[derive(Debug, Clone)]
pub struct Node {
    pub path: Vec<u8>,
    pub make: Make,
    pub mode: u32,
    pub mtime: (i64, u32),
    pub owner: Option<(u32, u32)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone)]
pub enum Make {
    File(Vec<u8>),
    /// Size, and the stretches that hold data.
    Sparse(u64, Vec<(u64, Vec<u8>)>),
    Directory,
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
    Fifo,
    Char(u32, u32),
    Block(u32, u32),
    Socket,
}

/// The mtime of every node that has no own: builds of one list must not differ.
pub const MTIME: (i64, u32) = (1_700_000_000, 123_456_789);

fn node(path: impl AsRef<[u8]>, mode: u32, make: Make) -> Node {
    Node { path: path.as_ref().to_vec(), make, mode, mtime: MTIME, owner: None, xattrs: Vec::new() }
}

pub fn file(path: impl AsRef<[u8]>, content: impl Into<Vec<u8>>) -> Node {
    node(path, 0o644, Make::File(content.into()))
}
pub fn sparse(path: impl AsRef<[u8]>, size: u64, data: &[(u64, &[u8])]) -> Node {
    node(path, 0o644, Make::Sparse(size, data.iter().map(|(at, bytes)| (*at, bytes.to_vec())).collect()))
}
pub fn dir(path: impl AsRef<[u8]>) -> Node {
    node(path, 0o755, Make::Directory)
}
pub fn symlink(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Node {
    node(path, 0o777, Make::Symlink(target.as_ref().to_vec()))
}
pub fn hard_link(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Node {
    node(path, 0, Make::HardLink(target.as_ref().to_vec()))
}
pub fn fifo(path: impl AsRef<[u8]>) -> Node {
    node(path, 0o644, Make::Fifo)
}
pub fn socket(path: impl AsRef<[u8]>) -> Node {
    node(path, 0o644, Make::Socket)
}
pub fn char_device(path: impl AsRef<[u8]>, major: u32, minor: u32) -> Node {
    node(path, 0o600, Make::Char(major, minor))
}
pub fn block_device(path: impl AsRef<[u8]>, major: u32, minor: u32) -> Node {
    node(path, 0o600, Make::Block(major, minor))
}

impl Node {
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }
    pub fn mtime(mut self, seconds: i64, nanos: u32) -> Self {
        self.mtime = (seconds, nanos);
        self
    }
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.owner = Some((uid, gid));
        self
    }
    pub fn xattr(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.xattrs.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }
    /// Adds an ACL: `name` is `system.posix_acl_access` or `..._default`; see [`acl`].
    pub fn acl(self, name: &str, entries: &[(u16, u16, u32)]) -> Self {
        self.xattr(name, acl(entries))
    }
}

/// An ACL in the kernel's form (`linux/posix_acl_xattr.h`): version 2, then tag, permissions and id of each entry, sorted
/// by tag. Tags: 1 owner, 2 user, 4 owning group, 8 group, 16 mask, 32 others.
pub fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut value = 2u32.to_le_bytes().to_vec();
    for (tag, perm, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(perm.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

/// Builds `nodes` in the directory `root`, which is made when it does not exist. Directories that no node names are
/// made with mode 0755 and the common mtime, as is the root.
#[track_caller]
pub fn build(root: &Path, nodes: &[Node]) {
    let _ = std::fs::create_dir(root);
    let (above, name) = (root.parent().unwrap(), root.file_name().unwrap().as_bytes());
    let above = openat(rustix::fs::CWD, above, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let root = openat(&above, name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut all = Vec::from(nodes);
    let mut named: BTreeSet<&[u8]> = nodes.iter().map(|node| node.path.as_slice()).collect();
    for node in nodes {
        let above = node.path.iter().enumerate().filter(|&(_, &b)| b == b'/').map(|(i, _)| &node.path[..i]);
        for above in above.chain([&b""[..]]) {
            if named.insert(above) {
                all.push(dir(above));
            }
        }
    }
    let (links, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|n| matches!(n.make, Make::HardLink(_)));
    for node in &others {
        create(&root, node);
    }
    for link in &links {
        create(&root, link);
    }
    // Deepest first: a directory's mode may forbid to reach what is below it, and its mtime must come last.
    let mut others = others;
    others.sort_by(|a, b| b.path.cmp(&a.path));
    for node in &others {
        if node.path.is_empty() {
            finish(&above, name, node);
        } else {
            let (parent, name) = resolve(&root, &node.path);
            finish(&parent, name, node);
        }
    }
}

fn create(root: &OwnedFd, node: &Node) {
    if node.path.is_empty() {
        return;
    }
    let (parent, name) = resolve(root, &node.path);
    let mode = Mode::RUSR | Mode::WUSR;
    let special = |kind, device| mknodat(&parent, name, kind, mode, device);
    let result = match &node.make {
        Make::Directory => match mkdirat(&parent, name, Mode::RWXU) {
            Err(Errno::EXIST) => Ok(()), // made on the way to something below it
            result => result,
        },
        Make::Symlink(target) => symlinkat(target.as_slice(), &parent, name),
        Make::HardLink(target) => {
            let (target_parent, target) = resolve(root, target);
            linkat(target_parent, target, &parent, name, AtFlags::empty())
        }
        Make::Fifo => special(FileType::Fifo, 0),
        Make::Socket => special(FileType::Socket, 0),
        Make::Char(major, minor) => special(FileType::CharacterDevice, makedev(*major, *minor)),
        Make::Block(major, minor) => special(FileType::BlockDevice, makedev(*major, *minor)),
        Make::File(content) => write(&parent, name, content.len() as u64, &[(0, content)]),
        Make::Sparse(size, data) => {
            let data: Vec<_> = data.iter().map(|(at, bytes)| (*at, bytes.as_slice())).collect();
            write(&parent, name, *size, &data)
        }
    };
    result.unwrap_or_else(|e| panic!("cannot build {}: {e}", super::snapshot::shown(&node.path)));
}

fn write(parent: &OwnedFd, name: &[u8], size: u64, data: &[(u64, &[u8])]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let file = openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::ftruncate(&file, size)?;
    for (offset, mut bytes) in data.iter().copied() {
        let mut at = offset;
        while !bytes.is_empty() {
            let written = rustix::io::pwrite(&file, bytes, at)?;
            bytes = &bytes[written..];
            at += written as u64;
        }
    }
    Ok(())
}

/// Gives `node` its metadata. The order matters: a change of owner clears setuid and capabilities, a `user.` xattr
/// needs write permission, and an ACL is more than the mode.
fn finish(parent: &OwnedFd, name: &[u8], node: &Node) {
    let is_symlink = matches!(node.make, Make::Symlink(_));
    if let Some((uid, gid)) = node.owner {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
    let (acls, others): (Vec<_>, Vec<_>) =
        node.xattrs.iter().partition(|(key, _)| key.starts_with(b"system."));
    for (key, value) in others {
        set_xattr(parent, name, key, value);
    }
    if !is_symlink {
        chmodat(parent, name, Mode::from_raw_mode(node.mode), AtFlags::empty()).unwrap();
    }
    for (key, value) in acls {
        set_xattr(parent, name, key, value);
    }
    let time = Timespec { tv_sec: node.mtime.0, tv_nsec: node.mtime.1.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn set_xattr(parent: &OwnedFd, name: &[u8], key: &[u8], value: &[u8]) {
    let node = openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).unwrap();
    let path = format!("/proc/self/fd/{}", node.as_raw_fd());
    rustix::fs::setxattr(path, key, value, XattrFlags::empty()).unwrap_or_else(|e| {
        panic!("cannot set the xattr {} of {}: {e}", key.escape_ascii(), name.escape_ascii())
    });
}

/// The directory that holds `path`, made when it does not exist, and the entry's name in it.
fn resolve<'a>(root: &OwnedFd, path: &'a [u8]) -> (OwnedFd, &'a [u8]) {
    let mut components: Vec<_> = path.split(|&b| b == b'/').collect();
    let name = components.pop().unwrap();
    let mut dir = root.try_clone().unwrap();
    for component in components {
        let _ = mkdirat(&dir, component, Mode::RWXU);
        dir = openat(dir.as_fd(), component, OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).unwrap();
    }
    (dir, name)
}

/// Whether `name` can be set as an xattr of a file in the directory `dir`.
pub fn keeps_xattr(dir: &Path, name: &str, value: &[u8]) -> bool {
    let probe = tempfile::NamedTempFile::new_in(dir).unwrap();
    rustix::fs::setxattr(probe.path(), name, value, XattrFlags::empty()).is_ok()
}
