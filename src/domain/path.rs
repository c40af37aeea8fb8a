//! The receiver URL: how it is derived, written and recognised.
//!
//! The formula is a contract with Kargo and with every sender that has a URL registered, byte for byte:
//! `lower_hex(sha256(project ‖ receiver name ‖ secret))` behind the base path and the kind. The path is a
//! credential, so [`ReceiverPath`] has no `Debug` and no `Display`.

use http::Uri;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::kind::ReceiverKind;
use super::scope::Scope;
use super::secret::Secret;

/// Length of the digest in hexadecimal digits.
const DIGEST_DIGITS: usize = 64;

/// The public address under which senders reach the receivers: `http(s)://host[:port][/clean/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    /// Scheme and authority exactly as given, `https://hooks.example.com:8443`.
    origin: String,
    /// The path without a trailing slash; empty for the root.
    path: String,
}

/// Why a base URL is refused, with what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the base URL {given:?} {problem}; write http(s)://host[:port][/path], for example {example:?}")]
pub struct BaseUrlError {
    given: String,
    problem: &'static str,
    example: String,
}

impl BaseUrl {
    /// Checks and takes apart a base URL. A trailing slash is dropped; nothing else is rewritten.
    ///
    /// # Errors
    /// Everything that would give a URL that cannot be called or that would not be compared byte for byte: another
    /// scheme, user information, a query, a fragment, `.`/`..` or empty segments, escapes.
    pub fn parse(given: &str) -> Result<Self, BaseUrlError> {
        let refuse = |problem, example: Option<String>| {
            let example = example.unwrap_or_else(|| "https://hooks.example.com".to_owned());
            Err(BaseUrlError { given: without_userinfo(given), problem, example })
        };
        let Some((scheme, rest)) = given.split_once("://") else {
            return refuse("has no http:// or https:// in front", None);
        };
        if !matches!(scheme, "http" | "https") {
            return refuse("does not begin with http:// or https://", None);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return refuse("contains user information, which would be published in every status", None);
        }
        if !is_host_and_port(authority) {
            return refuse("has no valid host, or its port is not a number up to 65535", None);
        }
        let origin = format!("{scheme}://{authority}");
        if path.contains(['?', '#']) {
            let clean = path.split(['?', '#']).next().unwrap_or_default();
            return refuse("has a query or fragment", Some(format!("{origin}{clean}")));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~/".contains(&b)) {
            return refuse("has a path with characters other than letters, digits and - _ . ~", None);
        }
        if path.split('/').skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
            return refuse("has empty, '.' or '..' segments", Some(format!("{origin}{}", cleaned(path))));
        }
        Ok(Self { origin, path: path.to_owned() })
    }

    /// Scheme, host and port exactly as given.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path in front of every receiver, without a trailing slash; empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// As it was given. It is no credential: what hangs below it is.
impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// What to show of a refused value: a mistyped URL may hold a password.
fn without_userinfo(given: &str) -> String {
    match (given.find("://"), given.find('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}…{}", &given[..scheme + 3], &given[at..]),
        _ => given.to_owned(),
    }
}

fn is_host_and_port(authority: &str) -> bool {
    let Ok(uri) = format!("http://{authority}/").parse::<Uri>() else {
        return false;
    };
    let Some(parsed) = uri.authority() else {
        return false;
    };
    let port_is_fine = match parsed.as_str().strip_prefix(parsed.host()) {
        Some("") => true,
        Some(port) => port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok()),
        None => false,
    };
    let host_is_fine = parsed.host().starts_with('[')
        || parsed.host().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    !parsed.host().is_empty() && host_is_fine && port_is_fine
}

/// The path with its odd segments resolved, as an example of what to write.
fn cleaned(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    kept.iter().map(|segment| format!("/{segment}")).collect()
}

/// Kind and digest of a receiver: the part of its URL that has to be secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReceiverPath {
    kind: ReceiverKind,
    digest: [u8; DIGEST_DIGITS / 2],
}

impl ReceiverPath {
    /// The path of a receiver: a hash over project, receiver name and secret without separators, as Kargo computes it.
    #[must_use]
    pub fn derive(kind: ReceiverKind, scope: &Scope, receiver: &str, secret: &Secret) -> Self {
        let digest =
            Sha256::new().chain_update(scope.project()).chain_update(receiver).chain_update(secret.expose()).finalize();
        Self { kind, digest: digest.into() }
    }

