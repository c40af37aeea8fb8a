//! Docker Hub.
//!
//! It signs nothing: the unguessable path is the credential. It sends only pushes, one tag each, and names no host,
//! which is the form that subscriptions to Docker Hub are normalised to. The sender chooses the body's
//! `callback_url` freely; it is never called.

use std::borrow::Cow;

use serde_json::json;

use crate::domain::event::{PushEvent, Verdict};
use crate::receiver::read::json::{self, Malformed, Value};
use crate::receiver::read::media_type;
use crate::receiver::read::registry_event::{NO_REPOSITORY, ignored};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Docker Hub receiver.
pub struct DockerHub;

/// The only event. Docker Hub gives it no name; this is the one of the member that describes it.
const PUSH: &str = "push";

impl Receiver for DockerHub {
    fn receive(&self, request: &Request<'_>, _settings: &Settings) -> Result<Verdict, Rejection> {
        read(request.body).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &[PUSH]
    }

    fn sample_repository(&self) -> &'static str {
        "northwind/storefront"
    }

    /// Names the first of the tags: Docker Hub sends one event for each.
    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        if event != PUSH {
            return None;
        }
        let repo_name = push.repository.strip_prefix("docker.io/").unwrap_or(push.repository);
        let (namespace, name) = repo_name.split_once('/').unwrap_or(("library", repo_name));
        let tag = push.qualifiers.first().map_or("", String::as_str);
        let body = json!({
            "push_data": {
                "pushed_at": 1_777_878_931, "pusher": "mira", "tag": tag, "images": [],
                "media_type": "application/vnd.oci.image.index.v1+json",
            },
            "repository": {
                "repo_name": format!("{namespace}/{name}"), "namespace": namespace, "name": name, "status": "Active",
            },
            "callback_url": "https://registry.hub.example.com/u/northwind/storefront/hook/2141b5/",
        });
        Some(Sample::json(&body))
    }
}

fn read(body: &[u8]) -> Result<Verdict, Malformed> {
    let text = json::prepared(body)?;
    let body = Value::parse(&text)?.object()?;
    let pushed = body.object("push_data")?;
    let repository = body.object("repository")?.text("repo_name")?;
    let (media_type, tag) = (pushed.text("media_type")?, pushed.text("tag")?);
    if repository.is_empty() {
        return Ok(ignored(PUSH, NO_REPOSITORY));
    }
    let repositories = media_type::repositories(&repository, &media_type);
    Ok(Verdict::of_tags(PushEvent::new(Cow::Borrowed(PUSH), repositories, vec![tag])))
}

#[cfg(test)]
mod tests;
