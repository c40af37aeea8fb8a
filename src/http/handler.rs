//! The one handler behind every path of the webhook port.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;

use super::answer::{Answer, Outcome};
use super::body;
use super::intake;
use crate::delivery::{self, JudgedAction, Judgement, Lookup, judge};
use crate::domain::client_cert::ClientIdentity;
use crate::domain::event::ActionResult;
use crate::domain::path::ReceiverPath;
use crate::domain::target::Target;
use crate::metrics::delivery::DeliveryMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::Readiness;
use crate::receiver;
use crate::refresh::Refresher;
use crate::spool::Spool;
use crate::tables::Tables;
use crate::tables::routes::{Route, Standing};

/// Everything a request needs.
pub struct Hooks {
    /// What a request is looked up in.
    pub(super) tables: Tables,
    /// Writes annotations.
    pub(super) refresher: Refresher,
    /// Whether the tables can be trusted.
    pub(super) readiness: Arc<Readiness>,
    /// Counters.
    pub(super) metrics: DeliveryMetrics,
    /// Names deliveries.
    ids: DeliveryIds,
    /// How long an answer waits for the annotations to be written.
    ack_deadline: Duration,
    /// Keeps what is not done by then, and what arrives before the tables are filled.
    pub(super) spool: Option<Spool>,
    /// For arrivals.
    pub(super) clock: Clock,
}

/// Hands out delivery ids: unique within a process, and with the random half practically unique among replicas.
struct DeliveryIds {
    process: u32,
    count: AtomicU32,
}

impl Default for DeliveryIds {
    fn default() -> Self {
        let process = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0);
        Self { process, count: AtomicU32::new(0) }
    }
}