    /// Recognises a request path, with the base path in front or already stripped by a proxy. `None` for anything
    /// that has not exactly the form of a receiver.
    ///
    /// Percent escapes are decoded once, as Kargo's router does.
    #[must_use]
    pub fn recognise(request_path: &str, base: &BaseUrl) -> Option<Self> {
        if !request_path.contains('%') {
            return Self::recognise_decoded(request_path.as_bytes(), base);
        }
        Self::recognise_decoded(&percent_decoded(request_path.as_bytes())?, base)
    }

    fn recognise_decoded(path: &[u8], base: &BaseUrl) -> Option<Self> {
        let stripped = path.strip_prefix(base.path.as_bytes());
        stripped.and_then(Self::from_tail).or_else(|| Self::from_tail(path))
    }

    /// Finds the path of a receiver at the end of a URL, whatever stands before it. A query and a fragment do not
    /// count.
    #[must_use]
    pub fn in_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next()?.as_bytes();
        let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
        Self::from_tail(&path[slashes.map(|(at, _)| at).nth(1)?..])
    }

    /// Reads `/<kind>/<64 lower-case hex digits>`.
    fn from_tail(tail: &[u8]) -> Option<Self> {
        let tail = std::str::from_utf8(tail.strip_prefix(b"/")?).ok()?;
        let (kind, digits) = tail.split_once('/')?;
        if digits.len() != DIGEST_DIGITS || digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        let mut digest = [0; DIGEST_DIGITS / 2];
        hex::decode_to_slice(digits, &mut digest).ok()?;
        Some(Self { kind: ReceiverKind::parse(kind)?, digest })
    }

    /// The kind named in the path.
    #[must_use]
    pub const fn kind(&self) -> ReceiverKind {
        self.kind
    }

    /// The path as it goes into `status.webhookReceivers[].path`. A credential: never log it.
    #[must_use]
    pub fn expose_path(&self, base: &BaseUrl) -> String {
        format!("{}/{}/{}", base.path, self.kind, hex::encode(self.digest))
    }

    /// The URL as it goes into `status.webhookReceivers[].url`. A credential: never log it.
    #[must_use]
    pub fn expose_url(&self, base: &BaseUrl) -> String {
        format!("{}{}", base.origin, self.expose_path(base))
    }

    /// Eight hexadecimal digits that distinguish receivers in a log and reveal nothing of the path.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::new().chain_update("quayside fingerprint").chain_update(self.digest).finalize();
        hex::encode(&hash[..4])
    }
}

