//! The trees that many tests use.

use super::oracle::{is_root, leave_out};
use super::tree::{
    Node, block_device, build, char_device, dir, fifo, file, hard_link, keeps_xattr, sparse, symlink,
};
use std::path::Path;

/// Bytes that do not compress.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend(state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Bytes that compress well and are different everywhere.
pub fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 32);
    let mut line = seed;
    while bytes.len() < len {
        bytes.extend_from_slice(format!("line {line} of some text\n").as_bytes());
        line += 1;
    }
    bytes.truncate(len);
    bytes
}

/// Names that are hard to carry: each is legal on Linux.
pub fn odd_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b"new\nline"[..],
        b"esc\x1b[2J\x07",
        b"not utf-8 \xff\xfe",
        b"-rf",
        b"--help",
        b" leading",
        b"trailing ",
        b"back\\slash",
        b"\\n",
        "gr\u{fc}n-\u{65e5}\u{672c}\u{8a9e}-\u{1f980}".as_bytes(),
        "decomposed-u\u{308}".as_bytes(),
        b"*?[x]{a,b}",
        b"'single' \"double\" `back` $HOME",
        b"tab\t",
        b"...",
        b"..a",
        b"~",
        b"100%25=x",
        b"C:\\con",
        b"\x01\x7f",
        b"@LongLink",
        b"#comment",
        b"name.",
    ]
    .map(<[u8]>::to_vec)
    .into();
    names.push(vec![b'n'; 255]);
    names.push([vec![0xe9; 254], b"x".to_vec()].concat());
    names
}

/// Builds a tree with every kind of entry and of metadata that haul, rsync and stock archivers can all carry. What
/// needs root, or a file system that can keep it, is left out aloud.
pub fn everything(root: &Path) {
    let mut nodes = Vec::new();
    nodes.extend(names());
    nodes.extend(sizes());
    nodes.extend(links());
    nodes.extend(sparse_files());
    nodes.extend(modes());
    nodes.extend(times());
    let _ = std::fs::create_dir(root);
    nodes.extend(attributes(root));
    if is_root() {
        nodes.extend(only_root());
    } else {
        leave_out("devices, foreign owners, unreadable files, and trusted xattrs need root");
    }
    build(root, &nodes);
}

fn names() -> Vec<Node> {
    let mut nodes = Vec::new();
    for (i, name) in odd_names().into_iter().enumerate() {
        nodes.push(file([b"names/files/", &name[..]].concat(), format!("{i}")));
        nodes.push(file([b"names/dirs/", &name[..], b"/inside"].concat(), ""));
        nodes.push(symlink([b"names/symlinks/", &name[..]].concat(), &name));
    }
    // Around the 100 bytes of the ustar name field, its 155 bytes of prefix, and well beyond both.
    for len in [98, 99, 100, 101, 155, 156, 254, 255, 256, 257, 300, 2000] {
        let mut path = format!("names/{len}/").into_bytes();
        while path.len() + 1 < len {
            path.push(if path.len() % 50 == 49 { b'/' } else { b'p' });
        }
        path.push(b'q');
        nodes.push(file(&path, "long"));
        nodes.push(symlink(format!("names/to-{len}"), &path[..path.len().min(1000)]));
        nodes.push(hard_link(format!("names/same-{len}"), &path));
    }
    nodes
}

fn sizes() -> Vec<Node> {
    const MIB: usize = 1 << 20;
    let around = |size: usize| [size - 1, size, size + 1];
    let mut nodes = vec![dir("sizes/empty-dir"), file("sizes/0", ""), file("sizes/1", "x")];
    for size in [around(512), around(1024), around(10240), around(4 * MIB), around(8 * MIB)].concat() {
        nodes.push(file(format!("sizes/{size:08}"), text(size as u64, size)));
    }
    nodes.push(file("sizes/noise", noise(1, 5 * MIB + 3)));
    nodes.push(file("sizes/zeros", vec![0; 100_000])); // data, not a hole
    nodes
}

fn links() -> Vec<Node> {
    vec![
        symlink("links/to-file", "../sizes/1"),
        symlink("links/to-dir", "../names"),
        symlink("links/dangling", "nowhere/at all"),
        symlink("links/absolute", "/etc/hostname"),
        symlink("links/up", "../../.."),
        symlink("links/loop", "loop"),
        symlink("links/bytes", b"\xff\n\x1b"),
        symlink("links/long", "t".repeat(1000)),
        symlink("links/old", "x").mtime(1_000_000_000, 7),
        file("links/group/first", "one inode").mode(0o604).mtime(1_500_000_000, 5),
        hard_link("links/group/second", "links/group/first"),
        hard_link("another/directory/third", "links/group/first"),
        hard_link("Before all others", "links/group/first"),
        file("links/empty-group", ""),
        hard_link("links/empty-group-2", "links/empty-group"),
        fifo("links/fifo").mode(0o640),
    ]
}