impl DeliveryIds {
    fn next(&self) -> String {
        format!("{:08x}{:08x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}

/// The router of the webhook port. Kargo answers `/healthz` there, and load balancers rely on it.
pub fn router(hooks: Arc<Hooks>) -> Router {
    Router::new().route("/healthz", axum::routing::any(|| async { StatusCode::OK })).fallback(handle).with_state(hooks)
}

async fn handle(State(hooks): State<Arc<Hooks>>, request: Request<Body>) -> Response {
    let mut response = respond(&hooks, request).await;
    if hooks.readiness.is_draining() {
        // A proxy that kept the connection would send on it what crosses our end.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn respond(hooks: &Hooks, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let recognised = ReceiverPath::recognise(head.uri.path(), hooks.tables.routes.base());
    if recognised.is_some() && !hooks.readiness.tables_filled() {
        // Even a route that is known already could not see every Warehouse.
        let id = hooks.ids.next();
        let answer = intake::take_in(hooks, head, body, &id).await;
        hooks.metrics.delivered("none", answer.outcome.as_str(), None);
        return answer.with_delivery(&id).into_response();
    }
    let now = hooks.clock.now();
    let route =
        recognised.as_ref().and_then(|path| hooks.tables.routes.find(path)).filter(|route| route.is_in_force(now));
    let Some(route) = route else {
        let answer = Answer::unknown_path();
        hooks.metrics.delivered("none", answer.outcome.as_str(), None);
        return answer.into_response();
    };
    let id = hooks.ids.next();
    let (answer, took) = hooks.deliver(&route, &head, body, &id).await;
    hooks.metrics.delivered(route.kind().as_str(), answer.outcome.as_str(), took);
    answer.with_delivery(&id).into_response()
}

impl Hooks {
    /// What requests need, on one lane.
    #[must_use]
    pub fn new(
        tables: Tables,
        refresher: Refresher,
        readiness: Arc<Readiness>,
        metrics: DeliveryMetrics,
        spool: Option<Spool>,
        ack_deadline: Duration,
    ) -> Self {
        let (ids, clock) = (DeliveryIds::default(), Clock::system());
        Self { tables, refresher, readiness, metrics, ids, ack_deadline, spool, clock }
    }

    async fn deliver(&self, route: &Route, head: &Parts, body: Body, id: &str) -> (Answer, Option<Duration>) {
        let refused = |answer: Answer| {
            log(route, id, &answer, None, None);
            (answer, None)
        };
        if let Some(answer) = Answer::refused(&head.method, 0) {
            return refused(answer);
        }
        let body = match body::read(head, body).await {
            Ok(body) => body,
            Err(unreadable) => return refused(unreadable.answer()),
        };
        let (arrived, arrival) = (Instant::now(), self.clock.now());
        let request =
            receiver::Request { headers: &head.headers, query: head.uri.query(), body: &body, arrived: arrival };
        let client = head.extensions.get().copied().unwrap_or_default();
        let (judgement, dry_run) = (self.judge(route, &client, &request), delivery::is_dry_run(&request));
        // Others may wait for its memory.
        drop(body);
        let answer = if dry_run {
            Answer::dry_run(&judgement)
        } else {
            let unfinished = self.refresh(judgement.targets()).await;
            let is_queued = !unfinished.is_empty() && self.queue(&unfinished, arrival, id).await;
            Answer::of(&judgement, &unfinished, is_queued)
        };
        log_failures(route, id, &judgement);
        let took = arrived.elapsed();
        log(route, id, &answer, Some(&judgement), Some(took));
        (answer, Some(took))
    }

    /// Judges a request of somebody who proved this when connecting.
    pub(super) fn judge(&self, route: &Route, client: &ClientIdentity, request: &receiver::Request<'_>) -> Judgement {
        let judgement = judge(route, client, request, self.lookup());
        if matches!(route.standing, Standing::Previous { .. }) && !matches!(judgement, Judgement::Rejected(_)) {
            self.metrics.previous_secret_used(route.kind().as_str(), self.clock.now());
            let (project, receiver) = (route.scope.project(), &*route.receiver);
            tracing::info!(project, receiver, "the URL of the previous secret is still in use");
        }
        judgement
    }

    /// What a request is looked up in.
    pub(super) fn lookup(&self) -> Lookup<'_> {
        let Tables { index, promotions, aliases, .. } = &self.tables;
        Lookup { warehouses: index, promotions, aliases }
    }

    /// Puts refreshes that are owed on disk. Returns whether the disk has them.
    async fn queue(&self, targets: &[Target], arrival: Timestamp, id: &str) -> bool {
        let Some(spool) = &self.spool else {
            return false;
        };
        let owed = spool.owe(targets, arrival, id).await;
        // One that was written meanwhile has found nothing to settle; and a call that timed out may still be carried out.
        for target in targets.iter().filter(|target| !self.refresher.owes(target)) {
            spool.settle(target, arrival);
        }
        if let Err(error) = &owed {
            tracing::error!(delivery = id, reason = error.reason(), "an owed refresh cannot be written: {error}");
        }
        owed.is_ok()
    }

    /// Asks for all refreshes at once and waits until they are written or the deadline passes. Returns those that are not
    /// done by then; they stay owed, only the answer no longer waits for them.
    async fn refresh(&self, mut targets: Vec<Target>) -> Vec<Target> {
        if targets.is_empty() {
            return targets;
        }
        self.metrics.matched(&targets);
        let waiters = self.refresher.request(&targets);
        let mut done = vec![false; targets.len()];
        let all = async {
            for (waiter, done) in waiters.into_iter().zip(&mut done) {
                *done = waiter.await.is_ok_and(|outcome| outcome.is_done());
            }
        };
        drop(tokio::time::timeout(self.ack_deadline, all).await);
        let mut done = done.into_iter();
        targets.retain(|_| !done.next().unwrap_or_default());
        targets
    }
}

/// The first action that failed and why, for the log alone: the answer names only the class of the error.
fn log_failures(route: &Route, id: &str, judgement: &Judgement) {
    let Judgement::Actions(actions) = judgement else { return };
    let failure = |(index, action): (usize, &JudgedAction)| match &action.verdict.result {
        ActionResult::Failed { detail, .. } => Some((index, detail.clone())),
        ActionResult::NotApplicable | ActionResult::Refresh(_) | ActionResult::Unknown => None,
    };
    let mut failures = actions.iter().enumerate().filter_map(failure);
    if let Some((action, reason)) = failures.next() {
        let (project, receiver, others) = (route.scope.project(), &*route.receiver, failures.count());
        tracing::warn!(
            delivery = id,
            project,
            receiver,
            action,
            reason,
            others,
            "action of a generic receiver cannot be carried out"
        );
    }
}

/// One line per delivery. It names the receiver and the counts, never the path, a header or the body.
fn log(route: &Route, id: &str, answer: &Answer, judgement: Option<&Judgement>, took: Option<Duration>) {
    let (event, matched) = judgement.map_or(("", 0), |judgement| (judgement.event(), judgement.targets().len()));
    let outcome = answer.outcome;
    let took = u64::try_from(took.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
    let fields = (route.kind().as_str(), route.scope.project(), &*route.receiver, answer.status().as_u16());
    let (kind, project, receiver, status) = fields;
    let outcome_name = outcome.as_str();
    if matches!(outcome, Outcome::Unfinished) {
        tracing::warn!(
            delivery = id,
            kind,
            project,
            receiver,
            event,
            matched,
            status,
            outcome = outcome_name,
            duration_us = took,
            "delivery not finished in time"
        );
    } else {
        tracing::info!(
            delivery = id,
            kind,
            project,
            receiver,
            event,
            matched,
            status,
            outcome = outcome_name,
            duration_us = took,
            "delivery answered"
        );
    }
}
