//! The slow file system itself: each oddness does what its name says, and the counts are exact.

use crate::support::slowfs::{Errno, Fault, Op, Options, SlowFs, TimeStep};
use rustix::fs::{CWD, RenameFlags, XattrFlags, renameat_with, setxattr};
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> Errno {
    Errno::from_i32(result.unwrap_err().raw_os_error().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn at(seconds: u64, nanoseconds: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

fn set_mtime(path: &Path, time: SystemTime) -> std::io::Result<()> {
    File::options().write(true).open(path)?.set_times(FileTimes::new().set_modified(time))
}

fn mtime(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn without_oddness_it_is_the_backing_directory() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let (file, dir) = (fs.path().join("file"), fs.path().join("dir"));
    fs::write(&file, "content").unwrap();
    fs::create_dir(&dir).unwrap();
    chmod(&file, 0o4751).unwrap();
    set_mtime(&file, at(1_000_000_000, 123_456_789)).unwrap();
    fs::hard_link(&file, dir.join("link")).unwrap();
    symlink("../file", dir.join("symlink")).unwrap();
    fs::rename(&file, dir.join("moved")).unwrap();
    let backing = fs.backing().join("dir/moved");
    assert_eq!(fs::read(&backing).unwrap(), b"content");
    assert_eq!((mode(&backing), mtime(&backing)), (0o4751, at(1_000_000_000, 123_456_789)));
    for path in [fs.path(), fs.backing()] {
        assert_eq!(fs::metadata(path.join("dir/link")).unwrap().nlink(), 2);
        assert_eq!(fs::read_link(path.join("dir/symlink")).unwrap(), Path::new("../file"));
        let mut names: Vec<_> =
            fs::read_dir(path.join("dir")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["link", "moved", "symlink"]);
    }
    fs::remove_file(dir.join("link")).unwrap();
    fs::remove_file(dir.join("symlink")).unwrap();
    fs::remove_file(dir.join("moved")).unwrap();
    fs::remove_dir(&dir).unwrap();
    assert_eq!(fs::read_dir(fs.backing()).unwrap().count(), 0);
}

/// Also times before 1970, whose fractions count forwards.
#[test]
fn times_are_kept_to_the_nanosecond() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let file = fs.path().join("file");
    fs::write(&file, "").unwrap();
    for time in
        [at(0, 0), at(4_000_000_000, 999_999_999), SystemTime::UNIX_EPOCH - Duration::from_millis(1_250)]
    {
        set_mtime(&file, time).unwrap();
        assert_eq!((mtime(&file), mtime(&fs.backing().join("file"))), (time, time));
    }
}

/// A large directory, whose listing takes several requests.
#[test]
fn a_listing_names_everything_once() {
    for readdirplus in [false, true] {
        let Some(fs) = SlowFs::mount(Options { readdirplus, ..Options::default() }) else { return };
        for n in 0..1_000 {
            fs::write(fs.backing().join(format!("file-{n:04}")), n.to_string()).unwrap();
        }
        let mut entries: Vec<_> = fs::read_dir(fs.path()).unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        assert_eq!(entries.len(), 1_000);
        for (n, entry) in entries.iter().enumerate() {
            assert_eq!(entry.file_name().to_str().unwrap(), format!("file-{n:04}"));
            assert_eq!(entry.metadata().unwrap().len(), n.to_string().len() as u64);
        }
        assert_eq!(fs.counts()[Op::Lookup], if readdirplus { 0 } else { 1_000 }, "{}", fs.counts());
    }
}

#[test]
fn the_counts_are_exact() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    for n in 0..10 {
        fs::write(fs.path().join(format!("{n}")), "12345").unwrap();
    }
    let counts = fs.counts();
    for op in [Op::Lookup, Op::Create, Op::Write, Op::Flush] {
        assert_eq!(counts[op], 10, "{op:?}: {counts}");
    }
    assert_eq!((counts.written_bytes, counts[Op::SetAttr], counts[Op::Rename]), (50, 0, 0), "{counts}");
    fs.reset();
    chmod(&fs.path().join("3"), 0o600).unwrap();
    let counts = fs.counts();
    assert_eq!((counts[Op::SetAttr], counts.set_modes, counts.set_times, counts.set_owners), (1, 1, 0, 0));
    // The name is known; its attributes may be too old by then.
    assert_eq!(counts.total() - counts[Op::GetAttr], 1, "{counts}");
}

/// As many requests wait at once as are made, and each of them waits.
#[test]
fn requests_are_answered_at_once() {
    const CALLERS: usize = 48;
    let Some(fs) = SlowFs::mount(Options::delayed(100)) else {
        return;
    };
    let barrier = Barrier::new(CALLERS);
    let slow = |n: usize| {
        barrier.wait();
        let start = std::time::Instant::now();
        fs::metadata(fs.path().join(format!("{n}"))).unwrap_err();
        start.elapsed()
    };
    let fastest = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|n| scope.spawn(move || slow(n))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).min().unwrap()
    });
    assert!(fastest >= Duration::from_millis(100), "{fastest:?}");
    assert!(fs.most_in_flight() > CALLERS / 2, "{} in flight", fs.most_in_flight());
    assert!(fs.most_in_flight_of(Op::Lookup) > CALLERS / 2);
    assert_eq!(fs.most_in_flight_of(Op::Write), 0);
    assert_eq!(fs.counts()[Op::Lookup], CALLERS as u64);
}

