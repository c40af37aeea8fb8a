//! What waits for the worker.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::error::SpoolError;
use super::intake::{IntakeId, TakenIn, Tally};
use super::owed::{Delivery, Owed};
use super::store::Counts;
use crate::domain::target::Target;

/// Calls that may wait for the disk: more than connections are served, so only a disk that hangs reaches it.
const MAX_WAITING: usize = 8192;

/// What a push of a registry occupies at most. Larger requests share half of the room.
const SMALL_REQUEST: u64 = 64 * 1024;

/// How long removals wait for company. Until then a crash repeats a refresh, which does no harm.
pub(super) const LAZY: Duration = Duration::from_secs(1);

/// Where the answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, SpoolError>>;

/// A call that reads.
pub(super) enum Read {
    Owed(Reply<Vec<Owed>>),
    Intake { after: Option<IntakeId>, reply: Reply<Vec<(IntakeId, TakenIn)>> },
}

/// Written by the callers, emptied by the worker.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) deliveries: Vec<(Delivery, Reply<()>)>,
    pub(super) requests: Vec<(TakenIn, Reply<IntakeId>)>,
    pub(super) reads: Vec<Read>,
    /// For each target the latest arrival that a refresh has covered, of what was owed before these deliveries. Bounded
    /// by the number of targets.
    pub(super) settled: HashMap<Target, Timestamp>,
    /// Bounded by the number of requests in the store.
    pub(super) done: Vec<IntakeId>,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// What the requests cost that wait or are being written.
    arriving: Tally,
    /// What was in the store after the last call.
    stored: Counts,
    closing: bool,
    closed: bool,
    /// Signalled when the store is closed.
    closers: Vec<oneshot::Sender<()>>,
}

/// Shared by the handles and the worker.
#[derive(Default)]
pub(super) struct Queue {
    /// Held for moments only, never across a write or an await.
    state: Mutex<State>,
    wake: Condvar,
}

impl Waiting {
    fn calls(&self) -> usize {
        self.deliveries.len() + self.requests.len() + self.reads.len()
    }

    /// Settles a target. What is owed after this stays, whatever its arrival, since no refresh can have covered it yet;
    /// so the order of the calls is kept although one transaction writes them all.
    pub(super) fn settle(&mut self, target: &Target, up_to: Timestamp) {
        for (delivery, _) in &mut self.deliveries {
            if delivery.arrival <= up_to {
                delivery.targets.retain(|owed| owed != target);
            }
        }
        self.settle_before(target.clone(), up_to);
    }

    /// Settles what was owed before the deliveries that wait.
    fn settle_before(&mut self, target: Target, up_to: Timestamp) {
        let covered = self.settled.entry(target).or_insert(up_to);
        *covered = up_to.max(*covered);
    }

    fn has_removals(&self) -> bool {
        !self.settled.is_empty() || !self.done.is_empty()
    }
}

impl Queue {
    /// Adds a call, unless too many wait or the spool is closed.
    pub(super) fn call(&self, add: impl FnOnce(&mut Waiting)) -> Result<(), SpoolError> {
        let mut state = self.state.lock();
        state.accepts_calls()?;
        add(&mut state.waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Adds a request, if there is room for it within `limit`.
    pub(super) fn take_in(&self, request: TakenIn, limit: Tally, reply: Reply<IntakeId>) -> Result<(), SpoolError> {
        let cost = request.tally();
        let mut state = self.state.lock();
        state.accepts_calls()?;
        let arriving = state.arriving.plus(cost);
        let total = state.stored.intake.plus(arriving);
        // Small ones first: a few that are large must not keep out the thousands that registries send.
        let limit = if cost.bytes > SMALL_REQUEST { Tally { bytes: limit.bytes / 2, ..limit } } else { limit };
        if total.requests > limit.requests || total.bytes > limit.bytes {
            return Err(SpoolError::IntakeFull);
        }
        state.arriving = arriving;
        state.waiting.requests.push((request, reply));
        self.wake.notify_one();
        Ok(())
    }

    /// Adds a removal, for which no caller waits.
    pub(super) fn remove(&self, add: impl FnOnce(&mut Waiting)) {
        let mut state = self.state.lock();
        // The worker waits for company from the first one on.
        if !state.waiting.has_removals() {
            self.wake.notify_one();
        }
        add(&mut state.waiting);
    }

    /// Lets the worker write what waits, and end. Nothing is accepted from now on.
    pub(super) fn close(&self, closed: Option<oneshot::Sender<()>>) {
        let mut state = self.state.lock();
        state.closing = true;
        if !state.closed {
            state.closers.extend(closed);
        }
        self.wake.notify_one();
    }

    pub(super) fn stored(&self) -> Counts {
        self.state.lock().stored
    }

    /// Worker: waits until there is something to do, and takes all of it. The last time it comes with `true`.
    pub(super) fn take(&self) -> (Waiting, bool) {
        let mut state = self.state.lock();
        while !state.closing && state.waiting.calls() == 0 {
            if !state.waiting.has_removals() {
                self.wake.wait(&mut state);
            } else if self.wake.wait_for(&mut state, LAZY).timed_out() {
                break;
            }
        }
        (std::mem::take(&mut state.waiting), state.closing)
    }

    /// Worker: says what is in the store now, and that requests of this cost do not wait any more.
    pub(super) fn publish(&self, stored: Counts, arrived: Tally) {
        let mut state = self.state.lock();
        state.stored = stored;
        state.arriving = state.arriving.minus(arrived);
    }

    /// Worker: puts removals back that could not be written.
    pub(super) fn put_back(&self, settled: HashMap<Target, Timestamp>, done: Vec<IntakeId>) {
        let mut state = self.state.lock();
        for (target, up_to) in settled {
            state.waiting.settle_before(target, up_to);
        }
        state.waiting.done.extend(done);
    }

    /// Worker: it has ended. A caller that still waits learns of it by the loss of its reply.
    pub(super) fn ended(&self) {
        let mut state = self.state.lock();
        (state.closing, state.closed) = (true, true);
        state.waiting = Waiting::default();
        state.closers.clear();
    }
}

impl State {
    fn accepts_calls(&self) -> Result<(), SpoolError> {
        if self.closing {
            return Err(SpoolError::Closed);
        }
        if self.waiting.calls() >= MAX_WAITING {
            return Err(SpoolError::Busy);
        }
        Ok(())
    }
}
