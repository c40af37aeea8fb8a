//! Nexus: the signature, and what components and assets come to.

use super::*;
use crate::receiver::read::registry_event::tests::{headers, ignored as nothing, pushed, receive, settings};

const HOST: &str = "nexus.example.com:8083";

fn signed(host: &str, event: &str, body: &str) -> Result<Verdict, Rejection> {
    let settings = settings(host);
    let signature = Algorithm::Sha1.sign(&settings.secret, body.as_bytes());
    let headers = headers(&[(SIGNATURE, &signature), ("x-nexus-webhook-id", event)]);
    receive(&Nexus, &settings, &headers, body)
}

fn about(key: &str, subject: &serde_json::Value) -> serde_json::Value {
    json!({"repositoryName": "docker-hosted", "action": "CREATED", key: subject})
}

fn component(version: &str) -> serde_json::Value {
    about("component", &json!({"format": "docker", "name": "northwind/storefront", "version": version}))
}

fn asset(name: &str) -> serde_json::Value {
    about("asset", &json!({"format": "docker", "name": name}))
}

#[test]
fn images_are_found_at_a_host_of_their_own_and_below_their_repository() {
    let asset = asset("v2/northwind/storefront/manifests/2.7.1").to_string();
    let slash = asset.replace("v2/", "/v2/");
    for (event, body) in [
        ("rm:repository:component", component("2.7.1").to_string()),
        ("rm:repository:asset", asset),
        ("rm:repository:asset", slash),
    ] {
        let event = pushed(signed(HOST, event, &body));
        assert_eq!(
            event.repositories,
            [
                "nexus.example.com:8083/docker-hosted/northwind/storefront",
                "nexus.example.com:8083/northwind/storefront",
            ]
        );
        assert_eq!(event.qualifiers, ["2.7.1"]);
    }
}

#[test]
fn only_new_and_changed_tags_of_images_refresh() {
    let digest = format!("v2/northwind/storefront/manifests/sha256:{}", "a".repeat(64));
    let blob = format!("v2/-/blobs/sha256:{}", "a".repeat(64));
    for name in [&digest, &blob] {
        nothing(signed(HOST, "rm:repository:asset", &asset(name).to_string()));
    }
    nothing(signed(HOST, "rm:repository:component", &component(&format!("sha256-{}.sig", "a".repeat(64))).to_string()));
    let mut body = component("2.7.1");
    for (action, refreshes) in [("UPDATED", true), ("DELETED", false), ("PURGED", false), ("", false)] {
        body["action"] = action.into();
        let verdict = signed(HOST, "rm:repository:component", &body.to_string());
        assert_eq!(matches!(verdict, Ok(Verdict::Push(_))), refreshes, "{action}: {verdict:?}");
    }
    let maven = about("component", &json!({"format": "maven2", "group": "northwind", "name": "app", "version": "1"}));
    assert!(nothing(signed(HOST, "rm:repository:component", &maven.to_string())).because.contains("docker"));
    for event in ["rm:audit", "rm:repository", "rm:something"] {
        assert_eq!(nothing(signed(HOST, event, "{}")).event, event);
    }
    let nameless = about("component", &json!({"format": "docker", "version": "1"})).to_string();
    assert!(nothing(signed(HOST, "rm:repository:component", &nameless)).because.contains("names no repository"));
    assert!(
        nothing(signed("", "rm:repository:component", &component("2.7.1").to_string()))
            .because
            .contains("registryHost")
    );
}

#[test]
fn the_signature_covers_the_body_as_sent_or_without_white_space() {
    let settings = settings(HOST);
    let compact = component("2.7.1 \"x\" \\").to_string();
    let indented = serde_json::to_string_pretty(&component("2.7.1 \"x\" \\")).unwrap();
    let post = |signature: &str, body: &str| {
        receive(&Nexus, &settings, &headers(&[(SIGNATURE, signature), ("x-nexus-webhook-id", "rm:audit")]), body)
    };
    let over = |body: &str| Algorithm::Sha1.sign(&settings.secret, body.as_bytes());
    assert_ne!(compact, indented);
    for (signature, body) in [
        (over(&compact), &compact),
        (over(&compact).to_uppercase(), &compact),
        (over(&indented), &indented),
        (over(&compact), &indented),
    ] {
        assert!(post(&signature, body).is_ok(), "{body}");
    }
    let unauthorized = Err(Rejection::Unauthorized("unauthorized"));
    assert_eq!(post("", &compact), Err(Rejection::Unauthorized("missing signature")));
    for wrong in ["zz", "00", &over(&format!("{compact} "))[..38], &over(&indented.replace("2.7.1", "2.7.2"))] {
        assert_eq!(post(wrong, &compact), unauthorized, "{wrong}");
    }
    assert_eq!(post(&over("{"), "{"), Err(Rejection::InvalidBody));
}

#[test]
fn the_signature_is_checked_before_anything_else() {
    let unsigned = receive(&Nexus, &settings(HOST), &headers(&[]), "{");
    assert_eq!(unsigned, Err(Rejection::Unauthorized("missing signature")));
    let signature = Algorithm::Sha1.sign(&settings(HOST).secret, b"{}");
    let unnamed = receive(&Nexus, &settings(HOST), &headers(&[(SIGNATURE, &signature)]), "{}");
    assert_eq!(unnamed, Err(Rejection::Invalid("missing X-Nexus-Webhook-Id header")));
}
