//! Zot's events, sent as CloudEvents in binary mode: the type is in a header, the body is the data.
//!
//! Zot signs nothing but can be configured with a user, a token or headers, so an `Authorization` can be demanded. It
//! never names its own host.

use serde_json::json;

use crate::domain::event::Verdict;
use crate::receiver::read::json::{self, Malformed};
use crate::receiver::read::registry_event::{Artifact, Meaning, NOT_KNOWN, members, named, names, text, unlisted};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Zot receiver.
pub struct Zot;

const EVENTS: [(&str, Meaning); 5] = [
    ("zotregistry.image.updated", Meaning::Push),
    ("zotregistry.image.deleted", Meaning::Nothing("a deletion brings nothing new")),
    ("zotregistry.image.lint_failed", Meaning::Nothing("an image that fails the linter is not taken in")),
    ("zotregistry.image.scanned", Meaning::Nothing("a scan changes no tag")),
    (
        "zotregistry.repository.created",
        Meaning::Nothing("a new repository is empty; the image that follows is announced as zotregistry.image.updated"),
    ),
];

const NAMES: [&str; 5] = names(&EVENTS);

impl Receiver for Zot {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        let name = request.header("ce-type");
        if name.is_empty() {
            return Err(Rejection::Invalid("missing Ce-Type header"));
        }
        read(&name, request.body, settings).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn sample_repository(&self) -> &'static str {
        "zot.example.com/northwind/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        let event = NAMES.into_iter().find(|known| *known == event)?;
        let (_, path) = push.repository.split_once('/').unwrap_or(("", push.repository));
        let body = match event {
            "zotregistry.repository.created" => json!({"name": path}),
            _ => json!({
                "name": path,
                "reference": push.qualifiers.first(),
                "digest": "sha256:7c1e0b5a94d2f3867a0c4de1b29f5863a7d4c0e81b62f97350ad8e4c1f29b6d3",
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "manifest": "{}",
            }),
        };
        let sample = Sample::json(&body)
            .with_header("ce-type", event)
            .with_header("ce-id", "6b0f7c52-3c1e-4a55-9f1d-0f2f5e8b7a11")
            .with_header("ce-source", "zotregistry.dev")
            .with_header("ce-specversion", "1.0")
            .with_header("ce-time", "2026-05-04T07:15:31Z");
        Some(sample)
    }
}

fn read(name: &str, body: &[u8], settings: &Settings) -> Result<Verdict, Malformed> {
    let body = json::prepared(body)?;
    let data = members(&body)?;
    let Some((event, meaning)) = named(&EVENTS, name) else { return Ok(unlisted(name, NOT_KNOWN)) };
    let artifact = Artifact {
        host: settings.registry_host.clone().unwrap_or_default(),
        repository: text(&data, "name"),
        media_type: text(&data, "mediaType"),
        reference: text(&data, "reference"),
        digest: text(&data, "digest"),
    };
    Ok(artifact.judged(event, meaning))
}

#[cfg(test)]
mod tests;
