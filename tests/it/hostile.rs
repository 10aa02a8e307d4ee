//! Archives that try to reach outside: whatever they hold, nothing outside the destination is touched.
//!
//! The numbers are those of the rows of the hostile-archive matrix that the tests stand for.

use crate::support::oracle::{Outcome, haul_command, is_root, run};
use crate::support::scratch::Scratch;
use crate::support::snapshot::{Fields, Kind, Snapshot};
use crate::support::tar::{Header, Tar, zstd, zstd_frames};
use crate::support::tree::{build, char_device, dir, fifo, file, hard_link, symlink};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A destination, and beside it a tree that must not change.
struct Sandbox {
    scratch: Scratch,
    sentinel: Snapshot,
}

impl Sandbox {
    fn new() -> Self {
        let scratch = Scratch::new();
        let outside = scratch.join("outside");
        build(
            &outside,
            &[
                file("victim", "sentinel").mode(0o600),
                file("dir/deep", "sentinel"),
                dir("empty").mode(0o700),
                hard_link("linked", "victim"),
                symlink("symlink", "victim"),
            ],
        );
        let sentinel = Snapshot::of(&outside);
        Self { scratch, sentinel }
    }

    fn outside(&self) -> PathBuf {
        self.scratch.join("outside")
    }

    fn dest(&self) -> PathBuf {
        self.scratch.join("dest")
    }

    /// The path of something outside, as an archive would name it.
    fn target(&self, name: &str) -> Vec<u8> {
        self.outside().join(name).as_os_str().as_bytes().to_vec()
    }

    fn copy(&self) -> Snapshot {
        Snapshot::of(&self.dest())
    }