#[test]
fn what_is_refused_fails_with_that_errno() {
    let options = Options {
        chmod: Some(Errno::EPERM),
        chown: Some(Errno::EACCES),
        utimes: Some(Errno::EPERM),
        symlink: Some(Errno::EOPNOTSUPP),
        link: Some(Errno::EMLINK),
        mknod: Some(Errno::EPERM),
        xattr: Some(Errno::EOPNOTSUPP),
        rename_over: Some(Errno::EACCES),
        no_rename_flags: true,
        ..Options::default()
    };
    let Some(fs) = SlowFs::mount(options) else { return };
    let [a, b] = ["a", "b"].map(|name| fs.path().join(name));
    fs::write(&a, "a").unwrap();
    fs::write(&b, "b").unwrap();
    assert_eq!(errno(chmod(&a, 0o600)), Errno::EPERM);
    assert_eq!(errno(chown(&a, Some(rustix::process::geteuid().as_raw()), None)), Errno::EACCES);
    assert_eq!(errno(set_mtime(&a, at(1, 0))), Errno::EPERM);
    assert_eq!(errno(symlink("a", fs.path().join("s"))), Errno::EOPNOTSUPP);
    assert_eq!(errno(fs::hard_link(&a, fs.path().join("l"))), Errno::EMLINK);
    assert_eq!(errno(fs::rename(&a, &b)), Errno::EACCES);
    let fifo = rustix::fs::mknodat(CWD, fs.path().join("p"), rustix::fs::FileType::Fifo, 0o600.into(), 0);
    assert_eq!(fifo.unwrap_err(), rustix::io::Errno::PERM);
    let set = setxattr(&a, "user.x", b"1", XattrFlags::empty());
    assert_eq!(set.unwrap_err(), rustix::io::Errno::OPNOTSUPP);
    for flags in [RenameFlags::EXCHANGE, RenameFlags::NOREPLACE] {
        let to = if flags == RenameFlags::EXCHANGE { b.clone() } else { fs.path().join("new") };
        assert_eq!(renameat_with(CWD, &a, CWD, to, flags).unwrap_err(), rustix::io::Errno::INVAL);
    }
    fs::rename(&a, fs.path().join("c")).unwrap();
}

#[test]
fn a_namespace_of_extended_attributes_can_be_the_only_one() {
    let Some(fs) = SlowFs::mount(Options { xattr_only: Some("user."), ..Options::default() }) else { return };
    let file = fs.path().join("file");
    fs::write(&file, "").unwrap();
    setxattr(&file, "user.x", b"1", XattrFlags::empty()).unwrap();
    let set = setxattr(&file, "trusted.x", b"1", XattrFlags::empty());
    assert!(matches!(set.unwrap_err(), rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM));
}

