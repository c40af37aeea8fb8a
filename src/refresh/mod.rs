//! The refresher: one annotation PATCH per Warehouse and round trip, however many pushes ask for it.
//!
//! [`schedule`] decides and is pure: what is owed, whose turn it is, and when. This module runs what it says: a task
//! for each PATCH in flight, one that waits for the next time, and nothing for what waits its turn. A refresh stays
//! owed until it is written or its Warehouse is gone, even when its sender no longer waits for it.

pub mod cause;
mod coalesce;
mod fair;
mod health;
mod outcome;
mod pace;
pub mod patch;
mod schedule;
pub mod token;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{sleep_until, timeout};

use cause::Cause;
use coalesce::Waits;
pub use outcome::PatchOutcome;
use patch::Patch;
use schedule::{Request, Schedule, Turn};
use token::{TokenSource, token};

use crate::domain::target::Target;
use crate::metrics::refresh::RefreshMetrics;

/// Resolves when the refresh has ended; it may take as long as the API server is away.
pub type Waiter = oneshot::Receiver<PatchOutcome>;

/// Handle to the refresher; cheap to clone.
#[derive(Clone)]
pub struct Refresher {
    shared: Arc<Shared>,
    patcher: Arc<dyn Patch>,
}

struct Shared {
    state: Mutex<State>,
    /// Woken whenever a target owes nothing any more.
    finished: Notify,
    tokens: TokenSource,
    metrics: RefreshMetrics,
    jitter: RandomState,
    settled: Settled,
    /// Of those who want to know what is written.
    recordings: Mutex<Vec<Weak<Mutex<HashSet<Target>>>>>,
}

/// What was written since [`Refresher::record`].
pub struct Recording(Arc<Mutex<HashSet<Target>>>);

impl Recording {
    /// Whether this target was refreshed meanwhile.
    #[must_use]
    pub fn has(&self, target: &Target) -> bool {
        self.0.lock().contains(target)
    }
}

/// Held for moments only, never across an await.
struct State {
    schedule: Schedule<Sender>,
    /// The task that waits for the next time at which something is due, and that time.
    timer: Option<(Instant, AbortHandle)>,
}

/// A PATCH that begins.
struct Begun {
    target: Target,
    cause: Cause,
    /// Its token.
    at: Timestamp,
}

type Sender = oneshot::Sender<PatchOutcome>;

impl Waits for Sender {
    fn is_gone(&self) -> bool {
        self.is_closed()
    }
}

