//! Reads an archive front to back, for every verb that can read one without an index.

use super::frames::Halt;
use crate::account::End;
use crate::archive::tar::{Decoder, Ending, Event, Limits, TarFault};
use crate::archive::{Fault, malformed, stream};
use crate::cancel::Cancel;
use crate::sys::users;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;

/// Calls `visit` with everything in the tar stream of `reader`, the archive at `path`, and returns how it ended.
pub(crate) fn each_event(
    reader: impl Read + Send,
    path: &Path,
    threads: NonZeroUsize,
    cancel: &Cancel,
    mut visit: impl FnMut(Event<'_>) -> Result<(), Halt>,
) -> End {
    let look_up =
        |is_group: bool, name: &[u8]| if is_group { users::group_id(name) } else { users::user_id(name) };
    let mut decoder = Decoder::new(Limits::default()).with_lookup(look_up);
    let mut halt = None;
    let streamed = stream::decode(reader, threads, |tar| {
        let mut rest = tar;
        halt = loop {
            match decoder.next(&mut rest) {
                Ok(Event::NeedMore) => break None,
                Ok(event) => {
                    if let Err(halt) = visit(event) {
                        break Some(halt);
                    }
                }
                Err(error) => break Some(fault(&error).into()),
            }
        };
        halt.is_none() && !cancel.is_set()
    });
    let halted = match (halt, streamed) {
        (Some(halt), _) => Some(halt),
        // A read that waits for a pipe's writer is interrupted with an error.
        (None, _) if cancel.is_set() => return End::Interrupted,
        // How the tar stream ended matters less than why.
        (None, Err(fault)) => Some(fault.into()),
        (None, Ok(())) => match decoder.finish() {
            Ok(Ending::Marked) => None,
            Ok(Ending::Unmarked) => Some(cut_short().into()),
            Err(error) => Some(fault(&error).into()),
        },
    };
    halted.map_or(End::Complete, |halt| End::Stopped(halt.at(path)))
}

fn cut_short() -> Fault {
    malformed("the archive is cut short: the end-of-archive marker is missing").into()
}

fn fault(error: &crate::archive::tar::DecodeError) -> Fault {
    match error.fault {
        TarFault::Refused { .. } | TarFault::Unsupported(_) | TarFault::TooLarge(_) => {
            Fault::Refused(error.to_string())
        }
        TarFault::NotTar | TarFault::Malformed(_) | TarFault::Truncated => {
            malformed(error.to_string()).into()
        }
    }
}
