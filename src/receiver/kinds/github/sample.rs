//! What GitHub would send.

use serde_json::json;

use crate::receiver::read::git::{self, Address, SAMPLE_IDS};
use crate::receiver::{Sample, SamplePush};

/// The names of all events that can be sampled.
pub(super) const EVENTS: [&str; 5] = ["push", "pull_request", "package", "registry_package", "ping"];

/// One event as GitHub sends it, or `None` for an unknown one. A pull request is a closed one.
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
                "created": false, "deleted": false, "forced": false,
                "repository": repository, "commits": [commit], "head_commit": commit,
            })
        }
        "pull_request" => json!({
            "action": "closed", "number": 1, "repository": repository,
            "pull_request": {"html_url": git::pull_request(push.repository, "/pull/"), "merged": true},
        }),
        "package" | "registry_package" => {
            let tag = qualifier.strip_prefix("refs/tags/").unwrap_or(qualifier);
            let host = if address.host == "github.com" { "ghcr.io" } else { &address.host };
            json!({
                "action": "published",
                event: {
                    "name": address.name(), "package_type": "CONTAINER",
                    "package_version": {
                        "package_url": format!("{host}/{}:{tag}", address.path),
                        "container_metadata": {
                            "tag": {
                                "name": tag,
                                "digest": "sha256:4be1d6a0c3f25e7788a9b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f",
                            },
                            "manifest": {"config": {"media_type": "application/vnd.oci.image.config.v1+json"}},
                        },
                    },
                },
            })
        }
        "ping" => json!({"zen": "A sample.", "hook_id": 1, "hook": {"type": "Repository", "active": true}}),
        _ => return None,
    };
    let sample = Sample::json(&body).with_header("x-github-event", event);
    Some(sample.with_header("x-github-delivery", git::SAMPLE_DELIVERY))
}
