//! What Azure Container Registry and Azure DevOps would send.

use serde_json::{Value, json};

use crate::receiver::{Sample, SamplePush};

/// Those of the registry, then those of DevOps.
pub(super) const EVENTS: [&str; 10] = [
    "push",
    "delete",
    "quarantine",
    "chart_push",
    "chart_delete",
    "ping",
    "git.push",
    "git.pullrequest.created",
    "git.pullrequest.updated",
    "git.pullrequest.merged",
];

/// What is pushed where nothing is given: to the registry, and to DevOps.
pub(super) const IMAGE: &str = "northwind.azurecr.io/storefront";
const GIT: &str = "https://dev.azure.com/northwind/shop/_git/storefront";
pub(super) const TAG: &str = "latest";
const BRANCH: &str = "refs/heads/main";

/// One event, or `None` for another kind.
pub(super) fn sample(event: &str, push: &SamplePush<'_>) -> Option<Sample> {
    let event = EVENTS.into_iter().find(|known| *known == event)?;
    Some(if event.starts_with("git.") {
        let repository = if push.repository == IMAGE { GIT } else { push.repository };
        Sample::json(&devops(event, repository, push.qualifiers))
            .with_header("user-agent", "VSServices/20.266.36305.2 (Service Hooks)")
    } else {
        Sample::json(&registry(event, push.repository, push.qualifiers))
            .with_header("user-agent", "AzureContainerRegistry/1.0")
    })
}

/// Names the first of the tags: the registry sends one event for each.
fn registry(action: &str, repository: &str, tags: &[String]) -> Value {
    let id = "0d2c1b6e-5d3c-4f43-9f0e-2f7a6f1c9b10";
    if action == "ping" {
        return json!({"id": id, "timestamp": "2026-05-04T07:15:31Z", "action": action});
    }
    let (host, path) = repository.split_once('/').unwrap_or(("northwind.azurecr.io", repository));
    json!({
        "id": id,
        "timestamp": "2026-05-04T07:15:31Z",
        "action": action,
        "target": {
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "size": 1_158,
            "digest": "sha256:4be1d6a0c3f25e7788a9b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f",
            "length": 1_158,
            "repository": path,
            "tag": tags.first().map_or("", String::as_str),
        },
        "request": {"id": "b6f0", "host": host, "method": "PUT", "useragent": "docker/27.3.1"},
    })
}

fn devops(event: &str, repository: &str, refs: &[String]) -> Value {
    let name = repository.rsplit('/').next().unwrap_or_default();
    let described = json!({"id": "27b1", "name": name, "remoteUrl": repository, "defaultBranch": BRANCH});
    let resource = if event == "git.push" {
        let update = |name: &String| {
            let name = if name == TAG { BRANCH } else { name };
            json!({
                "name": name,
                "oldObjectId": "9f2c1d7be4a05836c1fd02ab77e3904d5f6a1c88",
                "newObjectId": "88c1a6f5d4093e77ba20df1c63850a4eb7d1c2f9",
            })
        };
        let updates: Vec<Value> = refs.iter().map(update).collect();
        json!({"refUpdates": updates, "repository": described, "pushId": 14})
    } else {
        json!({
            "repository": described,
            "pullRequestId": 77,
            "status": if event == "git.pullrequest.merged" { "completed" } else { "active" },
            "sourceRefName": "refs/heads/feature",
            "targetRefName": BRANCH,
            "_links": {"web": {"href": format!("{repository}/pullrequest/77")}},
        })
    };
    json!({
        "subscriptionId": "0b6e", "notificationId": 3, "id": "03c1", "eventType": event, "publisherId": "tfs",
        "resource": resource, "resourceVersion": "1.0", "createdDate": "2026-05-04T07:15:31Z",
    })
}
