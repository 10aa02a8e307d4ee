//! What is mounted where.

use super::dir::Dir;
use rustix::fs::{self, Mode, OFlags};
use rustix::io::Result;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};

/// Whether anything is mounted below `dir`, according to `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`). An error if
/// /proc is not mounted.
pub(crate) fn any_below(dir: &Dir) -> Result<bool> {
    let link = format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd());
    let path = fs::readlink(link, Vec::new())?.into_bytes();
    let file = fs::open("/proc/self/mountinfo", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut table = Vec::new();
    File::from(file)
        .read_to_end(&mut table)
        .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO))?;
    Ok(any_in(&table, &path))
}

/// The fifth field of each line is the mount point, with blanks, tabs, line ends and backslashes as `\ooo`.
fn any_in(table: &[u8], path: &[u8]) -> bool {
    table.split(|&b| b == b'\n').filter_map(|line| line.split(|&b| b == b' ').nth(4)).any(|point| {
        let point = unescape(point);
        point.strip_prefix(path).is_some_and(|rest| rest.first() == Some(&b'/'))
    })
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) = (first, after) {
            out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
            rest = after;
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_below_a_path_and_not_beside_it() {
        let table = b"22 1 0:1 / / rw - ext4 /dev/a rw\n\
                      36 22 0:2 / /srv/my\\040app/data rw,noatime - tmpfs tmpfs rw\n\
                      37 22 0:3 / /srv/other rw - tmpfs tmpfs rw\n";
        for (path, any) in [
            (&b"/srv/my app"[..], true),
            (b"/srv/my app/data", false),
            (b"/srv/my", false),
            (b"/srv/other", false),
            (b"/srv/oth", false),
            (b"/srv", true),
        ] {
            assert_eq!(any_in(table, path), any, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn proc_is_below_the_root_and_nothing_is_below_a_new_directory() {
        let temp = tempfile::tempdir().unwrap();
        assert!(!any_below(&Dir::open(temp.path()).unwrap()).unwrap());
    }
}