#[test]
fn what_is_ignored_does_nothing() {
    let options =
        Options { chmod_ignored: true, chown_ignored: true, fixed_mode: Some(0o777), ..Options::default() };
    let Some(fs) = SlowFs::mount(options) else { return };
    let file = fs.path().join("file");
    fs::write(&file, "").unwrap();
    let before = fs::metadata(fs.backing().join("file")).unwrap();
    chmod(&file, 0o400).unwrap();
    assert_eq!(mode(&file), 0o777);
    if rustix::process::geteuid().is_root() {
        chown(&file, Some(12345), Some(12345)).unwrap();
    }
    let after = fs::metadata(fs.backing().join("file")).unwrap();
    assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
}

#[test]
fn names_that_differ_in_case_are_one_name() {
    let Some(fs) = SlowFs::mount(Options { case_insensitive: true, ..Options::default() }) else { return };
    let [upper, lower] = ["Readme", "README"].map(|name| fs.path().join(name));
    fs::write(&upper, "first").unwrap();
    assert_eq!(errno(File::create_new(&lower)), Errno::EEXIST);
    fs::write(&lower, "second").unwrap();
    assert_eq!(fs::read(&upper).unwrap(), b"second");
    // The first spelling stays, until the file goes away and comes back.
    fs::rename(&lower, fs.path().join("other")).unwrap();
    fs::rename(fs.path().join("other"), fs.path().join("readme")).unwrap();
    let names: Vec<_> = fs::read_dir(fs.backing()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["readme"]);
}

#[test]
fn names_that_windows_does_not_have_cannot_be_created() {
    let Some(fs) = SlowFs::mount(Options { forbidden_names: true, ..Options::default() }) else { return };
    for name in ["a:b", "a\\b", "a?", "<", "a.", "a ", "nul", "LPT1", "tab\there"] {
        assert_eq!(errno(File::create_new(fs.path().join(name))), Errno::EINVAL, "{name}");
        assert_eq!(errno(fs::create_dir(fs.path().join(name))), Errno::EINVAL, "{name}");
    }
    fs::write(fs.path().join("plain"), "").unwrap();
    assert_eq!(errno(fs::rename(fs.path().join("plain"), fs.path().join("a*"))), Errno::EINVAL);
    for name in [".hidden", "com", "com10", "nullable", "a.b"] {
        fs::write(fs.path().join(name), "").unwrap();
    }
}

#[test]
fn times_are_kept_in_steps() {
    let exact = at(1_000_000_001, 123_456_789);
    let steps = [
        (TimeStep::HundredNanoseconds, at(1_000_000_001, 123_456_700)),
        (TimeStep::TwoSeconds, at(1_000_000_000, 0)),
    ];
    for (times, kept) in steps {
        let Some(fs) = SlowFs::mount(Options { times, ..Options::default() }) else { return };
        let file = fs.path().join("file");
        fs::write(&file, "").unwrap();
        set_mtime(&file, exact).unwrap();
        assert_eq!((mtime(&file), mtime(&fs.backing().join("file"))), (kept, kept));
    }
}

#[test]
fn a_close_loses_times_that_were_set_after_a_write() {
    let Some(fs) = SlowFs::mount(Options { times_lost_on_close: true, ..Options::default() }) else { return };
    let path = fs.path().join("file");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"x").unwrap();
    file.set_times(FileTimes::new().set_modified(at(1, 0))).unwrap();
    drop(file);
    assert!(mtime(&path) > at(1_000_000_000, 0));
    // Set after the close, they are kept, also by a close that ends no writing.
    set_mtime(&path, at(1, 0)).unwrap();
    assert_eq!(mtime(&path), at(1, 0));
    File::open(&path).unwrap().read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(mtime(&path), at(1, 0));
}