/// Called when a target owes nothing that arrived before the given time, the start of its last PATCH. It must not
/// block.
pub type Settled = Box<dyn Fn(&Target, Timestamp) + Send + Sync>;

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
        let state = State { schedule: Schedule::new(concurrency), timer: None };
        let shared = Shared {
            state: Mutex::new(state),
            finished: Notify::new(),
            tokens,
            metrics,
            jitter: RandomState::new(),
            settled,
            recordings: Mutex::default(),
        };
        Self { shared: Arc::new(shared), patcher: Arc::new(patcher) }
    }

    /// A handle to the same refresher whose own requests are written by another patcher.
    #[must_use]
    pub fn with_patcher(&self, patcher: impl Patch + 'static) -> Self {
        Self { shared: Arc::clone(&self.shared), patcher: Arc::new(patcher) }
    }

    /// Owes every one of these targets a refresh from now on. One waiter for each, in the same order.
    #[must_use]
    pub fn request(&self, targets: &[Target], cause: &Cause) -> Vec<Waiter> {
        self.request_each(targets.iter().map(|target| (target, cause.clone())))
    }

    /// The same, each with a cause of its own.
    #[must_use]
    pub fn request_each<'t>(&self, refreshes: impl Iterator<Item = (&'t Target, Cause)>) -> Vec<Waiter> {
        let channels = refreshes.map(|(target, cause)| {
            let (waiter, answer) = oneshot::channel();
            (Request { target: target.clone(), cause, waiter }, answer)
        });
        let (requests, waiters): (Vec<_>, Vec<_>) = channels.unzip();
        self.shared.metrics.requests.inc_by(requests.len() as u64);
        self.shared.state.lock().schedule.request(requests, now());
        self.pump();
        waiters
    }

    /// Requests these refreshes and waits for them until the deadline. Returns those that are not done by then, in the
    /// same order; they stay owed.
    pub async fn refresh_within(&self, targets: &[Target], cause: &Cause, deadline: Duration) -> Vec<Target> {
        if targets.is_empty() {
            return Vec::new();
        }
        let began = now();
        let waiters = self.request(targets, cause);
        let mut done = vec![false; targets.len()];
        let all = async {
            for (waiter, done) in waiters.into_iter().zip(&mut done) {
                *done = waiter.await.is_ok_and(|outcome| outcome.is_done());
            }
        };
        if timeout(deadline, all).await.is_err() && !deadline.is_zero() {
            self.health_after(|schedule| schedule.waited_since(began));
        }
        targets.iter().zip(done).filter(|(_, done)| !done).map(|(target, _)| target.clone()).collect()
    }

    /// Records what is written from now on, until the recording is dropped.
    #[must_use]
    pub fn record(&self) -> Recording {
        let recording = Recording(Arc::default());
        self.shared.recordings.lock().push(Arc::downgrade(&recording.0));
        recording
    }

    /// Whether the API server is known to be away, because the last writes failed: to wait for it is of no use.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.shared.state.lock().schedule.is_away()
    }

    /// Whether a PATCH is in flight, so that work of less priority should wait. A back-off does not count.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.shared.state.lock().schedule.in_flight() > 0
    }

    /// How many targets owe a refresh.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.shared.state.lock().schedule.len()
    }

    /// Whether this target owes a refresh.
    #[must_use]
    pub fn owes(&self, target: &Target) -> bool {
        self.shared.state.lock().schedule.owes(target)
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

    /// Begins what may begin now, each PATCH in a task that goes on with others when it is done.
    fn pump(&self) {
        while let Some(begun) = self.begin() {
            tokio::spawn(self.clone().work(begun));
        }
    }

    /// Begins one PATCH, if one may begin. Otherwise sees to it that the next one begins in time.
    fn begin(&self) -> Option<Begun> {
        let mut state = self.shared.state.lock();
        match state.schedule.take(now()) {
            // Under the lock, so that every request that it answers is older.
            Turn::Begin(target, cause) => Some(Begun { target, cause, at: self.shared.tokens.next() }),
            Turn::At(time) => {
                self.wake_at(&mut state, time);
                None
            }
            Turn::Idle => None,
        }
    }

    fn wake_at(&self, state: &mut State, time: Instant) {
        if state.timer.as_ref().is_some_and(|(armed, _)| *armed <= time) {
            return;
        }
        let refresher = self.clone();
        let timer = tokio::spawn(async move {
            sleep_until(time.into()).await;
            refresher.shared.state.lock().timer.take_if(|(armed, _)| *armed == time);
            refresher.pump();
        });
        if let Some((_, later)) = state.timer.replace((time, timer.abort_handle())) {
            later.abort();
        }
    }

    async fn work(self, mut begun: Begun) {
        loop {
            let outcome = self.attempt(&begun).await;
            self.end(&begun.target, &outcome, begun.at);
            let Some(next) = self.begin() else {
                return;
            };
            // An end may let more than one begin: when the API server is back, all of them.
            self.pump();
            begun = next;
        }
    }

    async fn attempt(&self, Begun { target, cause, at }: &Begun) -> PatchOutcome {
        let timer = Instant::now();
        // A panic costs this attempt only: what is owed stays owed, and is attempted again.
        let attempt = AssertUnwindSafe(async { self.patcher.patch(target, &token(*at), cause).await });
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
        outcome
    }

    fn end(&self, target: &Target, outcome: &PatchOutcome, begun: Timestamp) {
        let spread = u32::try_from(self.shared.jitter.hash_one((target, begun)) >> 32).unwrap_or(0);
        let jitter = f64::from(spread) / f64::from(u32::MAX);
        let ended = self.health_after(|schedule| {
            let ended = schedule.end(target, outcome, jitter, now());
            if ended.is_settled {
                // Under the lock, so that no new request is owed before.
                (self.shared.settled)(target, begun);
            }
            ended
        });
        if *outcome == PatchOutcome::Written {
            self.shared.recordings.lock().retain(|recording| {
                let recording = recording.upgrade();
                recording.map(|written| written.lock().insert(target.clone())).is_some()
            });
        }
        for waiter in ended.answered {
            // The request may have answered its sender already.
            waiter.send(outcome.clone()).ok();
        }
        if ended.is_settled {
            self.shared.finished.notify_waiters();
        }
    }
}

impl Refresher {
    /// Changes the schedule, and logs when that means that the API server is away, or back.
    fn health_after<T>(&self, change: impl FnOnce(&mut Schedule<Sender>) -> T) -> T {
        let mut state = self.shared.state.lock();
        let was_away = state.schedule.is_away();
        let outcome = change(&mut state.schedule);
        let is_away = state.schedule.is_away();
        drop(state);
        match (was_away, is_away) {
            (false, true) => tracing::warn!("the API server does not take writes: refreshes stay owed until it does"),
            (true, false) => tracing::info!("the API server takes writes again"),
            (false, false) | (true, true) => {}
        }
        outcome
    }
}

/// The time as the schedule knows it. A test can stop it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;
