//! The answer to a request that was judged, by how its refreshes ended.

use super::body::{ActionReport, Counts};
use super::{Answer, Body, Ending, Outcome};
use crate::delivery::{JudgedAction, Judgement};
use crate::domain::event::{ActionResult, PushEvent};
use crate::domain::target::TargetKind;
use crate::receiver::Rejection;
use crate::tables::warehouses::Selection;

impl Answer {
    /// What a judged request comes to.
    #[must_use]
    pub fn of(judgement: &Judgement, ending: Ending<'_>) -> Self {
        let mut answer = match judgement {
            Judgement::Rejected(rejection) => return Self::rejected(*rejection),
            Judgement::Ignored(ignored) => {
                let msg = format!("event {} acknowledged, nothing to refresh: {}", ignored.event, ignored.because);
                Self::idle(Outcome::Ignored, msg, ending)
            }
            Judgement::Push { events, selection } => Self::of_push(events, selection, ending),
            Judgement::PullRequest { promotions, .. } => Self::of_pull_request(promotions.len(), ending),
            Judgement::Actions(actions) => Self::of_actions(actions, ending),
        };
        let event = judgement.event();
        answer.body.event = (!event.is_empty()).then(|| event.to_owned());
        answer
    }

    /// The request is at fault. The texts are Kargo's where it has one.
    fn rejected(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unauthorized(error) => Self::fails(Outcome::Unauthorized, error.to_owned()),
            Rejection::Invalid(error) => Self::fails(Outcome::InvalidBody, error.to_owned()),
            Rejection::InvalidBody => Self::fails(Outcome::InvalidBody, "invalid request body".to_owned()),
        }
    }

    fn of_push(events: &[PushEvent], selection: &Selection, ending: Ending<'_>) -> Self {
        let (matched, subscribed) = (selection.warehouses.len(), selection.subscribed);
        let answer = if matched > 0 {
            Self::refreshed(TargetKind::Warehouse, matched, ending)
        } else {
            let why = match (events.iter().all(|event| event.repositories.is_empty()), subscribed) {
                (true, _) => "the event names no repository".to_owned(),
                (false, 0) => "no warehouse within reach of this receiver subscribes to the repository".to_owned(),
                (false, n) => format!("{n} warehouse(s) subscribe to the repository, none accepts what was pushed"),
            };
            Self::idle(Outcome::NoMatch, format!("refreshed 0 warehouse(s): {why}"), ending)
        };
        answer.counting(Counts {
            subscribed: Some(subscribed),
            matched,
            refreshed: ending.refreshed(matched),
            not_matched: selection.not_matched.clone(),
        })
    }

    fn of_pull_request(matched: usize, ending: Ending<'_>) -> Self {
        let answer = if matched > 0 {
            Self::refreshed(TargetKind::Promotion, matched, ending)
        } else {
            let msg = "refreshed 0 promotion(s): no promotion within reach waits for the pull request";
            Self::idle(Outcome::NoMatch, msg.to_owned(), ending)
        };
        answer.counting(Counts { matched, refreshed: ending.refreshed(matched), ..Counts::default() })
    }

    /// There was nothing to refresh.
    fn idle(outcome: Outcome, msg: String, ending: Ending<'_>) -> Self {
        match ending {
            Ending::DryRun => Self::says(Outcome::DryRun, format!("dry run: {msg}")),
            Ending::Written | Ending::Unfinished(_) | Ending::Queued { .. } => Self::says(outcome, msg),
        }
    }

    /// At least one object was to be refreshed. The texts are Kargo's.
    fn refreshed(kind: TargetKind, matched: usize, ending: Ending<'_>) -> Self {
        let noun = kind.as_str();
        match ending {
            Ending::Written => Self::says(Outcome::Refreshed, format!("refreshed {matched} {noun}(s)")),
            Ending::DryRun => Self::says(Outcome::DryRun, format!("dry run: would refresh {matched} {noun}(s)")),
            Ending::Queued { .. } => Self { outcome: Outcome::Queued, body: Body::default() }.saying(ending.queued()),
            Ending::Unfinished(unfinished) => {
                let failed = unfinished.len();
                // Kargo's plural for Warehouses has no parentheses here.
                let nouns = if kind == TargetKind::Warehouse { "warehouses" } else { "promotion(s)" };
                let error =
                    format!("failed to refresh {failed} of {matched} {nouns} in time; the refresh is being repeated");
                Self::fails(Outcome::Unfinished, error)
            }
        }
    }

    /// As Kargo answers for its `generic` receiver, without the configuration and the names that it repeats.
    fn of_actions(actions: &[JudgedAction], ending: Ending<'_>) -> Self {
        let results = actions.iter().map(|action| ActionReport::of(action, ending)).collect();
        let outcome = match ending {
            Ending::DryRun => Outcome::DryRun,
            Ending::Unfinished(_) => Outcome::Unfinished,
            Ending::Queued { .. } => Outcome::Queued,
            Ending::Written if actions.iter().any(has_failed) => Outcome::EvaluationFailed,
            Ending::Written if actions.iter().any(|action| !action.targets.is_empty()) => Outcome::Refreshed,
            Ending::Written => Outcome::NoMatch,
        };
        Self { outcome, body: Body { results: Some(results), ..Body::default() } }.saying(ending.queued())
    }

    fn saying(mut self, msg: Option<String>) -> Self {
        self.body.msg = msg;
        self
    }

    fn counting(mut self, counts: Counts) -> Self {
        self.body.counts = Some(counts);
        self
    }
}

fn has_failed(action: &JudgedAction) -> bool {
    matches!(action.verdict.result, ActionResult::Failed { .. })
}
