//! Every recorded body of Quay through the real listener.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Hook, Operator, Project, content, file, image, quayside};

/// Fixture, query, the event that the answer names, and the Warehouses that are refreshed.
const DELIVERIES: [(&str, &str, &str, &[&str]); 45] = [
    ("repo_push", "", "repo_push", &["any-tag", "storefront"]),
    ("repo_push", "?event=repo_push", "repo_push", &["any-tag", "storefront"]),
    ("repo_mirror_sync_success", "", "repo_mirror_sync", &["any-tag", "storefront"]),
    (
        "repo_mirror_sync_success",
        "?event=repo_mirror_sync_success",
        "repo_mirror_sync_success",
        &["any-tag", "storefront"],
    ),
    // Without its name it looks like a success.
    ("repo_mirror_sync_started", "", "repo_mirror_sync", &["any-tag", "storefront"]),
    ("repo_mirror_sync_started", "?event=repo_mirror_sync_started", "repo_mirror_sync_started", &[]),
    ("repo_mirror_sync_failed", "?event=repo_mirror_sync_failed", "repo_mirror_sync_failed", &[]),
    ("vulnerability_found", "", "vulnerability_found", &[]),
    ("vulnerability_found", "?event=vulnerability_found", "vulnerability_found", &[]),
    ("build_queued", "", "build_queued", &[]),
    ("build_queued", "?event=build_queued", "build_queued", &[]),
    ("build_start", "", "build", &[]),
    ("build_start", "?event=build_start", "build_start", &[]),
    ("build_success", "", "build", &[]),
    ("build_success", "?event=build_success", "build_success", &[]),
    ("build_failure", "", "build", &[]),
    ("build_failure", "?event=build_failure", "build_failure", &[]),
    ("build_cancelled", "", "build", &[]),
    ("build_cancelled", "?event=build_cancelled", "build_cancelled", &[]),
    ("repo_image_expiry", "", "repo_image_expiry", &[]),
    ("repo_image_expiry", "?event=repo_image_expiry", "repo_image_expiry", &[]),
    ("quota_warning", "", "quota", &[]),
    ("quota_warning", "?event=quota_warning", "quota_warning", &[]),
    ("quota_error", "", "quota", &[]),
    ("quota_error", "?event=quota_error", "quota_error", &[]),
    // The "Test notification" button.
    ("test_button/repo_push", "", "repo_push", &["any-tag"]),
    ("test_button/repo_image_expiry", "", "repo_image_expiry", &[]),
    ("test_button/repo_mirror_sync_success", "", "repo_mirror_sync", &["any-tag", "storefront"]),
    // What real deliveries vary in.
    ("variants/repo_push.quay_io", "", "repo_push", &["quay-io"]),
    ("variants/repo_push.nested_repository", "", "repo_push", &["nested"]),
    ("variants/repo_push.self_hosted_with_port", "", "repo_push", &["ported"]),
    ("variants/repo_push.two_tags_v1_protocol", "", "repo_push", &["any-tag", "storefront"]),
    ("variants/repo_push.no_tags_v1_protocol", "", "repo_push", &["any-tag", "storefront"]),
    ("variants/repo_push.helm_chart_plus_in_version", "", "repo_push", &["chart"]),
    ("variants/repo_push.cosign_signature_tag", "", "repo_push", &[]),
    ("variants/repo_push.cosign_attestation_tag", "", "repo_push", &[]),
    ("variants/repo_push.referrers_fallback_tag", "", "repo_push", &[]),
    ("variants/vulnerability_found.untagged_manifest", "", "vulnerability_found", &[]),
    ("variants/vulnerability_found.rescan_without_flag", "", "vulnerability_found", &[]),
    ("variants/build_start.without_trigger", "", "build", &[]),
    // POST templates.
    ("variants/template.envelope_with_token", "", "repo_push", &["any-tag", "storefront"]),
    ("variants/template.single_tag_collapsed_to_string", "", "repo_push", &["any-tag", "storefront"]),
    ("variants/template.missing_fields_null", "", "repo_push", &[]),
    // The name in the URL is believed, because the person who registered the URL wrote it.
    ("repo_push", "?event=repo_image_expiry", "repo_image_expiry", &[]),
    ("repo_push", "?event=something_new", "repo_push", &["any-tag", "storefront"]),
];

