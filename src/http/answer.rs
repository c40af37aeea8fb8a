//! The answers: what each situation says to the sender, in a body that is a superset of Kargo's.
//!
//! An answer never names a Warehouse, an expression or anything taken from the request.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use super::limits::MAX_BODY_BYTES;
use crate::delivery::{JudgedAction, Judgement};
use crate::domain::event::{ActionResult, PushEvent};
use crate::domain::target::{Target, TargetKind};
use crate::receiver::Rejection;
use crate::tables::warehouses::Selection;

/// The response header that carries the delivery id.
pub const DELIVERY_HEADER: HeaderName = HeaderName::from_static("x-quayside-delivery");

/// How a request ended; the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything selected was annotated.
    Refreshed,
    /// Nobody subscribes to what was pushed, or nobody accepts it, or nobody waits for it.
    NoMatch,
    /// The event asks for nothing.
    Ignored,
    /// A dry run.
    DryRun,
    /// An action of a `generic` receiver could not be evaluated; the others are done.
    EvaluationFailed,
    /// Not every refresh was written in time; the others are on disk and are repeated until they are.
    Queued,
    /// The request is on disk and is run once the tables are filled.
    TakenIn,
    /// Not every refresh was written in time, and the others are in memory only.
    Unfinished,
    /// The tables are not filled yet.
    Starting,
    /// The path belongs to no receiver.
    UnknownPath,
    /// Another method than POST.
    MethodNotAllowed,
    /// The credential is missing or wrong.
    Unauthorized,
    /// The body cannot be read as what the kind sends.
    InvalidBody,
    /// The body exceeds the limit.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
}

impl Outcome {
    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::NoMatch => "no_match",
            Self::Ignored => "ignored",
            Self::DryRun => "dry_run",
            Self::EvaluationFailed => "evaluation_failed",
            Self::Queued => "queued",
            Self::TakenIn => "taken_in",
            Self::Unfinished => "unfinished",
            Self::Starting => "starting",
            Self::UnknownPath => "unknown_path",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unauthorized => "unauthorized",
            Self::InvalidBody => "invalid_body",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Refreshed | Self::NoMatch | Self::Ignored | Self::DryRun | Self::EvaluationFailed => StatusCode::OK,
            Self::Queued | Self::TakenIn => StatusCode::ACCEPTED,
            Self::Unfinished | Self::Starting => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::InvalidBody => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How the request ended.
    pub outcome: Outcome,
    /// The body.
    pub body: Body,
}

/// The JSON body; members that do not apply are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<Vec<ActionReport>>,
}

/// How many objects were looked at and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribed: Option<usize>,
    matched: usize,
    refreshed: usize,
    /// Why subscriptions did not match, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_matched: BTreeMap<&'static str, usize>,
}

/// What became of one action of a `generic` receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ActionReport {
    action: String,
    #[serde(rename = "matchedWhenExpression")]
    matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    /// The class of the error, when an expression could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    selected: usize,
    refreshed: usize,
}

impl ActionReport {
    fn of(action: &JudgedAction, unfinished: &[Target]) -> Self {
        let selected = action.targets.len();
        let failed = action.targets.iter().filter(|target| unfinished.binary_search(target).is_ok()).count();
        let refreshed = selected - failed;
        let (matched, result, summary, error) = match &action.verdict.result {
            ActionResult::Failed { matched, summary, class, detail: _ } => {
                (*matched, Some("Error"), Some((*summary).to_owned()), Some(*class))
            }
            ActionResult::NotApplicable => {
                (false, Some("NotApplicable"), Some("Request did not match whenExpression".to_owned()), None)
            }
            ActionResult::Refresh(_) => {
                let result = match failed {
                    0 => "Success",
                    _ if refreshed == 0 => "Failure",
                    _ => "PartialSuccess",
                };
                (true, Some(result), Some(format!("Refreshed {refreshed} of {selected} selected resources")), None)
            }
            ActionResult::Unknown => (true, None, None, None),
        };
        Self { action: action.verdict.action.clone(), matched, result, summary, error, selected, refreshed }
    }

    fn dry_run(&mut self) {
        self.refreshed = 0;
        if self.result == Some("Success") {
            self.summary = Some(format!("Would refresh {} selected resources", self.selected));
        }
    }
}

impl Answer {
    fn says(outcome: Outcome, msg: String) -> Self {
        Self { outcome, body: Body { msg: Some(msg), ..Body::default() } }
    }

