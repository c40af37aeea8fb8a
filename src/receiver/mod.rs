//! One file per sender: how its requests are authenticated and what they say.
//!
//! A receiver is pure: bytes and headers in, a [`Verdict`] or a [`Rejection`] out. It never sees a Warehouse, the API
//! server or a socket. `quayside send` uses the samples of the same file, so both ends of a kind stay together.

pub mod json;
pub mod quay;

use http::HeaderMap;

use crate::domain::event::Verdict;
use crate::domain::kind::ReceiverKind;
use crate::domain::secret::Secret;

/// An inbound request, after routing and with its body read.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The headers as received.
    pub headers: &'a HeaderMap,
    /// The raw query string without the question mark.
    pub query: Option<&'a str>,
    /// The raw body.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The first value of a query parameter, percent-decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        url_decoded_pairs(self.query?).find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

fn url_decoded_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (key.into_owned(), value.into_owned()))
}

/// Why a request is the sender's fault. The text goes into the answer, so it never holds a value from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The credential is missing or wrong (401).
    Unauthorized(&'static str),
    /// The body is not what this kind sends (400).
    InvalidBody,
}

/// What every kind of receiver can do.
pub trait Receiver: Send + Sync {
    /// Authenticates a request and reads what happened.
    ///
    /// # Errors
    /// A [`Rejection`] when the request itself is at fault.
    fn receive(&self, request: &Request<'_>, secret: &Secret) -> Result<Verdict, Rejection>;
}

/// The implementation of a kind, or `None` where this version does not serve the kind yet.
#[must_use]
pub fn implementation(kind: ReceiverKind) -> Option<&'static dyn Receiver> {
    match kind {
        ReceiverKind::Quay => Some(&quay::Quay),
        ReceiverKind::Artifactory
        | ReceiverKind::Azure
        | ReceiverKind::Bitbucket
        | ReceiverKind::DockerHub
        | ReceiverKind::Generic
        | ReceiverKind::Gitea
        | ReceiverKind::GitHub
        | ReceiverKind::GitLab
        | ReceiverKind::Harbor => None,
    }
}
