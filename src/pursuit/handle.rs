//! The handle that the rest of the process uses, and the task that asks again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::given_up;
use super::machine::Machine;
use super::{At, Moment, Origin, Outcome, Push, Report, Rules, Sighting, Trouble, Troubles, Why};
use crate::domain::artifact::{Artifacts, Listing};
use crate::domain::event::PushEvent;
use crate::domain::message::presentable;
use crate::domain::target::{Target, TargetKind};
use crate::events::Events;
use crate::journal::Journal;
use crate::journal::record::{State, Step};
use crate::lease::Leadership;
use crate::metrics::pursuit::PursuitMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::Readiness;
use crate::refresh::cause::Cause;
use crate::refresh::patch::Patch;
use crate::refresh::{PatchOutcome, Refresher};
use crate::tables::warehouses::SubscriptionIndex;

/// How often it is looked what is due.
const TICK: Duration = Duration::from_millis(250);
/// Nudges in one tick, 20 a second: after an outage of a registry thousands are due at once, and pushes go first.
const NUDGES_PER_TICK: usize = 5;

/// Pursues pushes; a clone is another handle to the same pursuits.
#[derive(Clone)]
pub struct Pursuit(Arc<Shared>);

struct Shared {
    machine: Mutex<Machine>,
    began: Instant,
    clock: Clock,
    index: Arc<SubscriptionIndex>,
    metrics: PursuitMetrics,
    journal: Journal,
    events: Events,
    troubles: Arc<Troubles>,
}

impl Pursuit {
    /// Nothing is pursued yet. What will have to be given up becomes an Event.
    #[must_use]
    pub fn new(
        rules: Rules,
        index: Arc<SubscriptionIndex>,
        clock: Clock,
        metrics: PursuitMetrics,
        journal: Journal,
        events: Events,
    ) -> Self {
        Outcome::ALL.iter().for_each(|outcome| metrics.begin(outcome.as_str()));
        let machine = Mutex::new(Machine::new(rules));
        let began = Instant::now();
        let troubles = Arc::default();
        Self(Arc::new(Shared { machine, began, clock, index, metrics, journal, events, troubles }))
    }

    /// The Warehouses whose pushes Kargo does not come across.
    #[must_use]
    pub fn troubles(&self) -> Arc<Troubles> {
        Arc::clone(&self.0.troubles)
    }

    /// Now, by both clocks.
    #[must_use]
    pub fn at(&self) -> At {
        At { now: self.0.began.elapsed(), wall: self.0.clock.now() }
    }

    /// A push is about to ask for refreshes of these. It must be called before the refreshes are requested.
    pub fn want(&self, targets: &[Target], push: &Push) {
        let at = self.at();
        for target in targets {
            let mut out = Vec::new();
            self.0.machine.lock().want(target, push, at, &mut out);
            self.report(target, out);
        }
    }

