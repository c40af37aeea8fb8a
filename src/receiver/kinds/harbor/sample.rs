//! What Harbor would send.

use serde_json::{Value, json};

use super::{CLOUD_EVENTS, DEFAULT};
use crate::receiver::Sample;
use crate::receiver::read::registry_event::names;

/// The names in the format "Default", then those in "CloudEvents".
pub(super) const EVENTS: [&str; DEFAULT.len() + CLOUD_EVENTS.len()] = {
    let mut all = [""; DEFAULT.len() + CLOUD_EVENTS.len()];
    let (default, cloud) = all.split_at_mut(DEFAULT.len());
    default.copy_from_slice(&names(&DEFAULT));
    cloud.copy_from_slice(&names(&CLOUD_EVENTS));
    all
};

/// One event, or `None` for another kind. It has a resource for each tag.
///
/// `repository` is `host[:port]/project/name`, as in an image reference without its tag.
pub(super) fn sample(event: &str, repository: &str, tags: &[String]) -> Option<Sample> {
    let event = EVENTS.into_iter().find(|known| *known == event)?;
    if event.starts_with("harbor.") {
        let body = json!({
            "specversion": "1.0",
            "id": "81f243ce-699c-44d6-9dbe-b2ee5f10237a",
            "requestid": "4b9dcf9a-db23-460c-9b52-c9d994e362ee",
            "source": "/projects/2/webhook/policies/15",
            "type": event,
            "datacontenttype": "application/json",
            "time": "2026-05-04T07:15:31Z",
            "operator": "mira",
            "data": data(repository, tags),
        });
        let body = body.to_string().into_bytes();
        return Some(Sample { headers: Vec::new(), body }.with_header("content-type", "application/cloudevents+json"));
    }
    let data = data(repository, tags);
    Some(Sample::json(&json!({"type": event, "occur_at": 1_777_878_931, "operator": "mira", "event_data": data})))
}

fn data(repository: &str, tags: &[String]) -> Value {
    let path = repository.split_once('/').map_or(repository, |(_, path)| path);
    let (namespace, name) = path.split_once('/').unwrap_or((path, path));
    let resource = |tag: &String| {
        json!({
            "digest": "sha256:4be1d6a0c3f25e7788a9b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f",
            "tag": tag,
            "resource_url": format!("{repository}:{tag}"),
        })
    };
    json!({
        "resources": tags.iter().map(resource).collect::<Vec<_>>(),
        "repository": {
            "date_created": 1_770_000_000, "name": name, "namespace": namespace,
            "repo_full_name": path, "repo_type": "private",
        },
    })
}
