//! The refresher: one annotation PATCH per Warehouse and round trip, however many pushes ask for it.
//!
//! [`coalesce`] decides, this module runs: a task per Warehouse that owes a refresh, a bound on the PATCHes in flight,
//! back-off between attempts. A refresh stays owed until it is written or its Warehouse is gone, even when its sender no
//! longer waits for it.

pub mod coalesce;
mod outcome;
pub mod patch;
pub mod token;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, oneshot};

use coalesce::{Next, Slot, back_off};
pub use outcome::PatchOutcome;
use patch::Patch;
use token::{TokenSource, token};

use crate::domain::target::Target;
use crate::metrics::refresh::RefreshMetrics;

/// A push that arrives during a back-off is attempted after this time, because the API server may be back by then, or the
/// missing right be there.
const JOINED_PAUSE: Duration = Duration::from_secs(1);

/// Resolves when the refresh has ended; it may take as long as the API server is away.
pub type Waiter = oneshot::Receiver<PatchOutcome>;

/// Handle to the refresher; cheap to clone.
#[derive(Clone)]
pub struct Refresher {
    shared: Arc<Shared>,
    patcher: Arc<dyn Patch>,
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

/// Called when a target owes nothing that arrived before the given time, the start of its last PATCH. It must not block.
pub type Settled = Box<dyn Fn(&Target, Timestamp) + Send + Sync>;

struct Owed {
    slot: Slot<oneshot::Sender<PatchOutcome>>,
    /// Notified when a request joins, so that a long back-off is cut short.
    joined: Arc<Notify>,
}

impl Refresher {
    /// A refresher that keeps at most `concurrency` PATCHes in flight.
    #[must_use]
    pub fn new(
        patcher: impl Patch + 'static,
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
        Self { shared: Arc::new(shared), patcher: Arc::new(patcher) }
    }

    /// A handle to the same refresher whose own requests are written by another patcher.
    #[must_use]
    pub fn with_patcher(&self, patcher: impl Patch + 'static) -> Self {
        Self { shared: Arc::clone(&self.shared), patcher: Arc::new(patcher) }
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

    /// Whether a PATCH is in flight, so that work of less priority should wait. A back-off does not count.
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
            let Some((outcome, begun)) = self.attempt(&target).await else {
                return;
            };
            let Some(next) = self.shared.end(&target, &outcome, begun) else {
                return;
            };
            match next {
                Next::Finished(answered) => {
                    answer(answered, &outcome);
                    self.shared.finished.notify_waiters();
                    return;
                }
                Next::Again(answered) => answer(answered, &outcome),
                Next::Later { answered, failures } => {
                    answer(answered, &outcome);
                    let wait = match outcome {
                        PatchOutcome::Failed { retry_after, .. } => retry_after,
                        PatchOutcome::Refused { .. } => Some(JOINED_PAUSE),
                        PatchOutcome::Written | PatchOutcome::Gone => None,
                    };
                    let pause = back_off(failures, wait, self.shared.jitter(&target, failures));
                    wait_out(pause, least_pause(pause, wait), &joined).await;
                    if let Some(owed) = self.shared.slots.lock().get_mut(&target) {
                        owed.slot.due();
                    }
                }
            }
        }
    }

    /// Waits for a turn and sends one PATCH. Returns how it ended and when it began. `None` when the refresher is being
    /// dropped.
    async fn attempt(&self, target: &Target) -> Option<(PatchOutcome, Timestamp)> {
        let _turn = self.shared.in_flight.acquire().await.ok()?;
        self.shared.slots.lock().get_mut(target)?.slot.begin();
        let (begun, timer) = (self.shared.tokens.next(), Instant::now());
        // A panic costs this attempt only: what is owed stays owed, and is attempted again.
        let attempt = AssertUnwindSafe(async { self.patcher.patch(target, &token(begun)).await });
        let outcome = attempt.catch_unwind().await.unwrap_or(PatchOutcome::UNREACHABLE);
        self.shared.metrics.patched(outcome.label(), timer.elapsed());
        let kind = target.kind.as_str();
        match &outcome {
            PatchOutcome::Written | PatchOutcome::Gone => {}
            PatchOutcome::Failed { status, .. } => {
                tracing::debug!(%target, kind, status, "refresh failed, will be repeated");
            }
            PatchOutcome::Refused { status, message } => tracing::error!(
                %target, kind, status, reason = &**message, "the API server refuses the refresh, will be repeated slowly"
            ),
        }
        Some((outcome, begun))
    }
}

impl Shared {
    /// Ends the PATCH; a finished slot is dropped under the same lock, so that no request can join it any more.
    fn end(
        &self,
        target: &Target,
        outcome: &PatchOutcome,
        begun: Timestamp,
    ) -> Option<Next<oneshot::Sender<PatchOutcome>>> {
        let mut slots = self.slots.lock();
        let next = slots.get_mut(target)?.slot.end(outcome);
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

/// What is left of a back-off when a request joins: never less than the API server asked for.
fn least_pause(pause: Duration, retry_after: Option<Duration>) -> Duration {
    pause.min(JOINED_PAUSE.max(retry_after.unwrap_or_default()))
}

/// Waits out a back-off; a request that joins cuts it short.
async fn wait_out(pause: Duration, least: Duration, joined: &Notify) {
    tokio::time::sleep(least).await;
    tokio::select! {
        () = tokio::time::sleep(pause - least) => {}
        () = joined.notified() => {}
    }
}

fn answer(waiters: Vec<oneshot::Sender<PatchOutcome>>, outcome: &PatchOutcome) {
    for waiter in waiters {
        // The request may have answered its sender already.
        waiter.send(outcome.clone()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::BoxFuture;

    use crate::domain::scope::ObjectKey;
    use crate::process::clock::Clock;

    /// Panics at first, then writes.
    #[derive(Default)]
    struct Panicking {
        attempts: AtomicU32,
    }

    impl Patch for Panicking {
        fn patch<'a>(&'a self, _: &'a Target, _: &'a str) -> BoxFuture<'a, PatchOutcome> {
            assert!(self.attempts.fetch_add(1, Ordering::Relaxed) > 1, "as a fault in a dependency may");
            async { PatchOutcome::Written }.boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_costs_one_attempt_only() {
        let (tokens, metrics) = (TokenSource::new(Clock::system()), RefreshMetrics::default());
        let refresher = Refresher::new(Panicking::default(), tokens, 1, metrics, Box::new(|_, _| {}));
        let target = || Target::warehouse(ObjectKey::new("northwind", "storefront"));
        let waiters = refresher.request(&[target()]);
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), PatchOutcome::Written);
        }
        assert_eq!(refresher.owed(), 0);
    }

    #[test]
    fn a_request_that_joins_shortens_a_back_off_but_not_below_retry_after() {
        let seconds = Duration::from_secs;
        assert_eq!(least_pause(seconds(30), None), seconds(1));
        assert_eq!(least_pause(seconds(30), Some(seconds(20))), seconds(20));
        assert_eq!(least_pause(Duration::from_millis(100), None), Duration::from_millis(100));
    }
}
