//! Quay.io and self-hosted Quay ("Webhook POST" notifications).
//!
//! Quay signs nothing: the unguessable path is the credential. It sends no event name either, so the kind is read from
//! the query (`?event=`), from the envelope of a POST template, or from the members that only one kind has. Quay disables
//! a notification after three failures in a row, so whatever is authentic is acknowledged.

mod sample;

use std::borrow::Cow;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::repo::{normalize_chart, normalize_image};
use crate::domain::secret::Secret;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Quay receiver.
pub struct Quay;

impl Receiver for Quay {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        read(request, settings.credentials.body_token.as_ref())
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "quay.io/northwind/storefront"
    }

    /// Quay sends exactly one header of its own.
    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        Some(Sample::json(&sample::sample(event, push.repository, push.qualifiers)?))
    }
}

fn read(request: &Request<'_>, token: Option<&Secret>) -> Result<Verdict, Rejection> {
    let text = json::prepared(request.body)?;
    let (envelope, body) = opened(Value::parse(&text)?.object()?)?;
    if let Some(token) = token {
        let presented = envelope.as_ref().and_then(|envelope| envelope.token.as_deref());
        let presented = presented.ok_or(Rejection::Unauthorized("missing token"))?;
        if !token.verify_eq(presented.as_bytes()) {
            return Err(Rejection::Unauthorized("unauthorized"));
        }
    }
    let envelope_event = envelope.and_then(|envelope| envelope.event);
    let named = request.query_value("event").or(envelope_event);
    let kind = named.as_deref().and_then(EventKind::parse).unwrap_or_else(|| EventKind::of_shape(&body));

    let repositories = repositories(&body)?;
    let tags = kind.tags(&body);
    let event = PushEvent::new(Cow::Borrowed(kind.as_str()), repositories, tags);
    Ok(match kind.ignored_because() {
        Some(because) => Verdict::Ignored(IgnoredEvent::about(event, because)),
        None => Verdict::of_tags(event),
    })
}

/// What the recommended POST template `{"event":…,"token":…,"data":"${$}"}` has around the event.
struct Envelope {
    event: Option<String>,
    token: Option<String>,
}

/// Takes the event out of its envelope; a bare body stays itself.
fn opened(body: Object<'_>) -> Result<(Option<Envelope>, Object<'_>), Malformed> {
    let data = body.last("data").filter(|data| data.is_object());
    match data {
        Some(data) if !body.has("docker_url") && !body.has("updated_tags") => {
            let text = |key| body.last(key).and_then(Value::string);
            Ok((Some(Envelope { event: text("event"), token: text("token") }), data.object()?))
        }
        _ => Ok((None, body)),
    }
}

/// A Quay repository may hold images and charts, and nothing in the body tells which.
fn repositories(body: &Object<'_>) -> Result<Vec<String>, Malformed> {
    let docker_url = body.text("docker_url")?;
    Ok(vec![normalize_image(&docker_url), normalize_chart(&docker_url)])
}

/// The 13 kinds of events that Quay sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventKind {
    RepoPush,
    /// A mirror event whose kind is not named; the three cannot be told apart by shape.
    MirrorSync,
    MirrorSyncStarted,
    MirrorSyncSuccess,
    MirrorSyncFailed,
    VulnerabilityFound,
    BuildQueued,
    /// A build event whose kind is not named; only "queued" has a shape of its own.
    Build,
    BuildStart,
    BuildSuccess,
    BuildFailure,
    BuildCancelled,
    ImageExpiry,
    QuotaWarning,
    QuotaError,
    /// A quota event whose kind is not named.
    Quota,
}

