//! One file per sender: how its requests are authenticated and what they say.
//!
//! A receiver is pure: bytes and headers in, a [`Verdict`] or a [`Rejection`] out. It never sees a Warehouse, the API
//! server or a socket. `quayside send` uses the samples of the same file, so both ends of a kind stay together.

pub mod kinds;
pub mod proof;
pub mod read;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::domain::alias::HostAliases;
use crate::domain::event::Verdict;
use crate::domain::kind::ReceiverKind;
use crate::domain::secret::Secret;
use kinds::{
    artifact_registry, artifactory, azure, bitbucket, distribution, dockerhub, ecr, generic, gitea, github, gitlab,
    harbor, msr, nexus, quay, zot,
};
use proof::credentials::Credentials;
use proof::oidc::Oidc;
use read::json;

/// An inbound request, after routing and with its body read.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The headers as received.
    pub headers: &'a HeaderMap,
    /// The raw query string without the question mark.
    pub query: Option<&'a str>,
    /// The raw body.
    pub body: &'a [u8],
    /// When it arrived, by which credentials that expire are judged.
    pub arrived: Timestamp,
}

impl Request<'_> {
    /// The first value of a query parameter, percent-decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        url_decoded_pairs(self.query?).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The first value of a header, with what is not UTF-8 replaced; empty when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> std::borrow::Cow<'_, str> {
        self.headers.get(name).map_or_else(Default::default, |value| String::from_utf8_lossy(value.as_bytes()))
    }
}

fn url_decoded_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned()))
}

/// What a receiver is configured with, besides its kind, name and scope.
#[derive(Clone)]
pub struct Settings {
    /// The secret that the path was derived from, and with which senders that can do so sign.
    pub secret: Secret,
    /// Artifactory's virtual repository, which stands in for the local one that was pushed to.
    pub virtual_repo_name: Option<String>,
    /// The registry's host, with its port if it has one, for senders that do not name it.
    pub registry_host: Option<String>,
    /// Other names of registries, for this receiver only.
    pub aliases: Arc<HostAliases>,
    /// What a `generic` receiver does, compiled.
    pub actions: Arc<[generic::Action]>,
    /// Whether signatures made with SHA-1 are accepted from senders that can do better.
    pub allow_sha1: bool,
    /// What is demanded of senders besides.
    pub credentials: Credentials,
    /// What the token of a Pub/Sub subscription has to be; looked at by `artifactregistry` only.
    pub oidc: Option<Oidc>,
}

impl Settings {
    /// Nothing but the secret.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            virtual_repo_name: None,
            registry_host: None,
            aliases: Arc::default(),
            actions: Arc::from([]),
            allow_sha1: false,
            credentials: Credentials::default(),
            oidc: None,
        }
    }
}

/// Why a request is the sender's fault. The text goes into the answer, so it never holds a value from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The credential is missing or wrong (401). An empty text gives an answer without one, as Kargo does for GitLab.
    Unauthorized(&'static str),
    /// The request is not what this kind sends (400); says what is wrong.
    Invalid(&'static str),
    /// The body is not what this kind sends (400).
    InvalidBody,
}

impl From<json::Malformed> for Rejection {
    fn from(_: json::Malformed) -> Self {
        Self::InvalidBody
    }
}

/// What is pushed in a sample.
#[derive(Clone, Copy)]
pub struct SamplePush<'a> {
    /// The repository as a person writes it: `quay.io/northwind/storefront`, `https://github.com/northwind/storefront`.
    pub repository: &'a str,
    /// Tags, or full Git refs.
    pub qualifiers: &'a [String],
    /// The paths that a Git push changes.
    pub changed_files: &'a [String],
}

/// A request as the sender of a kind makes it.
#[derive(Clone, Default)]
pub struct Sample {
    /// Headers, the one that names the event among them.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Sample {
    /// A JSON body without headers of its own but for `Content-Type`.
    #[must_use]
    pub fn json(body: &serde_json::Value) -> Self {
        Self { headers: Vec::new(), body: body.to_string().into_bytes() }
            .with_header("content-type", "application/json")
    }

    /// Adds a header; a value that no header can hold is left out.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// Adds a header that holds the secret itself; a secret that no header can hold is left out.
    #[must_use]
    pub fn with_secret(mut self, name: &'static str, secret: &Secret) -> Self {
        if let Ok(mut value) = HeaderValue::from_bytes(secret.expose()) {
            value.set_sensitive(true);
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

/// What every kind of receiver can do.
pub trait Receiver: Send + Sync {
    /// Authenticates a request and reads what happened.
    ///
    /// # Errors
    /// A [`Rejection`] when the request itself is at fault.
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection>;

    /// The events that can be sampled; the first is a push.
    fn events(&self) -> &'static [&'static str];

    /// A repository for samples where none is given.
    fn sample_repository(&self) -> &'static str;

    /// A tag or ref for samples where none is given.
    fn sample_qualifier(&self) -> &'static str {
        "latest"
    }

    /// An unsigned sample of one of [`Self::events`]; `None` for another.
    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample>;

    /// Adds what proves the sender's knowledge of the secret, where the kind has such a thing.
    fn sign(&self, sample: Sample, secret: &Secret) -> Sample {
        let _ = secret;
        sample
    }
}

/// The implementation of a kind.
#[must_use]
pub fn implementation(kind: ReceiverKind) -> &'static dyn Receiver {
    match kind {
        ReceiverKind::Artifactory => &artifactory::Artifactory,
        ReceiverKind::Azure => &azure::Azure,
        ReceiverKind::Bitbucket => &bitbucket::Bitbucket,
        ReceiverKind::DockerHub => &dockerhub::DockerHub,
        ReceiverKind::Generic => &generic::Generic,
        ReceiverKind::Gitea => &gitea::Gitea,
        ReceiverKind::GitHub => &github::GitHub,
        ReceiverKind::GitLab => &gitlab::GitLab,
        ReceiverKind::Harbor => &harbor::Harbor,
        ReceiverKind::Quay => &quay::Quay,
        ReceiverKind::Msr => &msr::Msr,
        ReceiverKind::Distribution => &distribution::Distribution,
        ReceiverKind::Zot => &zot::Zot,
        ReceiverKind::Nexus => &nexus::Nexus,
        ReceiverKind::Ecr => &ecr::Ecr,
        ReceiverKind::ArtifactRegistry => &artifact_registry::ArtifactRegistry,
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
