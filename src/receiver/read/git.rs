//! What the kinds of Git hosts have in common: refs, commits and changed files, deletions, events that ask for nothing,
//! and the parts of a sample.
//!
//! It knows no host. What is the same in two of them by accident stays in their files.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::repo::normalize_git;
use crate::domain::secret::Secret;
use crate::receiver::proof::signature::Algorithm;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::{Request, Sample};

/// Names of events that nobody handles are cut to this many characters.
const MAX_NAME: usize = 64;

/// The JSON of a request: the body, or its one field `payload` where the sender was set to send a form.
pub(in crate::receiver) fn json_of<'a>(request: &Request<'a>) -> Cow<'a, [u8]> {
    let content_type = request.headers.get(CONTENT_TYPE).map_or(&b""[..], http::HeaderValue::as_bytes);
    let is_form = content_type.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
        && request.body.starts_with(b"payload=");
    match form_urlencoded::parse(request.body).next() {
        Some((_, payload)) if is_form => Cow::Owned(payload.into_owned().into_bytes()),
        _ => Cow::Borrowed(request.body),
    }
}

/// Reads the object that a body is.
///
/// # Errors
/// [`Malformed`] when it is none, or when `read` says so.
pub(in crate::receiver) fn read_object<T>(
    body: &[u8],
    read: impl FnOnce(&Object<'_>) -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    read(&Value::parse(&json::prepared(body)?)?.object()?)
}

/// A push to a Git repository, as read from a body.
pub(in crate::receiver) struct Push {
    /// The sender's name for the event.
    pub(in crate::receiver) event: &'static str,
    /// The spellings of the repository's URL, as they were sent.
    pub(in crate::receiver) urls: Vec<String>,
    /// Full refs.
    pub(in crate::receiver) refs: Vec<String>,
    /// Empty when unknown.
    pub(in crate::receiver) changed_files: Vec<String>,
    /// The repository's default branch, if it is named; an empty name counts as none.
    pub(in crate::receiver) default_branch: Option<String>,
}

impl Push {
    fn event(self) -> PushEvent {
        let urls = self.urls.iter().map(|url| normalize_git(url)).collect();
        let default_branch = self.default_branch.filter(|branch| !branch.is_empty());
        PushEvent::new(self.event.into(), urls, self.refs).with_git(self.changed_files, default_branch)
    }

    /// Something new is there.
    pub(in crate::receiver) fn arrived(self) -> Verdict {
        Verdict::Push(self.event())
    }

    /// The refs are no longer there.
    pub(in crate::receiver) fn deleted(self) -> Verdict {
        Verdict::Ignored(IgnoredEvent::about(self.event(), "a branch or tag was deleted, which brings nothing new"))
    }
}

/// An authentic event of a kind that concerns neither Warehouses nor Promotions.
pub(in crate::receiver) fn unsupported(event: &str) -> Verdict {
    let name = if event.is_empty() { "unnamed".to_owned() } else { event.chars().take(MAX_NAME).collect() };
    Verdict::Ignored(IgnoredEvent::new(name.into(), "events of this kind change nothing that is subscribed to"))
}

/// A change of a pull request that stays open.
pub(in crate::receiver) fn still_open(event: &'static str) -> Verdict {
    Verdict::Ignored(IgnoredEvent::new(event.into(), "a promotion waits for a pull request to be closed or merged"))
}

/// Whether an object id is the one of only zeros, which stands for "no longer there".
pub(in crate::receiver) fn is_null_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte == b'0')
}

/// The files that commits added, modified or removed.
///
/// # Errors
/// [`Malformed`] when what a commit lists are not texts.
pub(in crate::receiver) fn changed_files<'c, 'a: 'c>(
    commits: impl IntoIterator<Item = &'c Object<'a>>,
) -> Result<Vec<String>, Malformed> {
    let mut files = Vec::new();
    for commit in commits {
        for list in ["added", "modified", "removed"] {
            files.append(&mut commit.texts(list)?);
        }
    }
    Ok(files)
}

/// A text whose type nobody guarantees: none when it is something else.
pub(in crate::receiver) fn text_if_any(object: &Object<'_>, key: &str) -> Option<String> {
    object.last(key).and_then(Value::string)
}

/// Host and port of an address such as `https://host:port/path`.
pub(in crate::receiver) fn host_of(url: &str) -> Option<String> {
    let host = Address::of(url).host;
    (url.contains("://") && !host.is_empty()).then_some(host)
}

/// The parts of a repository's address.
pub(in crate::receiver) struct Address {
    /// Host, with its port over HTTP if it has one.
    pub(in crate::receiver) host: String,
    /// The path without slashes around it and without `.git`.
    pub(in crate::receiver) path: String,
}

