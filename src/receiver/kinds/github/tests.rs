//! What each of GitHub's events comes to; the bodies have the shape of real deliveries.

use serde_json::{Value, json};

use super::*;
use crate::receiver::proof::signature::Algorithm;
use crate::receiver::testing::{self, event, ignored, payload, pull_request, push, receive, settings, without};

const EVENT: &str = "x-github-event";

fn deliver(name: &str, body: &Value) -> Result<Verdict, Rejection> {
    testing::signed(&GitHub, event(EVENT, name, body))
}

#[test]
fn a_push_names_its_repository_in_both_spellings_its_ref_files_and_default_branch() {
    let pushed = push(deliver("push", &payload("github/push.json")));
    assert_eq!(
        pushed.repositories,
        ["https://github.com/northwind/storefront", "ssh://git@github.com/northwind/storefront"]
    );
    assert_eq!(pushed.qualifiers, ["refs/heads/trunk"]);
    assert_eq!(pushed.changed_files.listed(), ["README.md", "charts/web/old.yaml", "charts/web/values.yaml"]);
    assert_eq!(pushed.default_branch.as_deref(), Some("trunk"));
}

#[test]
fn files_of_a_push_are_unknown_when_there_may_be_more_commits_than_listed() {
    let mut body = payload("github/push.json");
    let commit = json!({"added": ["a"]});
    for (count, known) in [(1, true), (19, true), (20, false), (21, true), (2047, true), (2048, false)] {
        body["commits"] = Value::Array(vec![commit.clone(); count]);
        assert_eq!(push(deliver("push", &body)).changed_files.listed().is_empty(), !known, "{count}");
    }
    body["commits"] = json!([]);
    assert!(push(deliver("push", &body)).changed_files.listed().is_empty(), "only the head commit is listed");
}

#[test]
fn a_deleted_branch_or_tag_asks_for_nothing() {
    let deleted = payload("github/push_branch_deleted.json");
    let by_flag = json!({"ref": "refs/tags/1.0.0", "deleted": true});
    let by_id = json!({"ref": "refs/tags/1.0.0", "after": "0".repeat(64)});
    for body in [&deleted, &by_flag, &by_id] {
        assert_eq!(ignored(deliver("push", body)).event, "push");
    }
    assert_eq!(push(deliver("push", &payload("github/push_tag.json"))).qualifiers, ["refs/tags/v2.7.1"]);
}

#[test]
fn a_closed_pull_request_is_reported_and_an_open_one_is_not() {
    let mut body = payload("github/pull_request_closed.json");
    assert_eq!(pull_request(deliver("pull_request", &body)).url, "https://github.com/northwind/storefront/pull/12");
    body["pull_request"]["merged"] = json!(false);
    pull_request(deliver("pull_request", &body));
    body["action"] = json!("synchronize");
    assert_eq!(ignored(deliver("pull_request", &body)).event, "pull_request");
}

#[test]
fn a_published_image_is_a_push_to_its_registry() {
    let pushed = push(deliver("package", &payload("github/package_published.json")));
    assert_eq!(
        (&*pushed.event, pushed.repositories.as_slice()),
        ("package", &["ghcr.io/northwind/storefront".to_owned()][..])
    );
    assert_eq!(pushed.qualifiers, ["2.7.1"]);
    let untagged = push(deliver("registry_package", &payload("github/registry_package_published_untagged.json")));
    assert_eq!((&*untagged.event, untagged.qualifiers.len()), ("registry_package", 0));
    assert_eq!(untagged.repositories, ["ghcr.io/northwind/storefront"]);
}

#[test]
fn other_packages_actions_and_signatures_ask_for_nothing() {
    let changed = |pointer: &str, value: Value| {
        let mut body = payload("github/package_published.json");
        *body.pointer_mut(pointer).unwrap() = value;
        ignored(deliver("package", &body))
    };
    changed("/action", json!("deleted"));
    changed("/package/package_type", json!("npm"));
    let tag = format!("sha256-{}.sig", "a".repeat(64));
    let signature = changed("/package/package_version/container_metadata/tag/name", json!(tag));
    assert_eq!(signature.qualifiers, [tag]);
    assert_eq!(deliver("package", &json!({"action": "published"})), Err(Rejection::InvalidBody));
}

