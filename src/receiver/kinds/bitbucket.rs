//! Bitbucket Cloud and Bitbucket Data Center (Server), told apart by the name of the event in a header.
//!
//! Every request is signed. Both sign in `X-Hub-Signature`, with SHA-256, and neither lists changed files.

mod sample;

use crate::domain::event::{ChangedFiles, Verdict};
use crate::domain::secret::Secret;
use crate::receiver::proof::signature::check_prefixed;
use crate::receiver::read::git::{self, Push};
use crate::receiver::read::json::{Malformed, Object};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Bitbucket receiver.
pub struct Bitbucket;

impl Receiver for Bitbucket {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        let signature = request.header("x-hub-signature");
        check_prefixed(&signature, &settings.secret, request.body, settings.allow_sha1)?;
        let read = match &*request.header("x-event-key") {
            "repo:push" => cloud_push,
            "pullrequest:fulfilled" => |body: &Object<'_>| cloud_pull_request("pullrequest:fulfilled", body),
            "pullrequest:rejected" => |body: &Object<'_>| cloud_pull_request("pullrequest:rejected", body),
            "repo:refs_changed" => data_center_push,
            "pr:merged" => |body: &Object<'_>| data_center_pull_request("pr:merged", body),
            "pr:declined" => |body: &Object<'_>| data_center_pull_request("pr:declined", body),
            other => return Ok(git::unsupported(other)),
        };
        git::read_object(request.body, read).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "https://bitbucket.org/northwind/storefront"
    }

    fn sample_qualifier(&self) -> &'static str {
        "refs/heads/main"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        sample::sample(event, push)
    }

    fn sign(&self, sample: Sample, secret: &Secret) -> Sample {
        git::sign(sample, secret, "x-hub-signature")
    }
}

/// Why an event of Bitbucket Server can lack every address.
const OLD_SERVER: &str = "the event names no address of the repository: old versions of Bitbucket Server, such as 5, leave \
                          out its links; update Bitbucket, or use a generic receiver";

/// A ref that was changed.
enum Change {
    /// It points to something new; the name is empty where none was given.
    Arrived {
        name: String,
        head: Option<String>,
    },
    Deleted(String),
}

fn cloud_push(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let repository = body.object("repository")?;
    let changes = body.object("push")?.objects("changes")?;
    let changes = changes.iter().map(cloud_change).collect::<Result<_, _>>()?;
    let main = repository.last("mainbranch").and_then(|branch| branch.object().ok());
    let push = Push {
        event: "repo:push",
        urls: vec![href(&repository.object("links")?, "html")?],
        refs: Vec::new(),
        changed_files: ChangedFiles::Unknown,
        default_branch: main.and_then(|branch| git::text_if_any(&branch, "name")),
        heads: Vec::new(),
    };
    Ok(judged(push, changes))
}

fn cloud_change(change: &Object<'_>) -> Result<Change, Malformed> {
    let full = |of: &Object<'_>| -> Result<String, Malformed> {
        let (name, kind) = (of.text("name")?, of.text("type")?);
        let prefix = if kind == "tag" { "refs/tags/" } else { "refs/heads/" };
        Ok(if name.is_empty() { name } else { format!("{prefix}{name}") })
    };
    let new = change.object("new")?;
    let (name, target) = (full(&new)?, new.last("target").and_then(|target| target.object().ok()));
    let head = target.and_then(|target| git::text_if_any(&target, "hash"));
    let old = change.last("old").and_then(|old| old.object().ok());
    Ok(match old {
        Some(old) if change.last("new").is_none() => Change::Deleted(full(&old).unwrap_or_default()),
        _ => Change::Arrived { name, head },
    })
}

fn data_center_push(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let links = body.object("repository")?.object("links")?.objects("clone")?;
    let changes = body.objects("changes")?.iter().map(data_center_change).collect::<Result<_, _>>()?;
    let push = Push {
        event: "repo:refs_changed",
        urls: links.iter().map(|link| link.text("href")).collect::<Result<_, _>>()?,
        refs: Vec::new(),
        changed_files: ChangedFiles::Unknown,
        default_branch: None,
        heads: Vec::new(),
    };
    Ok(judged(push, changes))
}

fn data_center_change(change: &Object<'_>) -> Result<Change, Malformed> {
    let name = change.object("ref")?.text("id")?;
    let head = git::text_if_any(change, "toHash");
    let is_deletion = git::text_if_any(change, "type").is_some_and(|kind| kind == "DELETE")
        || head.as_deref().is_some_and(git::is_null_id);
    Ok(if is_deletion { Change::Deleted(name) } else { Change::Arrived { name, head } })
}

/// Deleted refs do not count beside others; alone they are nothing to look at. Without any change nobody can tell what
/// was pushed.
fn judged(push: Push, changes: Vec<Change>) -> Verdict {
    let any = !changes.is_empty();
    let (mut arrived, mut deleted, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Arrived { name, head } => {
                arrived.push(name);
                heads.extend(head);
            }
            Change::Deleted(name) => deleted.push(name),
        }
    }
    if any && arrived.is_empty() {
        return Push { refs: deleted, ..push }.deleted();
    }
    let push = Push { refs: arrived, heads, ..push };
    if push.event == "repo:refs_changed" { push.arrived_or(OLD_SERVER) } else { push.arrived() }
}

fn cloud_pull_request(event: &'static str, body: &Object<'_>) -> Result<Verdict, Malformed> {
    let url = href(&body.object("pullrequest")?.object("links")?, "html")?;
    Ok(git::closed(event, url, git::NO_PULL_REQUEST))
}

fn data_center_pull_request(event: &'static str, body: &Object<'_>) -> Result<Verdict, Malformed> {
    let links = body.object("pullRequest")?.object("links")?.objects("self")?;
    let hrefs = links.iter().map(|link| link.text("href")).collect::<Result<Vec<_>, _>>()?;
    let url = hrefs.into_iter().next().unwrap_or_default();
    Ok(git::closed(event, url, OLD_SERVER))
}

fn href(links: &Object<'_>, name: &str) -> Result<String, Malformed> {
    links.object(name)?.text("href")
}

#[cfg(test)]
mod tests;
