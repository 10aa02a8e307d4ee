//! Holes, found with `SEEK_DATA` and `SEEK_HOLE`, lseek(2).

use crate::tree::Extent;
use rustix::fs::{SeekFrom, seek};
use rustix::io::{Errno, Result};
use std::os::fd::AsFd;

/// The stretches of data in the first `size` bytes of a file; `None` when there is no hole among them. The file offset
/// of the descriptor is moved.
pub(crate) fn extents(fd: impl AsFd, size: u64) -> Result<Option<Box<[Extent]>>> {
    let fd = fd.as_fd();
    let mut extents = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match seek(fd, SeekFrom::Data(at)) {
            Ok(start) if start < size => start,
            // ENXIO: no data from here on.
            Ok(_) | Err(Errno::NXIO) => break,
            // The file system does not tell: then there are no holes that anybody could know of.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
            Err(error) => return Err(error),
        };
        let end = seek(fd, SeekFrom::Hole(start))?.min(size);
        // A file that is cut short meanwhile can answer with no progress.
        if end <= start {
            break;
        }
        extents.push(Extent { offset: start, len: end - start });
        at = end;
    }
    let dense = matches!(extents[..], [Extent { offset: 0, len }] if len == size);
    Ok((!dense && size > 0).then(|| extents.into()))
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
    fn a_file_that_is_one_hole_has_no_extents() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 40).unwrap();
        assert_eq!(extents(&file, 1 << 40).unwrap().as_deref(), Some(&[][..]));
    }
}
