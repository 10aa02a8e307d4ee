//! Moves bytes from one open file to another.
//!
//! Owns the calls, and repeats each after EINTR, or after a partial result where the caller asks for all. Which call to
//! use and what an error means is up to the caller.

use rustix::fs::{self, FallocateFlags, SeekFrom};
use rustix::io::{self, Errno, Result};
use std::fs::File;
use std::os::fd::AsRawFd;

/// Makes `dst` share the first `size` bytes of `src`, `FICLONERANGE`, `ioctl_ficlonerange(2)`; `size` is not 0.
///
/// Not `FICLONE`, which shares whatever the source has by now: the range is refused with EINVAL if the source has
/// become shorter or, if the range is not whole blocks, longer.
pub(crate) fn reflink(src: &File, dst: &File, size: u64) -> Result<()> {
    let range = libc::file_clone_range {
        src_fd: src.as_raw_fd().into(),
        src_offset: 0,
        src_length: size,
        dest_offset: 0,
    };
    retry(|| {
        // SAFETY: both descriptors are open for the length of the call, and `range` is what this request reads.
        let result = unsafe { libc::ioctl(dst.as_raw_fd(), libc::FICLONERANGE, &raw const range) };
        if result == 0 {
            return Ok(());
        }
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    })
}

/// Copies up to `len` bytes inside the kernel, or the server, `copy_file_range(2)`. Returns 0 at the end of the source,
/// and for sources whose length the kernel does not know.
pub(crate) fn copy_range(src: (&File, u64), dst: (&File, u64), len: u64) -> Result<u64> {
    retry(|| {
        let (mut from, mut to) = (src.1, dst.1);
        fs::copy_file_range(src.0, Some(&mut from), dst.0, Some(&mut to), length(len)).map(|n| n as u64)
    })
}

/// The same, to the file position of `dst`, which advances.
pub(crate) fn append_range(src: (&File, u64), dst: &File, len: u64) -> Result<u64> {
    retry(|| {
        let mut from = src.1;
        fs::copy_file_range(src.0, Some(&mut from), dst, None, length(len)).map(|n| n as u64)
    })
}

/// Copies up to `len` bytes inside the kernel to the file position of `dst`, sendfile(2). Works between file systems,
/// too.
pub(crate) fn send(src: (&File, u64), dst: &File, len: u64) -> Result<u64> {
    retry(|| {
        let mut from = src.1;
        fs::sendfile(dst, src.0, Some(&mut from), length(len)).map(|n| n as u64)
    })
}

/// Moves the file position, lseek(2).
pub(crate) fn set_position(file: &File, at: u64) -> Result<()> {
    fs::seek(file, SeekFrom::Start(at)).map(drop)
}

/// Reads up to all of `buffer`, pread(2): less only where the file ends.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match retry(|| io::pread(file, &mut buffer[filled..], at + filled as u64))? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Writes all of `bytes`, pwrite(2).
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match retry(|| io::pwrite(file, &bytes[written..], at + written as u64))? {
            // write(2) never returns 0 here, but an error is better than an endless loop.
            0 => return Err(Errno::IO),
            n => written += n,
        }
    }
    Ok(())
}

/// Sets the length, ftruncate(2).
pub(crate) fn set_len(file: &File, len: u64) -> Result<()> {
    retry(|| fs::ftruncate(file, len))
}

/// Allocates room for the bytes up to `end`, and makes the file at least that long, fallocate(2).
pub(crate) fn allocate(file: &File, from: u64, end: u64) -> Result<()> {
    retry(|| fs::fallocate(file, FallocateFlags::empty(), from, end - from))
}

/// Frees the room of a stretch, which then reads as zeros; the file's length stays, fallocate(2).
pub(crate) fn punch(file: &File, at: u64, len: u64) -> Result<()> {
    retry(|| fs::fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, at, len))
}

fn retry<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

fn length(len: u64) -> usize {
    // The kernel itself cuts at 2 GiB.
    usize::try_from(len).unwrap_or(usize::MAX)
}