    #[track_caller]
    fn assert_untouched(&self, outcome: &Outcome) {
        let diff = self.sentinel.diff(&Snapshot::of(&self.outside()), Fields::ALL);
        assert!(diff.is_empty(), "outside:\n{}\n{outcome}", diff.join("\n"));
        let mut beside: Vec<_> =
            std::fs::read_dir(self.scratch.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        beside.retain(|name| name != "outside" && name != "dest" && name != "archive");
        assert!(beside.is_empty(), "made beside the destination: {beside:?}\n{outcome}");
    }

    #[track_caller]
    fn unpack(&self, archive: &[u8], piped: bool, options: &[&str]) -> Outcome {
        let mut command = haul_command();
        command.arg("unpack").args(options);
        let outcome = if piped {
            run(command.arg("-").arg(self.dest()), Some(archive))
        } else {
            run(command.arg(self.scratch.write("archive", archive)).arg(self.dest()), None)
        };
        self.assert_untouched(&outcome);
        outcome
    }
}

/// Unpacks what `make` builds in every form in which haul reads a tar, each time in a new sandbox, and passes the
/// outcome to `judge`.
#[track_caller]
fn each_way(make: impl Fn(&Sandbox) -> Tar, judge: impl Fn(&Outcome, &Sandbox)) {
    for (wrap, piped) in [(0, false), (1, false), (2, false), (0, true), (1, true)] {
        for threads in ["1", "4"] {
            let sandbox = Sandbox::new();
            let tar = make(&sandbox).end();
            let archive = match wrap {
                0 => tar,
                1 => zstd(&tar),
                _ => zstd_frames(&tar, 512),
            };
            let outcome = sandbox.unpack(&archive, piped, &["-j", threads]);
            judge(&outcome, &sandbox);
        }
    }
}

/// Expects that such an archive is refused.
#[track_caller]
fn refused(make: impl Fn(&Sandbox) -> Tar) {
    each_way(make, |outcome, _| assert!(outcome.code() == Some(5), "should be refused: {outcome}"));
}

/// Expects that such an archive is unpacked, and lets `check` look at the result.
#[track_caller]
fn accepted(make: impl Fn(&Sandbox) -> Tar, check: impl Fn(&Snapshot)) {
    each_way(make, |outcome, sandbox| {
        assert!(outcome.code() == Some(0), "should be unpacked: {outcome}");
        check(&sandbox.copy());
    });
}

/// Expects only that nothing outside changes and that the run ends in an orderly way.
#[track_caller]
fn contained(make: impl Fn(&Sandbox) -> Tar) {
    each_way(make, |outcome, _| assert!(matches!(outcome.code(), Some(0 | 3 | 5)), "{outcome}"));
}

#[track_caller]
fn content(copy: &Snapshot, sandbox_path: &str, expected: &[u8]) {
    let scratch = Scratch::new();
    build(&scratch.join("t"), &[file("f", expected)]);
    let Kind::File(size, hash, _) = Snapshot::of(&scratch.join("t")).get("f").kind.clone() else {
        unreachable!()
    };
    match &copy.get(sandbox_path).kind {
        Kind::File(s, h, _) => assert!((*s, *h) == (size, hash), "{sandbox_path} has another content"),
        other => panic!("{sandbox_path} is {other:?}"),
    }
}

#[test]
fn h1_a_parent_component_anywhere_is_refused() {
    for name in ["../x", "a/../../x", "a/..", "..", "./../x", "a//..//..//x", "../outside/victim", "a/../x"] {
        refused(|_| Tar::new().file(name, "evil"));
        refused(|_| Tar::new().dir(name));
        refused(|_| Tar::new().symlink(name, "x"));
        refused(|_| Tar::new().file("fine", "x").pax(&[("path", name.as_bytes())]).file("other", "evil"));
        refused(|_| Tar::new().gnu_long(b'L', name).file("other", "evil"));
    }
    // The prefix field of ustar is a part of the name too.
    refused(|_| Tar::new().member(Header::new(b'0', "x", 0).put(345, 155, b".."), ""));
}

#[test]
fn h2_an_absolute_name_is_refused() {
    for name in ["/etc/x", "//x", "///x", "/./x", "/"] {
        refused(|_| Tar::new().file(name, "evil"));
        refused(|_| Tar::new().pax(&[("path", name.as_bytes())]).file("other", "evil"));
    }
    refused(|sandbox| Tar::new().pax(&[("path", &sandbox.target("victim"))]).file("other", "evil"));
    refused(|sandbox| Tar::new().gnu_long(b'L', sandbox.target("new")).file("other", "evil"));
}

#[test]
fn h3_names_that_are_special_elsewhere_are_plain_bytes() {
    for name in ["C:../x", "C:\\x", "..\\x", "\\\\?\\x", "CON", "f:ads"] {
        accepted(|_| Tar::new().file(name, "plain"), |copy| content(copy, name, b"plain"));
    }
}

#[test]
fn h4_nothing_is_written_through_a_symlink_of_the_archive() {
    for entry in ["l/victim", "l/new", "l/dir/deep"] {
        refused(|s| Tar::new().symlink("l", s.target("")).file(entry, "evil"));
        refused(|_| Tar::new().symlink("l", "../outside").file(entry, "evil"));
        refused(|s| Tar::new().file(entry, "first").symlink("l", s.target("")).file(entry, "evil"));
    }
    refused(|s| Tar::new().dir("l/dir").symlink("l", s.target("")).file("l/dir/deep", "evil"));
    refused(|_| Tar::new().symlink("l", "../outside").dir("l/new"));
    refused(|_| Tar::new().symlink("l", "../outside").dir("l/dir"));
    refused(|_| Tar::new().symlink("l", "../outside").symlink("l/new", "x"));
    refused(|_| Tar::new().symlink("l", "../outside").hard_link("l/new", "l"));
    refused(|_| Tar::new().symlink("a", "b").symlink("b", "../outside").file("a/new", "evil"));
    // Not even when it stays inside.
    refused(|_| Tar::new().dir("d").symlink("l", "d").file("l/new", "evil"));
    refused(|_| Tar::new().symlink("l", ".").file("l/l/l/new", "evil"));
}

#[test]
fn h4_a_symlink_alone_is_kept_as_it_is() {
    accepted(
        |_| Tar::new().symlink("l", "../outside/victim").symlink("m", "/etc/passwd"),
        |copy| assert_eq!(copy.get("l").kind, Kind::Symlink(b"../outside/victim".to_vec())),
    );
}

#[test]
fn h5_a_directory_that_becomes_a_symlink_is_no_way_out() {
    refused(|s| Tar::new().dir("d").symlink("d", s.target("")).file("d/new", "evil"));
    refused(|s| Tar::new().dir("d").file("d/a", "x").symlink("d", s.target("")).file("d/victim", "evil"));
    refused(|s| {
        Tar::new().dir("d/e").symlink("d/e", s.target("")).dir("d/e/dir").file("d/e/dir/deep", "evil")
    });
}

#[test]
fn h6_an_alias_of_a_directory_is_another_name() {
    for (name, alias) in [("d", "D"), ("\u{fb00}", "ff"), ("u\u{308}", "\u{fc}")] {
        accepted(
            |s| Tar::new().dir(name).symlink(alias, s.target("")).file(format!("{name}/f"), "inside"),
            |copy| content(copy, &format!("{name}/f"), b"inside"),
        );
    }
}

#[test]
fn h7_other_spellings_of_a_path_are_the_same_path() {
    for name in ["l/./victim", "l//victim", "./l/victim", ".//l/.//victim"] {
        refused(|s| Tar::new().symlink("l", s.target("")).file(name, "evil"));
    }
    refused(|s| Tar::new().dir("d//").symlink("d/.", s.target("")).file("./d//victim", "evil"));
    accepted(
        |_| Tar::new().dir("./d//").file("d/./f", "x").file(".//g", "y"),
        |copy| {
            assert_eq!(copy.paths(), ["d", "d/f", "g"]);
        },
    );
}

#[test]
fn h8_the_mode_of_a_directory_does_not_go_through_a_symlink() {
    contained(|s| Tar::new().symlink("d", s.target("dir")).member(Header::new(b'5', "d", 0).mode(0o777), ""));
    contained(|s| {
        Tar::new().symlink("d", s.target("dir")).member(Header::new(b'5', "d/", 0).mode(0o777), "")
    });
    contained(|_| Tar::new().symlink("d", "../outside").member(Header::new(b'5', "d", 0).mode(0o777), ""));
}

#[test]
fn h9_late_metadata_does_not_go_through_a_symlink() {
    contained(|s| {
        Tar::new()
            .member(Header::new(b'5', "d", 0).mode(0o777), "")
            .symlink("d", s.target("dir"))
            .file("z", "x")
    });
    contained(|s| {
        Tar::new()
            .member(Header::new(b'5', "d/e", 0).mode(0o777), "")
            .file("d/e/f", "x")
            .symlink("d", s.target(""))
            .member(Header::new(b'0', "late", 0).mode(0o777), "")
    });
}

#[test]
fn h11_a_hard_link_reaches_only_what_this_run_made() {
    refused(|_| Tar::new().hard_link("l", "/etc/passwd"));
    refused(|_| Tar::new().hard_link("l", "../outside/victim"));
    refused(|_| Tar::new().hard_link("d/l", "../../outside/victim"));
    refused(|s| Tar::new().pax(&[("linkpath", &s.target("victim"))]).hard_link("l", "x"));
    refused(|s| Tar::new().gnu_long(b'K', s.target("victim")).hard_link("l", "x"));
    refused(|_| Tar::new().file("a", "x").hard_link("d/l", "../a"));
}

#[test]
fn h11_a_hard_link_to_a_file_that_was_there_before_is_not_made() {
    let sandbox = Sandbox::new();
    build(&sandbox.dest(), &[file("private", "made by somebody else").mode(0o600)]);
    // The same inode, so that a write or a chmod through the link would show.
    std::fs::hard_link(sandbox.outside().join("victim"), sandbox.dest().join("alias")).unwrap();
    let sandbox = Sandbox { sentinel: Snapshot::of(&sandbox.outside()), ..sandbox };
    for target in ["private", "alias"] {
        let tar = Tar::new().hard_link("l", target).member(Header::new(b'0', "z", 0).mode(0o777), "").end();
        let outcome = sandbox.unpack(&tar, false, &[]);
        assert!(matches!(outcome.code(), Some(3 | 5)), "{outcome}");
        assert!(!sandbox.dest().join("l").is_file(), "a link to {target} was made");
    }
}

#[test]
fn h12_a_hard_link_does_not_go_through_symlinks() {
    refused(|_| {
        Tar::new()
            .dir("a/b/c")
            .symlink("a/b/c/up", "../..")
            .symlink("a/b/escape", "c/up/../..")
            .hard_link("exfil", "a/b/escape/outside/victim")
    });
    refused(|_| Tar::new().symlink("l", "../outside").hard_link("exfil", "l/victim"));
    refused(|_| Tar::new().dir("d").file("d/f", "x").symlink("l", "d").hard_link("exfil", "l/f"));
}

#[test]
fn h13_a_hard_link_to_a_symlink_is_not_followed() {
    contained(|s| {
        Tar::new()
            .symlink("s", s.target("victim"))
            .member(Header::new(b'1', "h", 0).link("s").mode(0o777), "")
            .member(Header::new(b'0', "z", 0).mode(0o777), "")
    });
    contained(|_| {
        Tar::new().symlink("deep/er/s", "../../../outside/victim").hard_link("s", "deep/er/s").file("s", "x")
    });
}

#[test]
fn h14_data_behind_a_hard_link_goes_nowhere() {
    refused(|_| Tar::new().member(Header::new(b'1', "l", 4).link("../outside/victim"), "evil"));
    refused(|s| {
        Tar::new().symlink("s", s.target("")).member(Header::new(b'1', "l", 4).link("s/victim"), "evil")
    });
    accepted(
        |_| {
            Tar::new().file("a", "good").member(Header::new(b'1', "l", 4).link("a"), "evil").file("z", "last")
        },
        |copy| {
            content(copy, "a", b"good");
            content(copy, "l", b"good");
            content(copy, "z", b"last");
        },
    );
}

#[test]
fn h15_a_hard_link_before_its_target_is_a_link_or_an_error() {
    each_way(
        |_| Tar::new().hard_link("l", "a").file("a", "content").file("z", "last"),
        |outcome, sandbox| match outcome.code() {
            Some(0) => assert_eq!(sandbox.copy().get("l").names.len(), 2, "{outcome}"),
            code => assert!(matches!(code, Some(3 | 5)), "{outcome}"),
        },
    );
    each_way(
        |_| Tar::new().file("a", "x").hard_link("l", "nowhere").file("z", "last"),
        |outcome, _| assert!(matches!(outcome.code(), Some(3 | 5)), "{outcome}"),
    );
    contained(|_| Tar::new().hard_link("l", "l"));
    contained(|_| Tar::new().hard_link("l", "m").hard_link("m", "l"));
}

#[test]
fn h16_a_symlink_that_an_earlier_archive_planted_is_not_followed() {
    for target in ["outside", "dir"] {
        let sandbox = Sandbox::new();
        let to = if target == "outside" { sandbox.outside() } else { PathBuf::from("dir") };
        sandbox
            .unpack(&Tar::new().dir("dir").symlink("x", to.as_os_str().as_bytes()).end(), false, &[])
            .expect(0);
        for piped in [false, true] {
            for tar in [
                Tar::new().file("x/new", "evil"),
                Tar::new().dir("x/new"),
                Tar::new().file("x/victim", "evil"),
            ] {
                sandbox.unpack(&tar.end(), piped, &[]).expect(5);
            }
        }
        assert!(sandbox.copy().paths().iter().all(|path| !path.contains("new")));
    }
}

#[test]
fn h16_a_symlink_on_disk_at_the_very_name_is_replaced_and_not_followed() {
    let sandbox = Sandbox::new();
    build(&sandbox.dest(), &[symlink("victim", "../outside/victim"), symlink("dir", "../outside/dir")]);
    let tar = Tar::new().file("victim", "mine").member(Header::new(b'5', "dir", 0).mode(0o777), "").end();
    let outcome = sandbox.unpack(&tar, false, &[]);
    assert!(matches!(outcome.code(), Some(0 | 3 | 5)), "{outcome}");
    if outcome.code() == Some(0) {
        content(&sandbox.copy(), "victim", b"mine");
        assert_eq!(sandbox.copy().get("dir").kind, Kind::Directory);
    }
}

#[test]
fn h20_of_several_members_of_one_name_the_last_wins() {
    let last = |copy: &Snapshot| content(copy, "a", b"three");
    accepted(|_| Tar::new().file("a", "one").file("a", "two").file("b", "x").file("a", "three"), last);
    accepted(|_| Tar::new().file("a", "one, and longer").file("./a", "three"), last);
    accepted(|s| Tar::new().symlink("a", s.target("victim")).file("a", "three"), last);
    accepted(
        |_| Tar::new().file("a", "one").symlink("a", "b"),
        |copy| {
            assert_eq!(copy.get("a").kind, Kind::Symlink(b"b".to_vec()));
        },
    );
    let header = |mode| Header::new(b'5', "d", 0).mode(mode).clone();
    accepted(
        |_| Tar::new().member(&header(0o700), "").file("d/f", "x").member(&header(0o711), ""),
        |copy| {
            assert_eq!(copy.get("d").mode, 0o711);
            content(copy, "d/f", b"x");
        },
    );
}

#[test]
fn h20_a_directory_and_a_file_of_one_name_have_one_outcome() {
    for make in [
        |_: &Sandbox| Tar::new().dir("a").file("a", "file"),
        |_: &Sandbox| Tar::new().file("a", "file").dir("a"),
        |_: &Sandbox| Tar::new().file("a", "file").file("a/below", "x"),
        |_: &Sandbox| Tar::new().file("a/below", "x").file("a", "file"),
    ] {
        let outcomes = std::cell::RefCell::new(Vec::new());
        each_way(make, |outcome, sandbox| {
            assert!(matches!(outcome.code(), Some(0 | 3 | 5)), "{outcome}");
            if outcome.code() == Some(0) {
                outcomes.borrow_mut().push(sandbox.copy().get("a").kind.clone());
            }
        });
        let outcomes = outcomes.into_inner();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{outcomes:?}");
    }
}

#[test]
fn h22_kinds_that_nobody_can_mean_are_refused() {
    for typeflag in [b'D', b'M', b'N', b'Z', b'8', 0xff] {
        refused(|_| Tar::new().member(&Header::new(typeflag, "odd", 0), ""));
    }
}

#[test]
fn h22_a_volume_label_is_no_entry_and_a_contiguous_file_is_a_file() {
    accepted(
        |_| Tar::new().member(&Header::new(b'V', "label", 0), "").member(&Header::new(b'7', "a", 4), "good"),
        |copy| {
            assert_eq!(copy.paths(), ["a"]);
            content(copy, "a", b"good");
        },
    );
}

#[test]
fn h22_a_device_is_made_only_by_root() {
    let device = |typeflag| Header::new(typeflag, "device", 0).octal(329, 1).octal(337, 3).clone();
    for typeflag in [b'3', b'4'] {
        each_way(
            |_| Tar::new().file("a", "x").member(&device(typeflag), "").file("z", "y"),
            |outcome, sandbox| {
                content(&sandbox.copy(), "z", b"y");
                if outcome.code() == Some(0) {
                    assert!(matches!(sandbox.copy().get("device").kind, Kind::Char(_) | Kind::Block(_)));
                } else {
                    assert!(outcome.code() == Some(3) && outcome.stderr.contains("device"), "{outcome}");
                    assert!(outcome.stderr.contains("EPERM"), "{outcome}");
                }
            },
        );
    }
}

#[test]
fn h23_what_stands_at_a_name_is_replaced_and_never_opened() {
    let sandbox = Sandbox::new();
    let mut nodes = vec![fifo("fifo"), symlink("symlink", "../outside/victim")];
    if is_root() {
        nodes.push(char_device("device", 1, 7)); // /dev/full: a write would fail
    }
    build(&sandbox.dest(), &nodes);
    std::fs::hard_link(sandbox.outside().join("victim"), sandbox.dest().join("linked")).unwrap();
    let sandbox = Sandbox { sentinel: Snapshot::of(&sandbox.outside()), ..sandbox };
    let names = ["fifo", "symlink", "device", "linked"];
    let tar = names.iter().fold(Tar::new(), |tar, name| tar.file(name, "mine")).end();
    let outcome = run(haul_command().arg("unpack").arg("-").arg(sandbox.dest()), Some(&tar)).expect(0);
    for name in names {
        content(&sandbox.copy(), name, b"mine");
    }
    assert_eq!(std::fs::read(sandbox.outside().join("victim")).unwrap(), b"sentinel", "{outcome}");
    // Its link count is all that changed outside: the sandbox's name of it is gone.
    sandbox.assert_untouched(&outcome);
}

#[test]
fn h37_any_name_that_linux_allows_is_kept_and_shown_escaped() {
    for name in crate::support::trees::odd_names() {
        each_way(
            |_| Tar::new().pax(&[("path", &name)]).file("x", "odd"),
            |outcome, sandbox| {
                assert!(outcome.code() == Some(0), "{outcome}");
                let path = sandbox.copy().0.into_keys().find(|path| !path.is_empty()).unwrap();
                assert_eq!(path, name);
                assert!(!outcome.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", outcome.stderr);
            },
        );
    }
}

#[test]
fn h37_an_empty_name_is_refused_and_the_root_is_not_an_entry() {
    refused(|_| Tar::new().file("", "x"));
    refused(|_| Tar::new().dir(""));
    for name in [".", "./", "././"] {
        accepted(|_| Tar::new().dir(name).file("a", "x"), |copy| assert_eq!(copy.paths(), ["a"]));
    }
}

#[test]
fn h37_a_name_that_is_too_long_fails_alone() {
    let long = "n".repeat(256);
    each_way(
        |_| Tar::new().pax(&[("path", long.as_bytes())]).file("x", "odd").file("z", "fine"),
        |outcome, sandbox| {
            assert!(outcome.code() == Some(3) && outcome.stderr.contains("ENAMETOOLONG"), "{outcome}");
            content(&sandbox.copy(), "z", b"fine");
        },
    );
}

#[test]
fn h37_a_message_about_a_refused_name_cannot_move_the_cursor() {
    let name = b"\x1b[2J\x1b]0;title\x07../../x\n/..";
    each_way(
        |_| Tar::new().pax(&[("path", name)]).file("x", "evil"),
        |outcome, _| {
            assert!(outcome.code() == Some(5), "{outcome}");
            assert!(!outcome.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", outcome.stderr);
        },
    );
}

#[test]
fn h41_the_root_is_never_replaced() {
    for name in [".", "./", "./."] {
        refused(|s| Tar::new().symlink(name, s.target("")).file("a", "evil"));
        refused(|_| Tar::new().file(name, "evil"));
        refused(|_| Tar::new().file("a", "x").hard_link(name, "a"));
        refused(|_| Tar::new().member(&Header::new(b'6', name, 0), ""));
    }
}

#[test]
fn h41_a_root_without_permissions_does_not_keep_its_contents_out() {
    each_way(
        |_| Tar::new().member(Header::new(b'5', "./", 0).mode(0), "").file("a", "x").file("d/b", "y"),
        |outcome, sandbox| {
            assert!(outcome.code() == Some(0), "{outcome}");
            make_accessible(&sandbox.dest());
            content(&sandbox.copy(), "d/b", b"y");
        },
    );
}

fn make_accessible(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A header can declare any size in base-256. Nothing is set aside for it: the archive is cut short, and that is said.
#[test]
fn h29_a_declared_size_takes_no_memory() {
    let mut header = Header::new(b'0', "f", 0);
    let mut size = [0; 12];
    size[0] = 0x80;
    size[4..].copy_from_slice(&(i64::MAX).to_be_bytes());
    header.put(124, 12, &size);
    let tar = Tar::new().member(&header, b"x".repeat(1_000));
    let archive = tar.bytes();
    let sandbox = Sandbox::new();
    let path = sandbox.scratch.write("archive", archive);
    std::fs::create_dir(sandbox.dest()).unwrap();
    for words in [
        &["verify", "A", "D"][..],
        &["diff", "A", "D"],
        &["verify", "A"],
        &["list", "A"],
        &["unpack", "A", "D"],
    ] {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "ulimit -v 2000000; exec \"$@\"", "sh"]).arg(haul_command().get_program());
        for word in words {
            match *word {
                "A" => command.arg(&path),
                "D" => command.arg(sandbox.dest()),
                word => command.arg(word),
            };
        }
        run(&mut command, None).expect(5);
    }
}
