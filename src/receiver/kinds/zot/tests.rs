//! What Zot's events come to.

use super::*;
use crate::receiver::read::registry_event::tests::{headers, ignored as nothing, pushed, receive, settings};

fn read_with(host: &str, event: &str, body: &serde_json::Value) -> Result<Verdict, Rejection> {
    receive(&Zot, &settings(host), &headers(&[("ce-type", event)]), body.to_string())
}

fn updated(reference: &str) -> serde_json::Value {
    json!({
        "name": "northwind/storefront", "reference": reference, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": format!("sha256:{}", "a".repeat(64)), "manifest": "{}",
    })
}

#[test]
fn a_new_tag_is_a_push_to_the_configured_host() {
    let event = pushed(read_with("zot.example.com:5000", "zotregistry.image.updated", &updated("2.7.1")));
    assert_eq!(event.repositories, ["zot.example.com:5000/northwind/storefront"]);
    assert_eq!(event.qualifiers, ["2.7.1"]);
    let without = nothing(read_with("", "zotregistry.image.updated", &updated("2.7.1")));
    assert!(without.because.contains("set registryHost"));
}

#[test]
fn digests_signatures_and_other_events_ask_for_nothing() {
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    for reference in [format!("sha256:{}", "a".repeat(64)), signature] {
        nothing(read_with("zot.example.com", "zotregistry.image.updated", &updated(&reference)));
    }
    for name in &NAMES[1..] {
        assert_eq!(nothing(read_with("zot.example.com", name, &updated("2.7.1"))).event, *name);
    }
    assert_eq!(
        nothing(read_with("zot.example.com", "zotregistry.image.blessed", &json!({}))).event,
        "zotregistry.image.blessed"
    );
}

#[test]
fn a_request_without_its_type_or_with_another_body_is_invalid() {
    let body = updated("2.7.1").to_string();
    let missing = receive(&Zot, &settings("zot.example.com"), &headers(&[]), body);
    assert_eq!(missing, Err(Rejection::Invalid("missing Ce-Type header")));
    let read = |body: &str| {
        receive(&Zot, &settings("zot.example.com"), &headers(&[("ce-type", "zotregistry.image.updated")]), body)
    };
    for body in ["", "[]", "{"] {
        assert_eq!(read(body), Err(Rejection::InvalidBody), "{body}");
    }
    assert!(nothing(read(r#"{"name":7}"#)).because.contains("names no repository"));
}