fn percent_decoded(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let mut value = [0];
            hex::decode_to_slice(tail.get(..2)?, &mut value).ok()?;
            decoded.push(value[0]);
            rest = &tail[2..];
        } else {
            decoded.push(byte);
            rest = tail;
        }
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::vectors::{self, text};

    fn path_of(base: &str, project: &str, kind: ReceiverKind, name: &str, secret: &[u8]) -> (String, String) {
        let base = BaseUrl::parse(base).unwrap();
        let scope = if project.is_empty() { Scope::Cluster } else { Scope::Project(Arc::from(project)) };
        let path = ReceiverPath::derive(kind, &scope, name, &Secret::new(secret.to_vec()));
        (path.expose_path(&base), path.expose_url(&base))
    }

    /// V1 to V5 and the two examples of Kargo's documentation (D1, D2).
    #[test]
    fn documented_vectors_agree() {
        use ReceiverKind::{DockerHub, Generic, GitHub, GitLab, Harbor};
        let v2 = "https://webhooks.example.com/hooks/";
        // V4 is given with a base URL that is refused; its clean spelling gives the same path.
        let v4 = "https://kargo.example.com:8443/a/webhooks";
        let docs = "https://kargo.example.com/webhook";
        type Case<'a> = (&'a str, &'a str, ReceiverKind, &'a str, &'a [u8], &'a str);
        #[rustfmt::skip]
        let cases: [Case<'_>; 7] = [
            ("https://webhooks.example.com", "demo", GitHub, "gh", b"s3cr3t", "/github/d7be07ee2d7d056cf2deb6e6fbf4357b89f2954180fe1971719c92e0886b4dbf"),
            (v2, "demo", GitLab, "gl", b"s3cr3t", "/hooks/gitlab/87acb07fc049f1f473612dd30eaa272e184f50a7e4135bd2c447378b2bed4e1e"),
            ("https://webhooks.example.com/", "", DockerHub, "hub", b"s3cr3t", "/dockerhub/44a2c139dce4183b751fb001d78a76ec70a3034a0f4f7ee3bf96a6373f4962b4"),
            (v4, "", Harbor, "cluster-harbor", b"Basic dXNlcjpwYXNz", "/a/webhooks/harbor/9e36ebd7ce7e5e9bae0f71db3492cdb019e4d78fdffbfc0ae1c7688e37e56fd9"),
            ("http://localhost:8080", "kargo-demo", Generic, "my-receiver", b"", "/generic/a9eab2acf85e8b414dee4f33a6f820878a0f8aab98fd3e15970604ff25ee641e"),
            (docs, "kargo-demo", GitHub, "my-first-receiver", b"soylent green is people\n", "/webhook/github/804b6f6bb40eb1f0e371f971d71dd95549be4bc9cbf868046941115f44073c67"),
            (docs, "kargo-demo", GitLab, "my-second-receiver", b"rosebud was a sled\n", "/webhook/gitlab/0eba9ff2a91f04f7787404b8f8f0edaf8cf8c39add34082651a474803cc99015"),
        ];
        for (base, project, kind, name, secret, expected) in cases {
            let (path, url) = path_of(base, project, kind, name, secret);
            assert_eq!(path, expected);
            assert!(url.starts_with("http") && url.ends_with(&path));
        }
    }

    #[test]
    fn the_unclean_base_of_v4_is_refused_with_its_clean_spelling() {
        let error = BaseUrl::parse("https://kargo.example.com:8443/a//b/../webhooks").unwrap_err().to_string();
        assert!(error.contains(r#""https://kargo.example.com:8443/a/webhooks""#), "{error}");
    }

    #[test]
    fn path_vectors_agree_and_unroutable_bases_are_refused() {
        let mut checked = 0;
        for case in vectors::lines("paths") {
            let base = BaseUrl::parse(text(&case, "base_url"));
            if text(&case, "deviates").contains("base-url-refused") {
                assert!(base.is_err(), "{}", case["id"]);
                continue;
            }
            let kind = ReceiverKind::parse(text(&case, "type")).unwrap();
            let secret = vectors::base64(&case["secret_b64"]);
            let found = path_of(text(&case, "base_url"), text(&case, "project"), kind, text(&case, "name"), &secret);
            assert_eq!(found, (text(&case, "path").to_owned(), text(&case, "url").to_owned()), "{}", case["id"]);
            checked += 1;
        }
        assert!(checked > 100, "{checked}");
    }

    #[test]
    fn a_request_is_recognised_with_and_without_the_base_path() {
        let base = BaseUrl::parse("https://hooks.example.com/in").unwrap();
        let digits = "ab".repeat(32);
        for path in [format!("/in/quay/{digits}"), format!("/quay/{digits}"), format!("/%69n/%71uay/{digits}")] {
            assert!(ReceiverPath::recognise(&path, &base).is_some(), "{path}");
        }
        let odd = ["/", "", "/quay", "/in/in/quay/", "/quay/%zz", "/quay/ab%"].map(str::to_owned);
        let spellings = [
            format!("/quay/{digits}/"),
            format!("/quay/{}", digits.to_uppercase()),
            format!("/Quay/{digits}"),
            format!("//quay/{digits}"),
            format!("/inquay/{digits}"),
            format!("/gogs/{digits}"),
            format!("/in/x/quay/{digits}"),
            format!("/quay/{digits}%00"),
        ];
        for path in odd.into_iter().chain(spellings) {
            assert!(ReceiverPath::recognise(&path, &base).is_none(), "{path}");
        }
    }

    #[test]
    fn a_receiver_is_found_at_the_end_of_a_url() {
        let digits = "ab".repeat(32);
        let fingerprint = |url: String| ReceiverPath::in_url(&url).map(|path| path.fingerprint());
        let expected = fingerprint(format!("/quay/{digits}"));
        assert!(expected.is_some());
        for url in ["https://h", "http://h:8080/a/b", "https://user:pass@h/in"] {
            assert_eq!(fingerprint(format!("{url}/quay/{digits}?event=repo_push#x")), expected, "{url}");
        }
        for url in ["", "/", "https://h", "https://h/quay/12", "https://h/gogs/{digits}", "é/é/é"] {
            assert_eq!(fingerprint(url.replace("{digits}", &digits)), None, "{url}");
        }
    }

    #[test]
    fn a_refused_base_url_does_not_repeat_its_password() {
        let error = BaseUrl::parse("https://mira:hunter2@hooks.example.com").unwrap_err().to_string();
        assert!(!error.contains("hunter2") && !error.contains("mira"), "{error}");
    }

    #[test]
    fn a_fingerprint_shares_nothing_with_the_path() {
        let secret = Secret::new(b"s3cr3t".to_vec());
        let path = ReceiverPath::derive(ReceiverKind::Quay, &Scope::Cluster, "hub", &secret);
        let base = BaseUrl::parse("https://h").unwrap();
        assert_eq!(path.fingerprint().len(), 8);
        assert!(!path.expose_path(&base).contains(&path.fingerprint()));
    }
}
