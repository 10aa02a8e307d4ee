//! Operations that fail or hang, and which of them.

use super::counts::Op;
use fuser::Errno;
use std::sync::{Condvar, Mutex};

/// Which operations of a kind are meant, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Nth(u64),
    First(u64),
    Every,
}

/// What happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// Fails, and nothing was done.
    Fail(Errno),
    /// Is done, and reported as failed.
    FailAfter(Errno),
    /// Is not answered until all that hangs is let go; then it is done.
    Hang,
}

/// Operations of one kind that fail or hang.
#[derive(Clone, Debug)]
pub struct Fault {
    op: Op,
    which: Which,
    verdict: Verdict,
    only: Option<String>,
}

impl Fault {
    /// The `n`-th fails, counted from 1.
    pub fn nth(op: Op, n: u64, errno: Errno) -> Self {
        Self { op, which: Which::Nth(n), verdict: Verdict::Fail(errno), only: None }
    }

    /// The first `n` fail.
    pub fn first(op: Op, n: u64, errno: Errno) -> Self {
        Self { which: Which::First(n), ..Self::nth(op, n, errno) }
    }

    /// Each fails.
    pub fn every(op: Op, errno: Errno) -> Self {
        Self { which: Which::Every, ..Self::nth(op, 1, errno) }
    }

    /// The `n`-th hangs until [`super::SlowFs::let_go`].
    pub fn hang(op: Op, n: u64) -> Self {
        Self { op, which: Which::Nth(n), verdict: Verdict::Hang, only: None }
    }

    /// The operation is performed and then reported as failed.
    #[must_use]
    pub fn performed(mut self) -> Self {
        if let Verdict::Fail(errno) = self.verdict {
            self.verdict = Verdict::FailAfter(errno);
        }
        self
    }

    /// Counts only operations on names that contain `text`: the last component, for a rename either of both; for an extended
    /// attribute the file's.
    #[must_use]
    pub fn on(mut self, text: &str) -> Self {
        self.only = Some(text.to_owned());
        self
    }

    /// Whether the operation that has just been counted as number `count` is meant.
    fn strikes(&self, count: u64) -> bool {
        match self.which {
            Which::Nth(n) => count == n,
            Which::First(n) => count <= n,
            Which::Every => true,
        }
    }
}

#[derive(Default)]
struct State {
    /// With how many operations each has seen.
    faults: Vec<(Fault, u64)>,
    let_go: bool,
}

/// The faults that are armed.
#[derive(Default)]
pub(super) struct Faults {
    state: Mutex<State>,
    gate: Condvar,
}

impl Faults {
    /// What happens to an operation on one of the names that `names` returns, which is called only if a fault asks for one.
    pub(super) fn judge(&self, op: Op, names: impl Fn() -> Vec<String>) -> Verdict {
        let mut state = self.state.lock().unwrap();
        let mut verdict = Verdict::Pass;
        for (fault, count) in state.faults.iter_mut().filter(|(fault, _)| fault.op == op) {
            if fault.only.as_ref().is_some_and(|text| !names().iter().any(|name| name.contains(text))) {
                continue;
            }
            *count += 1;
            if verdict == Verdict::Pass && fault.strikes(*count) {
                verdict = fault.verdict;
            }
        }
        verdict
    }

    pub(super) fn arm(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.state.lock().unwrap();
        state.faults = faults.into_iter().map(|fault| (fault, 0)).collect();
    }

    /// Waits until all that hangs is let go.
    pub(super) fn hang(&self) {
        let state = self.state.lock().unwrap();
        drop(self.gate.wait_while(state, |state| !state.let_go).unwrap());
    }

    pub(super) fn let_go(&self) {
        // Also from a drop while a test panics.
        if let Ok(mut state) = self.state.lock() {
            state.let_go = true;
        }
        self.gate.notify_all();
    }
}