    fn fails(outcome: Outcome, error: String) -> Self {
        Self { outcome, body: Body { error: Some(error), ..Body::default() } }
    }

    fn about(mut self, event: &str) -> Self {
        self.body.event = (!event.is_empty()).then(|| event.to_owned());
        self
    }

    fn counting(mut self, counts: Counts) -> Self {
        self.body.counts = Some(counts);
        self
    }

    /// The constant answer to every path that is no receiver's.
    #[must_use]
    pub fn unknown_path() -> Self {
        Self { outcome: Outcome::UnknownPath, body: Body::default() }
    }

    /// The tables are not filled yet, so nobody knows whether the path is a receiver's.
    #[must_use]
    pub fn starting() -> Self {
        Self::fails(Outcome::Starting, "starting: receivers are not loaded yet, please try again".to_owned())
    }

    /// Nobody knows yet whether the path is a receiver's; the request is kept until somebody does.
    #[must_use]
    pub fn taken_in() -> Self {
        Self::says(
            Outcome::TakenIn,
            "queued: receivers are not loaded yet, the request is run once they are".to_owned(),
        )
    }

    /// Another method than POST.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::fails(Outcome::MethodNotAllowed, "only POST is accepted".to_owned())
    }

    /// The answer to a request that is refused before anything is read from it.
    #[must_use]
    pub fn refused(method: &Method, body_bytes: usize) -> Option<Self> {
        if *method != Method::POST {
            return Some(Self::method_not_allowed());
        }
        (body_bytes > MAX_BODY_BYTES).then(Self::too_large)
    }

    /// The body exceeds the limit. The text is Kargo's.
    #[must_use]
    pub fn too_large() -> Self {
        Self::fails(Outcome::TooLarge, format!("content exceeds limit of {MAX_BODY_BYTES} bytes"))
    }

    /// The body did not arrive in time, or the connection broke.
    #[must_use]
    pub fn too_slow() -> Self {
        Self::fails(Outcome::TooSlow, "the request body did not arrive in time".to_owned())
    }

    /// The request is at fault. The texts are Kargo's where it has one.
    #[must_use]
    pub fn rejected(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Unauthorized("") => Self { outcome: Outcome::Unauthorized, body: Body::default() },
            Rejection::Unauthorized(error) => Self::fails(Outcome::Unauthorized, error.to_owned()),
            Rejection::Invalid(error) => Self::fails(Outcome::InvalidBody, error.to_owned()),
            Rejection::InvalidBody => Self::fails(Outcome::InvalidBody, "invalid request body".to_owned()),
        }
    }

    /// What a judged request comes to when everything was refreshed but `unfinished`, which is sorted and may be queued on
    /// disk.
    #[must_use]
    pub fn of(judgement: &Judgement, unfinished: &[Target], is_queued: bool) -> Self {
        let mut answer = match judgement {
            Judgement::Rejected(rejection) => return Self::rejected(*rejection),
            Judgement::Ignored(ignored) => {
                let msg = format!("event {} acknowledged, nothing to refresh: {}", ignored.event, ignored.because);
                Self::says(Outcome::Ignored, msg)
            }
            Judgement::Push { events, selection } => Self::of_push(events, selection, unfinished.len()),
            Judgement::PullRequest { promotions, .. } => {
                let (matched, refreshed) = (promotions.len(), promotions.len() - unfinished.len());
                let answer = if matched == 0 {
                    let msg = "refreshed 0 promotion(s): no promotion within reach waits for the pull request";
                    Self::says(Outcome::NoMatch, msg.to_owned())
                } else {
                    Self::refreshed(TargetKind::Promotion, matched, refreshed)
                };
                answer.counting(Counts { matched, refreshed, ..Counts::default() })
            }
            Judgement::Actions(actions) => Self::of_actions(actions, unfinished),
        };
        if is_queued && answer.outcome == Outcome::Unfinished {
            answer.outcome = Outcome::Queued;
            answer.body.error = None;
            let (queued, all) = (unfinished.len(), judgement.targets().len());
            answer.body.msg =
                Some(format!("queued {queued} of {all} refresh(es), which are repeated until they are written"));
        }
        answer.about(judgement.event())
    }

    fn of_push(events: &[PushEvent], selection: &Selection, unfinished: usize) -> Self {
        let (matched, subscribed) = (selection.warehouses.len(), selection.subscribed);
        let refreshed = matched - unfinished;
        let answer = if matched > 0 {
            Self::refreshed(TargetKind::Warehouse, matched, refreshed)
        } else {
            let why = match (events.iter().all(|event| event.repositories.is_empty()), subscribed) {
                (true, _) => "the event names no repository".to_owned(),
                (false, 0) => "no warehouse within reach of this receiver subscribes to the repository".to_owned(),
                (false, n) => format!("{n} warehouse(s) subscribe to the repository, none accepts what was pushed"),
            };
            Self::says(Outcome::NoMatch, format!("refreshed 0 warehouse(s): {why}"))
        };
        answer.counting(Counts {
            subscribed: Some(subscribed),
            matched,
            refreshed,
            not_matched: selection.not_matched.clone(),
        })
    }

    /// At least one object was to be refreshed. The texts are Kargo's.
    fn refreshed(kind: TargetKind, matched: usize, refreshed: usize) -> Self {
        let noun = kind.as_str();
        if refreshed == matched {
            return Self::says(Outcome::Refreshed, format!("refreshed {refreshed} {noun}(s)"));
        }
        let failed = matched - refreshed;
        // Kargo's plural for Warehouses has no parentheses here.
        let nouns = if kind == TargetKind::Warehouse { "warehouses" } else { "promotion(s)" };
        let error = format!("failed to refresh {failed} of {matched} {nouns} in time; the refresh is being repeated");
        Self::fails(Outcome::Unfinished, error)
    }

    /// As Kargo answers for its `generic` receiver, without the configuration and the names that it repeats.
    fn of_actions(actions: &[JudgedAction], unfinished: &[Target]) -> Self {
        let results: Vec<ActionReport> = actions.iter().map(|action| ActionReport::of(action, unfinished)).collect();
        let outcome = if !unfinished.is_empty() {
            Outcome::Unfinished
        } else if actions.iter().any(|action| matches!(action.verdict.result, ActionResult::Failed { .. })) {
            Outcome::EvaluationFailed
        } else if actions.iter().any(|action| !action.targets.is_empty()) {
            Outcome::Refreshed
        } else {
            Outcome::NoMatch
        };
        Self { outcome, body: Body { results: Some(results), ..Body::default() } }
    }

    /// What a judged request would have come to, without any refresh.
    #[must_use]
    pub fn dry_run(judgement: &Judgement) -> Self {
        let mut answer = Self::of(judgement, &[], false);
        if let Some(msg) = &mut answer.body.msg {
            *msg = match (judgement.targets().len(), judgement) {
                (0, _) => format!("dry run: {msg}"),
                (n, Judgement::PullRequest { .. }) => format!("dry run: would refresh {n} promotion(s)"),
                (n, _) => format!("dry run: would refresh {n} warehouse(s)"),
            };
        }
        if let Some(counts) = &mut answer.body.counts {
            counts.refreshed = 0;
        }
        for report in answer.body.results.iter_mut().flatten() {
            report.dry_run();
        }
        if answer.status().is_success() {
            answer.outcome = Outcome::DryRun;
        }
        answer
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.outcome.status()
    }

    /// Tags the answer with the delivery's id.
    #[must_use]
    pub fn with_delivery(mut self, id: &str) -> Self {
        self.body.delivery_id = Some(id.to_owned());
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.outcome {
            Outcome::MethodNotAllowed => drop(headers.insert(header::ALLOW, HeaderValue::from_static("POST"))),
            Outcome::Starting | Outcome::Unfinished => {
                drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5")));
            }
            // What is left of the body must not be taken for the next request.
            Outcome::TooLarge | Outcome::TooSlow => {
                drop(headers.insert(header::CONNECTION, HeaderValue::from_static("close")));
            }
            Outcome::Refreshed
            | Outcome::NoMatch
            | Outcome::Ignored
            | Outcome::DryRun
            | Outcome::EvaluationFailed
            | Outcome::Queued
            | Outcome::TakenIn
            | Outcome::UnknownPath
            | Outcome::Unauthorized
            | Outcome::InvalidBody => {}
        }
        if let Some(id) = self.body.delivery_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(DELIVERY_HEADER, id);
        }
        let mut text = serde_json::to_string(&self.body).unwrap_or_else(|_| "{}".to_owned());
        text.push('\n');
        (self.status(), headers, text).into_response()
    }
}
