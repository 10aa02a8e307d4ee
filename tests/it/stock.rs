//! haul and stock archivers: each reads what the other wrote.

use crate::support::oracle::{exact, haul, haul_command, leave_out, peer, peer_run, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Node, Snapshot};
use crate::support::tar::{zstd, zstd_frames};
use crate::support::tree::build;
use crate::support::trees::{everything, modest, sparse_files};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

fn os<'a>(args: &[&'a str]) -> Vec<&'a OsStr> {
    args.iter().copied().map(OsStr::new).collect()
}

// haul writes, they read.

/// Packs everything, and lets `read` unpack the archive, its first argument, into the directory that is its second.
fn stock_reads(fields: Fields, read: impl Fn(&Path, &Path)) {
    stock_reads_but(|_, _| false, fields, read);
}

/// The same, except for entries that this reader cannot read.
fn stock_reads_but(but: fn(&[u8], &Node) -> bool, fields: Fields, read: impl Fn(&Path, &Path)) {
    for options in [&[][..], &["--single-frame"]] {
        let scratch = Scratch::new();
        let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
        everything(&tree);
        run(haul_command().arg("pack").args(options).arg(&tree).arg(&archive), None).expect(0);
        let copy = scratch.mkdir("copy");
        read(&archive, &copy);
        let original = Snapshot::of(&tree);
        let dropped: BTreeSet<_> =
            original.0.iter().filter(|(p, n)| but(p, n)).map(|(p, _)| p.clone()).collect();
        let [original, copy] = [original, Snapshot::of(&copy)]
            .map(|snapshot| snapshot.without(|path, _| dropped.contains(path)));
        original.assert_same(&copy, fields);
    }
}

#[test]
fn gnu_tar_unpacks_the_same_tree() {
    if !(peer("tar") && peer("zstd")) {
        return;
    }
    stock_reads(Fields::ALL, |archive, copy| {
        let args = ["-I", "zstd", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "-p", "-xf"];
        peer_run(
            "tar",
            &[&os(&args)[..], &[archive.as_os_str(), OsStr::new("-C"), copy.as_os_str()]].concat(),
            None,
        );
    });
}

#[test]
fn bsdtar_unpacks_the_same_tree() {
    if !peer("bsdtar") {
        return;
    }
    // libarchive 3.6 does not change the root, and reads a negative time with a fraction as GNU tar writes it, -1.5, as
    // half a second after -1.
    stock_reads_but(
        |path, node| path.is_empty() || (node.mtime.0 < 0 && node.mtime.1 > 0),
        Fields::ALL,
        |archive, copy| {
            let args = ["--numeric-owner", "--xattrs", "--acls", "-p", "-xf"];
            peer_run(
                "bsdtar",
                &[&os(&args)[..], &[archive.as_os_str(), OsStr::new("-C"), copy.as_os_str()]].concat(),
                None,
            );
        },
    );
}

#[test]
fn python_tarfile_unpacks_the_same_tree() {
    if !(peer("python3") && peer("zstd")) {
        return;
    }
    // tarfile keeps no xattrs, no times of symlinks, and times as a 64-bit float: exact to about a microsecond.
    let fields = Fields { xattrs: false, symlink_mtime: false, mtime_slack: Some(2_000), ..Fields::ALL };
    let script = "import sys, tarfile\n\
        with tarfile.open(fileobj=sys.stdin.buffer, mode='r|') as archive:\n\
        \x20   options = {'filter': 'fully_trusted'} if hasattr(tarfile, 'data_filter') else {}\n\
        \x20   archive.extractall(sys.argv[1], numeric_owner=True, **options)\n";
    stock_reads(fields, |archive, copy| {
        let plain = peer_run("zstd", &[OsStr::new("-dcq"), archive.as_os_str()], None);
        peer_run("python3", &[OsStr::new("-c"), OsStr::new(script), copy.as_os_str()], Some(&plain));
    });
}

#[test]
fn zstd_finds_no_fault_in_an_archive() {
    if !peer("zstd") {
        return;
    }
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    everything(&tree);
    haul!["pack", &tree, &archive].expect(0);
    peer_run("zstd", &[OsStr::new("-tq"), archive.as_os_str()], None);
}

