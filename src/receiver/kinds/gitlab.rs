//! GitLab.
//!
//! The sender proves itself by the token it was given, in the clear. The event is named in a header. GitLab disables a
//! webhook after four failures in a row, so whatever is authentic is acknowledged. It has no webhook for its container
//! registry.

mod sample;

use crate::domain::event::{ChangedFiles, PullRequestEvent, Verdict};
use crate::domain::secret::Secret;
use crate::receiver::read::git::{self, Push};
use crate::receiver::read::json::{Malformed, Object};
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

const TOKEN: &str = "x-gitlab-token";

/// The GitLab receiver.
pub struct GitLab;

impl Receiver for GitLab {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        let token = request.headers.get(TOKEN).map(http::HeaderValue::as_bytes);
        if !token.is_some_and(|token| settings.secret.verify_eq(token)) {
            // Kargo says nothing here.
            return Err(Rejection::Unauthorized(""));
        }
        let read = match &*request.header("x-gitlab-event") {
            "Push Hook" => push,
            "Tag Push Hook" => tag_push,
            "Merge Request Hook" => merge_request,
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

fn push(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let commits = body.objects("commits")?;
    // At most 20 commits are listed.
    let all_listed = git::lists_all(body, "total_commits_count", &commits)?;
    ref_update("Push Hook", body, git::changed_files(body, &commits, all_listed)?)
}

fn tag_push(body: &Object<'_>) -> Result<Verdict, Malformed> {
    ref_update("Tag Push Hook", body, ChangedFiles::Unknown)
}

fn ref_update(event: &'static str, body: &Object<'_>, changed_files: ChangedFiles) -> Result<Verdict, Malformed> {
    let repository = body.object("repository")?;
    let project = body.last("project").and_then(|project| project.object().ok());
    let push = Push {
        event,
        urls: vec![repository.text("git_http_url")?, repository.text("git_ssh_url")?],
        refs: vec![body.text("ref")?],
        changed_files,
        default_branch: project.and_then(|project| git::text_if_any(&project, "default_branch")),
        heads: vec![body.text("after")?],
    };
    Ok(if push.heads.iter().any(|id| git::is_null_id(id)) { push.deleted() } else { push.arrived() })
}

fn merge_request(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let attributes = body.object("object_attributes")?;
    let (action, url) = (attributes.text("action")?, attributes.text("url")?);
    if !matches!(action.as_str(), "close" | "merge") {
        return Ok(git::still_open("Merge Request Hook"));
    }
    Ok(Verdict::PullRequest(PullRequestEvent::new("Merge Request Hook".into(), url)))
}

#[cfg(test)]
mod tests;
