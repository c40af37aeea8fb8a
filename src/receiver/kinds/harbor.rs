//! Harbor, and with it Mirantis Secure Registry 4, which is Harbor.
//!
//! The sender repeats a text of the user's choice in the header `Authorization`. A webhook has one of two formats:
//! "Default", and "CloudEvents", which Harbor sends in structured mode; what comes in binary mode, from a relay, is
//! read as well. The host is in every URL, so none need be configured.

mod sample;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::repo::{normalize_chart, normalize_image};
use crate::domain::secret::Secret;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::read::registry_event::{Meaning, NOT_KNOWN, named, unlisted};
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
    if let Some(event) = named(&DEFAULT, &event_type) {
        return Ok(resources.verdict(event));
    }
    if let Some(event) = named(&CLOUD_EVENTS, &event_type) {
        return Ok(Resources::read(&body.object("data")?)?.verdict(event));
    }
    // In binary mode the type is a header, and the body is what is `data` otherwise.
    match named(&CLOUD_EVENTS, &request.header("ce-type")) {
        Some(event) => Ok(Resources::read(&body)?.verdict(event)),
        None => Ok(unlisted(&event_type, NOT_KNOWN)),
    }
}

/// What an event is about.
struct Resources {
    repositories: Vec<String>,
    tags: Vec<String>,
    digests: Vec<String>,
}

impl Resources {
    /// Kargo takes the repository of the first resource only; here each counts.
    fn read(data: &Object<'_>) -> Result<Self, Malformed> {
        let (mut repositories, mut tags, mut digests) = (Vec::new(), Vec::new(), Vec::new());
        for resource in data.objects("resources")? {
            let url = resource.text("resource_url")?;
            repositories.extend([normalize_image(&url), normalize_chart(&url)]);
            tags.push(resource.text("tag")?);
            digests.push(resource.last("digest").and_then(Value::string).unwrap_or_default());
        }
        Ok(Self { repositories, tags, digests })
    }

    fn verdict(self, (event, meaning): (&'static str, Meaning)) -> Verdict {
        let event = PushEvent::new(event.into(), self.repositories, self.tags).with_digests(self.digests);
        match meaning {
            Meaning::Push if event.repositories.is_empty() => Verdict::Ignored(IgnoredEvent::about(event, NO_RESOURCE)),
            Meaning::Push => Verdict::of_tags(event),
            Meaning::Nothing(because) => Verdict::Ignored(IgnoredEvent::about(event, because)),
        }
    }
}

const NO_RESOURCE: &str = "the event names no repository: it lists no resource with a resource_url";
const PULLED: Meaning = Meaning::Nothing("pulling an artifact changes nothing");
const DELETED: Meaning = Meaning::Nothing("deleting an artifact brings no new one");
const SCANNED: Meaning = Meaning::Nothing("a scan changes no tag");
const QUOTA: Meaning = Meaning::Nothing("a quota event changes no tag");
const REPLICATED: Meaning = Meaning::Nothing("what a replication brings here is announced as a push");
const RETAINED: Meaning = Meaning::Nothing("tag retention only deletes");
/// Kargo's receiver does not know these events, and the event's URL is that of a file in the chart's repository.
const CHART_MUSEUM: Meaning = Meaning::Nothing(
    "a chart in ChartMuseum, which Harbor 2.8 removed, is found at the Warehouse's next interval; push it as an OCI \
     artifact to be refreshed at once",
);

/// The events in the format "Default", then those of Harbor 1.x, which look the same under other names.
const DEFAULT: [(&str, Meaning); 22] = [
    ("PUSH_ARTIFACT", Meaning::Push),
    ("PULL_ARTIFACT", PULLED),
    ("DELETE_ARTIFACT", DELETED),
    ("SCANNING_COMPLETED", SCANNED),
    ("SCANNING_FAILED", SCANNED),
    ("SCANNING_STOPPED", SCANNED),
    ("QUOTA_EXCEED", QUOTA),
    ("QUOTA_WARNING", QUOTA),
    ("REPLICATION", REPLICATED),
    ("TAG_RETENTION", RETAINED),
    ("UPLOAD_CHART", CHART_MUSEUM),
    ("DOWNLOAD_CHART", PULLED),
    ("DELETE_CHART", DELETED),
    ("pushImage", Meaning::Push),
    ("pullImage", PULLED),
    ("deleteImage", DELETED),
    ("uploadChart", CHART_MUSEUM),
    ("downloadChart", PULLED),
    ("deleteChart", DELETED),
    ("scanningCompleted", SCANNED),
    ("scanningFailed", SCANNED),
    ("projectQuota", QUOTA),
];

const CLOUD_EVENTS: [(&str, Meaning); 10] = [
    ("harbor.artifact.pushed", Meaning::Push),
    ("harbor.artifact.pulled", PULLED),
    ("harbor.artifact.deleted", DELETED),
    ("harbor.scan.completed", SCANNED),
    ("harbor.scan.failed", SCANNED),
    ("harbor.scan.stopped", SCANNED),
    ("harbor.quota.exceeded", QUOTA),
    ("harbor.quota.warned", QUOTA),
    ("harbor.replication.status.changed", REPLICATED),
    ("harbor.tag_retention.finished", RETAINED),
];

#[cfg(test)]
mod tests;
