//! Gitea and Forgejo, and the container registry that both have built in.
//!
//! Every request is signed: the JSON is, also where it is sent in a form. Both programs send the headers of GitHub and
//! Gogs besides their own, so only their own names the event.

mod sample;

use std::borrow::Cow;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::secret::Secret;
use crate::receiver::proof::signature::check_prefixed;
use crate::receiver::read::git::{self, Push};
use crate::receiver::read::json::{Malformed, Object};
use crate::receiver::read::media_type;
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// The Gitea receiver.
pub struct Gitea;

impl Receiver for Gitea {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        let body = git::json_of(request);
        check_prefixed(&signature(request), &settings.secret, &body, settings.allow_sha1)?;
        let own = request.headers.contains_key("x-gitea-event");
        let read = match &*request.header(if own { "x-gitea-event" } else { "x-forgejo-event" }) {
            "push" => push,
            "pull_request" => pull_request,
            "package" => |body: &Object<'_>, settings: &Settings| Ok(package(body, settings)),
            other => return Ok(git::unsupported(other)),
        };
        git::read_object(&body, |body| read(body, settings)).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "https://gitea.com/northwind/storefront"
    }

    fn sample_qualifier(&self) -> &'static str {
        "refs/heads/main"
    }

    fn sample(&self, event: &str, push: &SamplePush<'_>) -> Option<Sample> {
        sample::sample(event, push)
    }

    fn sign(&self, sample: Sample, secret: &Secret) -> Sample {
        git::sign(sample, secret, "x-hub-signature-256")
    }
}

/// The signature as GitHub writes it. Forgejo's own header has it without the name of the hash.
fn signature<'a>(request: &'a Request<'_>) -> Cow<'a, str> {
    let (signature, forgejo) = (request.header("x-hub-signature-256"), request.header("x-forgejo-signature"));
    if signature.is_empty() && !forgejo.is_empty() { format!("sha256={forgejo}").into() } else { signature }
}

fn push(body: &Object<'_>, _: &Settings) -> Result<Verdict, Malformed> {
    let repository = body.object("repository")?;
    let commits = body.objects("commits")?;
    // How many are listed at most is configured (five by default); before 1.17 the total is not given.
    let all_listed = git::lists_all(body, "total_commits", &commits)?;
    let push = Push {
        event: "push",
        urls: vec![repository.text("clone_url")?, git::text_if_any(&repository, "ssh_url").unwrap_or_default()],
        refs: vec![body.text("ref")?],
        changed_files: git::changed_files(body, &commits, all_listed)?,
        default_branch: git::text_if_any(&repository, "default_branch"),
        heads: git::text_if_any(body, "after").into_iter().collect(),
    };
    let deleted = push.heads.iter().any(|id| git::is_null_id(id));
    Ok(if deleted { push.deleted() } else { push.arrived() })
}

fn pull_request(body: &Object<'_>, _: &Settings) -> Result<Verdict, Malformed> {
    let (action, url) = (body.text("action")?, body.object("pull_request")?.text("html_url")?);
    if action != "closed" {
        return Ok(git::still_open("pull_request"));
    }
    Ok(git::closed("pull_request", url, git::NO_PULL_REQUEST))
}

/// A version of a package, which Kargo does not read. The registry has the host of the web interface unless it is
/// configured otherwise.
fn package(body: &Object<'_>, settings: &Settings) -> Verdict {
    let ignored = |because| Verdict::Ignored(IgnoredEvent::new("package".into(), because));
    let Some(package) = body.last("package").and_then(|package| package.object().ok()) else {
        return ignored("the event names no package");
    };
    let text = |key| git::text_if_any(&package, key).unwrap_or_default();
    let (kind, name, version, page) = (text("type"), text("name"), text("version"), text("html_url"));
    if git::text_if_any(body, "action").as_deref() != Some("created") {
        return ignored("only a new version of a package brings something new");
    }
    if kind != "container" {
        return ignored("the package is not in the container registry");
    }
    let owner = package.last("owner").and_then(|owner| git::text_if_any(&owner.object().ok()?, "login"));
    let host = settings.registry_host.clone().or_else(|| git::host_of(&page));
    let (Some(owner), Some(host)) = (owner, host) else {
        return ignored("neither the event nor the configuration names the registry's host and the owner");
    };
    let repositories = media_type::repositories(&format!("{host}/{owner}/{name}"), "");
    Verdict::of_tags(PushEvent::new("package".into(), repositories, vec![version]))
}

#[cfg(test)]
mod tests;
