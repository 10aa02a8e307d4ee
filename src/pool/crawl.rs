//! Work that finds more work.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Takes tasks found while another one is worked on.
#[derive(Debug)]
pub(crate) struct Spawner<T> {
    queue: Mutex<Queue<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Queue<T> {
    /// Last in, first out: a tree is then walked in depth, which keeps few directories open.
    tasks: Vec<T>,
    /// Tasks that are waiting or being worked on.
    pending: usize,
}

/// Runs `visit` on `first` and on every task that a visit gives to the [`Spawner`], on `threads` threads, each with
/// its own state from `start`. Returns the states.
pub(crate) fn crawl<T: Send, S: Send>(
    threads: NonZeroUsize,
    first: T,
    start: impl Fn() -> S + Sync,
    visit: impl Fn(&mut S, T, &Spawner<T>) + Sync,
) -> Vec<S> {
    let spawner =
        Spawner { queue: Mutex::new(Queue { tasks: vec![first], pending: 1 }), changed: Condvar::new() };
    super::run(threads, || {
        let mut state = start();
        while let Some(task) = spawner.take() {
            let finished = Finished(&spawner);
            visit(&mut state, task, &spawner);
            drop(finished);
        }
        state
    })
}

impl<T> Spawner<T> {
    /// Adds tasks, of which the first is to be worked on first.
    pub(crate) fn spawn(&self, tasks: impl DoubleEndedIterator<Item = T>) {
        let mut queue = self.lock();
        let before = queue.tasks.len();
        queue.tasks.extend(tasks.rev());
        let added = queue.tasks.len() - before;
        queue.pending += added;
        drop(queue);
        match added {
            0 => {}
            // The thread that spawns will take one itself.
            1 => self.changed.notify_one(),
            _ => self.changed.notify_all(),
        }
    }

    /// Waits for a task; `None` when all are done.
    fn take(&self) -> Option<T> {
        let mut queue = self.lock();
        loop {
            if let Some(task) = queue.tasks.pop() {
                return Some(task);
            }
            if queue.pending == 0 {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // No code that can panic runs under this lock, so what it guards is whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a task as done when dropped, also when its visit panics: the others must not wait for it for ever.
struct Finished<'a, T>(&'a Spawner<T>);

impl<T> Drop for Finished<'_, T> {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.pending -= 1;
        if queue.pending == 0 {
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_of_a_growing_tree_is_visited_once() {
        for threads in [1, 2, 8] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let visited: usize = crawl(
                threads,
                0_u32,
                || 0,
                |count, depth, spawner| {
                    *count += 1;
                    if depth < 7 {
                        spawner.spawn((0..3).map(|_| depth + 1));
                    }
                },
            )
            .into_iter()
            .sum();
            assert_eq!(visited, (3_usize.pow(8) - 1) / 2);
        }
    }

    #[test]
    #[should_panic(expected = "in a visit")]
    fn a_panic_in_one_visit_ends_the_crawl() {
        let threads = NonZeroUsize::new(2).unwrap();
        crawl(threads, 0, || (), |(), _, _| panic!("in a visit"));
    }
}