async fn project(operator: &Operator, name: &str) -> (Project, Hook) {
    let project = Project::new(name).await;
    let hook = project.quay(operator).await;
    let any_tag =
        json!({"image": {"repoURL": "quay.example.com/northwind/storefront", "imageSelectionStrategy": "NewestBuild"}});
    let chart = json!({"chart": {"repoURL": "oci://quay.example.com/northwind/charts/storefront", "semverConstraint": "1.4.0+build.7"}});
    for (name, subscription) in [
        ("any-tag", any_tag),
        ("storefront", image("quay.example.com/northwind/storefront", "^2.0.0")),
        ("quay-io", image("quay.io/northwind/storefront", "^2.0.0")),
        ("nested", image("quay.example.com/northwind/team-a/storefront", "^2.0.0")),
        ("ported", image("quay.corp.example:8443/northwind/storefront", "^2.0.0")),
        ("chart", chart),
    ] {
        project.warehouse(name, json!([subscription])).await;
    }
    project.settle(&hook).await;
    (project, hook)
}

#[tokio::test]
async fn every_recorded_delivery_is_answered_with_200_and_refreshes_whom_it_should() {
    let (project, hook) = project(Operator::shared().await, "quay-events").await;
    for (name, query, event, expected) in DELIVERIES {
        let before = project.tokens().await;
        let answer = hook.post_with(query, content(&format!("tests/fixtures/payloads/quay/{name}.json")));
        let after = project.tokens().await;
        let refreshed: Vec<&str> = after
            .iter()
            .filter(|(name, token)| before.get(*name) != Some(*token))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!((answer.status, refreshed.as_slice()), (200, expected), "{name}{query}: {answer:?}");
        let body = answer.json();
        assert_eq!(body["event"], event, "{name}{query}: {body}");
        if body.get("refreshed").is_some() {
            assert_eq!(body["refreshed"], expected.len(), "{name}{query}: {body}");
            assert!(answer.says().starts_with(&format!("refreshed {} warehouse(s)", expected.len())), "{body}");
        } else {
            assert!(answer.says().starts_with(&format!("event {event} acknowledged, nothing to refresh: ")), "{body}");
        }
    }
}

#[test]
fn no_recorded_delivery_is_left_out() {
    let listed: BTreeSet<String> = DELIVERIES.iter().map(|(name, ..)| format!("{name}.json")).collect();
    let root = file("tests/fixtures/payloads/quay");
    let folders = [root.clone(), root.join("variants"), root.join("test_button")];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let present: BTreeSet<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(listed, present);
}

#[tokio::test]
async fn tags_come_as_list_map_text_null_or_not_at_all() {
    let (project, hook) = project(Operator::shared().await, "quay-tags").await;
    let delivered = |tags: Option<Value>| {
        let mut body = json!({"docker_url": "quay.example.com/northwind/storefront"});
        if let Some(tags) = tags {
            body["updated_tags"] = tags;
        }
        let answer = hook.post(body.to_string());
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        answer.json()["refreshed"].as_u64().unwrap()
    };
    for both in
        [json!(["2.0.1"]), json!({"2.0.1": "sha256:abc"}), json!("2.0.1"), json!("1.0.0,2.0.1"), json!([]), Value::Null]
    {
        assert_eq!(delivered(Some(both.clone())), 2, "{both}");
    }
    assert_eq!(delivered(None), 2);
    for any_only in [json!(["latest"]), json!({"latest": null}), json!("latest")] {
        assert_eq!(delivered(Some(any_only.clone())), 1, "{any_only}");
    }
    drop(project);
}

#[tokio::test]
async fn every_kind_that_the_command_line_plays_is_acknowledged() {
    let (project, hook) = project(Operator::shared().await, "quay-samples").await;
    let events = [
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
    for event in events {
        let url = format!("{}?event={event}", hook.url());
        let repository = "quay.example.com/northwind/storefront";
        let sent =
            quayside(["send", "quay", &url, "--event", event, "--repository", repository, "--tag", "2.0.1"]).success();
        let (status, body) = sent.split_once('\n').unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!((status, &body["event"]), ("HTTP 200 OK", &json!(event)), "{sent}");
        let refreshes = matches!(event, "repo_push" | "repo_mirror_sync_success");
        assert_eq!(body["refreshed"] == 2, refreshes, "{sent}");
    }
    assert_eq!(project.refreshed().await, ["any-tag", "storefront"]);
}
