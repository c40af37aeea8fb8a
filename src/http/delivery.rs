//! From an authentic request to the Warehouses it concerns: pure, shared by the server and `quayside explain`.

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::receiver::{self, Rejection, Request};
use crate::routing::Route;
use crate::subscription::{Selection, SubscriptionIndex};

/// What a request comes to, before anything is refreshed.
#[derive(Debug)]
pub enum Judgement {
    /// The request is at fault.
    Rejected(Rejection),
    /// An authentic event that asks for nothing.
    Ignored(IgnoredEvent),
    /// Something was pushed.
    Push {
        /// What.
        event: PushEvent,
        /// Whom it concerns.
        selection: Selection,
    },
}

/// Whether the request asks for everything but the refresh.
#[must_use]
pub fn is_dry_run(request: &Request<'_>) -> bool {
    request.query_value("dry-run").is_some_and(|value| value == "true")
}

/// Authenticates and reads a request, and selects the Warehouses it concerns.
#[must_use]
pub fn judge(route: &Route, request: &Request<'_>, index: &SubscriptionIndex) -> Judgement {
    let Some(implementation) = receiver::implementation(route.kind()) else {
        // Such a kind gets no route in the first place.
        return Judgement::Rejected(Rejection::InvalidBody);
    };
    match implementation.receive(request, &route.secret) {
        Err(rejection) => Judgement::Rejected(rejection),
        Ok(Verdict::Ignored(ignored)) => Judgement::Ignored(ignored),
        Ok(Verdict::Push(event)) => {
            let selection = index.select(&route.scope, &event);
            Judgement::Push { event, selection }
        }
    }
}

#[cfg(test)]
mod tests;
