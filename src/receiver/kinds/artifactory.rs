//! JFrog Artifactory ("Docker" webhooks).
//!
//! The sender signs the body when "Use secret for payload signing" is on. Without it, it sends the secret in clear,
//! which proves nothing about the body and is refused, as Kargo does. The repository's host is that of the platform's
//! custom base URL; where clusters pull under another name, it is configured on the receiver or by an alias.

mod sample;

use crate::domain::event::{PushEvent, Verdict};
use crate::domain::repo::go_url::GoUrl;
use crate::domain::repo::{normalize_chart, normalize_image};
use crate::domain::secret::Secret;
use crate::receiver::proof::signature::Algorithm;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::read::registry_event::{Meaning, NO_REPOSITORY, NOT_KNOWN, ignored, named, names, unlisted};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Artifactory receiver.
pub struct Artifactory;

/// The events of the domain `docker`.
const EVENTS: [(&str, Meaning); 3] = [
    ("pushed", Meaning::Push),
    ("deleted", Meaning::Nothing("deleting an image brings no new one")),
    // It names the repository that the image was promoted to, where its tag is new.
    ("promoted", Meaning::Push),
];

const NAMES: [&str; 3] = names(&EVENTS);

/// Why an event of another domain, such as `artifact` or `build`, asks for nothing.
const OTHER_DOMAIN: &str =
    "only events of the domain docker announce images and charts; select Docker events on the webhook";

/// Why a push to a platform without a known host asks for nothing.
const NO_HOST: &str = "the event names no host: set the custom base URL in Artifactory, or registryHost on a Receiver";

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
        &NAMES
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
    /// Of the manifest, without the name of the algorithm; empty when it is not given.
    sha256: String,
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
            sha256: data.last("sha256").and_then(Value::string).unwrap_or_default(),
        })
    }

    fn verdict(self, settings: &Settings) -> Result<Verdict, Rejection> {
        if self.domain != "docker" {
            return Ok(unlisted(&self.event_type, OTHER_DOMAIN));
        }
        let event = match named(&EVENTS, &self.event_type) {
            Some((event, Meaning::Push)) => event,
            Some((event, Meaning::Nothing(because))) => return Ok(ignored(event, because)),
            None => return Ok(unlisted(&self.event_type, NOT_KNOWN)),
        };
        let normalize: &[fn(&str) -> String] = match self.image_type.as_str() {
            "docker" => &[normalize_image],
            "oci" => &[normalize_chart],
            // Older versions do not say which of the two it is.
            "" => &[normalize_image, normalize_chart],
            _ => return Ok(ignored(event, "the image type is neither docker nor oci")),
        };
        let repository = match self.repository(settings) {
            Ok(Some(repository)) => repository,
            Ok(None) => return Ok(ignored(event, NO_HOST)),
            // No known version sends neither; a 400 would only get the webhook switched off.
            Err(_) if self.image_type.is_empty() => return Ok(ignored(event, NO_REPOSITORY)),
            Err(rejection) => return Err(rejection),
        };
        let repositories = normalize.iter().map(|normalize| normalize(&repository)).collect();
        let digest = format!("sha256:{}", self.sha256);
        Ok(Verdict::of_tags(PushEvent::new(event.into(), repositories, vec![self.tag]).with_digests(vec![digest])))
    }

    /// As in the "repository path" method of access: host, repository and image. `None` when no host is known.
    fn repository(&self, settings: &Settings) -> Result<Option<String>, Rejection> {
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
        Ok((!host.is_empty()).then(|| [&[host.as_str(), repo], segments.as_slice()].concat().join("/")))
    }

    /// Host and port of the platform; empty when it is not configured there.
    fn origin_host(&self) -> Result<String, Rejection> {
        let url = GoUrl::parse(&self.origin)
            .map_err(|_| Rejection::Invalid("invalid value in payload's jpd_origin field"))?;
        Ok(String::from_utf8_lossy(&url.host).into_owned())
    }
}

#[cfg(test)]
mod tests;