#[test]
fn what_the_schema_of_a_package_allows_to_be_null_is_no_mistake() {
    let changed = |pointer: &str, value: Value| {
        let mut body = payload("github/package_published.json");
        *body.pointer_mut(pointer).unwrap() = value;
        deliver("package", &body)
    };
    for pointer in ["/package/package_version", "/package/package_version/package_url"] {
        assert!(ignored(changed(pointer, Value::Null)).because.contains("does not name the version"), "{pointer}");
    }
    for pointer in [
        "/package/package_version/container_metadata",
        "/package/package_version/container_metadata/tag",
        "/package/package_version/container_metadata/tag/name",
    ] {
        let untagged = push(changed(pointer, Value::Null));
        assert_eq!((untagged.repositories.len(), untagged.qualifiers.len()), (1, 0), "{pointer}");
    }
    push(changed("/package/package_version/container_metadata/manifest", Value::Null));
    for kind in ["CONTAINER", "container", "Docker"] {
        push(changed("/package/package_type", json!(kind)));
    }
    ignored(changed("/package/package_type", Value::Null));
}

#[test]
fn a_pull_request_without_an_address_does_not_blame_promotions_and_created_refs_name_the_remedy() {
    let closed = ignored(deliver("pull_request", &json!({"action": "closed", "pull_request": null})));
    assert_eq!(closed.because, git::NO_PULL_REQUEST);
    assert!(ignored(deliver("create", &json!({}))).because.contains("register the webhook for pushes"));
}

#[test]
fn a_ping_and_unknown_events_are_acknowledged() {
    assert_eq!(ignored(deliver("ping", &payload("github/ping.json"))).event, "ping");
    assert_eq!(ignored(deliver("workflow_run", &json!("anything"))).event, "workflow_run");
}

#[test]
fn nothing_is_read_without_the_right_signature() {
    let sample = || event(EVENT, "push", &payload("github/push.json"));
    let refused = |sample: &Sample| receive(&GitHub, sample, &settings());
    assert_eq!(refused(&sample()), Err(Rejection::Unauthorized("missing signature")));
    let other = GitHub.sign(sample(), &Secret::new(b"another secret".to_vec()));
    assert_eq!(refused(&other), Err(Rejection::Unauthorized("unauthorized")));
    let unknown_event = event(EVENT, "workflow_run", &json!({}));
    assert_eq!(refused(&unknown_event), Err(Rejection::Unauthorized("missing signature")));
    let mut changed = GitHub.sign(sample(), &settings().secret);
    changed.body.push(b' ');
    assert_eq!(refused(&changed), Err(Rejection::Unauthorized("unauthorized")));
}

#[test]
fn sha1_needs_permission() {
    let sample = event(EVENT, "push", &payload("github/push.json"));
    let signature = format!("sha1={}", Algorithm::Sha1.sign(&settings().secret, &sample.body));
    let sample = sample.with_header("x-hub-signature-256", &signature);
    assert!(matches!(receive(&GitHub, &sample, &settings()), Err(Rejection::Unauthorized(_))));
    let allowed = Settings { allow_sha1: true, ..settings() };
    push(receive(&GitHub, &sample, &allowed));
}

#[test]
fn a_form_is_unpacked_and_its_signature_covers_the_form() {
    let json = payload("github/push.json").to_string();
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    let form = Sample { body: body.into_bytes(), ..Sample::default() }
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_header(EVENT, "push");
    assert_eq!(push(testing::signed(&GitHub, form.clone())).qualifiers, ["refs/heads/trunk"]);
    let untyped = without(form, "content-type");
    assert_eq!(testing::signed(&GitHub, untyped), Err(Rejection::InvalidBody));
}
