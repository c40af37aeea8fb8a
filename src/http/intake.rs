//! Requests that arrive before anybody can tell whether they are a receiver's: taken in as they are, run once the
//! tables are filled and every Secret that a receiver names could be read.
//!
//! Senders do not wait for an API server that is away. What has the form of a receiver's path is put on disk whole and
//! acknowledged; what then proves unknown or unauthentic is dropped and counted. Nothing here looks at a credential
//! before the ordinary path does.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures::future::join_all;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::answer::Answer;
use super::pool::Party;
use super::state::Hooks;
use super::{body, entrance};
use crate::delivery;
use crate::domain::client_cert::ClientIdentity;
use crate::domain::path::ReceiverPath;
use crate::process::supervisor::caught_async;
use crate::pursuit::Push;
use crate::receiver;
use crate::refresh::cause::Cause;
use crate::spool::{IntakeId, Spool, TakenIn};
use crate::tables::routes::Found;

/// Pause before the disk is looked at, or tried, again.
const PAUSE: Duration = Duration::from_secs(2);

/// What became of a request that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    /// What it asks for is owed.
    Owed,
    /// It is authentic and asks for nothing.
    Nothing,
    /// It is no receiver's, or not authentic, or cannot be read.
    Dropped,
}

impl Run {
    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owed => "owed",
            Self::Nothing => "nothing",
            Self::Dropped => "dropped",
        }
    }
}

/// Keeps with a request what its sender proved when it connected. What a sender itself puts there is taken out.
const IDENTITY: HeaderName = HeaderName::from_static("x-quayside-client-certificate");

fn as_header(identity: &ClientIdentity) -> Option<HeaderValue> {
    let text = match identity {
        ClientIdentity::Verified { fingerprint } => format!("verified {fingerprint}"),
        ClientIdentity::Unverified { fingerprint } => format!("unverified {fingerprint}"),
        ClientIdentity::None => return None,
    };
    text.parse().ok()
}

fn from_header(value: Option<&HeaderValue>) -> ClientIdentity {
    let parts = value.and_then(|value| value.to_str().ok()?.split_once(' '));
    match parts.and_then(|(word, fingerprint)| Some((word, fingerprint.parse().ok()?))) {
        Some(("verified", fingerprint)) => ClientIdentity::Verified { fingerprint },
        Some((_, fingerprint)) => ClientIdentity::Unverified { fingerprint },
        None => ClientIdentity::None,
    }
}

/// Whether a receiver may turn out to have a path, given whether it was served before, as far as that is remembered. A
/// stranger must not fill the disk with what no receiver will read. And where several installations share the cluster,
/// an unknown path may be another one's, whose push must not end here.
fn may_have_reader(was_served: Option<bool>, tables_filled: bool, is_whole: bool) -> bool {
    match was_served {
        Some(true) => true,
        Some(false) => is_whole && tables_filled,
        None => is_whole,
    }
}

/// Takes a request in, if there is a disk to keep it.
pub(super) async fn take_in(hooks: &Hooks, head: Parts, body: &mut Body, id: &str) -> Answer {
    if let Some(answer) = Answer::refused(&head.method, 0) {
        return answer;
    }
    let Some(spool) = &hooks.spool else {
        return Answer::starting();
    };
    let base = hooks.tables.routes.base();
    let path = ReceiverPath::recognise(head.uri.path(), base);
    let has_reader = |path: &ReceiverPath| {
        let known = spool.knows(&Zeroizing::new(path.expose_path(base)));
        may_have_reader(known, hooks.readiness.tables_filled(), hooks.tables.shard.is_whole())
    };
    let Some(path) = path.filter(has_reader) else {
        return Answer::starting();
    };
    let body = match body::read(&head, body, &hooks.memory.bodies, Party::STRANGERS).await {
        Ok(body) => body,
        Err(unreadable) => return unreadable.answer(),
    };
    let (body, _turn) = body.into_parts();
    let mut headers = head.headers;
    receiver::keep_what_is_read(path.kind(), &mut headers);
    match as_header(&entrance::identity(&head.extensions)) {
        Some(value) => drop(headers.insert(IDENTITY, value)),
        None => drop(headers.remove(IDENTITY)),
    }
    let path_and_query = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = TakenIn {
        arrival: hooks.clock.now(),
        delivery_id: id.to_owned(),
        path_and_query: Zeroizing::new(path_and_query.to_owned()),
        headers,
        body,
    };
    match spool.take_in(request).await {
        Ok(_) => {
            tracing::info!(delivery = id, "request taken in before its receiver can be known");
            Answer::taken_in()
        }
        Err(error) => {
            tracing::error!(delivery = id, reason = error.reason(), "a request could not be taken in: {error}");
            Answer::starting()
        }
    }
}

