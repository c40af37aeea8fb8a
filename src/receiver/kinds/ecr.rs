//! Amazon ECR, whose events an EventBridge rule sends to an API destination.
//!
//! EventBridge signs nothing; the connection of the API destination adds an `Authorization` or a custom header, which
//! can be demanded. The registry's host follows from account and region.

use serde_json::json;

use crate::domain::event::Verdict;
use crate::receiver::read::json::{self, Malformed, Object};
use crate::receiver::read::registry_event::{Artifact, NOT_KNOWN, members, named, names, object, text, unlisted};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The ECR receiver.
pub struct Ecr;

/// How a type of event says that there is a new tag.
#[derive(Clone, Copy)]
enum Meaning {
    /// Its detail has all of these.
    New(&'static [(&'static str, &'static str)]),
    /// It never does, and why.
    Nothing(&'static str),
}

const EVENTS: [(&str, Meaning); 6] = [
    ("ECR Image Action", Meaning::New(&[("action-type", "PUSH"), ("result", "SUCCESS")])),
    ("ECR Replication Action", Meaning::New(&[("action-type", "REPLICATE"), ("result", "SUCCESS")])),
    ("ECR Pull Through Cache Action", Meaning::New(&[("sync-status", "SUCCESS")])),
    ("ECR Image Scan", Meaning::Nothing("a scan changes no tag")),
    ("ECR Scan Resource Change", Meaning::Nothing("a scan changes no tag")),
    ("ECR Referrer Action", Meaning::Nothing("a referrer is not a release")),
];

const NAMES: [&str; 6] = names(&EVENTS);

impl Receiver for Ecr {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        read(request.body, settings).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn sample_repository(&self) -> &'static str {
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/northwind/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        let (event, meaning) = EVENTS.into_iter().find(|(name, _)| *name == event)?;
        Some(Sample::json(&sample(event, meaning, push)))
    }
}

fn read(body: &[u8], settings: &Settings) -> Result<Verdict, Malformed> {
    let body = json::prepared(body)?;
    let body = members(&body)?;
    let name = text(&body, "detail-type");
    let Some((event, meaning)) = named(&EVENTS, &name) else { return Ok(unlisted(&name, NOT_KNOWN)) };
    let detail = object(&body, "detail");
    let (tag, digest) = (text(&detail, "image-tag"), text(&detail, "image-digest"));
    let artifact = Artifact {
        host: settings.registry_host.clone().unwrap_or_else(|| host(&body)),
        repository: text(&detail, "repository-name"),
        media_type: String::new(),
        reference: if tag.is_empty() { digest.clone() } else { tag },
        digest,
    };
    Ok(match meaning {
        Meaning::New(wanted) if wanted.iter().all(|(key, value)| text(&detail, key) == *value) => {
            artifact.pushed(event)
        }
        Meaning::New(_) => artifact.ignored(event, "only what was pushed with success brings something new"),
        Meaning::Nothing(because) => artifact.ignored(event, because),
    })
}

/// The host of the account's registry in its region; empty where one of both is missing. China has a domain of its own.
fn host(event: &Object<'_>) -> String {
    let (account, region) = (text(event, "account"), text(event, "region"));
    if account.is_empty() || region.is_empty() {
        return String::new();
    }
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{account}.dkr.ecr.{region}.{domain}")
}

fn sample(event: &str, meaning: Meaning, push: &SamplePush<'_>) -> serde_json::Value {
    let (host, path) = push.repository.split_once('/').unwrap_or(("", push.repository));
    let mut labels = host.split('.');
    let (account, region) = (labels.next().unwrap_or_default(), labels.nth(2).unwrap_or("eu-west-1"));
    let mut detail = json!({
        "repository-name": path,
        "image-digest": "sha256:7c1e0b5a94d2f3867a0c4de1b29f5863a7d4c0e81b62f97350ad8e4c1f29b6d3",
        "image-tag": push.qualifiers.first(),
    });
    if let Meaning::New(wanted) = meaning {
        for (key, value) in wanted {
            detail[*key] = (*value).into();
        }
    }
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": event, "source": "aws.ecr",
        "account": account, "time": "2026-05-04T07:15:31Z", "region": region, "resources": [], "detail": detail,
    })
}

#[cfg(test)]
mod tests;
