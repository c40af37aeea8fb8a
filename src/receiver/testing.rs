//! What the tests of several kinds need.

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Receiver, Rejection, Request, Sample, Settings};
use crate::domain::event::{IgnoredEvent, PullRequestEvent, PushEvent, Verdict};
use crate::domain::secret::Secret;

/// The settings of every test.
pub(super) fn settings() -> Settings {
    Settings::new(Secret::new(b"a secret that is long enough".to_vec()))
}

/// A body from `tests/fixtures/payloads`.
pub(super) fn payload(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

/// A body with the header that names its event, not signed.
pub(super) fn event(header: &'static str, name: &str, body: &serde_json::Value) -> Sample {
    Sample::json(body).with_header(header, name)
}

/// What the receiver makes of a request as it is.
pub(super) fn receive(receiver: &dyn Receiver, sample: &Sample, settings: &Settings) -> Result<Verdict, Rejection> {
    let headers: HeaderMap<HeaderValue> = sample.headers.iter().cloned().collect::<HeaderMap>();
    receiver.receive(
        &Request { headers: &headers, query: None, body: &sample.body, arrived: jiff::Timestamp::UNIX_EPOCH },
        settings,
    )
}

/// What the receiver makes of a request after it was signed.
pub(super) fn signed(receiver: &dyn Receiver, sample: Sample) -> Result<Verdict, Rejection> {
    let settings = settings();
    receive(receiver, &receiver.sign(sample, &settings.secret), &settings)
}

pub(super) fn push(verdict: Result<Verdict, Rejection>) -> PushEvent {
    match verdict {
        Ok(Verdict::Push(event)) => event,
        other => panic!("{other:?}"),
    }
}

pub(super) fn ignored(verdict: Result<Verdict, Rejection>) -> IgnoredEvent {
    match verdict {
        Ok(Verdict::Ignored(event)) => event,
        other => panic!("{other:?}"),
    }
}

pub(super) fn pull_request(verdict: Result<Verdict, Rejection>) -> PullRequestEvent {
    match verdict {
        Ok(Verdict::PullRequest(event)) => event,
        other => panic!("{other:?}"),
    }
}

/// The same request without one of its headers.
pub(super) fn without(mut sample: Sample, header: &str) -> Sample {
    sample.headers.retain(|(name, _): &(HeaderName, HeaderValue)| name != header);
    sample
}