impl Address {
    /// Reads `https://host[:port]/path`, `ssh://user@host[:port]/path` or `[user@]host:path`.
    pub(in crate::receiver) fn of(repository: &str) -> Self {
        let (scheme, rest) = match repository.split_once("://") {
            Some((scheme, rest)) => (scheme, rest.to_owned()),
            None => ("ssh", repository.replacen(':', "/", 1)),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((&rest, ""));
        let host = authority.rsplit('@').next().unwrap_or_default();
        // The port of SSH is not the one of HTTP.
        let host = if scheme == "ssh" { host.split(':').next().unwrap_or_default() } else { host };
        let path = path.trim_matches('/');
        Self { host: host.to_owned(), path: path.strip_suffix(".git").unwrap_or(path).to_owned() }
    }

    /// The page of the repository.
    pub(in crate::receiver) fn html(&self) -> String {
        format!("https://{}/{}", self.host, self.path)
    }

    /// The URL to clone it over HTTPS.
    pub(in crate::receiver) fn https(&self) -> String {
        format!("{}.git", self.html())
    }

    /// The URL to clone it over SSH.
    pub(in crate::receiver) fn ssh(&self) -> String {
        format!("git@{}:{}.git", self.hostname(), self.path)
    }

    /// The host without a port.
    pub(in crate::receiver) fn hostname(&self) -> &str {
        self.host.split(':').next().unwrap_or_default()
    }

    /// The last segment of the path.
    pub(in crate::receiver) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The page of a pull request: the given address if it is one already, else the first of the repository.
pub(in crate::receiver) fn pull_request(repository: &str, infix: &str) -> String {
    if repository.contains(infix) {
        return repository.to_owned();
    }
    format!("{}{infix}1", Address::of(repository).html())
}

/// A full ref: a bare name is taken for a tag's.
pub(in crate::receiver) fn full_ref(name: &str) -> String {
    if name.starts_with("refs/") { name.to_owned() } else { format!("refs/tags/{name}") }
}

/// The object id before and after the sampled push.
pub(in crate::receiver) const SAMPLE_IDS: (&str, &str) =
    ("9f2c1d7be4a05836c1fd02ab77e3904d5f6a1c88", "88c1a6f5d4093e77ba20df1c63850a4eb7d1c2f9");

/// The sampled push's one commit, in which those files changed.
pub(in crate::receiver) fn sample_commit(changed_files: &[String]) -> serde_json::Value {
    serde_json::json!({
        "id": SAMPLE_IDS.1, "message": "A sample", "added": [], "modified": changed_files, "removed": [],
    })
}

/// The id of the sampled delivery.
pub(in crate::receiver) const SAMPLE_DELIVERY: &str = "4f1c6d52-8a3e-4b7c-9f02-5d1e7a6b3c88";

/// Adds the signature `sha256=<hex>` in the header of that name.
pub(in crate::receiver) fn sign(sample: Sample, secret: &Secret, header: &'static str) -> Sample {
    let signature = format!("sha256={}", Algorithm::Sha256.sign(secret, &sample.body));
    sample.with_header(header, &signature)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn changed_files_are_those_of_all_commits_and_a_null_commit_names_none() {
        let files = |commits: &str| {
            let body = format!(r#"{{"commits":{commits}}}"#);
            read_object(body.as_bytes(), |body| changed_files(&body.objects("commits")?))
        };
        let commits = r#"[{"added":["c"],"modified":["a"]},null,{"removed":["b",null]},{"added":null}]"#;
        assert_eq!(files(commits).unwrap(), ["c", "a", "b", ""]);
        assert_eq!(files(r#"[{"added":"a"}]"#), Err(Malformed));
        assert_eq!(files("[1]"), Err(Malformed));
    }

    #[test]
    fn only_a_form_with_a_payload_is_unpacked() {
        let json = |content_type: &'static str, body: &'static [u8]| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
            String::from_utf8(
                json_of(&Request { headers: &headers, query: None, body, arrived: jiff::Timestamp::UNIX_EPOCH })
                    .into_owned(),
            )
            .unwrap()
        };
        assert_eq!(json("application/x-www-form-urlencoded", b"payload=%7B%22a+b%22%3A1%7D&x=1"), r#"{"a b":1}"#);
        assert_eq!(json("Application/x-www-form-urlencoded; charset=utf-8", b"payload=1"), "1");
        assert_eq!(json("application/json", b"payload=1"), "payload=1");
        assert_eq!(json("application/x-www-form-urlencoded", b"{\"payload\":1}"), r#"{"payload":1}"#);
    }

    #[test]
    fn only_zeros_are_the_null_id() {
        assert!(is_null_id(&"0".repeat(40)) && is_null_id(&"0".repeat(64)));
        assert!(!is_null_id("") && !is_null_id(SAMPLE_IDS.0));
    }

    #[test]
    fn an_address_is_read_from_every_spelling() {
        for spelling in [
            "https://h.example/a/b.git",
            "ssh://git@h.example:7999/a/b",
            "git@h.example:a/b.git",
            "http://u:p@h.example/a/b/",
        ] {
            let address = Address::of(spelling);
            assert_eq!(
                (address.https().as_str(), address.ssh().as_str(), address.name()),
                ("https://h.example/a/b.git", "git@h.example:a/b.git", "b"),
                "{spelling}"
            );
        }
        assert_eq!(Address::of("https://h.example:8443/a/b").https(), "https://h.example:8443/a/b.git");
        assert_eq!(pull_request("https://h.example/a/b", "/pull/"), "https://h.example/a/b/pull/1");
        assert_eq!(pull_request("https://h.example/a/b/pull/7", "/pull/"), "https://h.example/a/b/pull/7");
    }

    #[test]
    fn a_bare_name_is_a_tag() {
        assert_eq!(full_ref("2.7.1"), "refs/tags/2.7.1");
        assert_eq!(full_ref("refs/heads/main"), "refs/heads/main");
    }

    #[test]
    fn an_event_without_a_name_or_with_an_endless_one_is_named_all_the_same() {
        let name = |event: &str| match unsupported(event) {
            Verdict::Ignored(ignored) => ignored.event.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name(""), "unnamed");
        assert_eq!(name(&"x".repeat(1000)).len(), MAX_NAME);
    }
}
