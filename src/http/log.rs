//! The log lines of a delivery. They name the receiver and counts, never the path, a header or the body.

use std::time::Duration;

use super::answer::{Answer, Outcome};
use crate::delivery::Judgement;
use crate::domain::event::ActionResult;
use crate::tables::routes::Route;

/// How a delivery ended, for its line in the log.
pub(super) struct Delivery<'a> {
    pub(super) id: &'a str,
    pub(super) route: &'a Route,
    /// The sender's name for the event; empty where it has none, or was not read.
    pub(super) event: &'a str,
    /// How many objects were to be refreshed.
    pub(super) matched: usize,
    pub(super) took: Duration,
}

impl Delivery<'_> {
    /// One line per delivery.
    pub(super) fn log(&self, answer: &Answer) {
        let Self { id, route, event, matched, took } = *self;
        macro_rules! line {
            ($level:ident, $message:literal) => {
                tracing::$level!(
                    delivery = id,
                    kind = route.kind().as_str(),
                    project = route.scope.project(),
                    receiver = &*route.receiver,
                    event,
                    matched,
                    status = answer.status().as_u16(),
                    outcome = answer.outcome.as_str(),
                    duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                    $message
                )
            };
        }
        if answer.outcome == Outcome::Unfinished {
            line!(warn, "delivery not finished in time");
        } else {
            line!(info, "delivery answered");
        }
    }
}

/// The first action that failed and why. The answer names only the class of the error.
pub(super) fn failures(route: &Route, id: &str, judgement: &Judgement) {
    let Judgement::Actions(actions) = judgement else { return };
    let mut failures = actions.iter().enumerate().filter_map(|(index, action)| match &action.verdict.result {
        ActionResult::Failed { detail, .. } => Some((index, detail)),
        ActionResult::NotApplicable | ActionResult::Refresh(_) | ActionResult::Unknown => None,
    });
    if let Some((action, reason)) = failures.next() {
        tracing::warn!(
            delivery = id,
            project = route.scope.project(),
            receiver = &*route.receiver,
            action,
            reason = reason.as_str(),
            others = failures.count(),
            "action of a generic receiver cannot be carried out"
        );
    }
}
