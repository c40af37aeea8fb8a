//! What the kinds of Git hosts have in common: refs, commits and changed files, deletions, events that ask for nothing,
//! and the parts of a sample.
//!
//! It knows no host. What is the same in two of them by accident stays in their files.

use std::borrow::Cow;

use http::header::CONTENT_TYPE;

use crate::domain::event::{ChangedFiles, IgnoredEvent, PullRequestEvent, PushEvent, Verdict};
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
    /// Which files changed; see [`changed_files`].
    pub(in crate::receiver) changed_files: ChangedFiles,
    /// The repository's default branch, if it is named; an empty name counts as none.
    pub(in crate::receiver) default_branch: Option<String>,
    /// The commits to which the refs point now, where they are named.
    pub(in crate::receiver) heads: Vec<String>,
}

impl Push {
    fn event(self) -> PushEvent {
        let urls = self.urls.iter().map(|url| normalize_git(url)).collect();
        let default_branch = self.default_branch.filter(|branch| !branch.is_empty());
        PushEvent::new(self.event.into(), urls, self.refs)
            .with_git(self.changed_files, default_branch)
            .with_ids(self.heads)
    }

    /// Something new is there.
    pub(in crate::receiver) fn arrived(self) -> Verdict {
        self.arrived_or("the event does not name the repository")
    }

    /// As [`Self::arrived`]; `remedy` says why the repository can be missing and what to do about it.
    pub(in crate::receiver) fn arrived_or(self, remedy: &'static str) -> Verdict {
        let event = self.event();
        if event.repositories.is_empty() {
            return Verdict::Ignored(IgnoredEvent::about(event, remedy));
        }
        Verdict::Push(event)
    }

    /// The refs are no longer there.
    pub(in crate::receiver) fn deleted(self) -> Verdict {
        Verdict::Ignored(IgnoredEvent::about(self.event(), "a branch or tag was deleted, which brings nothing new"))
    }
}

/// An authentic event of a kind that concerns neither Warehouses nor Promotions.
pub(in crate::receiver) fn unsupported(event: &str) -> Verdict {
    let because = match event {
        "" => "the request does not name its event",
        "create" => "a new branch or tag is read from its push: register the webhook for pushes as well",
        "delete" => "a deleted branch or tag brings nothing new",
        "release" => "a release is read from the push of its tag: register the webhook for pushes as well",
        _ => "events of this kind change nothing that is subscribed to",
    };
    Verdict::Ignored(IgnoredEvent::new(named(event).into(), because))
}

/// The name of an event that the sender chose, in a form that is short enough for answers and logs.
fn named(event: &str) -> String {
    if event.is_empty() { "unnamed".to_owned() } else { event.chars().take(MAX_NAME).collect() }
}

/// A pull request was merged or closed. `remedy` says why its address can be missing and what to do about it.
pub(in crate::receiver) fn closed(event: &'static str, url: String, remedy: &'static str) -> Verdict {
    match url.trim() {
        "" => Verdict::Ignored(IgnoredEvent::new(event.into(), remedy)),
        _ => Verdict::PullRequest(PullRequestEvent::new(event.into(), url)),
    }
}

/// Why a pull request without an address asks for nothing.
pub(in crate::receiver) const NO_PULL_REQUEST: &str = "the event does not name the address of the pull request";

/// A change of a pull request that stays open.
pub(in crate::receiver) fn still_open(event: &'static str) -> Verdict {
    Verdict::Ignored(IgnoredEvent::new(event.into(), "a promotion waits for a pull request to be closed or merged"))
}

/// Whether an object id is the one of only zeros, which stands for "no longer there".
pub(in crate::receiver) fn is_null_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte == b'0')
}

/// The files that changed, if the event shows that it lists them all. It does not when the ref was created or forced,
/// when commits may be missing (`all_listed` is false), or when a commit does not say which files it changed.
///
/// # Errors
/// [`Malformed`] when what a commit lists are not texts.
pub(in crate::receiver) fn changed_files(
    body: &Object<'_>,
    commits: &[Object<'_>],
    all_listed: bool,
) -> Result<ChangedFiles, Malformed> {
    let mut files = Vec::new();
    for commit in commits {
        for list in FILE_LISTS {
            files.append(&mut commit.texts(list)?);
        }
    }
    let names_files = |commit: &Object<'_>| FILE_LISTS.iter().any(|list| commit.last(list).is_some());
    let is_complete = all_listed && !moved_afresh(body) && commits.iter().all(names_files);
    Ok(if is_complete { ChangedFiles::complete(files) } else { ChangedFiles::Unknown })
}

/// Whether a list has as many commits as the event counts. An event without a count does not show it.
///
/// # Errors
/// [`Malformed`] when the count is not an integer.
pub(in crate::receiver) fn lists_all(
    body: &Object<'_>,
    count: &str,
    commits: &[Object<'_>],
) -> Result<bool, Malformed> {
    let counted = body.integer(count)?;
    Ok(body.last(count).is_some() && counted <= i64::try_from(commits.len()).unwrap_or(i64::MAX))
}

/// The members of a commit that list files.
const FILE_LISTS: [&str; 3] = ["added", "modified", "removed"];

/// Whether the ref now holds more, or less, than the listed commits on top of what it held before.
fn moved_afresh(body: &Object<'_>) -> bool {
    let before = text_if_any(body, "before").unwrap_or_default();
    before.is_empty() || is_null_id(&before) || ["created", "forced"].iter().any(|flag| body.flag(flag) != Ok(false))
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
mod completeness;
#[cfg(test)]
mod tests;
