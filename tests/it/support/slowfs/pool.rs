//! Threads that answer requests: one more whenever a request comes and none is free.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// No program under test has more requests in flight, and a hanging one takes a thread.
const MOST_THREADS: usize = 320;

/// A request needs no more.
const STACK: usize = 256 << 10;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
}

/// Ends its threads when dropped, once they have done what they were given.
#[derive(Default)]
pub(super) struct Pool(Arc<Shared>);

impl Pool {
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.0.queue.lock().unwrap();
        queue.jobs.push_back(Box::new(job));
        if queue.idle < queue.jobs.len() && queue.threads < MOST_THREADS {
            let shared = Arc::clone(&self.0);
            let builder = thread::Builder::new().name("slowfs".to_owned()).stack_size(STACK);
            // Where no thread is to be had, the others will come to it.
            queue.threads += usize::from(builder.spawn(move || shared.work()).is_ok());
        }
        self.0.more.notify_one();
    }
}

impl Shared {
    fn work(&self) {
        let mut queue = self.queue.lock().unwrap();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                job();
                queue = self.queue.lock().unwrap();
            } else if queue.closed {
                return;
            } else {
                queue.idle += 1;
                queue = self.more.wait(queue).unwrap();
                queue.idle -= 1;
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Ok(mut queue) = self.0.queue.lock() {
            queue.closed = true;
        }
        self.0.more.notify_all();
    }
}
