//! What Quay would send.

use serde_json::{Value, json};

/// The names of all event kinds that can be sampled.
pub(super) const EVENTS: [&str; 13] = [
    "repo_push",
    "repo_mirror_sync_started",
    "repo_mirror_sync_success",
    "repo_mirror_sync_failed",
    "vulnerability_found",
    "build_queued",
    "build_start",
    "build_success",
    "build_failure",
    "build_cancelled",
    "repo_image_expiry",
    "quota_warning",
    "quota_error",
];

/// The body of one event as Quay writes it, or `None` for an unknown kind.
///
/// `repository` is `host[:port]/namespace/name`, as in an image reference without its tag.
pub(super) fn sample(event: &str, repository: &str, tags: &[String]) -> Option<Value> {
    let (host, path) = repository.split_once('/').unwrap_or(("quay.io", repository));
    let (namespace, name) = path.split_once('/').unwrap_or((path, path));
    let mut body = json!({
        "repository": path,
        "namespace": namespace,
        "name": name,
        "docker_url": format!("{host}/{path}"),
        "homepage": format!("https://{host}/repository/{path}"),
    });
    let own = match event {
        "repo_push" => json!({"updated_tags": tags}),
        "repo_mirror_sync_started" | "repo_mirror_sync_success" => json!({"message": mirror_message(path)}),
        "repo_mirror_sync_failed" => json!({"message": format!("{}: PARTIAL SYNC", mirror_message(path))}),
        "vulnerability_found" => json!({
            "tags": tags,
            "vulnerable_index_report_created": "true",
            "vulnerability": {
                "id": "CVE-2026-0001", "description": "A sample.", "link": "https://cve.example/CVE-2026-0001",
                "priority": "High", "has_fix": true,
            },
        }),
        "build_queued" => json!({
            "build_id": "6b0f7c52-3c1e-4a55-9f1d-0f2f5e8b7a11", "docker_tags": tags, "repo": name,
            "is_manual": true, "manual_user": "mira",
        }),
        "build_start" | "build_success" | "build_failure" | "build_cancelled" => json!({
            "build_id": "6b0f7c52-3c1e-4a55-9f1d-0f2f5e8b7a11", "build_name": "9f2c1d7", "docker_tags": tags,
            "trigger_id": null, "trigger_kind": null, "trigger_metadata": {},
        }),
        "repo_image_expiry" => json!({
            "notification_uuid": "1d9a4c33-52d6-47a4-a6f2-90c7b1e3d8f0", "tags": tags, "expiring_in": "7 days",
        }),
        "quota_warning" | "quota_error" => return Some(quota(host, namespace)),
        _ => return None,
    };
    if let (Some(body), Value::Object(own)) = (body.as_object_mut(), own) {
        body.extend(own);
    }
    Some(body)
}

fn mirror_message(path: &str) -> String {
    format!("'registry.example.net/{path}' with tag pattern '*'")
}

fn quota(host: &str, namespace: &str) -> Value {
    json!({
        "namespace": namespace,
        "homepage": format!("https://{host}/organization/{namespace}"),
        "threshold_percent": 80,
        "usage_bytes": 86_973_087_744_u64,
        "limit_bytes": 107_374_182_400_u64,
        "usage_percent": 81,
        "usage_bytes_formatted": "81.00 GB",
        "limit_bytes_formatted": "100.00 GB",
    })
}