/// Runs what was taken in, oldest first, once the tables are filled; by this process or one before it. Goes on looking:
/// a request that began before they were may be taken in after.
pub async fn run(hooks: Arc<Hooks>, spool: Spool, stop: CancellationToken) {
    let all = async {
        hooks.readiness.wait_for_tables().await;
        let mut after: Option<IntakeId> = None;
        // A request that may be for an unresolved owner waits until the routes have changed.
        let (mut waiting, mut version) = (false, hooks.tables.routes.version());
        loop {
            if spool.counts().intake.requests == 0 {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let page = match spool.taken_in(after).await {
                Ok(page) if page.is_empty() => {
                    tokio::time::sleep(PAUSE).await;
                    if waiting && hooks.tables.routes.version() != version {
                        (waiting, version, after) = (false, hooks.tables.routes.version(), None);
                    }
                    continue;
                }
                Ok(page) => page,
                Err(error) => {
                    tracing::error!(reason = error.reason(), "what was taken in cannot be read: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            after = page.last().map(|(id, _)| *id);
            // Together, so that they share a transaction: one after the other, what came within seconds would take
            // minutes.
            let page = page.iter().map(async |(id, request)| {
                // A request that makes us panic would do so at every start.
                let run = caught_async("a request that was taken in", run_one(&hooks, &spool, request)).await;
                let is_run = run.unwrap_or(true);
                if is_run {
                    spool.done(*id);
                }
                is_run
            });
            waiting |= join_all(page).await.contains(&false);
        }
    };
    stop.run_until_cancelled(all).await;
}

/// Returns whether it is run; else it has to wait.
async fn run_one(hooks: &Hooks, spool: &Spool, taken: &TakenIn) -> bool {
    let path = ReceiverPath::recognise(taken.path(), hooks.tables.routes.base());
    let found = path.map_or(Found::Nothing, |path| hooks.tables.routes.look_up(&path, taken.arrival));
    let delivery = taken.delivery_id.as_str();
    let (run, targets, cause) = match found {
        Found::Unresolved => {
            tracing::debug!(delivery, "request that was taken in waits: a receiver's Secret cannot be read yet");
            return false;
        }
        Found::Nothing => (Run::Dropped, Vec::new(), None),
        Found::Route(route) => {
            let (headers, query) = (&taken.headers, taken.query());
            let request = receiver::Request { headers, query, body: &taken.body, arrived: taken.arrival };
            let judgement = hooks.judge(&route, &from_header(taken.headers.get(IDENTITY)), &request).await;
            let targets = if delivery::is_dry_run(&request) { Vec::new() } else { judgement.targets() };
            hooks.pursuit.want(&targets, &Push::new(judgement.events(), delivery));
            let cause = Cause::delivery(delivery, route.scope.project(), &route.receiver, judgement.event());
            let run = match judgement {
                delivery::Judgement::Rejected(_) => Run::Dropped,
                _ if targets.is_empty() => Run::Nothing,
                _ => Run::Owed,
            };
            let (kind, project, receiver) = (route.kind().as_str(), route.scope.project(), &*route.receiver);
            let (event, matched, outcome) = (judgement.event(), targets.len(), run.as_str());
            tracing::info!(
                delivery,
                kind,
                project,
                receiver,
                event,
                matched,
                outcome,
                "request that was taken in is run"
            );
            (run, targets, Some(cause))
        }
    };
    // Owed on disk before it leaves the intake, so that at no time neither holds it.
    while let Err(error) = spool.owe(&targets, taken.arrival, delivery).await {
        tracing::error!(delivery, reason = error.reason(), "an owed refresh cannot be written: {error}");
        tokio::time::sleep(PAUSE).await;
    }
    if let Some(cause) = cause {
        drop(hooks.refresher.request(&targets, &cause));
    }
    hooks.metrics.ran_from_intake(run.as_str());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client_cert::Fingerprint;

    #[test]
    fn a_path_that_was_never_served_is_taken_in_only_where_no_other_installation_may_serve_it() {
        for (was_served, tables_filled, of_whole, of_part) in [
            (Some(true), false, true, true),
            (Some(true), true, true, true),
            (Some(false), false, false, false),
            (Some(false), true, true, false),
            (None, false, true, false),
            (None, true, true, false),
        ] {
            let found = [true, false].map(|is_whole| may_have_reader(was_served, tables_filled, is_whole));
            assert_eq!(found, [of_whole, of_part], "{was_served:?} {tables_filled}");
        }
    }

    #[test]
    fn what_a_client_proved_survives_the_disk() {
        let fingerprint = Fingerprint::of(b"certificate");
        for identity in [ClientIdentity::Verified { fingerprint }, ClientIdentity::Unverified { fingerprint }] {
            assert_eq!(from_header(as_header(&identity).as_ref()), identity);
        }
        assert_eq!(as_header(&ClientIdentity::None), None);
        assert_eq!(from_header(None), ClientIdentity::None);
        assert_eq!(from_header(Some(&HeaderValue::from_static("verified nonsense"))), ClientIdentity::None);
    }
}
