//! Harbor, and with it Mirantis Secure Registry 4, which is Harbor.
//!
//! The sender repeats a text of the user's choice in the header `Authorization`. A webhook has one of two formats:
//! "Default", and "CloudEvents", which Harbor sends in structured mode; what comes in binary mode, from a relay, is read as
//! well. The host is in every URL, so none need be configured.

mod sample;

use std::borrow::Cow;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::repo::{normalize_chart, normalize_image};
use crate::domain::secret::Secret;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Harbor receiver.
pub struct Harbor;

impl Receiver for Harbor {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        authenticate(request, &settings.secret)?;
        read(request).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "harbor.example.com/northwind/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        sample::sample(event, push.repository, push.qualifiers)
    }

    fn sign(&self, mut sample: Sample, secret: &Secret) -> Sample {
        // What no header can hold, Harbor could not send either.
        if let Ok(mut value) = http::HeaderValue::from_bytes(secret.expose()) {
            value.set_sensitive(true);
            sample.headers.push((http::header::AUTHORIZATION, value));
        }
        sample
    }
}

/// The header is the secret, byte for byte.
fn authenticate(request: &Request<'_>, secret: &Secret) -> Result<(), Rejection> {
    let presented = request.headers.get(http::header::AUTHORIZATION).map_or(&b""[..], http::HeaderValue::as_bytes);
    if presented.is_empty() {
        return Err(Rejection::Unauthorized("missing authorization"));
    }
    if secret.verify_eq(presented) { Ok(()) } else { Err(Rejection::Unauthorized("unauthorized")) }
}

fn read(request: &Request<'_>) -> Result<Verdict, Malformed> {
    let text = json::prepared(request.body)?;
    let body = Value::parse(&text)?.object()?;
    let event_type = body.text("type")?;
    let data = body.object("event_data")?;
    let resources = Resources::read(&data)?;
    if let Some(event) = EventType::named(&event_type, &DEFAULT) {
        return Ok(event.verdict(resources));
    }
    if let Some(event) = EventType::named(&event_type, &CLOUD_EVENTS) {
        return Ok(event.verdict(Resources::read(&body.object("data")?)?));
    }
    // In binary mode the type is a header, and the body is what is `data` otherwise.
    match EventType::named(&request.header("ce-type"), &CLOUD_EVENTS) {
        Some(event) => Ok(event.verdict(Resources::read(&body)?)),
        None => Ok(Verdict::Ignored(IgnoredEvent::new(Cow::Borrowed("unknown"), "Harbor has no event of this type"))),
    }
}

/// What an event is about.
struct Resources {
    repositories: Vec<String>,
    tags: Vec<String>,
}

impl Resources {
    /// Kargo takes the repository of the first resource only; here each counts.
    fn read(data: &Object<'_>) -> Result<Self, Malformed> {
        let (mut repositories, mut tags) = (Vec::new(), Vec::new());
        for resource in data.objects("resources")? {
            let url = resource.text("resource_url")?;
            repositories.extend([normalize_image(&url), normalize_chart(&url)]);
            tags.push(resource.text("tag")?);
        }
        Ok(Self { repositories, tags })
    }
}

/// A kind of event: its name in one of the formats, and why it asks for nothing if it does not.
struct EventType {
    name: &'static str,
    ignored_because: Option<&'static str>,
}

const PULLED: &str = "pulling an artifact changes nothing";
const DELETED: &str = "deleting an artifact brings no new one";
const SCANNED: &str = "a scan changes no tag";
const QUOTA: &str = "a quota event changes no tag";
const REPLICATED: &str = "what a replication brings here is announced as a push";
const RETAINED: &str = "tag retention only deletes";

const fn event(name: &'static str, ignored_because: Option<&'static str>) -> EventType {
    EventType { name, ignored_because }
}

const DEFAULT: [EventType; 10] = [
    event("PUSH_ARTIFACT", None),
    event("PULL_ARTIFACT", Some(PULLED)),
    event("DELETE_ARTIFACT", Some(DELETED)),
    event("SCANNING_COMPLETED", Some(SCANNED)),
    event("SCANNING_FAILED", Some(SCANNED)),
    event("SCANNING_STOPPED", Some(SCANNED)),
    event("QUOTA_EXCEED", Some(QUOTA)),
    event("QUOTA_WARNING", Some(QUOTA)),
    event("REPLICATION", Some(REPLICATED)),
    event("TAG_RETENTION", Some(RETAINED)),
];

const CLOUD_EVENTS: [EventType; 10] = [
    event("harbor.artifact.pushed", None),
    event("harbor.artifact.pulled", Some(PULLED)),
    event("harbor.artifact.deleted", Some(DELETED)),
    event("harbor.scan.completed", Some(SCANNED)),
    event("harbor.scan.failed", Some(SCANNED)),
    event("harbor.scan.stopped", Some(SCANNED)),
    event("harbor.quota.exceeded", Some(QUOTA)),
    event("harbor.quota.warned", Some(QUOTA)),
    event("harbor.replication.status.changed", Some(REPLICATED)),
    event("harbor.tag_retention.finished", Some(RETAINED)),
];

impl EventType {
    fn named<'a>(name: &str, known: &'a [Self]) -> Option<&'a Self> {
        known.iter().find(|event| event.name == name)
    }

    fn verdict(&self, resources: Resources) -> Verdict {
        let event = PushEvent::new(Cow::Borrowed(self.name), resources.repositories, resources.tags);
        match self.ignored_because {
            Some(because) => Verdict::Ignored(IgnoredEvent::about(event, because)),
            None => Verdict::of_tags(event),
        }
    }
}

#[cfg(test)]
mod tests;
