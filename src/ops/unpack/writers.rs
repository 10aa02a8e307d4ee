//! Threads that write what the reader of a stream passes on.

use super::hand::Hand;
use super::run::UnpackRun;
use crate::account::{End, Event, Report};
use crate::dest::{Destination, LargeFile};
use crate::pool::lock;
use crate::source::frames::Halt;
use crate::tree::Entry;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// The writers of one run, and the queue to them. The queue is bounded: one waiting task per writer, besides the one
/// that it works on.
pub(super) struct Writers {
    tasks: Sender<WriteTask>,
    spare: (Sender<Vec<u8>>, Receiver<Vec<u8>>),
    state: Arc<WritersState>,
}

#[derive(Default)]
struct WritersState {
    /// Tasks passed on and not done.
    pending: Mutex<usize>,
    idle: Condvar,
    halted: AtomicBool,
    halt: Mutex<Option<Halt>>,
}

/// A task: something to write.
pub(super) enum WriteTask {
    /// Whole files, each with the offset in `data` where its content ends.
    Files { files: Vec<(Entry, usize)>, data: Vec<u8> },
    /// A stretch of a large file, `stored` bytes into its data.
    Stretch { large: Arc<StreamedFile>, stored: u64, data: Vec<u8> },
}

/// A large file, written by several threads. The last one to release it completes it.
pub(super) struct StreamedFile {
    file: LargeFile,
    entry: Entry,
    given_up: AtomicBool,
}

impl Writers {
    /// Runs `body` with as many writers as the run has threads, and adds their reports to its own.
    pub(super) fn run<'a>(
        run: &'a UnpackRun<'a>,
        destination: &'a Destination,
        body: impl FnOnce(&Writers) -> Report,
    ) -> Report {
        let threads = run.options.threads.get();
        let (tasks, queue) = bounded(threads);
        let state = Arc::new(WritersState::default());
        let spare = bounded(2 * threads + 1);
        thread::scope(|scope| {
            let hands: Vec<_> = (0..threads)
                .map(|_| {
                    let (queue, state, spare) = (queue.clone(), Arc::clone(&state), spare.0.clone());
                    scope.spawn(move || {
                        let mut hand = Hand::new(run, destination);
                        for task in queue {
                            state.carry_out(run, &mut hand, task, &spare);
                        }
                        hand.ledger.report
                    })
                })
                .collect();
            drop(queue);
            let writers = Writers { tasks, spare, state: Arc::clone(&state) };
            let mut report = body(&writers);
            drop(writers);
            for hand in hands {
                report.merge(hand.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            // A halt that no thread waited for.
            if let Some(halt) = lock(&state.halt).take() {
                report.merge(Report { end: End::Stopped(halt.at(run.path)), ..Report::default() });
            }
            report
        })
    }

    /// Passes a task on, and waits while there are too many. Fails once a writer has failed.
    pub(super) fn hand_on(&self, task: WriteTask) -> Result<(), Halt> {
        self.state.check()?;
        *lock(&self.state.pending) += 1;
        // The writers end only after this side is dropped.
        let _ = self.tasks.send(task);
        Ok(())
    }

    /// Waits until all tasks are done.
    pub(super) fn wait(&self) -> Result<(), Halt> {
        let mut pending = lock(&self.state.pending);
        while *pending > 0 {
            pending = self.state.idle.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        drop(pending);
        self.state.check()
    }

    /// An empty buffer; a used one if there is one.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.spare.1.try_recv().unwrap_or_default()
    }
}

impl WritersState {
    fn carry_out(&self, run: &UnpackRun<'_>, hand: &mut Hand<'_>, task: WriteTask, spare: &Sender<Vec<u8>>) {
        // After a halt, tasks are only removed from the queue.
        let skip = self.halted.load(Ordering::Relaxed) || run.stop.is_set();
        let (result, mut data) = match task {
            WriteTask::Files { files, data } => {
                (if skip { Ok(()) } else { write_files(hand, &files, &data) }, data)
            }
            WriteTask::Stretch { large, stored, data } => {
                if skip {
                    large.give_up();
                }
                (
                    large.write(run, hand, stored, &data).and_then(|()| StreamedFile::release(large, hand)),
                    data,
                )
            }
        };
        if let Err(halt) = result {
            lock(&self.halt).get_or_insert(halt);
            self.halted.store(true, Ordering::Relaxed);
        }
        data.clear();
        // Full only while no thread needs one.
        let _ = spare.try_send(data);
        *lock(&self.pending) -= 1;
        self.idle.notify_one();
    }

    fn check(&self) -> Result<(), Halt> {
        if !self.halted.load(Ordering::Relaxed) {
            return Ok(());
        }
        lock(&self.halt).take().map_or(Ok(()), Err)
    }
}

fn write_files(hand: &mut Hand<'_>, files: &[(Entry, usize)], data: &[u8]) -> Result<(), Halt> {
    let mut start = 0;
    for (entry, end) in files {
        hand.file(entry, &data[start..*end])?;
        start = *end;
    }
    Ok(())
}

impl WriteTask {
    /// How many bytes of content it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            WriteTask::Files { data, .. } | WriteTask::Stretch { data, .. } => data.len(),
        }
    }
}

impl StreamedFile {
    pub(super) fn new(file: LargeFile, entry: Entry) -> Self {
        StreamedFile { file, entry, given_up: AtomicBool::new(false) }
    }

    /// Makes the last thread to release the file remove it. `false` if that was already requested.
    pub(super) fn give_up(&self) -> bool {
        !self.given_up.swap(true, Ordering::Relaxed)
    }

    fn write(&self, run: &UnpackRun<'_>, hand: &mut Hand<'_>, stored: u64, data: &[u8]) -> Result<(), Halt> {
        if self.given_up.load(Ordering::Relaxed) {
            return Ok(());
        }
        run.observer.event(Event::Moved(data.len() as u64));
        match self.file.write(&self.entry, stored, data) {
            Err(failed) if self.give_up() => hand.note(&self.entry, Err(failed)),
            _ => Ok(()),
        }
    }

    /// Releases a large file, and completes it if no other thread holds it.
    pub(super) fn release(large: Arc<StreamedFile>, hand: &mut Hand<'_>) -> Result<(), Halt> {
        let Some(StreamedFile { file, entry, given_up }) = Arc::into_inner(large) else { return Ok(()) };
        if given_up.into_inner() {
            file.discard(&entry);
            return Ok(());
        }
        hand.finish(file, &entry)
    }
}