    /// The same patcher, which lets the pursuit know what it writes.
    pub fn followed(&self, patcher: impl Patch + 'static) -> impl Patch + 'static {
        Followed { patcher, pursuit: self.clone() }
    }

    /// Whether this object is pursued.
    #[must_use]
    pub fn pursues(&self, target: &Target) -> bool {
        self.0.machine.lock().pursues(target)
    }

    /// The watch shows an object. `artifacts` reads those of its status and is called only when they matter.
    pub fn observe(
        &self,
        target: &Target,
        sighting: &Sighting<'_>,
        origin: Origin,
        artifacts: impl FnOnce() -> Option<Artifacts>,
    ) {
        let (at, mut out) = (self.at(), Vec::new());
        let needs_artifacts = self.0.machine.lock().needs_artifacts(target);
        // Read outside the lock: a status may be large.
        let artifacts = if needs_artifacts { artifacts() } else { None };
        let warehouse = if artifacts.is_some() { self.0.index.get(&target.key) } else { None };
        let mut lists = |events: &[PushEvent]| match (&artifacts, &warehouse) {
            (Some(artifacts), Some(warehouse)) => artifacts.listing(warehouse.subscriptions.iter().flatten(), events),
            _ => Listing::Unknown,
        };
        self.0.machine.lock().observe(target, sighting, (at, origin), &mut lists, &mut out);
        if target.kind == TargetKind::Warehouse {
            self.0.troubles.observe(&target.key, sighting);
        }
        self.report(target, out);
    }

    /// An object was deleted.
    pub fn gone(&self, target: &Target) {
        let (at, mut out) = (self.at(), Vec::new());
        self.0.machine.lock().gone(target, at, &mut out);
        if target.kind == TargetKind::Warehouse {
            self.0.troubles.gone(&target.key);
        }
        self.report(target, out);
    }

    /// Asks Kargo again where that is due, until `stop` is cancelled.
    pub async fn run(
        self,
        refresher: Refresher,
        leadership: Leadership,
        readiness: Arc<Readiness>,
        stop: CancellationToken,
    ) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let (at, mut out) = (self.at(), Vec::new());
            let due = self.0.machine.lock().tick(at, leadership.is_leader(), &mut out);
            out.into_iter().for_each(|(target, report)| self.report(&target, vec![report]));
            let (objects, oldest) = self.0.machine.lock().pursued();
            self.0.troubles.tick(at.wall);
            self.0.metrics.pursues(objects, oldest.map(|since| at.now.saturating_sub(since)));
            if readiness.is_draining() {
                continue;
            }
            // One that owes a refresh anyway is written soon, by whatever asked for it.
            for target in due.into_iter().filter(|target| !refresher.owes(target)).take(NUDGES_PER_TICK) {
                tracing::info!(object = %target, "Kargo has not looked, or not seen a push: asking it again");
                let delivery = {
                    let mut machine = self.0.machine.lock();
                    machine.nudged(&target, at);
                    machine.delivery(&target)
                };
                self.0.metrics.nudged();
                self.note(&target, Duration::ZERO, &Step::Nudged);
                let cause = Cause::follow_up(delivery.as_deref());
                drop(refresher.request(std::slice::from_ref(&target), &cause));
            }
        }
    }

    fn written(&self, target: &Target, token: &str) {
        let Ok(begun) = token.parse() else { return };
        let (at, mut out) = (self.at(), Vec::new());
        self.0.machine.lock().written(target, token, begun, at, &mut out);
        self.report(target, out);
    }

    /// An attempt to write the annotation failed; it is repeated.
    fn delayed(&self, target: &Target, because: String) {
        self.note(target, Duration::ZERO, &Step::Delayed(because));
    }

    /// Notes a step in the journal, for the deliveries that are at least so old.
    fn note(&self, target: &Target, after: Duration, step: &Step) {
        let now = self.0.clock.now();
        // A span that leaves the calendar is older than every delivery.
        let up_to = now.checked_sub(after).unwrap_or(now);
        self.0.journal.advance(target, up_to, step, now);
    }

    fn not_listed(&self, target: &Target, after: Moment) {
        let now = self.0.clock.now();
        let since = now.checked_sub(after).unwrap_or(now);
        let trouble = Trouble { why: Why::Unlisted, since, message: String::new(), discovered: None };
        self.0.troubles.begin(&target.key, trouble);
    }

    fn report(&self, target: &Target, reports: Vec<Report>) {
        for report in reports {
            match report {
                Report::Handled { after } => {
                    self.0.metrics.handled(after);
                    self.note(target, after, &Step::Handled);
                }
                Report::Looked { after } => {
                    self.0.metrics.looked(after);
                    self.note(target, after, &Step::Looked);
                }
                Report::Failing { message } => {
                    self.note(target, Duration::ZERO, &Step::Failing(presentable(&message)));
                }
                Report::NotHandled => {
                    self.0.metrics.unhandled();
                    self.note(target, Duration::ZERO, &Step::Ended(State::NotHandled, String::new()));
                    tracing::warn!(
                        object = %target,
                        "Kargo does not take a refresh up; is its controller running, and is it the one for this shard?"
                    );
                }
                Report::Troubled { why, since, message, discovered } => {
                    let message = message.as_deref().map(presentable).unwrap_or_default();
                    self.0.troubles.begin(&target.key, Trouble { why, since, message, discovered });
                }
                Report::Ended { push, outcome, after, message } => {
                    self.0.metrics.ended(outcome.as_str(), after);
                    let reason = message.as_deref().map(presentable).unwrap_or_default();
                    log_end(target, &push, outcome, after, &reason);
                    if let Some(state) = ended_as(outcome) {
                        self.note(target, after, &Step::Ended(state, reason.clone()));
                    }
                    match outcome {
                        Outcome::Seen => self.0.troubles.seen(&target.key),
                        Outcome::LookedNotListed => self.not_listed(target, after),
                        _ => {}
                    }
                    if let Some(note) = given_up::note(target, outcome, &reason) {
                        self.0.events.send(note);
                    }
                }
            }
        }
    }
}

/// The state in which the end of a pursuit leaves a refresh, where it says more than the steps before.
const fn ended_as(outcome: Outcome) -> Option<State> {
    match outcome {
        Outcome::Seen => Some(State::Seen),
        Outcome::LookedNotListed => Some(State::LookedNotListed),
        Outcome::NotLooked => Some(State::NotLooked),
        Outcome::NotHandled => Some(State::NotHandled),
        Outcome::Looked | Outcome::Handled | Outcome::Gone | Outcome::Untracked => None,
    }
}

fn log_end(target: &Target, push: &Push, outcome: Outcome, after: Moment, reason: &str) {
    let (delivery, outcome_name) = (push.delivery.as_deref().unwrap_or_default(), outcome.as_str());
    let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Outcome::LookedNotListed | Outcome::NotLooked | Outcome::NotHandled | Outcome::Untracked => tracing::warn!(
            object = %target, delivery, outcome = outcome_name, after_ms, reason, "a push is not pursued any longer"
        ),
        Outcome::Seen | Outcome::Looked | Outcome::Handled | Outcome::Gone => {
            tracing::debug!(object = %target, delivery, outcome = outcome_name, after_ms, "the pursuit of a push has ended");
        }
    }
}

/// Notes every token that is written.
struct Followed<P> {
    patcher: P,
    pursuit: Pursuit,
}

impl<P: Patch> Patch for Followed<P> {
    fn patch<'a>(&'a self, target: &'a Target, token: &'a str, cause: &'a Cause) -> BoxFuture<'a, PatchOutcome> {
        async move {
            let outcome = self.patcher.patch(target, token, cause).await;
            match &outcome {
                PatchOutcome::Written => self.pursuit.written(target, token),
                PatchOutcome::Gone => self.pursuit.gone(target),
                PatchOutcome::Refused { status, message } => {
                    let message = presentable(message);
                    self.pursuit.delayed(target, format!("the API server refuses the write with {status}: {message}"));
                }
                PatchOutcome::Failed { status: Some(status), .. } => {
                    self.pursuit.delayed(target, format!("the API server answered {status}"));
                }
                PatchOutcome::Failed { status: None, .. } => {
                    self.pursuit.delayed(target, "the API server does not answer".to_owned());
                }
            }
            outcome
        }
        .boxed()
    }
}
