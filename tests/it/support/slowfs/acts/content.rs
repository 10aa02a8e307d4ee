//! Open files.

use super::super::nodes::{Node, OpenFile};
use super::super::outcome::{Offset, OpenedFile, Written};
use super::super::store::{Result, Store, errno, refuse};
use super::super::{attributes, nodes};
use fuser::Errno;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, SeekFrom, StatVfs, Timespec, Timestamps, UTIME_NOW, copy_file_range,
    fstatvfs, openat, seek, utimensat,
};
use rustix::io::{pread, pwrite};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How the backing file is opened for a caller's flags. The kernel has resolved the name, knows where each write goes, and
/// caches for itself.
pub(super) fn opening(flags: i32) -> OFlags {
    let flags = OFlags::from_bits_retain(flags.cast_unsigned());
    (flags - (OFlags::NOFOLLOW | OFlags::DIRECT | OFlags::APPEND)) | OFlags::CLOEXEC
}

impl Store {
    pub(in super::super) fn open_file(&self, node: &Arc<Node>, flags: i32) -> Result<OpenedFile> {
        let flags = opening(flags);
        if self.options().read_only_mark && flags.intersects(OFlags::WRONLY | OFlags::RDWR) {
            refuse(attributes::is_marked(&node.stat().map_err(errno)?), Errno::EACCES)?;
        }
        let fd = openat(CWD, node.path(), flags, Mode::empty()).map_err(errno)?;
        Ok(OpenedFile(self.files.open(OpenFile::new(fd, Arc::clone(node)))))
    }

    pub(in super::super) fn read(&self, handle: u64, offset: u64, size: u32) -> Result<Vec<u8>> {
        let file = self.files.get(handle)?;
        let mut bytes = vec![0; size as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            match pread(&file.fd, &mut bytes[filled..], offset + filled as u64).map_err(errno)? {
                0 => break,
                n => filled += n,
            }
        }
        bytes.truncate(filled);
        self.meter.add(|counts| counts.read_bytes += filled as u64);
        Ok(bytes)
    }

    pub(in super::super) fn write(&self, handle: u64, offset: u64, bytes: &[u8]) -> Result<Written> {
        let file = self.files.get(handle)?;
        file.written.store(true, Ordering::SeqCst);
        let written = pwrite(&file.fd, bytes, offset).map_err(errno)?;
        self.meter.add(|counts| counts.written_bytes += written as u64);
        Ok(Written(written))
    }

    /// A descriptor of the file is closed.
    pub(in super::super) fn flush(&self, handle: u64) -> Result<()> {
        let file = self.files.get(handle)?;
        if self.options().times_lost_on_close && file.written.load(Ordering::SeqCst) {
            let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
            let times = Timestamps { last_access: now, last_modification: now };
            utimensat(CWD, file.node.path(), &times, AtFlags::empty()).map_err(errno)?;
        }
        Ok(())
    }

    pub(in super::super) fn copy_range(
        &self,
        (from, from_offset): (u64, u64),
        (to, to_offset): (u64, u64),
        len: u64,
    ) -> Result<Written> {
        // The kernel then copies by reading and writing.
        refuse(!self.options().copies_ranges, Errno::ENOSYS)?;
        let (from, to) = (self.files.get(from)?, self.files.get(to)?);
        to.written.store(true, Ordering::SeqCst);
        let (mut input, mut output) = (from_offset, to_offset);
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(1 << 30);
        let copied =
            copy_file_range(&from.fd, Some(&mut input), &to.fd, Some(&mut output), len).map_err(errno)?;
        Ok(Written(copied))
    }

    pub(in super::super) fn seek(&self, handle: u64, offset: i64, whence: i32) -> Result<Offset> {
        let file = self.files.get(handle)?;
        let offset = offset.cast_unsigned();
        let to = if whence == libc::SEEK_DATA { SeekFrom::Data(offset) } else { SeekFrom::Hole(offset) };
        seek(&file.fd, to).map(Offset).map_err(errno)
    }

    pub(in super::super) fn stat_fs(&self) -> Result<StatVfs> {
        fstatvfs(self.nodes.get(nodes::ROOT)?.fd()).map_err(errno)
    }
}
