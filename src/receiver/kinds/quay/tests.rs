//! What each of Quay's events comes to; the bodies have the shape of real deliveries.

use std::path::Path;

use http::HeaderMap;
use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::domain::secret::Secret;

fn receive(query: Option<&str>, body: &[u8]) -> Result<Verdict, Rejection> {
    let headers = HeaderMap::new();
    let settings = Settings::new(Secret::new(b"s3cr3t".to_vec()));
    Quay.receive(&Request { headers: &headers, query, body, arrived: Timestamp::UNIX_EPOCH }, &settings)
}

fn push(body: &serde_json::Value) -> PushEvent {
    match receive(None, body.to_string().as_bytes()) {
        Ok(Verdict::Push(event)) => event,
        other => panic!("{body}: {other:?}"),
    }
}

fn ignored(query: Option<&str>, body: &serde_json::Value) -> IgnoredEvent {
    match receive(query, body.to_string().as_bytes()) {
        Ok(Verdict::Ignored(event)) => event,
        other => panic!("{body}: {other:?}"),
    }
}

fn fixture(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads/quay").join(name);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap()
}

#[test]
fn a_push_names_its_repository_and_tags() {
    let event = push(&fixture("repo_push.json"));
    assert_eq!(event.event, "repo_push");
    assert_eq!(event.repositories, ["quay.example.com/northwind/storefront"]);
    assert_eq!(event.qualifiers, ["2.7.1"]);
}

/// What a verdict asks for, as the captured deliveries have it.
fn told(verdict: Result<Verdict, Rejection>) -> serde_json::Value {
    match verdict {
        Ok(Verdict::Push(event)) => json!({"push": event.event, "of": event.repositories, "tags": event.qualifiers}),
        Ok(Verdict::Ignored(event)) => json!({"ignored": event.event}),
        other => json!(format!("{other:?}")),
    }
}

#[test]
fn every_delivery_that_a_real_quay_made_has_its_verdict() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads/quay/captured.jsonl");
    let (mut wrong, mut triggers) = (Vec::new(), 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let delivery: serde_json::Value = serde_json::from_str(line).unwrap();
        triggers += 1;
        let Some(body) = delivery["body"].as_str() else {
            assert!(delivery["verdict"].is_null(), "Quay sends nothing: {line}");
            continue;
        };
        let query = delivery["registered_for"].as_str().map(|event| format!("event={event}"));
        let verdict = told(receive(query.as_deref(), body.as_bytes()));
        if verdict != delivery["verdict"] {
            wrong.push(format!("{}: {verdict}", delivery["trigger"]));
        }
    }
    assert_eq!(triggers, 55);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_port_and_a_nested_repository_stay_in_the_url() {
    let port = push(&fixture("variants/repo_push.self_hosted_with_port.json"));
    assert_eq!(port.repositories, ["quay.corp.example:8443/northwind/storefront"]);
    let nested = push(&fixture("variants/repo_push.nested_repository.json"));
    assert_eq!(nested.repositories, ["quay.example.com/northwind/team-a/storefront"]);
}

#[test]
fn tags_may_be_a_list_a_map_a_string_null_or_absent() {
    let tags = |updated_tags: serde_json::Value| {
        push(&json!({"docker_url": "quay.io/a/b", "updated_tags": updated_tags})).qualifiers
    };
    assert_eq!(tags(json!(["1.0", "2.0"])), ["1.0", "2.0"]);
    assert_eq!(tags(json!({"1.0": "sha256:abc", "latest": null})), ["1.0", "latest"]);
    assert_eq!(tags(json!("1.0")), ["1.0"]);
    assert_eq!(tags(json!("1.0,2.0")), ["1.0", "2.0"]);
    assert_eq!(tags(json!("['1.0']")), ["1.0"]);
    assert_eq!(tags(json!([1.5, "2.0", null, true, {}])), ["1.5", "2.0"]);
    let none: [&str; 0] = [];
    assert_eq!(tags(json!("(none)")), none);
    assert_eq!(tags(json!(null)), none);
    assert_eq!(tags(json!(7)), none);
    assert_eq!(push(&json!({"docker_url": "quay.io/a/b"})).qualifiers, none);
}