#[test]
fn gnu_tar_lists_the_names_that_haul_lists() {
    if !(peer("tar") && peer("zstd")) {
        return;
    }
    let scratch = Scratch::new();
    let (tree, archive) = (scratch.join("tree"), scratch.join("a.tar.zst"));
    build(&tree, &modest());
    haul!["pack", &tree, &archive].expect(0);
    let theirs = peer_run("tar", &[&os(&["-I", "zstd", "-tf"])[..], &[archive.as_os_str()]].concat(), None);
    let theirs = String::from_utf8(theirs).unwrap();
    // tar writes directories with a slash, names that are not ASCII escaped, and the root as `./`.
    let plain =
        |name: &str| name.trim_start_matches("./").trim_end_matches('/').replace("\\303\\274", "\u{fc}");
    let theirs: Vec<_> = theirs.lines().map(plain).filter(|name| !name.is_empty()).collect();
    let ours = haul!["list", &archive].expect(0).lines();
    let ours: Vec<_> =
        ours.iter().map(|name| plain(name)).filter(|name| !name.is_empty() && name != ".").collect();
    assert_eq!(ours, theirs);
}

// They write, haul reads.

/// Unpacks the tar archive `tar` in every wrapping: plain, one zstd frame, many frames; by path, and from a pipe.
fn haul_reads(tar: &[u8], expected: &Snapshot, fields: Fields) {
    let wrappings =
        [("plain", tar.to_vec()), ("one frame", zstd(tar)), ("many frames", zstd_frames(tar, 100_000))];
    for (name, archive) in wrappings {
        let scratch = Scratch::new();
        let path = scratch.write("archive", &archive);
        for (source, stdin) in [(path.as_os_str(), None), (OsStr::new("-"), Some(&archive[..]))] {
            let copy = scratch.join(if stdin.is_some() { "from a pipe" } else { "by path" });
            run(haul_command().arg("unpack").args(exact()).arg(source).arg(&copy), stdin).expect(0);
            let diff = expected.diff(&Snapshot::of(&copy), fields);
            assert!(
                diff.is_empty(),
                "{name}, {}:\n{}",
                copy.display(),
                diff[..diff.len().min(20)].join("\n")
            );
        }
    }
}

struct Stock {
    _scratch: Scratch,
    tree: PathBuf,
    snapshot: Snapshot,
}

impl Stock {
    fn of(make: impl FnOnce(&Path)) -> Self {
        let scratch = Scratch::new();
        let tree = scratch.join("tree");
        make(&tree);
        let snapshot = Snapshot::of(&tree);
        Self { _scratch: scratch, tree, snapshot }
    }

    fn modest() -> Self {
        Self::of(|root| build(root, &modest()))
    }

    /// What `program`, with these options, writes for the tree.
    fn packed(&self, program: &str, options: &[&str]) -> Vec<u8> {
        let place = [OsStr::new("-C"), self.tree.as_os_str(), OsStr::new(".")];
        peer_run(program, &[&os(options)[..], &place].concat(), None)
    }
}

/// Holes in the order of blocks are not what such an archive keeps.
const NO_HOLES: Fields = Fields { holes: false, ..Fields::ALL };
/// What formats with whole seconds and no xattrs keep.
const SECONDS: Fields = Fields { xattrs: false, mtime_slack: Some(999_999_999), ..NO_HOLES };

#[test]
fn archives_of_gnu_tar_in_every_format_are_unpacked() {
    if !peer("tar") {
        return;
    }
    let stock = Stock::modest();
    for format in ["gnu", "oldgnu", "pax", "ustar", "v7"] {
        let tar = stock.packed("tar", &[&format!("--format={format}"), "-cf", "-"]);
        haul_reads(&tar, &stock.snapshot, NO_HOLES);
    }
}

#[test]
fn everything_packed_by_gnu_tar_as_pax_is_unpacked() {
    if !peer("tar") {
        return;
    }
    let stock = Stock::of(everything);
    let options = ["--format=pax", "--xattrs", "--xattrs-include=*", "--acls", "--sparse", "-cf", "-"];
    haul_reads(&stock.packed("tar", &options), &stock.snapshot, Fields::ALL);
}

#[test]
fn everything_packed_by_gnu_tar_as_gnu_is_unpacked() {
    if !peer("tar") {
        return;
    }
    let stock = Stock::of(everything);
    haul_reads(&stock.packed("tar", &["--format=gnu", "-cf", "-"]), &stock.snapshot, SECONDS);
}

#[test]
fn sparse_files_of_gnu_tar_in_every_format_are_unpacked_with_their_holes() {
    if !peer("tar") {
        return;
    }
    let stock = Stock::of(|root| build(root, &sparse_files()));
    for options in [
        &["--format=gnu"][..],
        &["--format=oldgnu"],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=1.0"],
    ] {
        let tar = stock.packed("tar", &[options, &["--sparse", "-cf", "-"]].concat());
        haul_reads(&tar, &stock.snapshot, Fields { holes: true, ..SECONDS });
    }
}

