//! Stdin and stdout as streams that a signal can interrupt.
//!
//! A read from a pipe waits for its writer, and a write to a full pipe for its reader, for as long as it takes. The
//! handlers of the first SIGINT or SIGTERM only set a flag, and the call continues (`SA_RESTART`, signal(7)). So
//! nothing here waits inside read(2) or write(2): it waits in poll(2), and checks the flag regularly.

use haul::cancel::Cancel;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, ReadWriteFlags, pwritev2};
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};

/// How often the flag is checked: well within the second in which a run has to end.
const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// How much a ready pipe takes without waiting, pipe(7).
const PIPE_BUF: usize = 4_096;

/// An open stream, and the flag that ends waiting for it.
pub(crate) struct Pipe {
    file: File,
    cancel: Cancel,
    /// Whether a call on it can wait: a pipe, a socket, a terminal.
    waits: bool,
    /// Whether the kernel can write without waiting (Linux 6.4 for pipes).
    knows_nowait: bool,
}

impl Pipe {
    pub(crate) fn new(file: File, cancel: &Cancel) -> Self {
        let is_regular = fstat(&file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
        Pipe { file, cancel: cancel.clone(), waits: !is_regular, knows_nowait: true }
    }

    /// Waits until something can be read or written. ECANCELED if the run is to stop.
    fn wait(&self, flags: PollFlags) -> io::Result<()> {
        loop {
            if self.cancel.is_set() {
                return Err(Errno::CANCELED.into());
            }
            match poll(&mut [PollFd::new(&self.file, flags)], Some(&GLANCE)) {
                // Also ready if the other side is gone, which the call itself then reports.
                Ok(1..) => return Ok(()),
                Ok(0) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.knows_nowait {
            // An offset of -1 means the stream's own place.
            match pwritev2(&self.file, &[IoSlice::new(bytes)], u64::MAX, ReadWriteFlags::NOWAIT) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::SPIPE) => self.knows_nowait = false,
                result => return Ok(result?),
            }
        }
        (&self.file).write(&bytes[..bytes.len().min(PIPE_BUF)])
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.waits {
            self.wait(PollFlags::IN)?;
        }
        (&self.file).read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.waits {
            return (&self.file).write(bytes);
        }
        loop {
            self.wait(PollFlags::OUT)?;
            match self.write_now(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pipe::pipe;

    #[test]
    fn a_full_pipe_is_written_as_it_is_emptied_and_left_when_told_to() {
        let (reader, writer) = pipe().unwrap();
        let cancel = Cancel::default();
        let mut stream = Pipe::new(File::from(writer), &cancel);
        let mut reader = File::from(reader);
        let taken = std::thread::spawn(move || {
            let mut all = vec![0; 300_000];
            reader.read_exact(&mut all).map(|()| (all, reader))
        });
        stream.write_all(&vec![7; 300_000]).unwrap();
        let (all, _reader) = taken.join().unwrap().unwrap();
        assert!(all.iter().all(|&byte| byte == 7));
        cancel.set();
        let error = stream.write_all(&vec![0; 300_000]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::CANCELED.raw_os_error()));
    }

    #[test]
    fn an_empty_pipe_is_left_when_told_to() {
        let (reader, _writer) = pipe().unwrap();
        let cancel = Cancel::default();
        cancel.set();
        let error = Pipe::new(File::from(reader), &cancel).read(&mut [0]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::CANCELED.raw_os_error()));
    }

    #[test]
    fn a_reader_that_is_gone_is_told() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let error = Pipe::new(File::from(writer), &Cancel::default()).write(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
