//! Decodes the frames of an archive in parallel, for every verb that reads content.

use crate::account::End;
use crate::archive::Fault;
use crate::archive::layers::Layers;
use crate::archive::reader::{Decoder, Member};
use crate::cancel::Cancel;
use crate::error::Error;
use crate::pool;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Why a run stops before its end.
pub(crate) enum Halt {
    /// Because of the archive.
    Fault(Fault),
    /// Because of something else.
    Error(Error),
}

impl Halt {
    /// The error of a run that reads the archive at `path`.
    pub(crate) fn at(self, path: &Path) -> Error {
        match self {
            Halt::Fault(fault) => fault.at(path),
            Halt::Error(error) => error,
        }
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Halt::Fault(fault)
    }
}

/// What is decoded, and how.
pub(crate) struct Decoding<'a> {
    pub(crate) archive: &'a Layers<'a>,
    pub(crate) threads: NonZeroUsize,
    pub(crate) cancel: &'a Cancel,
}

impl Decoding<'_> {
    /// Decodes the `wanted` frames and calls `member` for what they hold, in any order, with each thread's own state
    /// from `start`. Returns the states, and how the run ended.
    pub(crate) fn each_member<S: Send>(
        &self,
        wanted: impl Fn(usize) -> bool + Send,
        start: impl Fn() -> S + Sync,
        member: impl Fn(&mut S, Member<'_>) -> Result<(), Halt> + Sync,
    ) -> (Vec<S>, End) {
        let halt: Mutex<Option<Error>> = Mutex::new(None);
        let halted = AtomicBool::new(false);
        let goes_on = |_: &usize| !halted.load(Ordering::Relaxed) && !self.cancel.is_set();
        let frames = (0..self.archive.frame_count()).filter(move |&frame| wanted(frame)).take_while(goes_on);
        let states = pool::scatter(
            self.threads,
            frames,
            || (start(), Decoder::new()),
            |(state, decoder), frame| {
                let decoded = match decoder {
                    Ok(decoder) => self.frame(frame, decoder, |found| member(state, found)),
                    Err(error) => Err(Fault::Io(error.kind().into()).into()),
                };
                if let Err(error) = decoded {
                    halted.store(true, Ordering::Relaxed);
                    let mut first = halt.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(error.at(self.archive.path_of(frame)));
                }
            },
        );
        let end = match halt.into_inner() {
            Ok(Some(error)) => End::Stopped(error),
            _ if self.cancel.is_set() => End::Interrupted,
            _ => End::Complete,
        };
        (states.into_iter().map(|(state, _)| state).collect(), end)
    }

    fn frame(
        &self,
        frame: usize,
        decoder: &mut Decoder,
        member: impl FnMut(Member<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        self.archive.members(frame, decoder, member)
    }
}
