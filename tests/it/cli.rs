//! The command line itself: help, usage errors, manual pages and completions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn haul(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_haul")).args(args).stdin(Stdio::null()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn files_in(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap()))
        .collect()
}

#[test]
fn every_command_helps_with_examples() {
    for args in [
        &["--help"][..],
        &["sync", "--help"],
        &["sync", "-h"],
        &["pack", "--help"],
        &["unpack", "-h"],
        &["list", "--help"],
        &["verify", "-h"],
        &["diff", "--help"],
        &["probe", "--help"],
    ] {
        let output = haul(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(stdout(&output).contains("Examples:\n  haul "), "{args:?}: {}", stdout(&output));
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = haul(&["--version"]);
    assert_eq!(
        (stdout(&output), stderr(&output)),
        (format!("haul {}\n", env!("CARGO_PKG_VERSION")), String::new())
    );
}

#[test]
fn what_cannot_be_understood_exits_2_and_says_why() {
    for (args, why) in [
        (&["tar"][..], "unrecognized subcommand 'tar'"),
        (&["pack", "only-a-dir"], "ARCHIVE"),
        (&["pack", "d", "a", "--frobnicate"], "--frobnicate"),
        (&["pack", "d", "a", "--level", "20"], "a level must be from -7 to -1 or from 1 to 19"),
        (&["pack", "d", "a", "--level=0"], "a level must be from -7 to -1 or from 1 to 19"),
        (&["pack", "d", "a", "-j", "0"], "1 to 1024"),
        (&["pack", "d", "a", "--only", "[a"], "filter rule '[a': invalid pattern: it can match nothing"),
        (&["pack", "d", "a", "--filter", "? x"], "filter rule '? x': unknown rule"),
        (&["list", "a", "--filter", "-z x"], "filter rule '-z x': unexpected modifier 'z'"),
        (&["unpack", "-", "d", "--exclude-from=-"], "standard input can be read for one flag only"),
        (&["pack", "d", "a", "--owner", "no-such-user-here"], "--owner: 'no-such-user-here' is unknown"),
        (&["pack", "d", "-", "--json"], "--json"),
        (&["unpack", "a", "d", "../x"], "'../x': the name contains '..'"),
        (&["list", "a", "-q", "-v"], "cannot be used with"),
        (&["sync", "only-a-dir"], "DST"),
        (&["sync", "s", "host:dst"], "write ./ before a local name"),
        (&["sync", "user@host:src", "d"], "write ./ before a local name"),
        (&["sync", "rsync://host/module", "d"], "on this machine only"),
        (&["pack", "d", "host:a.tar.zst"], "write ./ before a local name"),
        (&["unpack", "a", "host:d"], "write ./ before a local name"),
        (&["unpack", "host:a", "d"], "write ./ before a local name"),
        (&["list", "host:a"], "write ./ before a local name"),
        (&["verify", "a", "host:d"], "write ./ before a local name"),
        (&["diff", "a", "host:d"], "write ./ before a local name"),
        (&["rollback", "host:d"], "write ./ before a local name"),
        (&["sync", "s", "d", "--delete-before", "--delete-after"], "cannot be used with"),
        (&["sync", "s", "d", "--max-delete=1"], "--max-delete needs --delete"),
        (&["sync", "s", "d", "--max-size=x"], "a size is a number"),
        (&["sync", "s", "d", "--bwlimit=1b"], "at least 512 bytes per second"),
        (&["sync", "s", "d", "-f", "? x"], "filter rule '? x': unknown rule"),
        (
            &["sync", "s", "d", "--exclude-from=-", "--files-from=-"],
            "standard input can be read for one flag only",
        ),
        (&["sync", "-R", "../s", "d"], "'../s': the name contains '..'"),
    ] {
        let output = haul(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(why), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{args:?}");
    }
}

#[test]
fn no_arguments_show_the_help_and_exit_2() {
    let output = haul(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Usage: haul"), "{}", stderr(&output));
}

#[test]
fn a_malformed_source_date_epoch_exits_2() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_haul"));
    let output = command.args(["pack", "d", "a"]).env("SOURCE_DATE_EPOCH", "yesterday").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("SOURCE_DATE_EPOCH must be a number of seconds, not 'yesterday'"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_manual_pages_are_not_stale() {
    let fresh = tempfile::tempdir().unwrap();
    let output = haul(&["generate", "man", fresh.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let committed = files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("man"));
    let fresh = files_in(fresh.path());
    let names = |pages: &BTreeMap<_, _>| pages.keys().cloned().collect::<Vec<String>>();
    assert_eq!(names(&committed), names(&fresh));
    for (name, page) in fresh {
        assert!(committed[&name] == page, "man/{name} is stale: run `cargo run -- generate man man`");
    }
}

#[test]
fn the_manual_pages_keep_the_lines_of_examples() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man/haul-pack.1")).unwrap();
    assert!(page.contains(".SH EXAMPLES\n.nf\n"), "{page}");
    assert!(page.contains("\n  haul pack app app.tar.zst\n"), "{page}");
}

#[test]
fn completions_are_generated_for_each_shell() {
    for (shell, mark) in
        [("bash", "complete -F _haul"), ("zsh", "#compdef haul"), ("fish", "complete -c haul")]
    {
        let output = haul(&["generate", "completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}: {}", stderr(&output));
        let script = stdout(&output);
        assert!(script.contains(mark) && script.contains("exclude-vcs"), "{shell}: {script}");
    }
}

#[test]
fn a_closed_or_full_stdout_does_not_panic() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_haul"))
        .args(["generate", "completions", "bash"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("standard output: No space left on device (ENOSPC)"),
        "{}",
        stderr(&output)
    );

    let closed = Command::new("sh")
        .args(["-c", "exec \"$0\" --help <&- >&- 2>&-", env!("CARGO_BIN_EXE_haul")])
        .status()
        .unwrap();
    assert_eq!(closed.code(), Some(0));
}