impl EventKind {
    const ALL: [Self; 16] = [
        Self::RepoPush,
        Self::MirrorSync,
        Self::MirrorSyncStarted,
        Self::MirrorSyncSuccess,
        Self::MirrorSyncFailed,
        Self::VulnerabilityFound,
        Self::BuildQueued,
        Self::Build,
        Self::BuildStart,
        Self::BuildSuccess,
        Self::BuildFailure,
        Self::BuildCancelled,
        Self::ImageExpiry,
        Self::QuotaWarning,
        Self::QuotaError,
        Self::Quota,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::RepoPush => "repo_push",
            Self::MirrorSync => "repo_mirror_sync",
            Self::MirrorSyncStarted => "repo_mirror_sync_started",
            Self::MirrorSyncSuccess => "repo_mirror_sync_success",
            Self::MirrorSyncFailed => "repo_mirror_sync_failed",
            Self::VulnerabilityFound => "vulnerability_found",
            Self::BuildQueued => "build_queued",
            Self::Build => "build",
            Self::BuildStart => "build_start",
            Self::BuildSuccess => "build_success",
            Self::BuildFailure => "build_failure",
            Self::BuildCancelled => "build_cancelled",
            Self::ImageExpiry => "repo_image_expiry",
            Self::QuotaWarning => "quota_warning",
            Self::QuotaError => "quota_error",
            Self::Quota => "quota",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Recognises the kind by the members that only it has. A body with nothing but a repository counts as a push:
    /// "something changed there" is the safe reading.
    fn of_shape(body: &Object<'_>) -> Self {
        if body.has("threshold_percent") {
            Self::Quota
        } else if body.has("vulnerability") {
            Self::VulnerabilityFound
        } else if body.has("build_id") {
            if body.has("is_manual") { Self::BuildQueued } else { Self::Build }
        } else if body.has("expiring_in") {
            Self::ImageExpiry
        } else if body.has("message") && !body.has("updated_tags") {
            Self::MirrorSync
        } else {
            Self::RepoPush
        }
    }

    const fn ignored_because(self) -> Option<&'static str> {
        match self {
            Self::RepoPush | Self::MirrorSync | Self::MirrorSyncSuccess => None,
            Self::MirrorSyncStarted => Some("a mirror synchronisation has only begun"),
            Self::MirrorSyncFailed => {
                Some("a mirror synchronisation failed; tags that did arrive are announced one by one")
            }
            Self::VulnerabilityFound => Some("a vulnerability report changes no tag"),
            Self::BuildQueued
            | Self::Build
            | Self::BuildStart
            | Self::BuildSuccess
            | Self::BuildFailure
            | Self::BuildCancelled => {
                Some("a build event changes no tag; the push that follows is announced as repo_push")
            }
            Self::ImageExpiry => Some("an expiry notice changes no tag"),
            Self::QuotaWarning | Self::QuotaError | Self::Quota => Some("a quota event names no repository"),
        }
    }

    /// The tags that an event of this kind names.
    fn tags(self, body: &Object<'_>) -> Vec<String> {
        match self {
            Self::ImageExpiry | Self::VulnerabilityFound => tags(body, "tags"),
            Self::BuildQueued
            | Self::Build
            | Self::BuildStart
            | Self::BuildSuccess
            | Self::BuildFailure
            | Self::BuildCancelled => tags(body, "docker_tags"),
            Self::QuotaWarning | Self::QuotaError | Self::Quota => Vec::new(),
            Self::RepoPush
            | Self::MirrorSync
            | Self::MirrorSyncStarted
            | Self::MirrorSyncSuccess
            | Self::MirrorSyncFailed => tags(body, "updated_tags"),
        }
    }
}

/// Tags as a list, as a map with the tags as keys, or as the string into which a POST template collapses a list.
///
/// Duplicates of the member decode over one another as in Go: `null` in a list keeps what stood there before.
fn tags(body: &Object<'_>, key: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    let mut length = 0;
    for value in body.all(key) {
        if value.is_null() {
            tags.clear();
            length = 0;
        } else if let Some(elements) = value.array() {
            length = elements.len();
            tags.resize(tags.len().max(length), String::new());
            for (tag, element) in tags.iter_mut().zip(elements).filter(|(_, element)| !element.is_null()) {
                *tag = element.string().or_else(|| element.number().map(str::to_owned)).unwrap_or_default();
            }
        } else {
            tags = match value.object() {
                Ok(members) => members.keys().map(str::to_owned).collect(),
                Err(Malformed) => value.string().map(|text| tags_in_text(&text)).unwrap_or_default(),
            };
            length = tags.len();
        }
    }
    tags.truncate(length);
    tags.retain(|tag| !tag.is_empty());
    tags
}

/// A template writes one tag as it is, several separated by commas, one inline as Python's `['1.0']`, none as `(none)`.
fn tags_in_text(text: &str) -> Vec<String> {
    text.trim_matches(|c: char| matches!(c, '[' | ']') || c.is_whitespace())
        .split(',')
        .map(|tag| tag.trim_matches(|c: char| matches!(c, '\'' | '"') || c.is_whitespace()))
        .filter(|tag| !tag.is_empty() && !matches!(*tag, "(none)" | "null" | "None"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
