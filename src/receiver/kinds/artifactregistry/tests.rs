//! Artifact Registry: Pub/Sub's two forms, the token, and what messages come to.

use super::*;
use crate::receiver::proof::oidc::tests::{claims, oidc, token};
use crate::receiver::read::registry_event::tests::{headers, ignored as nothing, pushed, receive, settings};

const IMAGE: &str = "europe-docker.pkg.dev/northwind/apps/storefront";

fn read_plain(body: impl AsRef<[u8]>) -> Result<Verdict, Rejection> {
    receive(&ArtifactRegistry, &settings(""), &headers(&[]), body)
}

fn wrapped(message: &serde_json::Value) -> String {
    let data = BASE64_STANDARD.encode(message.to_string());
    json!({"message": {"data": data, "messageId": "1", "attributes": {}}, "subscription": "s", "deliveryAttempt": 2})
        .to_string()
}

fn digest() -> String {
    format!("{IMAGE}@sha256:{}", "a".repeat(64))
}

#[test]
fn a_new_tag_is_a_push_in_the_envelope_and_without() {
    let message = json!({"action": "INSERT", "digest": digest(), "tag": format!("{IMAGE}:2.7.1")});
    for body in [wrapped(&message), message.to_string()] {
        let event = pushed(read_plain(body));
        assert_eq!((event.repositories, event.qualifiers), (vec![IMAGE.to_owned()], vec!["2.7.1".to_owned()]));
    }
}

#[test]
fn deletions_digests_signatures_and_other_messages_ask_for_nothing() {
    let signature = format!("{IMAGE}:sha256-{}.sig", "a".repeat(64));
    for (message, event) in [
        (json!({"action": "DELETE", "tag": format!("{IMAGE}:2.7.1")}), "DELETE"),
        (json!({"action": "INSERT", "digest": digest()}), "INSERT"),
        (json!({"action": "INSERT", "digest": digest(), "tag": signature}), "INSERT"),
        (json!({"action": "INSERT"}), "INSERT"),
        (json!({"action": "RENAME"}), "RENAME"),
        (json!({}), "unknown"),
    ] {
        for body in [wrapped(&message), message.to_string()] {
            assert_eq!(nothing(read_plain(&body)).event, event, "{body}");
        }
    }
    assert_eq!(nothing(read_plain(r#"{"message":{"attributes":{"a":"b"}}}"#)).event, "unknown");
}

#[test]
fn a_reference_may_have_a_port_and_no_tag() {
    for (full, host, repository, reference) in [
        ("gcr.io/northwind/app:1.0", "gcr.io", "northwind/app", "1.0"),
        ("registry.example:5000/a/b:1", "registry.example:5000", "a/b", "1"),
        ("gcr.io/northwind/app", "gcr.io", "northwind/app", ""),
        ("gcr.io/a/b:1@sha256:abc", "gcr.io", "a/b:1", "sha256:abc"),
        ("storefront:1.0", "", "", ""),
        ("", "", "", ""),
    ] {
        let Artifact { host: h, repository: r, reference: t, .. } = artifact(full);
        assert_eq!((h.as_str(), r.as_str(), t.as_str()), (host, repository, reference), "{full}");
    }
}

#[test]
fn a_body_that_is_no_message_is_invalid() {
    for body in [
        "",
        "[]",
        "{",
        r#"{"message":{"data":"%%%"}}"#,
        r#"{"message":{"data":"e30"}}"#,
        r#"{"message":{"data":"Ww=="}}"#,
    ] {
        assert_eq!(read_plain(body), Err(Rejection::InvalidBody), "{body}");
    }
}

#[test]
fn a_configured_token_is_demanded() {
    let settings = Settings { oidc: Some(oidc()), ..settings("") };
    let message = wrapped(&json!({"action": "INSERT", "tag": format!("{IMAGE}:2.7.1")}));
    let post = |pairs: &[(&'static str, &str)]| receive(&ArtifactRegistry, &settings, &headers(pairs), &message);
    pushed(post(&[("authorization", &format!("Bearer {}", token(&claims())))]));
    assert_eq!(post(&[]), Err(Rejection::Unauthorized("missing token")));
    assert_eq!(post(&[("authorization", "Bearer x.y.z")]), Err(Rejection::Unauthorized("unauthorized")));
}
