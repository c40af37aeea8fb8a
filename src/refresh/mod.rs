//! The refresher: one annotation PATCH per Warehouse and round trip, however many pushes ask for it.
//!
//! [`coalesce`] decides, this module runs: a task per Warehouse that owes a refresh, a bound on the PATCHes in flight,
//! back-off between attempts. A refresh stays owed until it is written or its Warehouse is gone, whether or not somebody
//! still waits for it.

pub mod coalesce;
pub mod patch;
pub mod token;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, oneshot};

use coalesce::{End, Next, Slot, back_off};
use patch::{PatchError, Patcher};
use token::{TokenSource, token};

use crate::domain::target::Target;
use crate::metrics::refresh::RefreshMetrics;

/// However long the back-off, a push that arrives meanwhile is attempted after this time: by then the API server may be
/// back, or the right that was missing be there.
const JOINED_PAUSE: Duration = Duration::from_secs(1);

/// How a requested refresh ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The annotation was written by a PATCH that began after the request.
    Written,
    /// The Warehouse is gone.
    Gone,
    /// The API server refuses the write; it stays owed and is repeated slowly.
    Refused,
}

/// Resolves when the refresh has ended; it may take as long as the API server is away.
pub type Waiter = oneshot::Receiver<Outcome>;

/// Handle to the refresher; cheap to clone.
#[derive(Clone)]
pub struct Refresher {
    shared: Arc<Shared>,
    patcher: Patcher,
}

struct Shared {
    /// Every Warehouse that owes a refresh. Written by [`Refresher::request`] and by the task of the Warehouse.
    slots: Mutex<HashMap<Target, Owed>>,
    /// Woken whenever a slot is dropped.
    finished: Notify,
    in_flight: Semaphore,
    concurrency: usize,
    tokens: TokenSource,
    metrics: RefreshMetrics,
    jitter: RandomState,
    /// Called when nothing is owed to a target any more.
    settled: Settled,
}

/// Hears that nothing is owed to a target any more that arrived up to that time, when the last PATCH began. It must not wait
/// for anything.
pub type Settled = Box<dyn Fn(&Target, Timestamp) + Send + Sync>;

struct Owed {
    slot: Slot<oneshot::Sender<Outcome>>,
    /// Told when somebody joins, so that a long back-off is cut short.
    joined: Arc<Notify>,
}

impl Refresher {
    /// A refresher that keeps at most `concurrency` PATCHes in flight.
    #[must_use]
    pub fn new(
        patcher: Patcher,
        tokens: TokenSource,
        concurrency: usize,
        metrics: RefreshMetrics,
        settled: Settled,
    ) -> Self {
        let shared = Shared {
            slots: Mutex::default(),
            finished: Notify::new(),
            in_flight: Semaphore::new(concurrency),
            concurrency,
            tokens,
            metrics,
            jitter: RandomState::new(),
            settled,
        };
        Self { shared: Arc::new(shared), patcher }
    }

    /// A handle to the same refresher whose own requests are written by another patcher.
    #[must_use]
    pub fn with_patcher(&self, patcher: Patcher) -> Self {
        Self { shared: Arc::clone(&self.shared), patcher }
    }

    /// Owes every one of these Warehouses a refresh from now on. One waiter for each, in the same order.
    #[must_use]
    pub fn request(&self, targets: &[Target]) -> Vec<Waiter> {
        self.shared.metrics.requests.inc_by(targets.len() as u64);
        let mut slots = self.shared.slots.lock();
        targets
            .iter()
            .map(|target| {
                let (sender, waiter) = oneshot::channel();
                if let Some(owed) = slots.get_mut(target) {
                    owed.slot.join(sender);
                    owed.joined.notify_one();
                } else {
                    let joined = Arc::new(Notify::new());
                    slots.insert(target.clone(), Owed { slot: Slot::new(sender), joined: Arc::clone(&joined) });
                    tokio::spawn(self.clone().settle(target.clone(), joined));
                }
                waiter
            })
            .collect()
    }

