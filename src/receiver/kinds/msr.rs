//! Mirantis Secure Registry 2 and 3, once Docker Trusted Registry. Version 4 is Harbor.
//!
//! It signs nothing and takes no header: the unguessable path is the credential. One subscription sends one type of
//! event. Only the wrapper and the main members are documented, so everything in `contents` counts as optional.

use serde_json::json;

use crate::domain::event::{PushEvent, Verdict};
use crate::domain::repo::normalize_chart;
use crate::receiver::read::json::{self, Malformed, Object};
use crate::receiver::read::registry_event::{Artifact, NOT_KNOWN, members, named, names, object, text, unlisted};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The MSR receiver.
pub struct Msr;

/// What a type of event means.
#[derive(Clone, Copy)]
enum Meaning {
    /// A tag of the repository is new.
    Tag,
    /// A tag of the target's repository is new.
    Promotion,
    /// A version of a chart is new.
    Chart,
    /// Nothing to do, and why.
    Nothing(&'static str),
}

const PULL: Meaning = Meaning::Nothing("a pull changes no tag");
const DELETION: Meaning = Meaning::Nothing("a deletion brings nothing new");
const SCAN: Meaning = Meaning::Nothing("a scan changes no tag");
const SETTINGS: Meaning = Meaning::Nothing("a repository's settings are no push");

/// Every type of event.
const EVENTS: [(&str, Meaning); 19] = [
    ("TAG_PUSH", Meaning::Tag),
    ("TAG_PULL", PULL),
    ("TAG_DELETE", DELETION),
    ("MANIFEST_PUSH", Meaning::Nothing("a manifest has no tag; the tag is announced as TAG_PUSH")),
    ("MANIFEST_PULL", PULL),
    ("MANIFEST_DELETE", DELETION),
    ("SCAN_COMPLETED", SCAN),
    ("SCAN_FAILED", SCAN),
    ("PROMOTION", Meaning::Promotion),
    ("PUSH_MIRRORING", Meaning::Nothing("the image went to another registry, which announces it itself")),
    ("POLL_MIRRORING", Meaning::Tag),
    ("REPO_CREATED", SETTINGS),
    ("REPO_UPDATED", SETTINGS),
    ("REPO_DELETED", DELETION),
    ("SCANNER_UPDATE_COMPLETED", SCAN),
    ("CHART_PUSH", Meaning::Chart),
    ("CHART_PULL", PULL),
    ("CHART_DELETE", DELETION),
    ("CHART_LINTED", Meaning::Nothing("a check of a chart changes no version")),
];

const NAMES: [&str; 19] = names(&EVENTS);

/// Go's zero time, which a promotion has that never took place.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Receiver for Msr {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        read(request.body, settings).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn sample_repository(&self) -> &'static str {
        "msr.example.com/northwind/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        let event = NAMES.into_iter().find(|known| *known == event)?;
        Some(Sample::json(&sample(event, push)))
    }
}

fn read(body: &[u8], settings: &Settings) -> Result<Verdict, Malformed> {
    let body = json::prepared(body)?;
    let body = members(&body)?;
    let name = text(&body, "type");
    let Some((event, meaning)) = named(&EVENTS, &name) else { return Ok(unlisted(&name, NOT_KNOWN)) };
    let contents = object(&body, "contents");
    let artifact = artifact(&contents, settings);
    Ok(match meaning {
        Meaning::Promotion if text(&contents, "promotedAt") == NEVER => {
            artifact.ignored(event, "a promotion without a date is a test, it changed no tag")
        }
        Meaning::Tag | Meaning::Promotion => artifact.pushed(event),
        Meaning::Chart => chart(event, &artifact),
        Meaning::Nothing(because) => artifact.ignored(event, because),
    })
}

/// What the event is about: of a promotion the target.
fn artifact(contents: &Object<'_>, settings: &Settings) -> Artifact {
    let first = |keys: &[&str]| {
        let mut texts = keys.iter().map(|key| text(contents, key));
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    };
    let (namespace, name) = (text(contents, "namespace"), text(contents, "repository"));
    let image_name = text(contents, "imageName");
    let host = host_in(&image_name).or(settings.registry_host.as_deref());
    Artifact {
        host: host.unwrap_or_default().to_owned(),
        repository: if name.is_empty() { text(contents, "targetRepository") } else { format!("{namespace}/{name}") },
        media_type: String::new(),
        reference: match first(&["tag", "targetTag", "version"]) {
            none if none.is_empty() => reference_in(&image_name).to_owned(),
            reference => reference,
        },
        digest: text(contents, "digest"),
    }
}

