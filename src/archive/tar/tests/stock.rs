//! Stock tars read what is encoded, and what they write is decoded.
//!
//! A peer that is not installed is skipped aloud, or fails the test when `HAUL_REQUIRE_PEERS` is set.

use super::build::{Seen, decode};
use super::properties::pack;
use crate::archive::tar::Ending;
use crate::tree::metadata::ACL_ACCESS;
use crate::tree::{Device, Entry, Extent, Kind, Metadata, Owner, RelPathBuf, Timestamp, Xattr, acl};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

fn has(peer: &str) -> bool {
    let found = Command::new(peer).arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        assert!(std::env::var_os("HAUL_REQUIRE_PEERS").is_none(), "{peer} is required");
        eprintln!("skipped: {peer} is not installed");
    }
    found
}

/// What a command prints, given `input`. It must not complain.
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .env("TZ", "UTC")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A reader may stop at the end-of-archive marker.
    let _ = feeder.join().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && complaints.is_empty(), "{command:?}: {complaints}");
    output.stdout
}

fn path(name: &[u8]) -> RelPathBuf {
    RelPathBuf::from_member_name(name).unwrap()
}

fn sample() -> Vec<Entry> {
    let owner = Owner { uid: 3_000_000, gid: 5, user: b"joe"[..].into(), group: vec![b'g'; 40].into() };
    let xattr = |name: &[u8], value: &[u8]| Xattr { name: name.into(), value: value.into() };
    let text = b"user::rwx\nuser:1000:r-x\ngroup::r--\nmask::rwx\nother::---";
    let acl = acl::from_text(text, |_, _| None).unwrap();
    let xattrs = [xattr(ACL_ACCESS, &acl), xattr(b"user.a=%", b"v\0\nw"), xattr(b"user.empty", b"")];
    let meta = |seconds, nanos, xattrs: &[Xattr]| Metadata {
        mode: 0o4750,
        owner: Arc::new(owner.clone()),
        mtime: Timestamp { seconds, nanos },
        xattrs: xattrs.into(),
    };
    let sparse = Kind::File {
        size: 1 << 20,
        extents: Some([Extent { offset: 4096, len: 1024 }, Extent { offset: 1 << 19, len: 5 }].into()),
    };
    let hole = Kind::File { size: 5000, extents: Some([].into()) };
    let long = [&b"long/"[..], &[b'n'; 200]].concat();
    let entry = |name: &[u8], kind, meta| Entry { path: path(name), kind, meta };
    vec![
        entry(b"./", Kind::Directory, meta(1_700_000_000, 0, &[])),
        entry(b"plain", Kind::file(600), meta(1_700_000_000, 123_456_789, &xattrs)),
        entry(b"before", Kind::file(0), meta(-2, 500_000_000, &[])),
        entry(&[b'x'; 100], Kind::file(1), meta(1, 0, &[])),
        entry(&[&[b'd'; 99][..], b"/e"].concat(), Kind::file(1), meta(1, 0, &[])),
        entry(&long, Kind::file(3), meta(1 << 34, 1, &[])),
        entry(&[b'd'; 100], Kind::Directory, meta(1, 0, &[])),
        entry("grün".as_bytes(), Kind::Symlink(vec![b't'; 150].into()), meta(1, 0, &[])),
        entry(b"hard", Kind::HardLink(path(&long)), meta(1, 0, &[])),
        entry(b"fifo", Kind::Fifo, meta(1, 0, &[])),
        entry(b"char", Kind::CharDevice(Device { major: 1, minor: 3 }), meta(1, 0, &[])),
        entry(b"block", Kind::BlockDevice(Device { major: 4095, minor: 1_048_575 }), meta(1, 0, &[])),
        entry(b"a/sparse", sparse, meta(1, 0, &[])),
        entry(b"hole", hole, meta(1, 0, &[])),
        entry(&[b's'; 120], Kind::File { size: 9, extents: Some([].into()) }, meta(1, 0, &[])),
        entry(b"last", Kind::file(512), meta(1, 0, &[])),
    ]
}

