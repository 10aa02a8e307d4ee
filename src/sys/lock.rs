//! One run at a time on a destination: a lock on the directory itself.
//!
//! flock(2) on the descriptor of the root: it is released however the process ends, and leaves no file.

use super::dir::Dir;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::{Errno, Result};
use std::fs::File;
use std::io::Read;

/// The result of asking for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// This process holds it, as long as the directory is open.
    Yes,
    /// Another process holds it; which one, if the system says.
    Held(Option<u32>),
    /// The file system has no locks on directories: NFS needs a descriptor that is open for writing (flock(2)).
    Unsupported,
}

/// Asks for the lock on `dir`.
pub(crate) fn lock(dir: &Dir) -> Result<Locked> {
    match flock(dir, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Locked::Yes),
        Err(Errno::WOULDBLOCK) => Ok(Locked::Held(holder(dir))),
        Err(Errno::BADF | Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            Ok(Locked::Unsupported)
        }
        Err(errno) => Err(errno),
    }
}

/// The process that holds the lock on `dir`, from `/proc/locks` (proc(5)).
fn holder(dir: &Dir) -> Option<u32> {
    let stat = dir.stat_self().ok()?;
    let inode = format!("{:02x}:{:02x}:{}", stat.dev.major, stat.dev.minor, stat.ino);
    // Each read continues the list where the previous read ended, by number: a lock that is released in between hides
    // another. So each read is as large as the kernel allows, and there is more than one try.
    (0..3).find_map(|_| {
        let file = rustix::fs::open("/proc/locks", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = String::with_capacity(1 << 16);
        File::from(file).read_to_string(&mut text).ok()?;
        holder_in(&text, &inode)
    })
}

/// A line is `1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF`; a waiting one has a `->` after its number.
fn holder_in(locks: &str, inode: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1).skip_while(|word| *word == "->");
        (words.next()? == "FLOCK").then_some(())?;
        let pid = words.nth(2)?;
        (words.next()? == inode).then(|| pid.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_descriptor_is_told_who_holds_the_lock() {
        let temp = tempfile::tempdir().unwrap();
        let (one, other) = (Dir::open(temp.path()).unwrap(), Dir::open(temp.path()).unwrap());
        assert_eq!(lock(&one).unwrap(), Locked::Yes);
        assert!(
            matches!(lock(&other).unwrap(), Locked::Held(pid) if pid.is_none_or(|pid| pid == std::process::id()))
        );
        drop(one);
        assert_eq!(lock(&other).unwrap(), Locked::Yes);
    }

    #[test]
    fn the_holder_is_read_from_its_line() {
        let text = "1: POSIX  ADVISORY  WRITE 7 00:19:5 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 812 fe:01:5678 0 EOF\n\
                    2: -> FLOCK  ADVISORY  WRITE 900 fe:01:5678 0 EOF\n";
        assert_eq!(holder_in(text, "fe:01:5678"), Some(812));
        assert_eq!(holder_in(text, "fe:01:56"), None);
        assert_eq!(holder_in(text, "00:19:5"), None);
    }
}
