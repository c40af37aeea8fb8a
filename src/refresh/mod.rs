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

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, oneshot};

use coalesce::{End, Next, Slot, back_off};
use patch::{PatchError, Patcher};
use token::TokenSource;

use crate::domain::scope::ObjectKey;
use crate::metrics::Metrics;

/// A write that the API server refuses is repeated after this time at the earliest, so that mending the cause is enough.
const REFUSED_RETRY: Duration = Duration::from_secs(60);

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
pub struct Refresher(Arc<Shared>);

struct Shared {
    /// Every Warehouse that owes a refresh. Written by [`Refresher::request`] and by the task of the Warehouse.
    slots: Mutex<HashMap<ObjectKey, Slot<oneshot::Sender<Outcome>>>>,
    /// Woken whenever a slot is dropped.
    finished: Notify,
    in_flight: Semaphore,
    patcher: Patcher,
    tokens: TokenSource,
    metrics: Arc<Metrics>,
    jitter: RandomState,
}

impl Refresher {
    /// A refresher that keeps at most `concurrency` PATCHes in flight.
    #[must_use]
    pub fn new(patcher: Patcher, tokens: TokenSource, concurrency: usize, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Shared {
            slots: Mutex::default(),
            finished: Notify::new(),
            in_flight: Semaphore::new(concurrency),
            patcher,
            tokens,
            metrics,
            jitter: RandomState::new(),
        }))
    }

    /// Owes every one of these Warehouses a refresh from now on. One waiter for each, in the same order.
    #[must_use]
    pub fn request(&self, warehouses: &[ObjectKey]) -> Vec<Waiter> {
        let shared = &self.0;
        shared.metrics.refresh_requests.inc_by(warehouses.len() as u64);
        let mut slots = shared.slots.lock();
        warehouses
            .iter()
            .map(|warehouse| {
                let (sender, waiter) = oneshot::channel();
                match slots.get_mut(warehouse) {
                    Some(slot) => slot.join(sender),
                    None => {
                        slots.insert(warehouse.clone(), Slot::new(sender));
                        tokio::spawn(Arc::clone(shared).settle(warehouse.clone()));
                    }
                }
                waiter
            })
            .collect()
    }

    /// How many Warehouses owe a refresh.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.0.slots.lock().len()
    }

    /// Waits until nothing is owed, at most for `limit`. Returns how many refreshes are still owed then.
    pub async fn flush(&self, limit: Duration) -> usize {
        let drained = async {
            loop {
                // Registered before the check, so that a slot dropped in between is not missed.
                let finished = self.0.finished.notified();
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
}

impl Shared {
    /// Runs one Warehouse until nothing is owed to it.
    async fn settle(self: Arc<Self>, warehouse: ObjectKey) {
        loop {
            let Some((outcome, wait)) = self.attempt(&warehouse).await else {
                return;
            };
            let Some(next) = self.end(&warehouse, outcome.end()) else {
                return;
            };
            match next {
                Next::Finished(answered) => {
                    answer(answered, outcome.told());
                    self.finished.notify_waiters();
                    return;
                }
                Next::Again(answered) => answer(answered, outcome.told()),
                Next::Later { answered, failures } => {
                    answer(answered, outcome.told());
                    tokio::time::sleep(back_off(failures, wait, self.jitter(&warehouse, failures))).await;
                    if let Some(slot) = self.slots.lock().get_mut(&warehouse) {
                        slot.due();
                    }
                }
            }
        }
    }

    /// Waits for a turn and sends one PATCH. `None` when the refresher is being dropped.
    async fn attempt(&self, warehouse: &ObjectKey) -> Option<(Attempt, Option<Duration>)> {
        let _turn = self.in_flight.acquire().await.ok()?;
        self.slots.lock().get_mut(warehouse)?.begin();
        let token = self.tokens.next();
        let began = Instant::now();
        let result = self.patcher.patch(warehouse, &token).await;
        self.metrics.patched(result.as_ref().map_or_else(PatchError::label, |()| "written"), began.elapsed());
        Some(match result {
            Ok(()) => (Attempt::Written, None),
            Err(PatchError::Gone) => (Attempt::Gone, None),
            Err(PatchError::Transient { status, retry_after }) => {
                tracing::debug!(%warehouse, status, "refresh failed, will be repeated");
                (Attempt::Failed, retry_after)
            }
            Err(PatchError::Refused { status, message }) => {
                tracing::error!(%warehouse, status, reason = message, "the API server refuses the refresh, will be repeated slowly");
                (Attempt::Refused, Some(REFUSED_RETRY))
            }
        })
    }

    /// Ends the PATCH; a finished slot is dropped under the same lock, so that no request can join it any more.
    fn end(&self, warehouse: &ObjectKey, end: End) -> Option<Next<oneshot::Sender<Outcome>>> {
        let mut slots = self.slots.lock();
        let next = slots.get_mut(warehouse)?.end(end);
        if matches!(next, Next::Finished(_)) {
            slots.remove(warehouse);
        }
        Some(next)
    }

    fn jitter(&self, warehouse: &ObjectKey, failures: u32) -> f64 {
        let hash = u32::try_from(self.jitter.hash_one((warehouse, failures)) >> 32).unwrap_or(0);
        f64::from(hash) / f64::from(u32::MAX)
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
