//! How a request ended: the metric label and the HTTP status.

use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};

/// How a request ended; the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything selected was annotated.
    Refreshed,
    /// No object within reach subscribes to what was pushed, accepts it or waits for it.
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

    /// The HTTP status.
    pub(super) const fn status(self) -> StatusCode {
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

    /// What a sender or proxy must know besides the body.
    pub(super) const fn header(self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::MethodNotAllowed => Some((header::ALLOW, HeaderValue::from_static("POST"))),
            Self::Unfinished | Self::Starting => Some((header::RETRY_AFTER, HeaderValue::from_static("5"))),
            // The rest of the body must not be taken for the next request.
            Self::TooLarge | Self::TooSlow => Some((header::CONNECTION, HeaderValue::from_static("close"))),
            Self::Refreshed
            | Self::NoMatch
            | Self::Ignored
            | Self::DryRun
            | Self::EvaluationFailed
            | Self::Queued
            | Self::TakenIn
            | Self::UnknownPath
            | Self::Unauthorized
            | Self::InvalidBody => None,
        }
    }
}
