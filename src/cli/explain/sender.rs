//! The sender of a captured request: which kind it is, which receiver it means, and whether it knows the secret.

use anyhow::{Context, bail};
use http::HeaderMap;
use serde_json::{Value, json};

use super::super::manifests::{Manifests, Resolved};
use super::captured::Captured;
use super::guess::Guess;
use crate::domain::kind::ReceiverKind;
use crate::domain::path::{BaseUrl, ReceiverPath};
use crate::domain::secret::Secret;
use crate::process::clock::Clock;
use crate::receiver::{Receiver, Rejection, Request, Sample, implementation};
use crate::tables::routes::Route;

/// The sender of a captured request.
pub(super) struct Sender {
    guess: Option<Guess>,
    /// The secret that was given without manifests.
    secret: Option<Secret>,
}

/// Stands for a secret that is not known.
const UNKNOWN: &str = "not-known-to-explain";

impl Sender {
    pub(super) fn new(guess: Option<Guess>, secret: Option<Vec<u8>>) -> Self {
        Self { guess, secret: secret.map(Secret::new) }
    }

    /// Declares a receiver of the guessed kind, for want of manifests.
    pub(super) fn declare(&self, manifests: &mut Manifests) -> anyhow::Result<()> {
        let guess = self.guess.as_ref().context("nothing in the request says who sent it: give manifests with -f")?;
        if guess.kind == ReceiverKind::Generic {
            bail!("what a generic receiver does stands in its manifest: give it with -f");
        }
        let secret = self.secret.as_ref().map_or(UNKNOWN.as_bytes(), Secret::expose);
        manifests.declare_captured(guess.kind, secret)
    }

    /// The receiver that the path names, or else the only one of the guessed kind.
    pub(super) fn route<'a>(&self, request: &Captured, resolved: &'a [Resolved]) -> anyhow::Result<&'a Route> {
        let routes = || resolved.iter().flat_map(|config| &config.routes);
        if let Some(named) = request.path.as_deref().and_then(named)
            && let Some(route) = routes().find(|route| route.path == named)
        {
            return Ok(route);
        }
        let guess = self.guess.as_ref().context("nothing in the request says who sent it: choose with --receiver")?;
        let mut found = routes().filter(|route| route.kind() == guess.kind);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => {
                bail!("{} was guessed from {}, but no receiver of that kind is served", guess.kind, guess.because)
            }
            (Some(_), Some(_)) => {
                bail!("several receivers of the kind {} are served: choose with --receiver", guess.kind)
            }
        }
    }

    /// Looks whether the request was signed with the secret of the receiver. Where no secret was given, the request is
    /// signed, so that it is read all the same.
    pub(super) fn prove(&self, mut request: Captured, route: &Route) -> (Captured, Option<Value>) {
        let sender = implementation(route.kind());
        let signed = sender.sign(Sample { headers: Vec::new(), body: request.body.clone() }, &route.settings.secret);
        let is_known = route.settings.secret.expose() != UNKNOWN.as_bytes();
        let signature = match (signed.headers.is_empty(), is_known) {
            (true, _) => "none: the sender signs nothing, so the URL alone is the credential".to_owned(),
            (false, false) => "not checked: give the secret with --secret-file, or manifests with -f".to_owned(),
            (false, true) => judged(sender, &request, route),
        };
        if !is_known {
            for (name, value) in signed.headers {
                request.headers.insert(name, value);
            }
        }
        let because =
            self.guess.as_ref().filter(|guess| guess.kind == route.kind()).map(|guess| guess.because.as_str());
        let about = json!({
            "kind": route.kind().as_str(),
            "because": because.unwrap_or("the receiver that was chosen"),
            "signature": signature,
        });
        (request, Some(about))
    }
}

/// The receiver that a path names, whatever the base path in front.
fn named(path: &str) -> Option<ReceiverPath> {
    let base = BaseUrl::parse("http://localhost").ok()?;
    let start = path.trim_end_matches('/').rmatch_indices('/').nth(1)?.0;
    ReceiverPath::recognise(path[start..].trim_end_matches('/'), &base)
}

/// Whether the signature fits, and if it does not, whether it would with a secret or a body that differs by a line
/// break.
fn judged(sender: &dyn Receiver, request: &Captured, route: &Route) -> String {
    let rejected = |headers: &HeaderMap, body: &[u8], secret: &[u8]| {
        let mut settings = route.settings.clone();
        settings.secret = Secret::new(secret.to_vec());
        let request = Request { headers, query: request.query.as_deref(), body, arrived: Clock::system().now() };
        match sender.receive(&request, &settings) {
            Err(Rejection::Unauthorized(reason)) => Some(reason),
            Ok(_) | Err(_) => None,
        }
    };
    let (secret, body) = (route.settings.secret.expose(), request.body.as_slice());
    let Some(reason) = rejected(&request.headers, body, secret) else {
        return "fits the secret".to_owned();
    };
    let with_newline = [body, b"\n"].concat();
    for (body, secret, how) in [
        (body, secret.trim_ascii(), "the secret without the white space around it: the Secret holds a line break"),
        (with_newline.as_slice(), secret, "the secret and a body that ends in a line break"),
        (body.trim_ascii(), secret, "the secret and a body without the white space around it"),
    ] {
        if rejected(&request.headers, body, secret).is_none() {
            return format!("fits {how}");
        }
    }
    format!("does not fit the secret ({reason})")
}