/// Files with holes at every place.
pub fn sparse_files() -> Vec<Node> {
    const K64: u64 = 64 << 10;
    let block = noise(2, 64 << 10);
    let islands: Vec<_> = (0..300).map(|i| (i * 3 * 4096, &block[..4096])).collect();
    vec![
        sparse("sparse/hole-at-start", 3 * K64, &[(2 * K64, &block)]),
        sparse("sparse/hole-in-the-middle", 4 * K64, &[(0, &block), (3 * K64, &block)]),
        sparse("sparse/hole-at-end", 5 * K64, &[(0, &block)]),
        sparse("sparse/only-a-hole", (1 << 20) + 3, &[]),
        sparse("sparse/unaligned", 10 * K64 + 17, &[(K64 + 5, b"x"), (7 * K64 - 1, b"yz")]),
        sparse("sparse/islands", 300 * 3 * 4096, &islands),
        sparse("sparse/several-frames", 40 << 20, &[(0, &noise(3, 5 << 20)), (17 << 20, &noise(4, 9 << 20))]),
        sparse("sparse/linked", 2 * K64, &[(K64, b"data")]),
        hard_link("sparse/linked-too", "sparse/linked"),
    ]
}

fn modes() -> Vec<Node> {
    let mut nodes = Vec::new();
    for mode in [0o400, 0o444, 0o600, 0o755, 0o777, 0o4755, 0o2755, 0o6711, 0o1644] {
        nodes.push(file(format!("modes/file-{mode:04o}"), "m").mode(mode));
    }
    for mode in [0o500, 0o555, 0o700, 0o1777, 0o2775, 0o3770] {
        nodes.push(dir(format!("modes/dir-{mode:04o}")).mode(mode));
        nodes.push(file(format!("modes/dir-{mode:04o}/below/file"), "b"));
    }
    nodes
}

/// Times that need a sign, more than 33 bits, or nanoseconds. A file system that cannot keep one stores the nearest
/// that it can, and that is then the time to be kept.
fn times() -> Vec<Node> {
    let cases =
        [(0, 0), (1, 1), (-1, 0), (-2, 500_000_000), (-1_000_000_000, 1), (i64::from(i32::MAX) + 1, 0)];
    let cases =
        cases.into_iter().chain([(1 << 33, 999_999_999), ((1 << 33) + 5, 0), (1_234_567_890, 120_000_000)]);
    let mut nodes: Vec<_> =
        cases.map(|(s, ns)| file(format!("times/file {s} {ns}"), "t").mtime(s, ns)).collect();
    nodes.push(dir("times/dir").mtime(1_111_111_111, 111_111_111));
    nodes.push(file("times/dir/file", "t"));
    nodes
}

fn attributes(root: &Path) -> Vec<Node> {
    let mut nodes = Vec::new();
    if keeps_xattr(root, "user.probe", b"") {
        nodes.extend([
            file("xattrs/file", "x").xattr("user.text", "value").xattr("user.binary", b"a\0b\n\xff=\x1b"),
            file("xattrs/empty-value", "").xattr("user.empty", ""),
            file("xattrs/large", "x").xattr("user.large", noise(5, 2500)),
            file("xattrs/named", "x").xattr("user.gr\u{fc}n \u{1f980}", "v").xattr("user.a.b-c d", "w"),
            dir("xattrs/dir").xattr("user.on.dir", "value"),
        ]);
    } else {
        leave_out("this file system keeps no user xattrs");
    }
    let access =
        [(1, 6, !0), (2, 5, 1000), (2, 7, 77_777), (4, 4, !0), (8, 6, 4242), (16, 7, !0), (32, 0, !0)];
    let enter = access.map(|(tag, perm, id)| (tag, if tag == 1 { 7 } else { perm }, id));
    if keeps_xattr(root, "system.posix_acl_access", &super::tree::acl(&access)) {
        nodes.extend([
            file("acls/file", "x").mode(0o670).acl("system.posix_acl_access", &access),
            dir("acls/dir").mode(0o770).acl("system.posix_acl_default", &access),
            file("acls/dir/below", "x"),
            dir("acls/dir/both")
                .mode(0o770)
                .acl("system.posix_acl_access", &enter)
                .acl("system.posix_acl_default", &access),
        ]);
    } else {
        leave_out("this file system keeps no ACLs");
    }
    nodes
}

