//! Holes, found with `SEEK_DATA` and `SEEK_HOLE`, lseek(2).

use crate::tree::Extent;
use rustix::fs::{SeekFrom, seek};
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

/// The stretches of data in the first `size` bytes of a file; `None` if there is no hole. Moves the descriptor's file
/// offset.
pub(crate) fn extents(fd: impl AsFd, size: u64) -> Result<Option<Box<[Extent]>>> {
    let fd = fd.as_fd();
    let mut extents = Vec::new();
    let mut at = 0;
    while let Some(extent) = next_extent(fd, at, size)? {
        at = extent.end();
        extents.push(extent);
    }
    let dense = matches!(extents[..], [Extent { offset: 0, len }] if len == size);
    Ok((!dense && size > 0).then(|| extents.into()))
}

/// The first stretch of data at or after `at` and before `end`; never an empty one. The whole range, if the file system
/// does not report holes. Moves the descriptor's file offset.
pub(crate) fn next_extent(fd: impl AsFd, at: u64, end: u64) -> Result<Option<Extent>> {
    if at >= end {
        return Ok(None);
    }
    let offset = match seek(&fd, SeekFrom::Data(at)) {
        Ok(offset) if offset < end => offset,
        // ENXIO: no data from here on.
        Ok(_) | Err(Errno::NXIO) => return Ok(None),
        // The file system does not report holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(Extent { offset: at, len: end - at })),
        Err(error) => return Err(error),
    };
    let after = match seek(&fd, SeekFrom::Hole(offset)) {
        Ok(after) => after.min(end),
        // Truncated in the meantime.
        Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error),
    };
    // A file that is truncated in the meantime can return no progress.
    Ok((after > offset).then(|| Extent { offset, len: after - offset }))
}

/// Whether a file has at least `size` bytes: a hole at its end looks like the end of the file. Moves the descriptor's
/// file offset.
pub(crate) fn reaches(fd: impl AsFd, size: u64) -> Result<bool> {
    Ok(seek(fd, SeekFrom::End(0))? >= size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn holes_are_found_and_dense_files_have_none() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(extents(&file, 0).unwrap(), None);
        file.write_at(b"data", 1 << 20).unwrap();
        file.set_len(2 << 20).unwrap();
        let found = extents(&file, 2 << 20).unwrap().expect("a hole");
        assert_eq!(found.len(), 1);
        assert!(found[0].offset <= 1 << 20 && found[0].end() >= (1 << 20) + 4 && found[0].end() < 2 << 20);
        file.set_len(0).unwrap();
        file.write_at(&[1; 10_000], 0).unwrap();
        assert_eq!(extents(&file, 10_000).unwrap(), None);
    }

    #[test]
    fn extents_are_found_one_by_one_and_cut_at_the_end_that_is_asked_for() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(4 << 20).unwrap();
        file.write_at(&[1; 8192], 1 << 20).unwrap();
        file.write_at(&[1; 8192], 3 << 20).unwrap();
        let first = next_extent(&file, 0, 4 << 20).unwrap().expect("data");
        assert!(first.offset <= 1 << 20 && first.end() >= (1 << 20) + 8192 && first.end() < 3 << 20);
        let cut = next_extent(&file, (1 << 20) + 10, (1 << 20) + 100).unwrap();
        assert_eq!(cut, Some(Extent { offset: (1 << 20) + 10, len: 90 }));
        let second = next_extent(&file, first.end(), 4 << 20).unwrap().expect("data");
        assert!(second.offset > first.end() && second.end() >= (3 << 20) + 8192);
        assert_eq!(next_extent(&file, second.end(), 4 << 20).unwrap(), None);
        assert_eq!(next_extent(&file, 5, 5).unwrap(), None);
        assert!(reaches(&file, 4 << 20).unwrap() && !reaches(&file, (4 << 20) + 1).unwrap());
    }

    #[test]
    fn a_file_that_is_one_hole_has_no_extents() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(extents(&file, 1 << 40).unwrap().as_deref(), Some(&[][..]));
    }
}
