//! The answers: what each situation says to the sender, in a body that is a superset of Kargo's.
//!
//! An answer never names a Warehouse, an expression or anything taken from the request.

mod body;
mod ending;
mod judged;
mod outcome;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

pub use self::body::Body;
pub use self::ending::Ending;
pub use self::outcome::Outcome;
use super::limits::MAX_BODY_BYTES;

/// The response header that carries the delivery id.
pub const DELIVERY_HEADER: HeaderName = HeaderName::from_static("x-quayside-delivery");

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How the request ended.
    pub outcome: Outcome,
    /// The body.
    pub body: Body,
}

impl Answer {
    fn says(outcome: Outcome, msg: String) -> Self {
        Self { outcome, body: Body { msg: Some(msg), ..Body::default() } }
    }

    fn fails(outcome: Outcome, error: String) -> Self {
        Self { outcome, body: Body { error: Some(error), ..Body::default() } }
    }

    /// The constant answer to every path that belongs to no receiver.
    #[must_use]
    pub fn unknown_path() -> Self {
        Self { outcome: Outcome::UnknownPath, body: Body::default() }
    }

    /// The tables are not filled yet, so the path may or may not be a receiver's.
    #[must_use]
    pub fn starting() -> Self {
        Self::fails(Outcome::Starting, "starting: receivers are not loaded yet, please try again".to_owned())
    }

    /// The path may or may not be a receiver's; the request is kept until the tables are filled.
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
        if let Some((name, value)) = self.outcome.header() {
            headers.insert(name, value);
        }
        if let Some(id) = self.body.delivery_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(DELIVERY_HEADER, id);
        }
        let mut text = serde_json::to_string(&self.body).unwrap_or_else(|_| "{}".to_owned());
        text.push('\n');
        (self.status(), headers, text).into_response()
    }
}
