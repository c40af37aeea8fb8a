//! The one handler behind every path of the webhook port.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode, header};
use jiff::Timestamp;

use super::answer::{Answer, Ending};
use super::pool::Party;
use super::record::Over;
use super::state::Hooks;
use super::{body, entrance, intake, log, record};
use crate::delivery;
use crate::domain::path::ReceiverPath;
use crate::domain::target::Target;
use crate::process::supervisor::caught_async;
use crate::pursuit::Push;
use crate::receiver;
use crate::refresh::cause::Cause;
use crate::tables::routes::{Found, Route};

/// Kargo answers it on the webhook port, and load balancers rely on that.
const HEALTH_PATH: &str = "/healthz";

/// The router of the webhook port. There is one handler, because the paths of receivers are looked up.
pub fn router(hooks: Arc<Hooks>) -> Router {
    Router::new().fallback(handle).with_state(hooks)
}

async fn handle(State(hooks): State<Arc<Hooks>>, request: Request<Body>) -> Response {
    let (head, mut body) = request.into_parts();
    let waits_for_permission = head.headers.contains_key(header::EXPECT);
    let answered = caught_async("a request", respond(&hooks, head, &mut body)).await;
    let mut response = answered.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    if !body.is_end_stream() && !waits_for_permission && response.status() != StatusCode::REQUEST_TIMEOUT {
        body::discard(&mut body).await;
    }
    if hooks.readiness.is_draining() {
        // A proxy that kept the connection would send a request on it that crosses our end.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn respond(hooks: &Hooks, head: Parts, body: &mut Body) -> Response {
    if head.uri.path() == HEALTH_PATH {
        return StatusCode::OK.into_response();
    }
    let recognised = ReceiverPath::recognise(head.uri.path(), hooks.tables.routes.base());
    let now = hooks.clock.now();
    let found = recognised.as_ref().map(|path| hooks.tables.routes.look_up(path, now));
    // While the tables are not filled, even a route that is known could not see every Warehouse.
    let is_early = found.is_some() && !hooks.readiness.tables_filled();
    if is_early || matches!(found, Some(Found::Unresolved)) {
        let id = hooks.ids.next();
        let answer = intake::take_in(hooks, head, body, &id).await;
        hooks.metrics.delivered("none", answer.outcome.as_str(), None);
        return answer.with_delivery(&id).into_response();
    }
    let Some(Found::Route(route)) = found else {
        let answer = Answer::unknown_path();
        // The sender is answered as always; the people who run this learn who calls in vain.
        if let Some(meant) = recognised.and_then(|path| hooks.tables.meant_by(&path, now)) {
            record::keep_retired(hooks, &meant, &answer, now);
        }
        hooks.metrics.delivered("none", answer.outcome.as_str(), None);
        return answer.into_response();
    };
    let id = hooks.ids.next();
    let (answer, took) = deliver(hooks, &route, &head, body, &id).await;
    hooks.metrics.delivered(route.kind().as_str(), answer.outcome.as_str(), took);
    answer.with_delivery(&id).into_response()
}

/// Answers a request that reached its receiver, and says how long that took once the request was complete.
async fn deliver(
    hooks: &Hooks,
    route: &Arc<Route>,
    head: &Parts,
    body: &mut Body,
    id: &str,
) -> (Answer, Option<Duration>) {
    let refused = |answer: Answer| {
        log::Delivery { id, route, event: "", matched: 0, took: Duration::ZERO }.log(&answer);
        let arrived = hooks.clock.now();
        let over =
            Over { id, route, arrived, answer: &answer, took: None, judgement: None, targets: &[], unfinished: &[] };
        over.keep(hooks);
        (answer, None)
    };
    if let Some(answer) = Answer::refused(&head.method, 0) {
        return refused(answer);
    }
    let party = hooks.memory.bodies.party((route.scope.project(), &*route.receiver));
    let body = match body::read(head, body, &hooks.memory.bodies, party).await {
        Ok(body) => body,
        Err(unreadable) => return refused(unreadable.answer()),
    };
    let timer = Instant::now();
    let arrived = hooks.clock.now();
    let request = receiver::Request { headers: &head.headers, query: head.uri.query(), body: &body, arrived };
    let client = entrance::identity(&head.extensions);
    let judgement = hooks.judge(route, &client, &request).await;
    let is_dry_run = delivery::is_dry_run(&request);
    // Other requests may wait for its memory.
    drop(body);
    let targets = judgement.targets();
    let unfinished = if is_dry_run || targets.is_empty() {
        Vec::new()
    } else {
        hooks.pursuit.want(&targets, &Push::new(judgement.events(), id));
        let cause = Cause::delivery(id, route.scope.project(), &route.receiver, judgement.event());
        refresh(hooks, party, &targets, &cause).await
    };
    let answer = {
        let ending = if is_dry_run {
            Ending::DryRun
        } else if unfinished.is_empty() {
            Ending::Written
        } else if queue(hooks, &unfinished, arrived, id).await {
            Ending::Queued { unfinished: &unfinished, all: targets.len() }
        } else {
            Ending::Unfinished(&unfinished)
        };
        Answer::of(&judgement, ending)
    };
    log::failures(route, id, &judgement);
    let took = timer.elapsed();
    log::Delivery { id, route, event: judgement.event(), matched: targets.len(), took }.log(&answer);
    let (targets, unfinished) = (if is_dry_run { &[][..] } else { &targets }, &unfinished);
    Over { id, route, arrived, answer: &answer, took: Some(took), judgement: Some(&judgement), targets, unfinished }
        .keep(hooks);
    (answer, Some(took))
}

/// Asks for all refreshes at once and waits until they are written or the deadline passes. Where a disk can keep what
/// is owed, it does not wait while the API server is known to be away, or while the receiver waits for too much
/// already. Returns those that are not done by then; they stay owed.
async fn refresh(hooks: &Hooks, party: Party, targets: &[Target], cause: &Cause) -> Vec<Target> {
    hooks.metrics.matched(targets);
    let wait = hooks.memory.waits.begin(party, targets.len());
    // A sender that is serial, as Quay is, must not wait in vain for every event of an outage.
    let is_queued = hooks.spool.is_some() && (wait.is_beyond_share || hooks.refresher.is_away());
    let deadline = if is_queued { Duration::ZERO } else { hooks.ack_deadline };
    hooks.refresher.refresh_within(targets, cause, deadline).await
}

/// Puts refreshes that are owed on disk. Returns whether the disk has them.
async fn queue(hooks: &Hooks, targets: &[Target], arrived: Timestamp, id: &str) -> bool {
    let Some(spool) = &hooks.spool else {
        return false;
    };
    let owed = spool.owe(targets, arrived, id).await;
    // One that was written meanwhile has found nothing to settle; and a call that timed out may still be carried out.
    for target in targets.iter().filter(|target| !hooks.refresher.owes(target)) {
        spool.settle(target, arrived);
    }
    if let Err(error) = &owed {
        tracing::error!(delivery = id, reason = error.reason(), "an owed refresh cannot be written: {error}");
    }
    owed.is_ok()
}
