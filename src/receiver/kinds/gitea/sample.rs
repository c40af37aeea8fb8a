//! What Gitea would send.

use serde_json::json;

use crate::receiver::read::git::{self, Address, SAMPLE_IDS};
use crate::receiver::{Sample, SamplePush};

/// The names of all events that can be sampled.
pub(super) const EVENTS: [&str; 3] = ["push", "pull_request", "package"];

/// One event as Gitea sends it, or `None` for an unknown one. A pull request is a closed one.
pub(super) fn sample(event: &str, push: &SamplePush<'_>) -> Option<Sample> {
    let address = Address::of(push.repository);
    let qualifier = push.qualifiers.first().map_or("", String::as_str);
    let repository = json!({
        "name": address.name(), "full_name": address.path, "html_url": address.html(),
        "clone_url": address.https(), "ssh_url": address.ssh(), "default_branch": "main",
    });
    let body = match event {
        "push" => {
            let commit = git::sample_commit(push.changed_files);
            json!({
                "ref": git::full_ref(qualifier), "before": SAMPLE_IDS.0, "after": SAMPLE_IDS.1,
                "commits": [commit], "total_commits": 1, "head_commit": commit, "repository": repository,
            })
        }
        "pull_request" => json!({
            "action": "closed", "number": 1, "repository": repository,
            "pull_request": {"html_url": git::pull_request(push.repository, "/pulls/"), "merged": true},
        }),
        "package" => {
            let (owner, name) = address.path.split_once('/').unwrap_or((&address.path, &address.path));
            let tag = qualifier.strip_prefix("refs/tags/").unwrap_or(qualifier);
            json!({
                "action": "created",
                "package": {
                    "owner": {"login": owner}, "type": "container", "name": name, "version": tag,
                    "html_url": format!("https://{}/{owner}/-/packages/container/{name}/{tag}", address.host),
                },
            })
        }
        _ => return None,
    };
    let sample = Sample::json(&body).with_header("x-gitea-event", event).with_header("x-gitea-event-type", event);
    Some(sample.with_header("x-gitea-delivery", git::SAMPLE_DELIVERY))
}
