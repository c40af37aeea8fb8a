//! What Artifactory would send.

use serde_json::{Value, json};

/// The body of one event, or `None` for another. It names the first of the tags: Artifactory sends one event for each.
///
/// `repository` is `host[:port]/repository/image`, as in an image reference without its tag.
pub(super) fn sample(event: &str, repository: &str, tags: &[String]) -> Option<Value> {
    let event = super::NAMES.into_iter().find(|known| *known == event)?;
    let (host, path) = repository.split_once('/').unwrap_or(("artifactory.example.com", repository));
    let (repo_key, image) = path.split_once('/').unwrap_or(("docker-local", path));
    let tag = tags.first().map_or("", String::as_str);
    Some(json!({
        "domain": "docker",
        "event_type": event,
        "data": {
            "repo_key": repo_key,
            "path": format!("{image}/{tag}/manifest.json"),
            "name": "manifest.json",
            "sha256": "4be1d6a0c3f25e7788a9b0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f",
            "size": 1_158,
            "image_name": image,
            "image_type": "docker",
            "tag": tag,
        },
        "subscription_key": "quayside",
        "jpd_origin": format!("https://{host}"),
        "source": "jfrog/mira",
    }))
}