#[test]
fn events_that_are_not_pushes_are_named_and_ignored() {
    for (file, event) in [
        ("build_queued.json", "build_queued"),
        ("build_start.json", "build"),
        ("build_success.json", "build"),
        ("build_failure.json", "build"),
        ("build_cancelled.json", "build"),
        ("vulnerability_found.json", "vulnerability_found"),
        ("repo_image_expiry.json", "repo_image_expiry"),
        ("quota_warning.json", "quota"),
        ("quota_error.json", "quota"),
        ("variants/build_start.without_trigger.json", "build"),
        ("test_button/repo_image_expiry.json", "repo_image_expiry"),
    ] {
        assert_eq!(ignored(None, &fixture(file)).event, event, "{file}");
    }
}

#[test]
fn the_query_or_the_envelope_names_the_kind_exactly() {
    let body = fixture("build_success.json");
    assert_eq!(ignored(Some("x=1&event=build_success"), &body).event, "build_success");
    let enveloped = json!({"event": "repo_mirror_sync_failed", "data": fixture("repo_mirror_sync_failed.json")});
    assert_eq!(ignored(None, &enveloped).event, "repo_mirror_sync_failed");
    let unknown = json!({"event": "something_new", "data": fixture("repo_push.json")});
    assert_eq!(push(&unknown).event, "repo_push");
}

#[test]
fn a_mirror_synchronisation_refreshes_unless_it_is_named_otherwise() {
    for file in
        ["repo_mirror_sync_success.json", "repo_mirror_sync_started.json", "test_button/repo_mirror_sync_success.json"]
    {
        let event = push(&fixture(file));
        assert_eq!((&*event.event, event.qualifiers.len()), ("repo_mirror_sync", 0), "{file}");
    }
    let started = fixture("repo_mirror_sync_started.json");
    assert_eq!(ignored(Some("event=repo_mirror_sync_started"), &started).event, "repo_mirror_sync_started");
}

#[test]
fn the_enveloped_template_is_opened() {
    let event = push(&fixture("variants/template.envelope_with_token.json"));
    assert_eq!(event.qualifiers, ["2.7.1"]);
}

#[test]
fn signature_tags_alone_are_ignored_and_beside_a_release_dropped() {
    for file in ["cosign_signature_tag", "cosign_attestation_tag", "referrers_fallback_tag"] {
        let event = ignored(None, &fixture(&format!("variants/repo_push.{file}.json")));
        assert_eq!((&*event.event, event.qualifiers.len()), ("repo_push", 1), "{file}");
    }
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    let event = push(&json!({"docker_url": "quay.io/a/b", "updated_tags": [signature, "1.0"]}));
    assert_eq!(event.qualifiers, ["1.0"]);
}

#[test]
fn every_sample_is_read_as_the_kind_it_plays() {
    for event in sample::EVENTS {
        let body = sample::sample(event, "quay.io/northwind/storefront", &["1.4.2".to_owned()]).unwrap().to_string();
        let query = format!("event={event}");
        let (name, refreshes) = match receive(Some(&query), body.as_bytes()).unwrap() {
            Verdict::Push(push) => (push.event, true),
            Verdict::Ignored(ignored) => (ignored.event, false),
            other => panic!("{other:?}"),
        };
        assert_eq!(name, event);
        assert_eq!(refreshes, matches!(event, "repo_push" | "repo_mirror_sync_success"), "{event}");
    }
    assert!(sample::sample("repo_pull", "quay.io/a/b", &[]).is_none());
}

