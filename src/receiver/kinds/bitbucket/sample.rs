//! What Bitbucket would send.

use serde_json::{Value, json};

use crate::receiver::read::git::{self, Address, SAMPLE_IDS};
use crate::receiver::{Sample, SamplePush};

/// The names of all events that can be sampled: Cloud's, then Data Center's.
pub(super) const EVENTS: [&str; 7] = [
    "repo:push",
    "pullrequest:fulfilled",
    "pullrequest:rejected",
    "repo:refs_changed",
    "pr:merged",
    "pr:declined",
    "diagnostics:ping",
];

/// One event as Bitbucket sends it, or `None` for an unknown one.
pub(super) fn sample(event: &str, push: &SamplePush<'_>) -> Option<Sample> {
    let address = Address::of(push.repository);
    let refs: Vec<String> = push.qualifiers.iter().map(|name| git::full_ref(name)).collect();
    let body = match event {
        "repo:push" => json!({
            "repository": {
                "type": "repository", "name": address.name(), "full_name": address.path,
                "links": {"html": {"href": address.html()}},
            },
            "push": {"changes": refs.iter().map(|name| cloud_change(name)).collect::<Vec<_>>()},
        }),
        "pullrequest:fulfilled" | "pullrequest:rejected" => {
            let html = git::pull_request(push.repository, "/pull-requests/");
            json!({"pullrequest": {"id": 1, "links": {"html": {"href": html}}}})
        }
        "repo:refs_changed" => {
            // Over HTTPS the path begins with scm, which the path over SSH lacks.
            let path = address.path.strip_prefix("scm/").unwrap_or(&address.path);
            let https = format!("https://{}/scm/{path}.git", address.host);
            let ssh = format!("ssh://git@{}:7999/{path}.git", address.hostname());
            json!({
                "eventKey": event,
                "repository": {
                    "slug": address.name(),
                    "links": {"clone": [{"href": https, "name": "http"}, {"href": ssh, "name": "ssh"}]},
                },
                "changes": refs.iter().map(|name| data_center_change(name)).collect::<Vec<_>>(),
            })
        }
        "pr:merged" | "pr:declined" => {
            let page = git::pull_request(push.repository, "/pull-requests/");
            json!({"eventKey": event, "pullRequest": {"id": 1, "links": {"self": [{"href": page}]}}})
        }
        "diagnostics:ping" => json!({"test": true}),
        _ => return None,
    };
    let sample = Sample::json(&body).with_header("x-event-key", event);
    Some(sample.with_header("x-request-id", git::SAMPLE_DELIVERY))
}

fn cloud_change(name: &str) -> Value {
    let (kind, name) = match (name.strip_prefix("refs/tags/"), name.strip_prefix("refs/heads/")) {
        (Some(tag), _) => ("tag", tag),
        (None, branch) => ("branch", branch.unwrap_or(name)),
    };
    json!({"new": {"type": kind, "name": name, "target": {"hash": SAMPLE_IDS.1}}, "old": null})
}

fn data_center_change(name: &str) -> Value {
    let short = name.rsplit('/').next().unwrap_or_default();
    let kind = if name.starts_with("refs/tags/") { "TAG" } else { "BRANCH" };
    json!({
        "ref": {"id": name, "displayId": short, "type": kind}, "refId": name,
        "fromHash": SAMPLE_IDS.0, "toHash": SAMPLE_IDS.1, "type": "UPDATE",
    })
}
