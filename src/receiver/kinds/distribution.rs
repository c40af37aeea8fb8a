//! CNCF Distribution, and whatever sends its notifications, such as the registry of a self-managed GitLab.
//!
//! It signs nothing but sends whatever headers it is configured with, so an `Authorization` can be demanded. A body is
//! an envelope of events of several repositories, which are about blobs as well. What it cannot deliver it repeats for
//! ever and in order, so nothing that is authentic is refused.

use std::collections::BTreeMap;

use serde_json::json;

use crate::domain::event::{PushEvent, Verdict};
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::read::registry_event::{
    Artifact, Meaning, NOT_KNOWN, UNKNOWN, ignored, members, named, names, object, text, unlisted,
};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The receiver of Distribution's notifications.
pub struct Distribution;

const ACTIONS: [(&str, Meaning); 4] = [
    ("push", Meaning::Push),
    ("pull", Meaning::Nothing("a pull changes no tag")),
    ("mount", Meaning::Nothing("only a blob was mounted; the manifest that needs it is announced as a push")),
    ("delete", Meaning::Nothing("a deletion brings nothing new")),
];

const NAMES: [&str; 4] = names(&ACTIONS);

/// What blobs are announced as, whatever they hold.
const BLOB: &str = "application/octet-stream";

impl Receiver for Distribution {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        read(request.body, settings).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn sample_repository(&self) -> &'static str {
        "registry.example.com/northwind/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        let action = NAMES.into_iter().find(|known| *known == event)?;
        let events: Vec<_> = push.qualifiers.iter().map(|tag| sample(action, push.repository, tag)).collect();
        Some(Sample {
            body: json!({"events": events}).to_string().into_bytes(),
            ..Sample::default().with_header("content-type", "application/vnd.docker.distribution.events.v2+json")
        })
    }
}

fn read(body: &[u8], settings: &Settings) -> Result<Verdict, Malformed> {
    let body = json::prepared(body)?;
    let envelope = members(&body)?.last("events").and_then(Value::array).unwrap_or_default();
    let verdicts = envelope.into_iter().filter_map(|event| Some(judge(&event.object().ok()?, settings)));
    Ok(together(verdicts))
}

fn judge(event: &Object<'_>, settings: &Settings) -> Verdict {
    let name = text(event, "action");
    let Some((action, meaning)) = named(&ACTIONS, &name) else { return unlisted(&name, NOT_KNOWN) };
    let artifact = artifact(event, settings);
    match meaning {
        Meaning::Push if artifact.media_type == BLOB => {
            artifact.ignored(action, "only a blob was pushed; the manifest that needs it is announced as well")
        }
        meaning => artifact.judged(action, meaning),
    }
}

/// The host is what the pusher wrote into its request, unless another is configured. Registry 2.0 names the tag in the
/// address of the manifest only.
fn artifact(event: &Object<'_>, settings: &Settings) -> Artifact {
    let (target, request) = (object(event, "target"), object(event, "request"));
    let url = text(&target, "url");
    let in_url = ManifestUrl::read(&url).unwrap_or_default();
    let first =
        |candidates: [&str; 3]| candidates.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned();
    let host = settings.registry_host.as_deref().unwrap_or_default();
    let digest = text(&target, "digest");
    Artifact {
        host: first([host, &text(&request, "host"), in_url.host]),
        repository: first([&text(&target, "repository"), in_url.repository, ""]),
        media_type: text(&target, "mediaType"),
        reference: first([&text(&target, "tag"), &in_url.reference, &digest]),
        digest,
    }
}

/// The parts of `https://host/v2/repository/manifests/reference`.
#[derive(Default)]
struct ManifestUrl<'a> {
    host: &'a str,
    repository: &'a str,
    reference: String,
}

impl<'a> ManifestUrl<'a> {
    fn read(url: &'a str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let (host, path) = rest.split_once("/v2/")?;
        let (repository, reference) = path.rsplit_once("/manifests/")?;
        let reference = reference.split(['?', '#']).next()?;
        // Some clients escape the colon of a digest.
        Some(Self { host, repository, reference: reference.replace("%3A", ":").replace("%3a", ":") })
    }
}

/// One verdict for the envelope: its pushes, one for each repository, or else the first reason to do nothing.
fn together(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    // Put in order once, when all are known: an envelope may hold tens of thousands of events.
    let (mut pushes, mut nothing) = (BTreeMap::<Vec<String>, Vec<PushEvent>>::new(), None);
    for verdict in verdicts {
        match verdict {
            Verdict::Push(mut event) => {
                // Mostly the only one of its repository; a list that makes room for more would be most of the memory.
                let of_the_same = pushes.entry(std::mem::take(&mut event.repositories));
                of_the_same.or_insert_with(|| Vec::with_capacity(1)).push(event);
            }
            other => {
                nothing.get_or_insert(other);
            }
        }
    }
    match nothing {
        Some(nothing) if pushes.is_empty() => nothing,
        None if pushes.is_empty() => ignored(UNKNOWN, "the envelope holds no event"),
        _ => Verdict::Pushes(pushes.into_iter().map(|(repositories, events)| joined(repositories, events)).collect()),
    }
}

/// Several pushes to the same repositories. One of unknown tags makes those of all unknown.
fn joined(repositories: Vec<String>, events: Vec<PushEvent>) -> PushEvent {
    let event = events.first().map(|event| event.event.clone()).unwrap_or_default();
    let is_unknown = events.iter().any(|event| event.qualifiers.is_empty());
    let has_digests = events.iter().all(|event| !event.ids.is_empty());
    let (qualifiers, ids): (Vec<_>, Vec<_>) = events.into_iter().map(|event| (event.qualifiers, event.ids)).unzip();
    let known = |lists: Vec<Vec<String>>, is_known| if is_known { lists.concat() } else { Vec::new() };
    PushEvent::new(event, repositories, known(qualifiers, !is_unknown)).with_digests(known(ids, has_digests))
}

fn sample(action: &str, repository: &str, tag: &str) -> serde_json::Value {
    let (host, path) = repository.split_once('/').unwrap_or(("registry.example.com", repository));
    let digest = "sha256:7c1e0b5a94d2f3867a0c4de1b29f5863a7d4c0e81b62f97350ad8e4c1f29b6d3";
    let mut target = json!({"digest": digest, "size": 401, "length": 401, "repository": path});
    let own = match action {
        "mount" => json!({"mediaType": BLOB, "fromRepository": format!("{path}-base")}),
        _ => json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "tag": tag}),
    };
    if let (Some(target), serde_json::Value::Object(own)) = (target.as_object_mut(), own) {
        target.extend(own);
    }
    json!({
        "id": "01a21fd4-9770-7f16-b9b8-b26683a4ed78", "timestamp": "2026-05-04T07:15:31Z", "action": action,
        "target": target, "request": {"host": host, "method": "PUT"}, "actor": {}, "source": {"addr": "registry:5000"},
    })
}

#[cfg(test)]
mod tests;
