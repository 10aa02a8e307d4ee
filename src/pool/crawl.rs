//! Work that finds more work.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Tasks that a thread has found but not begun. It takes the last one next, which walks a tree depth first and keeps
/// few directories open.
pub(crate) type FoundTasks<T> = Vec<T>;

/// Where threads that have run out of tasks get tasks from those that have some.
#[derive(Debug)]
struct Exchange<T> {
    shared: Mutex<Shared<T>>,
    changed: Condvar,
    /// How many threads wait. Read without the lock after every task: sharing is worth its cost only if some do.
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Shared<T> {
    tasks: Vec<T>,
    /// Threads that have tasks or may find some.
    working: usize,
}

/// Runs `visit` on `first` and on every task that a visit finds, on `threads` threads, each with its own state from
/// `start`. Returns the states.
pub(crate) fn crawl<T: Send, S: Send>(
    threads: NonZeroUsize,
    first: T,
    start: impl Fn() -> S + Sync,
    visit: impl Fn(&mut S, T, &mut FoundTasks<T>) + Sync,
) -> Vec<S> {
    let exchange = Exchange {
        shared: Mutex::new(Shared { tasks: vec![first], working: 0 }),
        changed: Condvar::new(),
        waiting: AtomicUsize::new(0),
    };
    super::run(threads, || {
        let mut state = start();
        let mut found = Vec::new();
        while let Some(task) = exchange.take() {
            let working = Working(&exchange);
            found.push(task);
            while let Some(task) = found.pop() {
                visit(&mut state, task, &mut found);
                exchange.share(&mut found);
            }
            drop(working);
        }
        state
    })
}

impl<T> Exchange<T> {
    /// Waits for a task; `None` if there are none and no thread can find any.
    fn take(&self) -> Option<T> {
        let mut shared = self.lock();
        loop {
            if let Some(task) = shared.tasks.pop() {
                shared.working += 1;
                return Some(task);
            }
            if shared.working == 0 {
                return None;
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
            shared = self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Gives half of the found tasks, those found first, to waiting threads, if any.
    fn share(&self, found: &mut FoundTasks<T>) {
        if found.len() > 1 && self.waiting.load(Ordering::Relaxed) > 0 {
            let given = found.len() / 2;
            self.lock().tasks.extend(found.drain(..given));
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared<T>> {
        // No code that can panic runs under this lock, so what it guards is consistent.
        super::lock(&self.shared)
    }
}

/// A thread that has tasks. Also dropped when a visit panics: the others must not wait for it forever.
struct Working<'a, T>(&'a Exchange<T>);

impl<T> Drop for Working<'_, T> {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        shared.working -= 1;
        if shared.working == 0 {
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
                |count, depth, found| {
                    *count += 1;
                    if depth < 7 {
                        found.extend((0..3).map(|_| depth + 1));
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
