//! The answers: what each situation says to the sender, in a body that is a superset of Kargo's.
//!
//! An answer never names a Warehouse, an expression or anything taken from the request.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;

use super::delivery::Judgement;
use super::limits::MAX_BODY_BYTES;
use crate::receiver::Rejection;
use crate::subscription::Selection;

/// The response header that carries the delivery id.
pub const DELIVERY_HEADER: HeaderName = HeaderName::from_static("x-quayside-delivery");

/// How a request ended; the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every selected Warehouse was annotated.
    Refreshed,
    /// Nobody subscribes to what was pushed, or nobody accepts it.
    NoMatch,
    /// The event asks for nothing.
    Ignored,
    /// A dry run.
    DryRun,
    /// Not every refresh was written in time.
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
            Self::Refreshed | Self::NoMatch | Self::Ignored | Self::DryRun => StatusCode::OK,
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
}

/// How many Warehouses were looked at and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    subscribed: usize,
    matched: usize,
    refreshed: usize,
    /// Why subscriptions did not match, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_matched: BTreeMap<&'static str, usize>,
}

impl Counts {
    fn of(selection: &Selection, refreshed: usize) -> Self {
        Self {
            subscribed: selection.subscribed,
            matched: selection.warehouses.len(),
            refreshed,
            not_matched: selection.not_matched.clone(),
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

    fn about(mut self, event: &str, counts: Option<Counts>) -> Self {
        self.body.event = (!event.is_empty()).then(|| event.to_owned());
        self.body.counts = counts;
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
            Rejection::Unauthorized(error) => Self::fails(Outcome::Unauthorized, error.to_owned()),
            Rejection::InvalidBody => Self::fails(Outcome::InvalidBody, "invalid request body".to_owned()),
        }
    }

    /// What a judged request comes to when `refreshed` of its Warehouses were annotated.
    #[must_use]
    pub fn of(judgement: &Judgement, refreshed: usize) -> Self {
        let (event, selection) = match judgement {
            Judgement::Rejected(rejection) => return Self::rejected(*rejection),
            Judgement::Ignored(ignored) => {
                let msg = format!("event {} acknowledged, nothing to refresh: {}", ignored.event, ignored.because);
                return Self::says(Outcome::Ignored, msg).about(&ignored.event, None);
            }
            Judgement::Push { event, selection } => (event, selection),
        };
        let (matched, subscribed) = (selection.warehouses.len(), selection.subscribed);
        let answer = if matched > refreshed {
            let failed = matched - refreshed;
            let error =
                format!("failed to refresh {failed} of {matched} warehouses in time; the refresh is being repeated");
            Self::fails(Outcome::Unfinished, error)
        } else if matched > 0 {
            Self::says(Outcome::Refreshed, format!("refreshed {refreshed} warehouse(s)"))
        } else {
            let why = match (event.repositories.is_empty(), subscribed) {
                (true, _) => "the event names no repository".to_owned(),
                (false, 0) => "no warehouse within reach of this receiver subscribes to the repository".to_owned(),
                (false, n) => format!("{n} warehouse(s) subscribe to the repository, none accepts what was pushed"),
            };
            Self::says(Outcome::NoMatch, format!("refreshed 0 warehouse(s): {why}"))
        };
        answer.about(&event.event, Some(Counts::of(selection, refreshed)))
    }

    /// What a judged request would have come to, without any refresh.
    #[must_use]
    pub fn dry_run(judgement: &Judgement) -> Self {
        match judgement {
            Judgement::Push { event, selection } if !selection.warehouses.is_empty() => {
                let msg = format!("dry run: would refresh {} warehouse(s)", selection.warehouses.len());
                Self::says(Outcome::DryRun, msg).about(&event.event, Some(Counts::of(selection, 0)))
            }
            other => {
                let mut answer = Self::of(other, 0);
                if let Some(msg) = &mut answer.body.msg {
                    msg.insert_str(0, "dry run: ");
                    answer.outcome = Outcome::DryRun;
                }
                answer
            }
        }
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