/// The bytes of an entry's file in an archive of [`pack`], holes as zeros.
fn content(seen: &Seen) -> Vec<u8> {
    let mut content = vec![0; seen.member.entry.kind.size() as usize];
    for (offset, bytes) in &seen.data {
        content[*offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }
    content
}

/// The members whose content is compared.
const FILES: [&str; 4] = ["plain", "a/sparse", "hole", "last"];

fn assert_reads(command: &mut Command) {
    let archive = pack(&sample());
    let (seen, _) = decode(&archive, &[usize::MAX]);
    let is_wanted = |seen: &&Seen| FILES.contains(&seen.name().as_str());
    let expected: Vec<u8> = seen.iter().filter(is_wanted).flat_map(content).collect();
    let printed = run(command.args(FILES), &archive);
    // Not `assert_eq`: nobody wants to read a megabyte.
    assert!(printed == expected, "{} bytes of content, not {}", printed.len(), expected.len());
}

/// A line for each entry: its type as `ls` shows it, owner, size or device numbers, name, target.
fn expected_list(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let (letter, size, link) = match &entry.kind {
            Kind::File { size, .. } => ('-', size.to_string(), String::new()),
            Kind::Directory => ('d', "0".into(), String::new()),
            Kind::Symlink(target) => ('l', "0".into(), format!(" -> {}", target.escape_ascii())),
            Kind::HardLink(target) => ('h', "0".into(), format!(" link to {}", target.as_path().display())),
            Kind::Fifo => ('p', "0".into(), String::new()),
            Kind::CharDevice(Device { major, minor }) => ('c', format!("{major},{minor}"), String::new()),
            Kind::BlockDevice(Device { major, minor }) => ('b', format!("{major},{minor}"), String::new()),
        };
        let slash = if entry.kind == Kind::Directory { "/" } else { "" };
        let owner = &entry.meta.owner;
        format!(
            "{letter} {}/{} {size} {}{slash}{link}\n",
            owner.uid,
            owner.gid,
            entry.path.as_path().display()
        )
    };
    entries.iter().map(line).collect()
}

#[test]
fn gnu_tar_reads_every_entry() {
    if !has("tar") {
        return;
    }
    let mut command = Command::new("tar");
    command.args(["-tv", "--numeric-owner", "--full-time", "--quoting-style=literal", "-f", "-"]);
    let listed = String::from_utf8(run(&mut command, &pack(&sample()))).unwrap();
    let shortened = listed.lines().map(|line| {
        let [mode, owner, size, _date, _time, name @ ..] = &line.split_whitespace().collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        format!("{} {owner} {size} {}\n", &mode[..1], name.join(" "))
    });
    assert_eq!(shortened.collect::<String>(), expected_list(&sample()));
    assert!(listed.contains("2023-11-14 22:13:20.123456789 plain"), "{listed}");
    let mut command = Command::new("tar");
    command.args(["-tvv", "--xattrs", "--acls", "-f", "-"]);
    let listed = String::from_utf8(run(&mut command, &pack(&sample()))).unwrap();
    for line in [
        "  a: user::rwx,user:1000:r-x,group::r--,mask::rwx,other::---",
        "  x: 4 user.a=%",
        "  x: 0 user.empty",
    ] {
        assert!(listed.lines().any(|l| l == line), "{line} is not in {listed}");
    }
    assert_reads(Command::new("tar").args(["-xOf", "-"]));
}

#[test]
fn bsdtar_reads_every_entry() {
    if !has("bsdtar") {
        return;
    }
    let list =
        ["-cf", "-", "--format=mtree", "--options=mtree:!all,type,size,uid,gid,time,link,device", "@-"];
    let listed = String::from_utf8(run(Command::new("bsdtar").args(list), &pack(&sample()))).unwrap();
    for line in [
        "/. time=1700000000.0 gid=5 uid=3000000 type=dir",
        "./plain time=1700000000.123456789 gid=5 uid=3000000 type=file size=600",
        "./a/sparse time=1.0 gid=5 uid=3000000 type=file size=1048576",
        "./hole time=1.0 gid=5 uid=3000000 type=file size=5000",
        "./fifo time=1.0 gid=5 uid=3000000 type=fifo",
        "./block time=1.0 gid=5 uid=3000000 type=block device=native,4095,1048575",
        &format!("./gr\\303\\274n time=1.0 gid=5 uid=3000000 type=link link={}", "t".repeat(150)),
        &format!("./{} time=1.0 gid=5 uid=3000000 type=file size=9", "s".repeat(120)),
        &format!("./{}/e time=1.0 gid=5 uid=3000000 type=file size=1", "d".repeat(99)),
    ] {
        assert!(listed.lines().any(|l| l == line), "{line} is not in {listed}");
    }
    assert_reads(Command::new("bsdtar").args(["-xOf", "-"]));
}