#[test]
fn archives_of_bsdtar_in_every_format_are_unpacked() {
    if !peer("bsdtar") {
        return;
    }
    let stock = Stock::modest();
    for format in ["pax", "gnutar", "ustar"] {
        let tar = stock.packed("bsdtar", &["--format", format, "-cf", "-"]);
        haul_reads(&tar, &stock.snapshot, NO_HOLES);
    }
}

#[test]
fn everything_packed_by_bsdtar_is_unpacked() {
    if !peer("bsdtar") {
        return;
    }
    let stock = Stock::of(everything);
    // libarchive 3.6 writes half a second after -2 as -2.5, which is half a second before it.
    std::fs::remove_dir_all(stock.tree.join("times")).unwrap();
    let tar = stock.packed("bsdtar", &["--format", "pax", "--xattrs", "--acls", "-cf", "-"]);
    haul_reads(&tar, &Snapshot::of(&stock.tree), Fields::ALL);
}

#[test]
fn archives_that_bsdtar_compressed_with_a_frame_for_each_file_are_unpacked() {
    if !peer("bsdtar") {
        return;
    }
    let stock = Stock::modest();
    let options =
        ["--zstd", "--options", "zstd:frame-per-file", "-cf", "/dev/null", "--files-from", "/dev/null"];
    let mut probe = std::process::Command::new("bsdtar");
    if run(probe.args(options), None).code() != Some(0) {
        return leave_out("this bsdtar cannot write a frame for each file");
    }
    let archive = stock.packed("bsdtar", &["--zstd", "--options", "zstd:frame-per-file", "-cf", "-"]);
    let scratch = Scratch::new();
    let path = scratch.write("a.tar.zst", archive);
    haul!["unpack", "-j", "4", &path, &scratch.join("copy")].expect(0);
    stock.snapshot.assert_same(&Snapshot::of(&scratch.join("copy")), NO_HOLES);
}

#[test]
fn archives_of_python_tarfile_in_every_format_are_unpacked() {
    if !peer("python3") {
        return;
    }
    let stock = Stock::modest();
    for format in ["PAX", "GNU", "USTAR"] {
        let script = format!(
            "import sys, tarfile\n\
            with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.{format}_FORMAT) as archive:\n\
            \x20   archive.add(sys.argv[1], arcname='.')\n"
        );
        let args = [OsStr::new("-c"), OsStr::new(&script), stock.tree.as_os_str()];
        haul_reads(&peer_run("python3", &args, None), &stock.snapshot, NO_HOLES);
    }
}

#[test]
fn everything_packed_by_python_tarfile_is_unpacked() {
    if !peer("python3") {
        return;
    }
    let stock = Stock::of(everything);
    let script = "import sys, tarfile\n\
        with tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT) as archive:\n\
        \x20   archive.add(sys.argv[1], arcname='.')\n";
    let args = [OsStr::new("-c"), OsStr::new(script), stock.tree.as_os_str()];
    let tar = peer_run("python3", &args, None);
    // Times as a float; no xattrs; a further name of a fifo or symlink is a node of its own.
    let fields = Fields { xattrs: false, mtime_slack: Some(2_000), ..NO_HOLES };
    haul_reads(&tar, &stock.snapshot, fields);
}

#[test]
fn archives_of_pzstd_are_unpacked() {
    if !(peer("tar") && peer("pzstd")) {
        return;
    }
    let stock = Stock::modest();
    let scratch = Scratch::new();
    let plain = scratch.write("a.tar", stock.packed("tar", &["-cf", "-"]));
    peer_run("pzstd", &[OsStr::new("-qkp4"), plain.as_os_str()], None);
    let archive = scratch.join("a.tar.zst");
    haul!["unpack", &archive, &scratch.join("copy")].expect(0);
    stock.snapshot.assert_same(&Snapshot::of(&scratch.join("copy")), NO_HOLES);
    haul!["verify", &archive, &stock.tree].expect(0);
}

/// Listing and verifying work without an index too.
#[test]
fn archives_of_gnu_tar_are_listed_and_verified() {
    if !(peer("tar") && peer("zstd")) {
        return;
    }
    let stock = Stock::modest();
    let scratch = Scratch::new();
    let tar = stock.packed("tar", &["--format=pax", "-cf", "-"]);
    for bytes in [tar.clone(), zstd(&tar)] {
        let archive = scratch.write("archive", bytes);
        let mut names = haul!["list", &archive].expect(0).lines();
        names.retain(|name| name != "." && name != "./");
        assert_eq!(names.len(), stock.snapshot.paths().len());
        haul!["verify", &archive, &stock.tree].expect(0);
    }
}
