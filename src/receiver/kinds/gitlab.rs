//! GitLab.
//!
//! The sender proves itself by the token it was given, in the clear. A header names the event; for a System Hook, which
//! serves a whole instance, the body does. GitLab disables a webhook after four failures in a row, so everything
//! authentic is acknowledged. It has no webhook for its container registry.

mod sample;

use crate::domain::event::{ChangedFiles, Verdict};
use crate::domain::secret::Secret;
use crate::receiver::read::git::{self, Push};
use crate::receiver::read::json::{Malformed, Object};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

const TOKEN: &str = "x-gitlab-token";

/// The GitLab receiver.
pub struct GitLab;

impl Receiver for GitLab {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        let token = request.headers.get(TOKEN).ok_or(Rejection::Unauthorized("missing X-Gitlab-Token header"))?;
        if !settings.secret.verify_eq(token.as_bytes()) {
            return Err(Rejection::Unauthorized("unauthorized"));
        }
        let read = match &*request.header("x-gitlab-event") {
            "Push Hook" => |body: &Object<'_>| push("Push Hook", body),
            "Tag Push Hook" => |body: &Object<'_>| tag_push("Tag Push Hook", body),
            "Merge Request Hook" => |body: &Object<'_>| merge_request("Merge Request Hook", body),
            "System Hook" => system_hook,
            other => return Ok(git::unsupported(other)),
        };
        git::read_object(request.body, read).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "https://gitlab.com/northwind/storefront"
    }

    fn sample_qualifier(&self) -> &'static str {
        "refs/heads/main"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        sample::sample(event, push)
    }

    fn sign(&self, sample: Sample, secret: &Secret) -> Sample {
        sample.with_secret(TOKEN, secret)
    }
}

/// An event of a whole instance, which is named in the body as its project hook names it.
fn system_hook(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let named = |member| git::text_if_any(body, member).filter(|name| !name.is_empty());
    match &*named("object_kind").or_else(|| named("event_name")).unwrap_or_default() {
        "push" => push("push", body),
        "tag_push" => tag_push("tag_push", body),
        "merge_request" => merge_request("merge_request", body),
        "repository_update" => repository_update(body),
        "" => Ok(git::unsupported("System Hook")),
        other => Ok(git::unsupported(other)),
    }
}

fn push(event: &'static str, body: &Object<'_>) -> Result<Verdict, Malformed> {
    let commits = body.objects("commits")?;
    // At most 20 commits are listed.
    let all_listed = git::lists_all(body, "total_commits_count", &commits)?;
    ref_update(event, body, git::changed_files(body, &commits, all_listed)?)
}

fn tag_push(event: &'static str, body: &Object<'_>) -> Result<Verdict, Malformed> {
    ref_update(event, body, ChangedFiles::Unknown)
}

fn ref_update(event: &'static str, body: &Object<'_>, changed_files: ChangedFiles) -> Result<Verdict, Malformed> {
    let repository = body.object("repository")?;
    let push = Push {
        event,
        urls: vec![repository.text("git_http_url")?, repository.text("git_ssh_url")?],
        refs: vec![body.text("ref")?],
        changed_files,
        default_branch: project_text(body, "default_branch"),
        heads: vec![body.text("after")?],
    };
    Ok(if push.heads.iter().any(|id| git::is_null_id(id)) { push.deleted() } else { push.arrived() })
}

/// All refs that one push changed, without commits. It has no `repository`.
fn repository_update(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let (mut arrived, mut deleted, mut heads) = (Vec::new(), Vec::new(), Vec::new());
    for change in body.objects("changes")? {
        let (name, head) = (change.text("ref")?, git::text_if_any(&change, "after").unwrap_or_default());
        if git::is_null_id(&head) {
            deleted.push(name);
        } else {
            arrived.push(name);
            heads.push(head);
        }
    }
    let only_deletions = arrived.is_empty() && !deleted.is_empty();
    if arrived.is_empty() && !only_deletions {
        arrived = body.texts("refs")?;
    }
    let urls = ["git_http_url", "git_ssh_url"].iter().filter_map(|member| project_text(body, member));
    let push = Push {
        event: "repository_update",
        urls: urls.collect(),
        refs: if only_deletions { deleted } else { arrived },
        changed_files: ChangedFiles::Unknown,
        default_branch: project_text(body, "default_branch"),
        heads,
    };
    Ok(if only_deletions { push.deleted() } else { push.arrived() })
}

fn project_text(body: &Object<'_>, member: &str) -> Option<String> {
    let project = body.last("project").and_then(|project| project.object().ok())?;
    git::text_if_any(&project, member)
}

fn merge_request(event: &'static str, body: &Object<'_>) -> Result<Verdict, Malformed> {
    let attributes = body.object("object_attributes")?;
    let (action, url) = (attributes.text("action")?, attributes.text("url")?);
    if !matches!(action.as_str(), "close" | "merge") {
        return Ok(git::still_open(event));
    }
    Ok(git::closed(event, url, git::NO_PULL_REQUEST))
}

#[cfg(test)]
mod tests;
