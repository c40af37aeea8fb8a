//! Google Artifact Registry (and Container Registry), whose messages a Pub/Sub subscription pushes.
//!
//! The subscription can add an OpenID Connect token of a service account, which is verified offline when the keys are
//! given. Messages come in Pub/Sub's envelope, or bare where the subscription unwraps the payload. References are full
//! ones, with the host.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::domain::event::Verdict;
use crate::receiver::read::json::{self, Malformed, Object};
use crate::receiver::read::registry_event::{
    Artifact, Meaning, NOT_KNOWN, UNKNOWN, ignored, members, named, names, object, text, unlisted,
};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Artifact Registry receiver.
pub struct ArtifactRegistry;

const EVENTS: [(&str, Meaning); 2] =
    [("INSERT", Meaning::Push), ("DELETE", Meaning::Nothing("a deletion brings nothing new"))];

const NAMES: [&str; 2] = names(&EVENTS);

impl Receiver for ArtifactRegistry {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        if let Some(oidc) = &settings.oidc {
            oidc.verify(&request.header("authorization"), request.arrived)?;
        }
        read(request.body).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn sample_repository(&self) -> &'static str {
        "europe-docker.pkg.dev/northwind/apps/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        const DIGEST: &str = "sha256:7c1e0b5a94d2f3867a0c4de1b29f5863a7d4c0e81b62f97350ad8e4c1f29b6d3";
        let action = NAMES.into_iter().find(|known| *known == event)?;
        let mut message = json!({"action": action, "digest": format!("{}@{DIGEST}", push.repository)});
        if let Some(tag) = push.qualifiers.first() {
            message["tag"] = format!("{}:{tag}", push.repository).into();
        }
        Some(Sample::json(&json!({
            "message": {
                "data": BASE64_STANDARD.encode(message.to_string()), "messageId": "13576249813425",
                "publishTime": "2026-05-04T07:15:31Z",
            },
            "subscription": "projects/northwind/subscriptions/quayside",
        })))
    }
}

fn read(body: &[u8]) -> Result<Verdict, Malformed> {
    let body = json::prepared(body)?;
    let envelope = members(&body)?;
    if !envelope.has("message") {
        return Ok(judge(&envelope));
    }
    let data = BASE64_STANDARD.decode(text(&object(&envelope, "message"), "data")).map_err(|_| Malformed)?;
    if data.is_empty() {
        return Ok(ignored(UNKNOWN, "the message has no data"));
    }
    let data = json::prepared(&data)?;
    Ok(judge(&members(&data)?))
}

fn judge(message: &Object<'_>) -> Verdict {
    let name = text(message, "action");
    let Some((action, meaning)) = named(&EVENTS, &name) else { return unlisted(&name, NOT_KNOWN) };
    let (tagged, digest) = (text(message, "tag"), text(message, "digest"));
    let by_digest = artifact(&digest);
    let artifact = match tagged.as_str() {
        "" => by_digest,
        tagged => Artifact { digest: by_digest.digest, ..artifact(tagged) },
    };
    if artifact.host.is_empty() {
        return ignored(
            action,
            "the message names no image with its host; check that the subscription does not rewrite it",
        );
    }
    artifact.judged(action, meaning)
}

/// Takes `host/repository:tag` or `host/repository@digest` apart.
fn artifact(full: &str) -> Artifact {
    let (host, path) = full.split_once('/').unwrap_or_default();
    let (repository, reference) = path.split_once('@').or_else(|| path.rsplit_once(':')).unwrap_or((path, ""));
    Artifact {
        host: host.to_owned(),
        repository: repository.to_owned(),
        media_type: String::new(),
        reference: reference.to_owned(),
        digest: reference.to_owned(),
    }
}

#[cfg(test)]
mod tests;
