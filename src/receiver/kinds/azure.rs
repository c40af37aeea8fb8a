//! Azure: Container Registry (ACR) and DevOps, which Kargo serves with one kind.
//!
//! Neither signs anything: the unguessable path is the credential. The `User-Agent` tells which of the two sends. ACR
//! names its host and one tag an event. DevOps names one of the URLs under which it knows a repository; the others have
//! the same identity.

mod sample;

use std::borrow::Cow;

use crate::domain::event::{ChangedFiles, IgnoredEvent, PushEvent, Verdict};
use crate::domain::repo::normalize_git;
use crate::receiver::read::git;
use crate::receiver::read::json::{self, Malformed, Object, Value};
use crate::receiver::read::media_type;
use crate::receiver::read::registry_event::{Meaning, NO_REPOSITORY, NOT_KNOWN, named, unlisted};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Azure receiver.
pub struct Azure;

/// How the `User-Agent` of Azure Container Registry begins.
const REGISTRY: &str = "AzureContainerRegistry";
/// How that of Azure DevOps begins, which was Visual Studio Team Services.
const DEVOPS: &str = "VSServices";

/// The events of the registry.
const REGISTRY_EVENTS: [(&str, Meaning); 6] = [
    ("push", Meaning::Push),
    ("delete", Meaning::Nothing("deleting an image brings no new one")),
    ("quarantine", Meaning::Nothing("an image in quarantine cannot be pulled yet")),
    (
        "chart_push",
        Meaning::Nothing("a chart of the retired chart repositories has no OCI URL; push it as an OCI artifact"),
    ),
    ("chart_delete", Meaning::Nothing("deleting a chart brings no new one")),
    ("ping", Meaning::Nothing("the webhook is configured correctly")),
];

impl Receiver for Azure {
    fn receive(&self, request: &Request<'_>, _settings: &Settings) -> Result<Verdict, Rejection> {
        read(request).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        sample::IMAGE
    }

    fn sample_qualifier(&self) -> &'static str {
        sample::TAG
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        sample::sample(event, push)
    }
}

fn read(request: &Request<'_>) -> Result<Verdict, Malformed> {
    let text = json::prepared(request.body)?;
    let body = Value::parse(&text)?;
    let agent = request.header("user-agent");
    if agent.starts_with(REGISTRY) {
        registry_event(&body.object()?)
    } else if agent.starts_with(DEVOPS) {
        devops_event(&body.object()?)
    } else {
        Ok(ignored("unknown", "the User-Agent is neither that of Azure Container Registry nor that of Azure DevOps"))
    }
}

fn ignored(event: &'static str, because: &'static str) -> Verdict {
    Verdict::Ignored(IgnoredEvent::new(Cow::Borrowed(event), because))
}

fn registry_event(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let action = body.text("action")?;
    let host = body.object("request")?.text("host")?;
    let target = body.object("target")?;
    let (repository, tag, media_type) = (target.text("repository")?, target.text("tag")?, target.text("mediaType")?);
    let digest = target.last("digest").and_then(Value::string).unwrap_or_default();
    Ok(match named(&REGISTRY_EVENTS, &action) {
        Some((event, Meaning::Push)) if host.is_empty() || repository.is_empty() => ignored(event, NO_REPOSITORY),
        Some((event, Meaning::Push)) => {
            let repositories = media_type::repositories(&format!("{host}/{repository}"), &media_type);
            Verdict::of_tags(PushEvent::new(event.into(), repositories, vec![tag]).with_digests(vec![digest]))
        }
        Some((event, Meaning::Nothing(because))) => ignored(event, because),
        None => unlisted(&action, NOT_KNOWN),
    })
}

fn devops_event(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let kind = body.text("eventType")?;
    let resource = body.object("resource")?;
    let repository = resource.object("repository")?;
    let remote_url = repository.text("remoteUrl")?;
    let status = resource.text("status")?;
    let web_url = resource.object("_links")?.object("web")?.text("href")?;
    let pushed = Refs::read(&resource)?;
    let closed = |event| {
        // The page of a pull request is below that of its repository.
        let number = resource.last("pullRequestId").and_then(Value::number).filter(|_| !remote_url.is_empty());
        let below = number.map(|number| format!("{}/pullrequest/{number}", remote_url.trim_end_matches('/')));
        let url = if web_url.is_empty() { below.unwrap_or_default() } else { web_url.clone() };
        git::closed(event, url, ALL_DETAILS_OF_PULL_REQUEST)
    };
    Ok(match kind.as_str() {
        "git.push" => {
            let event = PushEvent::new(Cow::Borrowed("git.push"), vec![normalize_git(&remote_url)], pushed.names)
                .with_git(ChangedFiles::Unknown, default_branch(&repository))
                .with_ids(pushed.heads);
            if event.repositories.is_empty() {
                Verdict::Ignored(IgnoredEvent::about(event, ALL_DETAILS))
            } else if pushed.only_deletions {
                Verdict::Ignored(IgnoredEvent::about(event, "only branches or tags were deleted"))
            } else {
                Verdict::Push(event)
            }
        }
        "git.pullrequest.merged" => closed("git.pullrequest.merged"),
        "git.pullrequest.updated" if status == "abandoned" => closed("git.pullrequest.updated"),
        "git.pullrequest.updated" => ignored(
            "git.pullrequest.updated",
            "the pull request was not abandoned; DevOps announces a completed one as merged",
        ),
        "git.pullrequest.created" => ignored("git.pullrequest.created", "the pull request is still open"),
        other => {
            unlisted(other, "this event of Azure DevOps neither changes a branch or tag nor closes a pull request")
        }
    })
}

/// What to do when DevOps leaves out the repository.
const ALL_DETAILS: &str =
    "the event does not name the repository: in the service hook, set \"Resource details to send\" to \"All\"";
/// What to do when it leaves out the pull request.
const ALL_DETAILS_OF_PULL_REQUEST: &str =
    "the event does not name the pull request: in the service hook, set \"Resource details to send\" to \"All\"";

/// The refs of a push.
struct Refs {
    /// Those that were not deleted; all of them, when all were.
    names: Vec<String>,
    /// The commits to which those point that were not deleted.
    heads: Vec<String>,
    only_deletions: bool,
}

impl Refs {
    fn read(resource: &Object<'_>) -> Result<Self, Malformed> {
        let (mut kept, mut deleted, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        for update in resource.objects("refUpdates")? {
            let name = update.text("name")?;
            if is_deletion(&update) {
                deleted.push(name);
            } else {
                kept.push(name);
                heads.extend(update.last("newObjectId").and_then(Value::string));
            }
        }
        let only_deletions = kept.is_empty() && !deleted.is_empty();
        Ok(Self { names: if only_deletions { deleted } else { kept }, heads, only_deletions })
    }
}

/// A ref that is gone points to the object of nothing but zeros.
fn is_deletion(update: &Object<'_>) -> bool {
    let new = update.last("newObjectId").and_then(Value::string).unwrap_or_default();
    !new.is_empty() && new.bytes().all(|digit| digit == b'0')
}

fn default_branch(repository: &Object<'_>) -> Option<String> {
    let full = repository.last("defaultBranch").and_then(Value::string)?;
    full.strip_prefix("refs/heads/").map(str::to_owned)
}

#[cfg(test)]
mod tests;
