//! JFrog Artifactory ("Docker" webhooks).
//!
//! The sender signs the body when "Use secret for payload signing" is on. Without it, it sends the secret in clear, which
//! proves nothing about the body and is refused, as Kargo does. The repository's host is that of the platform's custom base
//! URL; where clusters pull under another name, it is configured on the receiver or by an alias.

mod sample;

use std::borrow::Cow;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::repo::go_url::GoUrl;
use crate::domain::repo::{normalize_chart, normalize_image};
use crate::domain::secret::Secret;
use crate::receiver::proof::signature::Algorithm;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Artifactory receiver.
pub struct Artifactory;

/// JFrog writes it `X-JFrog-Event-Auth`.
const SIGNATURE: &str = "x-jfrog-event-auth";

impl Receiver for Artifactory {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        authenticate(request, &settings.secret)?;
        let text = json::prepared(request.body).map_err(malformed)?;
        let body = Value::parse(&text).and_then(Value::object).map_err(malformed)?;
        Delivery::read(&body).map_err(malformed)?.verdict(settings)
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "artifactory.example.com/docker-local/storefront"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        Some(Sample::json(&sample::sample(event, push.repository, push.qualifiers)?))
    }

    fn sign(&self, sample: Sample, secret: &Secret) -> Sample {
        let signature = Algorithm::Sha256.sign(secret, &sample.body);
        sample.with_header(SIGNATURE, &signature)
    }
}

/// The HMAC-SHA256 of the body in lower-case digits, without a prefix.
fn authenticate(request: &Request<'_>, secret: &Secret) -> Result<(), Rejection> {
    let presented = request.header(SIGNATURE);
    if presented.is_empty() {
        return Err(Rejection::Unauthorized("missing signature"));
    }
    let wrong = Rejection::Unauthorized("unauthorized");
    if presented.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(wrong);
    }
    let signature = hex::decode(&*presented).map_err(|_| wrong)?;
    if Algorithm::Sha256.verifies(secret, request.body, &signature) { Ok(()) } else { Err(wrong) }
}

fn malformed(_: Malformed) -> Rejection {
    Rejection::InvalidBody
}

/// The members that matter.
struct Delivery {
    domain: String,
    event_type: String,
    origin: String,
    repo_key: String,
    path: String,
    image_type: String,
    tag: String,
}

impl Delivery {
    fn read(body: &Object<'_>) -> Result<Self, Malformed> {
        let data = body.object("data")?;
        Ok(Self {
            domain: body.text("domain")?,
            event_type: body.text("event_type")?,
            origin: body.text("jpd_origin")?,
            repo_key: data.text("repo_key")?,
            path: data.text("path")?,
            image_type: data.text("image_type")?,
            tag: data.text("tag")?,
        })
    }

    fn verdict(self, settings: &Settings) -> Result<Verdict, Rejection> {
        if self.domain != "docker" {
            return Ok(ignored("unknown", "only events of the domain docker change images"));
        }
        match self.event_type.as_str() {
            "pushed" => {}
            "deleted" => return Ok(ignored("deleted", "deleting an image brings no new one")),
            "promoted" => return Ok(ignored("promoted", "a promotion within Artifactory is no push")),
            _ => return Ok(ignored("unknown", "this kind of event changes no image")),
        }
        let normalize = match self.image_type.as_str() {
            "docker" => normalize_image,
            "oci" => normalize_chart,
            _ => return Ok(ignored("pushed", "the image type is neither docker nor oci")),
        };
        let repository = normalize(&self.repository(settings)?);
        let event = PushEvent::new(Cow::Borrowed("pushed"), vec![repository], vec![self.tag]);
        Ok(Verdict::of_tags(event))
    }

    /// As in the "repository path" method of access: host, repository and image.
    fn repository(&self, settings: &Settings) -> Result<String, Rejection> {
        let host = match &settings.registry_host {
            Some(host) => host.clone(),
            None => self.origin_host()?,
        };
        let repo = settings.virtual_repo_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.repo_key);
        // The image is what stands in front of the tag and the file.
        let mut segments: Vec<&str> = self.path.split('/').collect();
        if segments.len() < 2 {
            return Err(Rejection::Invalid("invalid value in payload's data.path field"));
        }
        segments.truncate(segments.len() - 2);
        Ok([&[host.as_str(), repo], segments.as_slice()].concat().join("/"))
    }

    /// Host and port of the platform; empty when it is not configured there.
    fn origin_host(&self) -> Result<String, Rejection> {
        let url = GoUrl::parse(&self.origin)
            .map_err(|_| Rejection::Invalid("invalid value in payload's jpd_origin field"))?;
        Ok(String::from_utf8_lossy(&url.host).into_owned())
    }
}

fn ignored(event: &'static str, because: &'static str) -> Verdict {
    Verdict::Ignored(IgnoredEvent::new(Cow::Borrowed(event), because))
}

#[cfg(test)]
mod tests;