    /// Whether a PATCH is in flight, so that whatever can wait should. One that waits out a back-off does not count.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.shared.in_flight.available_permits() < self.shared.concurrency
    }

    /// How many Warehouses owe a refresh.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.shared.slots.lock().len()
    }

    /// Whether this target owes a refresh.
    #[must_use]
    pub fn owes(&self, target: &Target) -> bool {
        self.shared.slots.lock().contains_key(target)
    }

    /// Waits until nothing is owed, at most for `limit`. Returns how many refreshes are still owed then.
    pub async fn flush(&self, limit: Duration) -> usize {
        let drained = async {
            loop {
                // Registered before the check, so that a slot dropped in between is not missed.
                let finished = self.shared.finished.notified();
                if self.owed() == 0 {
                    return;
                }
                finished.await;
            }
        };
        match tokio::time::timeout(limit, drained).await {
            Ok(()) => 0,
            Err(_) => self.owed(),
        }
    }

    /// Runs one Warehouse until nothing is owed to it.
    async fn settle(self, target: Target, joined: Arc<Notify>) {
        loop {
            let Some((outcome, wait, begun)) = self.attempt(&target).await else {
                return;
            };
            let Some(next) = self.shared.end(&target, outcome.end(), begun) else {
                return;
            };
            match next {
                Next::Finished(answered) => {
                    answer(answered, outcome.told());
                    self.shared.finished.notify_waiters();
                    return;
                }
                Next::Again(answered) => answer(answered, outcome.told()),
                Next::Later { answered, failures } => {
                    answer(answered, outcome.told());
                    let pause = back_off(failures, wait, self.shared.jitter(&target, failures));
                    wait_out(pause, least_pause(pause, wait), &joined).await;
                    if let Some(owed) = self.shared.slots.lock().get_mut(&target) {
                        owed.slot.due();
                    }
                }
            }
        }
    }

    /// Waits for a turn and sends one PATCH. Says how it ended, how long the API server asks to wait, and when the PATCH
    /// began. `None` when the refresher is being dropped.
    async fn attempt(&self, target: &Target) -> Option<(Attempt, Option<Duration>, Timestamp)> {
        let _turn = self.shared.in_flight.acquire().await.ok()?;
        self.shared.slots.lock().get_mut(target)?.slot.begin();
        let (begun, timer) = (self.shared.tokens.next(), Instant::now());
        let result = self.patcher.patch(target, &token(begun)).await;
        self.shared.metrics.patched(result.as_ref().map_or_else(PatchError::label, |()| "written"), timer.elapsed());
        let (attempt, wait) = match result {
            Ok(()) => (Attempt::Written, None),
            Err(PatchError::Gone) => (Attempt::Gone, None),
            Err(PatchError::Transient { status, retry_after }) => {
                tracing::debug!(%target, kind = target.kind.as_str(), status, "refresh failed, will be repeated");
                (Attempt::Failed, retry_after)
            }
            Err(PatchError::Refused { status, message }) => {
                tracing::error!(%target, kind = target.kind.as_str(), status, reason = message, "the API server refuses the refresh, will be repeated slowly");
                (Attempt::Refused, Some(JOINED_PAUSE))
            }
        };
        Some((attempt, wait, begun))
    }
}

impl Shared {
    /// Ends the PATCH; a finished slot is dropped under the same lock, so that no request can join it any more.
    fn end(&self, target: &Target, end: End, begun: Timestamp) -> Option<Next<oneshot::Sender<Outcome>>> {
        let mut slots = self.slots.lock();
        let next = slots.get_mut(target)?.slot.end(end);
        if matches!(next, Next::Finished(_)) {
            slots.remove(target);
            (self.settled)(target, begun);
        }
        Some(next)
    }

    fn jitter(&self, target: &Target, failures: u32) -> f64 {
        let hash = u32::try_from(self.jitter.hash_one((target, failures)) >> 32).unwrap_or(0);
        f64::from(hash) / f64::from(u32::MAX)
    }
}

/// What is left of a back-off when somebody joins: never less than the API server asked for.
fn least_pause(pause: Duration, retry_after: Option<Duration>) -> Duration {
    pause.min(JOINED_PAUSE.max(retry_after.unwrap_or_default()))
}

/// Waits out a back-off; somebody who joins cuts it short.
async fn wait_out(pause: Duration, least: Duration, joined: &Notify) {
    tokio::time::sleep(least).await;
    tokio::select! {
        () = tokio::time::sleep(pause - least) => {}
        () = joined.notified() => {}
    }
}

#[derive(Clone, Copy)]
enum Attempt {
    Written,
    Gone,
    Failed,
    Refused,
}

impl Attempt {
    const fn end(self) -> End {
        match self {
            Self::Written | Self::Gone => End::Done,
            Self::Failed => End::Retry,
            Self::Refused => End::Refused,
        }
    }

    /// What the waiters are told; a failed attempt tells nobody anything.
    const fn told(self) -> Outcome {
        match self {
            Self::Written => Outcome::Written,
            Self::Gone => Outcome::Gone,
            Self::Failed | Self::Refused => Outcome::Refused,
        }
    }
}

fn answer(waiters: Vec<oneshot::Sender<Outcome>>, outcome: Outcome) {
    for waiter in waiters {
        // Whoever waited may have answered its sender already.
        waiter.send(outcome).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_joins_shortens_a_back_off_but_not_below_retry_after() {
        let seconds = Duration::from_secs;
        assert_eq!(least_pause(seconds(30), None), seconds(1));
        assert_eq!(least_pause(seconds(30), Some(seconds(20))), seconds(20));
        assert_eq!(least_pause(Duration::from_millis(100), None), Duration::from_millis(100));
    }
}
