//! GitHub, GitHub Enterprise Server and GitHub's container registry.
//!
//! Every request is signed. The event is named in a header; what is done is in the body. A failed delivery is not
//! repeated by GitHub itself.

mod sample;

use crate::domain::event::{IgnoredEvent, PushEvent, Verdict};
use crate::domain::secret::Secret;
use crate::receiver::proof::signature::check_prefixed;
use crate::receiver::read::git::{self, Push};
use crate::receiver::read::json::{Malformed, Object, Value};
use crate::receiver::read::media_type;
use crate::receiver::{Receiver, Rejection, Request, Sample, SamplePush, Settings};

/// GitHub lists no more commits than this, and Enterprise Server of before 2022 fewer, so with exactly so many of them
/// there may be others.
const MAX_COMMITS: [usize; 2] = [20, 2048];

/// The GitHub receiver.
pub struct GitHub;

impl Receiver for GitHub {
    fn receive(&self, request: &Request<'_>, settings: &Settings) -> Result<Verdict, Rejection> {
        let signature = request.header("x-hub-signature-256");
        check_prefixed(&signature, &settings.secret, request.body, settings.allow_sha1)?;
        let read = match &*request.header("x-github-event") {
            "push" => push,
            "pull_request" => pull_request,
            "package" => |body: &Object<'_>| package("package", body),
            "registry_package" => |body: &Object<'_>| package("registry_package", body),
            "ping" => ping,
            other => return Ok(git::unsupported(other)),
        };
        git::read_object(&git::json_of(request), read).map_err(|Malformed| Rejection::InvalidBody)
    }

    fn events(&self) -> &'static [&'static str] {
        &sample::EVENTS
    }

    fn sample_repository(&self) -> &'static str {
        "https://github.com/northwind/storefront"
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

fn push(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let repository = body.object("repository")?;
    let commits = body.objects("commits")?;
    let head = body.last("head_commit").map(|_| body.object("head_commit")).transpose()?;
    // Without these flags it is unknown whether the commits are all that the ref gained, and that it lost none.
    let says = ["created", "forced"].iter().all(|flag| body.last(flag).is_some());
    let all_listed = says && !commits.is_empty() && !MAX_COMMITS.contains(&commits.len());
    let listed: Vec<_> = commits.into_iter().chain(head).collect();
    let changed_files = git::changed_files(body, &listed, all_listed)?;
    let push = Push {
        event: "push",
        urls: vec![repository.text("clone_url")?, repository.text("ssh_url")?],
        refs: vec![body.text("ref")?],
        changed_files,
        default_branch: Some(repository.text("default_branch")?),
        heads: vec![body.text("after")?],
    };
    let deleted = body.flag("deleted")? | push.heads.iter().any(|id| git::is_null_id(id));
    Ok(if deleted { push.deleted() } else { push.arrived() })
}

fn pull_request(body: &Object<'_>) -> Result<Verdict, Malformed> {
    let (action, url) = (body.text("action")?, body.object("pull_request")?.text("html_url")?);
    if action != "closed" {
        return Ok(git::still_open("pull_request"));
    }
    Ok(git::closed("pull_request", url, git::NO_PULL_REQUEST))
}

fn ping(_: &Object<'_>) -> Result<Verdict, Malformed> {
    Ok(Verdict::Ignored(IgnoredEvent::new("ping".into(), "the webhook is configured correctly")))
}

/// A version of a package; the member of the event's name holds it.
fn package(event: &'static str, body: &Object<'_>) -> Result<Verdict, Malformed> {
    let (action, package) = (body.text("action")?, body.object(event)?);
    let (kind, version) = (package.text("package_type")?, package.object("package_version")?);
    let url = version.text("package_url")?;
    let metadata = version.object("container_metadata")?;
    let tagged = metadata.object("tag")?;
    let (tag, digest) = (tagged.text("name")?, git::text_if_any(&tagged, "digest").unwrap_or_default());
    let media_type = metadata.object("manifest")?.last("config").and_then(media_type_of).unwrap_or_default();

    let ignored = |because| Ok(Verdict::Ignored(IgnoredEvent::new(event.into(), because)));
    if !matches!(action.as_str(), "published" | "updated") {
        return ignored("only a published or updated version of a package brings something new");
    }
    if !body.has(event) {
        return Err(Malformed);
    }
    if !["container", "docker"].iter().any(|container| kind.eq_ignore_ascii_case(container)) {
        return ignored("the package is not in the container registry");
    }
    if url.is_empty() {
        return ignored(
            "the event does not name the version that was published: package_version or its package_url is null",
        );
    }
    // An untagged version ends in a colon without a tag behind it.
    let url = url.strip_suffix(':').unwrap_or(&url);
    let repositories = media_type::repositories(url, &media_type);
    let event = PushEvent::new(event.into(), repositories, vec![tag]);
    Ok(Verdict::of_tags(event.with_digests(vec![digest])))
}

fn media_type_of(config: Value<'_>) -> Option<String> {
    git::text_if_any(&config.object().ok()?, "media_type")
}

#[cfg(test)]
mod tests;