const PYTHON_LIST: &str = r"
import sys, tarfile
kinds = {b'0': '-', b'1': 'h', b'2': 'l', b'3': 'c', b'4': 'b', b'5': 'd', b'6': 'p'}
for m in tarfile.open(fileobj=sys.stdin.buffer, mode='r|'):
    size = f'{m.devmajor},{m.devminor}' if m.isdev() and not m.isfifo() else m.size
    link = ' -> ' + m.linkname if m.issym() else ' link to ' + m.linkname if m.islnk() else ''
    slash = '/' if m.isdir() else ''
    link = ''.join(c if ord(c) < 128 else '?' for c in link)
    print(f'{kinds[m.type]} {m.uid}/{m.gid} {size} {m.name}{slash}{link}')
";

const PYTHON_READ: &str = r"
import io, sys, tarfile
tar = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
for name in sys.argv[1:]:
    sys.stdout.buffer.write(tar.extractfile(name).read())
";

#[test]
fn python_reads_every_entry() {
    if !has("python3") {
        return;
    }
    let listed = run(Command::new("python3").args(["-c", PYTHON_LIST]), &pack(&sample()));
    assert_eq!(String::from_utf8(listed).unwrap(), expected_list(&sample()));
    assert_reads(Command::new("python3").args(["-c", PYTHON_READ]));
}

#[test]
fn names_that_are_not_utf_8_stay_as_they_are() {
    let meta = sample()[3].meta.clone();
    let name = [&b"\xff"[..], &[b'n'; 120]].concat();
    let files =
        [&b"short\xfe"[..], &name].map(|n| Entry { path: path(n), kind: Kind::file(0), meta: meta.clone() });
    let symlink = Kind::Symlink([b"\xfd".repeat(110), b"/t".to_vec()].concat().into());
    let entries = [&files[..], &[Entry { path: path(b"link"), kind: symlink, meta }]].concat();
    let expected = [b"short\xfe\n".to_vec(), name, b"\nlink\n".to_vec()].concat();
    let python = "import os,sys,tarfile\nfor m in tarfile.open(fileobj=sys.stdin.buffer, mode='r|'):\n    \
                  sys.stdout.buffer.write(os.fsencode(m.name) + b'\\n')";
    for command in [
        &["tar", "-t", "--quoting-style=literal", "--warning=no-unknown-keyword", "-f", "-"][..],
        &["python3", "-c", python],
    ] {
        if has(command[0]) {
            assert_eq!(
                run(Command::new(command[0]).args(&command[1..]), &pack(&entries)),
                expected,
                "{command:?}"
            );
        }
    }
    if has("bsdtar") {
        // It lists such bytes as octal numbers.
        let listed =
            String::from_utf8(run(Command::new("bsdtar").args(["-tf", "-"]), &pack(&entries))).unwrap();
        assert_eq!(listed, format!("short\\376\n\\377{}\nlink\n", "n".repeat(120)));
    }
}

/// A tree with something of everything that a test may make without privileges.
const MAKE_TREE: &str = r"
import os, sys
os.chdir(sys.argv[1])
os.mkdir('d')
open('d/file', 'wb').write(b'x' * 700)
os.link('d/file', 'd/hard')
os.symlink('t' * 90, 'd/short-link')
os.symlink('t' * 140, 'd/long-link')
os.mkfifo('d/fifo')
open('d/' + 'n' * 140, 'wb').write(b'long')
with open('d/sparse', 'wb') as f:
    for i in range(30):
        f.seek(i * 262144)
        f.write(b'data' * 1024)
    f.truncate(8388608)
os.utime('d/file', ns=(0, 1700000000123456789))
try:
    os.setxattr('d/file', 'user.a=%', b'v')
except OSError:
    pass
";