/// The host of an image name that has one: its first segment, if that can be no namespace.
fn host_in(image_name: &str) -> Option<&str> {
    let (first, _) = image_name.split_once('/')?;
    (first.contains(['.', ':']) || first == "localhost").then_some(first)
}

/// The tag or digest of an image name that has one; the tag where it has both.
fn reference_in(image_name: &str) -> &str {
    let (_, last) = image_name.rsplit_once('/').unwrap_or(("", image_name));
    let (name, digest) = last.split_once('@').unwrap_or((last, ""));
    name.split_once(':').map_or(digest, |(_, tag)| tag)
}

/// A chart is subscribed to by the address of its repository over HTTP, or as an OCI artifact. What the event holds is
/// not documented; where it names no version, every subscriber of the repository is refreshed.
fn chart(event: &'static str, artifact: &Artifact) -> Verdict {
    let Artifact { host, repository, .. } = artifact;
    let mut push = artifact.event(event);
    if push.repositories.is_empty() {
        return artifact.pushed(event);
    }
    push.repositories.push(normalize_chart(&format!("https://{host}/charts/{repository}")));
    Verdict::of_tags(PushEvent::new(push.event, push.repositories, push.qualifiers).with_digests(push.ids))
}

fn sample(event: &'static str, push: &SamplePush<'_>) -> serde_json::Value {
    const DIGEST: &str = "sha256:7c1e0b5a94d2f3867a0c4de1b29f5863a7d4c0e81b62f97350ad8e4c1f29b6d3";
    const WHEN: &str = "2026-05-04T07:15:31Z";
    let (host, path) = push.repository.split_once('/').unwrap_or(("msr.example.com", push.repository));
    let (namespace, repository) = path.split_once('/').unwrap_or((path, path));
    let tag = push.qualifiers.first().map(String::as_str).unwrap_or_default();
    let identity = json!({"namespace": namespace, "repository": repository});
    let own = match event {
        "TAG_PUSH" | "TAG_PULL" | "TAG_DELETE" => json!({
            "tag": tag, "digest": DIGEST, "imageName": format!("{host}/{path}:{tag}"), "os": "linux",
            "architecture": "amd64", "author": "mira", "pushedAt": WHEN,
        }),
        "MANIFEST_PUSH" | "MANIFEST_PULL" | "MANIFEST_DELETE" => json!({
            "digest": DIGEST, "imageName": format!("{host}/{path}@{DIGEST}"), "os": "linux", "architecture": "amd64",
            "author": "mira", "pushedAt": WHEN,
        }),
        "SCAN_COMPLETED" | "SCAN_FAILED" => json!({"tag": tag, "imageName": format!("{host}/{path}:{tag}")}),
        "PROMOTION" => {
            let contents = json!({
                "promotionPolicyID": "5a0d8f3e-2c11-4f6b-9a77-1b3c5d7e9f00", "digest": DIGEST,
                "sourceRepository": format!("{namespace}-ci/{repository}"), "sourceTag": "build-412",
                "targetRepository": path, "targetTag": tag, "promotedAt": WHEN,
            });
            return json!({"type": event, "createdAt": WHEN, "contents": contents});
        }
        "PUSH_MIRRORING" | "POLL_MIRRORING" => json!({
            "digest": DIGEST, "tag": tag, "remoteHost": "https://other-msr.example.net", "remoteRepository": path,
            "remoteTag": tag, "mirroredAt": WHEN,
        }),
        "CHART_PUSH" | "CHART_PULL" | "CHART_DELETE" | "CHART_LINTED" => {
            json!({"imageName": format!("{host}/{path}"), "chart": repository, "version": tag})
        }
        "SCANNER_UPDATE_COMPLETED" => {
            let contents = json!({"scanner_version": "3", "db_version": 1874, "success": true});
            return json!({"type": event, "createdAt": WHEN, "contents": contents});
        }
        _ => json!({"event": event, "author": "mira", "data": {}}),
    };
    let mut contents = identity;
    if let (Some(contents), serde_json::Value::Object(own)) = (contents.as_object_mut(), own) {
        contents.extend(own);
    }
    json!({"type": event, "createdAt": WHEN, "contents": contents})
}

#[cfg(test)]
mod tests;
