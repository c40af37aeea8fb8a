//! What GitLab would send.

use serde_json::json;

use crate::receiver::read::git::{self, Address, SAMPLE_IDS};
use crate::receiver::{Sample, SamplePush};

/// The names of all events that can be sampled.
pub(super) const EVENTS: [&str; 3] = ["Push Hook", "Tag Push Hook", "Merge Request Hook"];

/// One event as GitLab sends it, or `None` for an unknown one. A merge request is a merged one.
pub(super) fn sample(event: &str, push: &SamplePush<'_>) -> Option<Sample> {
    let address = Address::of(push.repository);
    let repository = json!({"name": address.name(), "git_http_url": address.https(), "git_ssh_url": address.ssh()});
    let project = json!({
        "name": address.name(), "path_with_namespace": address.path, "web_url": address.html(),
        "git_http_url": address.https(), "git_ssh_url": address.ssh(), "default_branch": "main",
    });
    let body = match event {
        "Push Hook" | "Tag Push Hook" => {
            let name = if event == "Push Hook" { "push" } else { "tag_push" };
            let commit = git::sample_commit(push.changed_files);
            json!({
                "object_kind": name, "event_name": name, "before": SAMPLE_IDS.0, "after": SAMPLE_IDS.1,
                "checkout_sha": SAMPLE_IDS.1, "ref": git::full_ref(push.qualifiers.first().map_or("", String::as_str)),
                "project": project, "repository": repository, "commits": [commit], "total_commits_count": 1,
            })
        }
        "Merge Request Hook" => json!({
            "object_kind": "merge_request", "event_type": "merge_request", "project": project,
            "object_attributes": {
                "iid": 1, "state": "merged", "action": "merge",
                "url": git::pull_request(push.repository, "/-/merge_requests/"),
            },
        }),
        _ => return None,
    };
    let sample = Sample::json(&body).with_header("x-gitlab-event", event);
    Some(sample.with_header("x-gitlab-event-uuid", git::SAMPLE_DELIVERY))
}