/// Packs the tree with `command`, and checks what is decoded against the tree.
fn assert_decodes(root: &std::path::Path, command: &[&str]) {
    let mut tar = Command::new(command[0]);
    tar.args(&command[1..]).current_dir(root);
    let archive = run(&mut tar, b"");
    let (seen, end) = decode(&archive, &[4096]);
    assert_eq!(end, Ok(Ending::Marked), "{command:?}");
    let find =
        |name: &str| seen.iter().find(|s| s.name() == name).unwrap_or_else(|| panic!("{command:?}: {name}"));
    let kind = |name: &str| &find(name).member.entry.kind;
    assert_eq!(*kind("d"), Kind::Directory);
    assert_eq!(*kind("d/fifo"), Kind::Fifo);
    assert_eq!(*kind("d/short-link"), Kind::Symlink(vec![b't'; 90].into()));
    // Which of two names comes first is the directory's choice.
    let (file, hard) = match kind("d/file") {
        Kind::HardLink(_) => ("d/hard", "d/file"),
        _ => ("d/file", "d/hard"),
    };
    assert_eq!(*kind(hard), Kind::HardLink(path(file.as_bytes())));
    assert_eq!(content(find(file)), [b'x'; 700]);
    assert_eq!(find(file).member.entry.meta.mtime.seconds, 1_700_000_000);
    let is_v7 = command.contains(&"--format=v7");
    let is_ustar = command.contains(&"--format=ustar");
    if !is_v7 && !is_ustar {
        assert_eq!(*kind("d/long-link"), Kind::Symlink(vec![b't'; 140].into()));
    }
    if !is_v7 {
        assert_eq!(content(find(&format!("d/{}", "n".repeat(140)))), b"long");
    }
    let sparse = content(find("d/sparse"));
    assert!(
        sparse.len() == 8_388_608 && (0..30).all(|i| sparse[i << 18..].starts_with(&b"data".repeat(1024)))
    );
    let is_sparse = matches!(kind("d/sparse"), Kind::File { extents: Some(_), .. });
    assert!(is_sparse || !command.contains(&"--sparse"), "{command:?}");
    if command.contains(&"--xattrs") && find(file).member.entry.meta.xattrs.is_empty() {
        eprintln!("not tested: the file system has no xattrs");
    } else if command.contains(&"--xattrs") {
        assert_eq!(*find(file).member.entry.meta.xattrs[0].name, *b"user.a=%");
    }
}

/// Makes the tree, and checks what each of these commands packs of it.
fn assert_all_decode(commands: &[&[&str]]) {
    if !has("python3") || !has(commands[0][0]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    run(Command::new("python3").args(["-c", MAKE_TREE]).arg(root.path()), b"");
    for command in commands {
        assert_decodes(root.path(), command);
    }
}

#[test]
fn what_gnu_tar_packs_is_understood() {
    assert_all_decode(&[
        &["tar", "--format=gnu", "-cf", "-", "d"],
        &["tar", "--format=oldgnu", "-cf", "-", "d"],
        &["tar", "--format=gnu", "--sparse", "-cf", "-", "d"],
        &["tar", "--format=pax", "-cf", "-", "d"],
        &["tar", "--format=pax", "--xattrs", "--acls", "--sparse", "-cf", "-", "d"],
        &["tar", "--format=pax", "--sparse", "--sparse-version=0.0", "-cf", "-", "d"],
        &["tar", "--format=pax", "--sparse", "--sparse-version=0.1", "-cf", "-", "d"],
        &["tar", "--format=pax", "--sparse", "--sparse-version=1.0", "-cf", "-", "d"],
        &["tar", "--format=pax", "-V", "label", "-cf", "-", "d"],
        &["tar", "--format=gnu", "-V", "label", "-cf", "-", "d"],
    ]);
}

#[test]
fn what_bsdtar_packs_is_understood() {
    assert_all_decode(&[
        &["bsdtar", "--format=pax", "-cf", "-", "d"],
        &["bsdtar", "--format=gnutar", "-cf", "-", "d"],
        &["bsdtar", "--format=pax", "--no-xattrs", "--no-read-sparse", "-cf", "-", "d"],
    ]);
}

#[test]
fn what_python_packs_is_understood() {
    let pack = "import sys,tarfile\nwith tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=getattr(tarfile, \
                sys.argv[1])) as t: t.add('d')";
    assert_all_decode(&[&["python3", "-c", pack, "PAX_FORMAT"], &["python3", "-c", pack, "GNU_FORMAT"]]);
}

#[test]
fn formats_without_long_names_are_understood() {
    for (format, name) in [("--format=ustar", "n".repeat(90)), ("--format=v7", "n".repeat(90))] {
        if !has("tar") {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let make = r"mkdir -p d/sub && printf hello >d/sub/$0 && ln -s target d/link && ln d/sub/$0 d/hard";
        run(Command::new("sh").args(["-c", make, &name]).current_dir(root.path()), b"");
        let mut tar = Command::new("tar");
        tar.args([format, "--sort=name", "-cf", "-", "d"]).current_dir(root.path());
        let (seen, end) = decode(&run(&mut tar, b""), &[100]);
        assert_eq!(end, Ok(Ending::Marked));
        let kinds: Vec<_> = seen.iter().map(|s| (s.name(), s.member.entry.kind.name())).collect();
        let n = |name: &str, kind| (name.to_owned(), kind);
        let long = format!("d/sub/{name}");
        let (first, second) = (n("d/hard", "file"), (long, "hardlink"));
        assert_eq!(
            kinds,
            [n("d", "directory"), first, n("d/link", "symlink"), n("d/sub", "directory"), second],
            "{format}"
        );
    }
}