#[test]
fn a_body_that_quay_never_sends_is_invalid() {
    for body in ["", "[", "{", "{\"docker_url\":1}", "{\"docker_url\":[\"quay.io/a/b\"]}", "x=1"] {
        assert_eq!(receive(None, body.as_bytes()), Err(Rejection::InvalidBody), "{body}");
    }
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn a_template_whose_result_is_a_string_or_a_list_is_read_where_it_holds_a_repository() {
    let image = "quay.example.com:8443/northwind/storefront";
    let event = json!({"docker_url": image, "updated_tags": ["1.0"]});
    for (body, tags) in [
        (json!(image), vec![]),
        (json!(format!("{image}:1.0")), vec!["1.0"]),
        (json!(format!("{image}:['1.0']")), vec!["1.0"]),
        (json!([image]), vec![]),
        (json!([image, ["1.0", "2.0"]]), vec!["1.0", "2.0"]),
        (json!(["repo_push", image, "a secret token", 7, null]), vec![]),
        (json!([format!("{image}:1.0")]), vec!["1.0"]),
        (json!([event]), vec!["1.0"]),
        (json!(["repo_push", event]), vec!["1.0"]),
        (json!({"event": "repo_push", "data": image}), vec![]),
        (json!({"event": "repo_push", "data": [image, ["1.0"]]}), vec!["1.0"]),
    ] {
        let event = push(&body);
        assert_eq!((&*event.event, event.qualifiers.as_slice()), ("repo_push", &*texts(&tags)), "{body}");
        assert_eq!(event.repositories, [image], "{body}");
    }
    let scanned = ignored(Some("event=vulnerability_found"), &json!(image));
    assert_eq!((&*scanned.event, scanned.repositories.len()), ("vulnerability_found", 1));
}

#[test]
fn a_template_that_leaves_out_the_repository_is_told_what_to_put_there() {
    for body in [
        json!("1.0"),
        json!(["1.0"]),
        json!([["1.0"]]),
        json!([]),
        json!(12),
        json!(true),
        json!(null),
        json!("northwind/storefront"),
        json!("pushed to quay.io/northwind/storefront"),
        json!({"text": "pushed"}),
        json!({"data": ["1.0"]}),
        json!("https://quay.io/repository/northwind/storefront"),
    ] {
        let event = ignored(None, &body);
        assert_eq!(&*event.event, "repo_push", "{body}");
        assert!(event.because.contains("docker_url") && event.because.contains("POST template"), "{body}");
    }
}

#[test]
fn a_token_is_demanded_in_the_envelope_once_it_is_configured() {
    let mut settings = Settings::new(Secret::new(b"s3cr3t".to_vec()));
    settings.credentials.body_token = Some(Secret::new(b"rosebud".to_vec()));
    let receive = |body: &serde_json::Value| {
        let (headers, body) = (HeaderMap::new(), body.to_string());
        let arrived = jiff::Timestamp::UNIX_EPOCH;
        Quay.receive(&Request { headers: &headers, query: None, body: body.as_bytes(), arrived }, &settings)
    };
    let data = json!({"docker_url": "quay.io/a/b", "updated_tags": ["1.0"]});
    let known = receive(&json!({"event": "repo_push", "token": "rosebud", "data": data}));
    assert!(matches!(known, Ok(Verdict::Push(event)) if event.qualifiers == ["1.0"]));
    for (body, told) in [
        (data.clone(), "missing token"),
        (json!({"event": "repo_push", "data": data}), "missing token"),
        (json!({"token": 7, "data": data}), "missing token"),
        (json!({"token": "Rosebud", "data": data}), "unauthorized"),
        (json!("quay.io/a/b"), "missing token"),
        (json!(["rosebud", data]), "missing token"),
        (json!({"token": "Rosebud", "data": "quay.io/a/b"}), "unauthorized"),
    ] {
        assert_eq!(receive(&body), Err(Rejection::Unauthorized(told)), "{body}");
    }
}
