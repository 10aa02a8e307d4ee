//! Carries out what `haul diff --json -v` lists, knowing nothing of the trees but that: the oracle for whether a list of
//! differences is complete.

use crate::support::snapshot::{Kind, Snapshot};
use rustix::fs::{
    AtFlags, Mode, Timespec, Timestamps, XattrFlags, getxattr, listxattr, mkfifoat, removexattr, setxattr,
    utimensat,
};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// The path of a step; of the root, the empty one.
pub fn path_of(step: &Value) -> PathBuf {
    match name(step, "path").as_slice() {
        b"." => PathBuf::new(),
        path => PathBuf::from(OsStr::from_bytes(path)),
    }
}

fn name(step: &Value, field: &str) -> Vec<u8> {
    match step[format!("{field}_bytes")].as_str() {
        Some(hex) => hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect(),
        None => step[field].as_str().unwrap().into(),
    }
}

/// Turns `dst` into `src` by `steps` alone, in the order that the documentation of `haul diff` gives.
pub fn carry_out(steps: &[Value], src: &Path, dst: &Path) {
    let times = directory_times(dst);
    let of = |actions: &'static [&'static str]| {
        steps.iter().filter(move |step| actions.contains(&step["action"].as_str().unwrap()))
    };
    for step in of(&["delete"]).rev() {
        remove(&dst.join(path_of(step)));
    }
    for step in of(&["create", "update"]) {
        let (from, to) = (src.join(path_of(step)), dst.join(path_of(step)));
        if step["action"] == "create" {
            remove(&to);
        }
        make(step, &from, &to);
        copy_metadata(&from, &to);
    }
    for step in of(&["link"]) {
        let to = dst.join(path_of(step));
        remove(&to);
        fs::hard_link(dst.join(OsStr::from_bytes(&name(step, "target"))), to).unwrap();
    }
    for (path, time) in times {
        if dst.join(&path).symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            set_mtime(&dst.join(path), time);
        }
    }
    for step in of(&["set-metadata", "create"]).rev() {
        let (from, to) = (src.join(path_of(step)), dst.join(path_of(step)));
        if step["action"] == "set-metadata" || step["kind"] == "directory" {
            copy_metadata(&from, &to);
        }
    }
}

fn directory_times(root: &Path) -> Vec<(PathBuf, (i64, u32))> {
    let nodes = Snapshot::of(root).0.into_iter().filter(|(_, node)| node.kind == Kind::Directory);
    nodes.map(|(path, node)| (PathBuf::from(OsStr::from_bytes(&path)), node.mtime)).collect()
}

fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

/// Makes what the step says, or gives it the other content, under all its names.
fn make(step: &Value, from: &Path, to: &Path) {
    match step["kind"].as_str().unwrap() {
        "file" => {
            let content = fs::read(from).unwrap();
            assert_eq!(step["size"], content.len());
            fs::write(to, content).unwrap();
        }
        "directory" => fs::create_dir(to).unwrap(),
        "symlink" => {
            remove(to);
            symlink(OsStr::from_bytes(&name(step, "target")), to).unwrap();
        }
        "fifo" => mkfifoat(rustix::fs::CWD, to, Mode::from_raw_mode(0o600)).unwrap(),
        other => panic!("no tree of this test has a {other}"),
    }
}

fn copy_metadata(from: &Path, to: &Path) {
    let meta = from.symlink_metadata().unwrap();
    if !meta.is_symlink() {
        for name in xattrs(to) {
            removexattr(to, &*name).unwrap();
        }
        for name in xattrs(from) {
            let mut value = vec![0; 64 << 10];
            let len = getxattr(from, &*name, &mut value[..]).unwrap();
            setxattr(to, &*name, &value[..len], XattrFlags::empty()).unwrap();
        }
        fs::set_permissions(to, PermissionsExt::from_mode(meta.mode() & 0o7777)).unwrap();
    }
    set_mtime(to, (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap()));
}

/// Those that every user may set on what is theirs.
fn xattrs(path: &Path) -> Vec<Vec<u8>> {
    let mut list = vec![0; 64 << 10];
    let len = listxattr(path, &mut list[..]).unwrap_or(0);
    list[..len].split(|&b| b == 0).filter(|name| name.starts_with(b"user.")).map(<[u8]>::to_vec).collect()
}

fn set_mtime(path: &Path, (seconds, nanos): (i64, u32)) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(rustix::fs::CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}