fn only_root() -> Vec<Node> {
    // struct vfs_cap_data (capabilities(7)), revision 2, effective: cap_net_bind_service.
    let capability = [&0x0200_0001u32.to_le_bytes()[..], &(1u32 << 10).to_le_bytes(), &[0; 12]].concat();
    vec![
        char_device("root/null", 1, 3),
        char_device("root/high-numbers", 4000, 1_000_000).mode(0o666),
        block_device("root/loop", 7, 200).mode(0o660).owner(0, 6),
        fifo("root/fifo").owner(1234, 4321),
        file("root/foreign", "f").owner(12_345, 54_321).mode(0o4711),
        file("root/nobody", "f").owner(65_534, 65_534),
        file("root/large-ids", "f").owner(3_000_000_000, 4_000_000_000),
        symlink("root/foreign-link", "x").owner(111, 222),
        dir("root/foreign-dir").owner(1000, 1000).mode(0o750),
        file("root/mode-0000", "secret").mode(0),
        dir("root/dir-0000").mode(0),
        file("root/dir-0000/inside", "x").mode(0),
        file("root/trusted", "x").xattr("trusted.haul", b"\x01\x02"),
        file("root/capable", "x").xattr("security.capability", capability).mode(0o755),
    ]
}

/// Builds what haul carries but some peers do not: a path beyond `PATH_MAX`, a file of a terabyte, odd xattr names.
pub fn beyond_peers(root: &Path) {
    let component = "d".repeat(255);
    let long_dir = vec![component.as_str(); 17].join("/");
    assert!(long_dir.len() > 4096);
    let mut nodes = vec![
        file(format!("{long_dir}/file"), "far away").mode(0o640),
        symlink(format!("{long_dir}/symlink"), "file"),
        hard_link(format!("{long_dir}/{component}"), format!("{long_dir}/file")),
        hard_link("near", format!("{long_dir}/file")),
        fifo(format!("{long_dir}/fifo")),
        dir(format!("{long_dir}/empty")).mtime(1_000_000_000, 1),
        sparse("terabyte", 1 << 40, &[(0, b"start"), (1 << 39, b"middle"), ((1 << 40) - 3, b"end")]),
        sparse("empty terabyte", (1 << 40) + 1, &[]),
        deep(300),
    ];
    let _ = std::fs::create_dir(root);
    if keeps_xattr(root, "user.probe", b"") {
        nodes.push(file("xattr-names", "x").xattr("user.a=b%3Dc", "=v=").xattr(b"user.\xff\xfe", "w"));
        // A user xattr needs write permission (xattr(7)): GNU tar, unless run by root, sets it too late.
        nodes.push(file("read-only", "x").xattr("user.text", "value").mode(0o444));
    }
    build(root, &nodes);
}

/// A file below `levels` directories.
pub fn deep(levels: usize) -> Node {
    file(format!("{}bottom", "deep/".repeat(levels)), "deep")
}

/// `count` files in one directory.
pub fn wide(count: usize) -> Vec<Node> {
    (0..count).map(|i| file(format!("wide/{i:06}"), format!("file {i}"))).collect()
}

/// What every archive format ever made can carry: short plain names, whole seconds, small numbers.
pub fn modest() -> Vec<Node> {
    let mut nodes = vec![
        dir(""),
        dir("dir"),
        dir("dir/below"),
        dir("many"),
        file("hello.txt", "hello\n").mode(0o640),
        file("empty", ""),
        dir("empty-dir").mode(0o711),
        file("dir/below/file", text(1, 1000)).mtime(1_600_000_000, 0),
        file("dir/script", "#!/bin/sh\n").mode(0o755),
        symlink("dir/link", "below/file"),
        hard_link("dir/same", "hello.txt"),
        file("large", text(2, 9 << 20)),
        file("noise", noise(6, 300_000)),
        file("with space and gr\u{fc}n", "x"),
    ];
    for i in 0..40 {
        nodes.push(file(format!("many/{i}"), text(i, 700 * i as usize)));
    }
    for node in &mut nodes {
        node.mtime.1 = 0;
    }
    nodes
}
