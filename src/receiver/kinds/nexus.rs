//! Sonatype Nexus Repository 3: its repository webhooks, about components and assets.
//!
//! Nexus signs the body with HMAC-SHA1 and can do no better, so SHA-1 is accepted here. Its documentation has the body
//! hashed "without whitespace", so a body that was indented is also compared in that form. Nexus never names the host
//! of a Docker repository.

use serde_json::json;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::secret::Secret;
use crate::receiver::proof::signature::Algorithm;
use crate::receiver::read::json::{self, Malformed, Object};
use crate::receiver::read::registry_event::{
    Artifact, NO_HOST, NO_REPOSITORY, NOT_KNOWN, ignored, members, named, names, object, text, unlisted,
};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Nexus receiver.
pub struct Nexus;

/// What a type of event is about.
#[derive(Clone, Copy)]
enum Meaning {
    /// An image by its name and tag.
    Component,
    /// A file of the repository: a manifest or a blob.
    Asset,
    /// Nothing to do, and why.
    Nothing(&'static str),
}

const EVENTS: [(&str, Meaning); 4] = [
    ("rm:repository:component", Meaning::Component),
    ("rm:repository:asset", Meaning::Asset),
    ("rm:repository", Meaning::Nothing("a repository's settings are no push")),
    ("rm:audit", Meaning::Nothing("an audit event changes no tag")),
];

const NAMES: [&str; 4] = names(&EVENTS);

const SIGNATURE: &str = "x-nexus-webhook-signature";

impl Receiver for Nexus {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        authenticate(request, &settings.secret)?;
        let name = request.header("x-nexus-webhook-id");
        if name.is_empty() {
            return Err(Rejection::Invalid("missing X-Nexus-Webhook-Id header"));
        }
        read(&name, request.body, settings).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn sample_repository(&self) -> &'static str {
        "nexus.example.com:8083/northwind/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        let event = NAMES.into_iter().find(|known| *known == event)?;
        Some(
            Sample::json(&sample(event, push))
                .with_header("x-nexus-webhook-id", event)
                .with_header("x-nexus-webhook-delivery", "7f4a6dde-5c68-4999-bcc0-a62f3fb8ae48"),
        )
    }

    fn sign(&self, sample: Sample, secret: &Secret) -> Sample {
        let signature = Algorithm::Sha1.sign(secret, &sample.body);
        sample.with_header(SIGNATURE, &signature)
    }
}

fn authenticate(request: &Request<'_>, secret: &Secret) -> Result<(), Rejection> {
    let presented = request.header(SIGNATURE);
    if presented.is_empty() {
        return Err(Rejection::Unauthorized("missing signature"));
    }
    let signature = hex::decode(&*presented).map_err(|_| Rejection::Unauthorized("unauthorized"))?;
    let is_signed = |body: &[u8]| Algorithm::Sha1.verifies(secret, body, &signature);
    if is_signed(request.body) || is_signed(&without_whitespace(request.body)) {
        return Ok(());
    }
    Err(Rejection::Unauthorized("unauthorized"))
}

/// A JSON document without what only makes it readable.
fn without_whitespace(body: &[u8]) -> Vec<u8> {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |byte: &u8| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
        in_string || !byte.is_ascii_whitespace()
    };
    body.iter().copied().filter(is_kept).collect()
}

fn read(name: &str, body: &[u8], settings: &Settings) -> Result<Verdict, Malformed> {
    let body = json::prepared(body)?;
    let body = members(&body)?;
    let Some((event, meaning)) = named(&EVENTS, name) else { return Ok(unlisted(name, NOT_KNOWN)) };
    let subject = match meaning {
        Meaning::Component => component(&object(&body, "component")),
        Meaning::Asset => asset(&object(&body, "asset")),
        Meaning::Nothing(because) => Err(because),
    };
    let (image, reference) = match subject {
        Ok((image, _)) if image.is_empty() => return Ok(ignored(event, NO_REPOSITORY)),
        Ok(subject) => subject,
        Err(because) => return Ok(ignored(event, because)),
    };
    let host = settings.registry_host.as_deref().unwrap_or_default();
    let push = push(event, host, &image, &reference, &text(&body, "repositoryName"));
    let because = match text(&body, "action").as_str() {
        "CREATED" | "UPDATED" if !host.is_empty() => return Ok(Verdict::of_tags(push)),
        "CREATED" | "UPDATED" => NO_HOST,
        _ => "only what is created or updated brings something new",
    };
    Ok(Verdict::Ignored(IgnoredEvent::about(push, because)))
}

/// Name and tag of an image.
fn component(component: &Object<'_>) -> Result<(String, String), &'static str> {
    is_docker(component)?;
    Ok((text(component, "name"), text(component, "version")))
}

/// Name and tag or digest of the image whose manifest the asset is.
fn asset(asset: &Object<'_>) -> Result<(String, String), &'static str> {
    is_docker(asset)?;
    let name = text(asset, "name");
    let manifest = name.trim_start_matches('/').strip_prefix("v2/").and_then(|path| path.rsplit_once("/manifests/"));
    let (image, reference) = manifest.ok_or("only a manifest is a push, a blob is part of one")?;
    Ok((image.to_owned(), reference.to_owned()))
}

fn is_docker(subject: &Object<'_>) -> Result<(), &'static str> {
    if text(subject, "format") == "docker" { Ok(()) } else { Err("only repositories of the format docker are read") }
}

/// An image is reached at a host of its repository's own, or below the repository's name.
fn push(event: &'static str, host: &str, image: &str, reference: &str, repository: &str) -> PushEvent {
    let below = if repository.is_empty() { image.to_owned() } else { format!("{repository}/{image}") };
    let at = |path: &str| Artifact {
        host: host.to_owned(),
        repository: path.to_owned(),
        reference: reference.to_owned(),
        ..Artifact::default()
    };
    let repositories = [image, &below].map(|path| at(path).event(event).repositories).concat();
    PushEvent::new(event.into(), repositories, vec![reference.to_owned()])
}

fn sample(event: &str, push: &SamplePush<'_>) -> serde_json::Value {
    let (_, path) = push.repository.split_once('/').unwrap_or(("", push.repository));
    let tag = push.qualifiers.first().map(String::as_str).unwrap_or_default();
    let (key, own) = match event {
        "rm:repository:component" => ("component", json!({"format": "docker", "name": path, "version": tag})),
        "rm:repository:asset" => ("asset", json!({"format": "docker", "name": format!("v2/{path}/manifests/{tag}")})),
        "rm:repository" => ("repository", json!({"format": "docker", "name": "docker-hosted", "type": "hosted"})),
        _ => ("audit", json!({"domain": "security.user", "type": "created", "context": "mira"})),
    };
    json!({
        "timestamp": "2026-05-04T07:15:31.664+0000", "nodeId": "52905B51-085CCABB-CEBBEAAD-16795588-FC927D93",
        "initiator": "mira/127.0.0.1", "repositoryName": "docker-hosted", "action": "CREATED", key: own,
    })
}

#[cfg(test)]
mod tests;