#[test]
fn a_file_marked_read_only_stays_until_it_is_not_marked() {
    let Some(fs) = SlowFs::mount(Options { utimes: None, ..Options::azure() }) else { return };
    let [file, other] = ["file", "other"].map(|name| fs.path().join(name));
    fs::write(&file, "old").unwrap();
    fs::write(&other, "new").unwrap();
    chmod(&file, 0o444).unwrap();
    assert_eq!(mode(&file), 0o555);
    assert_eq!(errno(File::options().write(true).open(&file)), Errno::EACCES);
    assert_eq!(errno(fs::remove_file(&file)), Errno::EACCES);
    assert_eq!(errno(fs::rename(&other, &file)), Errno::EACCES);
    chmod(&file, 0o644).unwrap();
    assert_eq!(mode(&file), 0o777);
    fs::rename(&other, &file).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[test]
fn an_open_file_is_busy() {
    let Some(fs) = SlowFs::mount(Options { busy: true, ..Options::default() }) else { return };
    let [file, other] = ["file", "other"].map(|name| fs.path().join(name));
    fs::write(&other, "new").unwrap();
    let open = File::create(&file).unwrap();
    assert_eq!(errno(fs::rename(&other, &file)), Errno::EACCES);
    assert_eq!(errno(fs::remove_file(&file)), Errno::EACCES);
    drop(open);
    // The release comes when the kernel likes.
    let start = std::time::Instant::now();
    while let Err(error) = fs::rename(&other, &file) {
        assert!(start.elapsed() < Duration::from_secs(30), "{error}");
        thread::yield_now();
    }
}

#[test]
fn faults_strike_the_operations_that_they_name() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let create = |name: &str| File::create_new(fs.path().join(name)).map(drop);
    fs.arm([Fault::nth(Op::Create, 2, Errno::EIO)]);
    create("a").unwrap();
    assert_eq!(errno(create("b")), Errno::EIO);
    assert!(!fs.backing().join("b").exists());
    create("b").unwrap();
    fs.arm([Fault::first(Op::Create, 2, Errno::EAGAIN).on("odd")]);
    create("even").unwrap();
    assert_eq!(errno(create("odd")), Errno::EAGAIN);
    assert_eq!(errno(create("odd")), Errno::EAGAIN);
    create("odd").unwrap();
    // Also of operations that name a file by its descriptor.
    fs.arm([Fault::every(Op::SetAttr, Errno::EIO).on("odd")]);
    chmod(&fs.path().join("even"), 0o600).unwrap();
    assert_eq!(errno(chmod(&fs.path().join("odd"), 0o600)), Errno::EIO);
}

#[test]
fn an_operation_can_be_performed_and_reported_as_failed() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let [from, to] = ["from", "to"].map(|name| fs.path().join(name));
    fs.arm([Op::Create, Op::Mkdir, Op::Rename].map(|op| Fault::nth(op, 1, Errno::EIO).performed()));
    assert_eq!(errno(File::create_new(&from)), Errno::EIO);
    assert!(from.exists());
    assert_eq!(errno(fs::rename(&from, &to)), Errno::EIO);
    assert!(!fs.backing().join("from").exists() && fs.backing().join("to").exists());
    assert_eq!(errno(fs::create_dir(fs.path().join("dir"))), Errno::EIO);
    assert_eq!(errno(fs::create_dir(fs.path().join("dir"))), Errno::EEXIST);
}

#[test]
fn what_hangs_goes_on_when_it_is_let_go() {
    let Some(fs) = SlowFs::mount(Options { faults: vec![Fault::hang(Op::Mkdir, 1)], ..Options::default() })
    else {
        return;
    };
    thread::scope(|scope| {
        let hanging = scope.spawn(|| fs::create_dir(fs.path().join("dir")));
        while fs.counts()[Op::Mkdir] == 0 {
            thread::yield_now();
        }
        assert!(!fs.backing().join("dir").exists());
        fs.let_go();
        hanging.join().unwrap().unwrap();
    });
    assert!(fs.backing().join("dir").exists());
}

#[test]
fn options_change_while_mounted() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let file = fs.path().join("file");
    fs::write(&file, "").unwrap();
    chmod(&file, 0o600).unwrap();
    fs.change(|options| options.chmod = Some(Errno::EPERM));
    assert_eq!(errno(chmod(&file, 0o640)), Errno::EPERM);
}

/// A test that fails leaves no mount, whatever still uses it.
#[test]
fn a_panic_unmounts_what_is_in_use() {
    let Some(fs) = SlowFs::mount(Options::default()) else { return };
    let mount = fs.path().to_owned();
    let open = File::create(mount.join("file")).unwrap();
    let failing = thread::Builder::new().spawn(move || {
        let _fs = fs;
        std::panic::resume_unwind(Box::new("a test that fails"));
    });
    failing.unwrap().join().unwrap_err();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(mount.to_str().unwrap()), "{mounts}");
    assert!(!mount.exists(), "the directory is left");
    drop(open);
}
