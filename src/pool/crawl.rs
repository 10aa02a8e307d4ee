//! Work that finds more work.

use super::crew::{self, Crew};
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
    /// How many tasks wait for a thread.
    queued: AtomicUsize,
}

#[derive(Debug)]
struct Shared<T> {
    tasks: Vec<T>,
    /// Threads that have tasks or may find some.
    working: usize,
}

/// Runs `visit` on `first` and on every task that a visit finds, on the threads of a crew, each with its own state from
/// `start`. Returns the states.
pub(crate) fn crawl<'c, T: Send, S: Send>(
    crew: impl Into<Crew<'c>>,
    first: T,
    start: impl Fn() -> S + Sync,
    visit: impl Fn(&mut S, T, &mut FoundTasks<T>) + Sync,
) -> Vec<S> {
    let exchange = Exchange {
        shared: Mutex::new(Shared { tasks: vec![first], working: 0 }),
        changed: Condvar::new(),
        waiting: AtomicUsize::new(0),
        queued: AtomicUsize::new(1),
    };
    crew::run(crew.into(), |post| {
        let mut state = start();
        let mut found = Vec::new();
        while let Some(task) = exchange.take() {
            let working = Working(&exchange);
            found.push(task);
            while let Some(task) = found.pop() {
                visit(&mut state, task, &mut found);
                if post.is_surplus() {
                    exchange.give(&mut found, usize::MAX);
                    return state;
                }
                // Only for what no thread waits for.
                if found.len() > exchange.waiting.load(Ordering::Relaxed) {
                    post.hire();
                }
                exchange.share(&mut found, post.stock());
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
                self.queued.store(shared.tasks.len(), Ordering::Relaxed);
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

    /// Gives found tasks, those found first, to waiting threads, if any: half of them, or one for each; and so many that
    /// `stock` are there for those that will wait soon.
    fn share(&self, found: &mut FoundTasks<T>, stock: usize) {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let missing = stock.saturating_sub(self.queued.load(Ordering::Relaxed));
        if found.len() > 1 && waiting + missing > 0 {
            let half = if waiting > 0 { found.len() / 2 } else { 0 };
            self.give(found, (waiting + missing).clamp(half, found.len() - 1));
        }
    }

    /// Gives up to this many found tasks to other threads.
    fn give(&self, found: &mut FoundTasks<T>, most: usize) {
        let given = most.min(found.len());
        let mut shared = self.lock();
        shared.tasks.extend(found.drain(..given));
        self.queued.store(shared.tasks.len(), Ordering::Relaxed);
        drop(shared);
        self.changed.notify_all();
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
    use crate::pool::scatter::tests::with_crews;
    use std::num::NonZeroUsize;

    #[test]
    fn every_task_of_a_growing_tree_is_visited_once() {
        with_crews(|crew| {
            let visited: usize = crawl(
                crew,
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
        });
    }

    #[test]
    fn each_waiting_thread_gets_a_task_and_the_finder_keeps_one() {
        for (found, waiting, stock, kept) in [
            (5, 1, 0, 3),
            (5, 3, 0, 2),
            (5, 9, 0, 1),
            (2, 9, 0, 1),
            (1, 9, 0, 1),
            (9, 0, 0, 9),
            (9, 0, 3, 6),
            (9, 0, 20, 1),
            (9, 2, 3, 4),
        ] {
            let shared = Mutex::new(Shared { tasks: Vec::new(), working: 1 });
            let (waiting, queued) = (AtomicUsize::new(waiting), AtomicUsize::new(0));
            let exchange = Exchange { shared, changed: Condvar::new(), waiting, queued };
            let mut tasks: Vec<_> = (0..found).collect();
            exchange.share(&mut tasks, stock);
            assert_eq!(tasks.len(), kept, "{found} found, {stock} in stock");
            assert_eq!(tasks.last(), Some(&(found - 1)));
            assert_eq!(exchange.lock().tasks.len(), found - kept);
        }
    }

    #[test]
    #[should_panic(expected = "in a visit")]
    fn a_panic_in_one_visit_ends_the_crawl() {
        let threads = NonZeroUsize::new(2).unwrap();
        crawl(threads, 0, || (), |(), _, _| panic!("in a visit"));
    }
}
