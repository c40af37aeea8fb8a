//! What Distribution's notifications come to; the bodies were recorded from the real registry.

use super::*;
use crate::receiver::read::registry_event::tests::{fixture, headers, ignored as nothing, receive, settings};

fn read_with(host: &str, body: impl AsRef<[u8]>) -> Result<Verdict, Rejection> {
    receive(&Distribution, &settings(host), &headers(&[]), body)
}

fn named(name: &str) -> Vec<u8> {
    fixture(&format!("distribution/{name}.json"))
}

/// Repositories and tags of each push.
fn pushes(verdict: Result<Verdict, Rejection>) -> Vec<(String, String)> {
    match verdict {
        Ok(Verdict::Pushes(events)) => {
            events.iter().map(|event| (event.repositories.join(" "), event.qualifiers.join(" "))).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn push(repository: &str, tag: &str) -> serde_json::Value {
    sample("push", &format!("registry.example.com/{repository}"), tag)
}

fn pair(repository: &str, tags: &str) -> (String, String) {
    (repository.to_owned(), tags.to_owned())
}

#[test]
fn a_tagged_manifest_is_a_push_whatever_its_format() {
    for (name, repository, tag) in [
        ("push.tag", "storefront", "2.7.1"),
        ("push.docker_manifest", "multi", "amd64"),
        ("push.index", "multi", "3.0.0"),
    ] {
        let repository = format!("registry.example.com:5000/northwind/{repository}");
        assert_eq!(pushes(read_with("", named(name))), [pair(&repository, tag)], "{name}");
    }
}

#[test]
fn blobs_platforms_of_an_index_signatures_pulls_and_deletions_ask_for_nothing() {
    for (name, event) in [
        ("push.blob", "push"),
        ("push.digest_of_a_platform", "push"),
        ("push.signature_tag", "push"),
        ("mount", "mount"),
        ("pull", "pull"),
        ("delete.manifest", "delete"),
        ("delete.tag", "delete"),
    ] {
        assert_eq!(nothing(read_with("", named(name))).event, event, "{name}");
    }
    assert!(nothing(read_with("", named("push.digest_of_a_platform"))).because.contains("by digest only"));
}

#[test]
fn a_configured_host_stands_in_for_the_one_that_was_pushed_to() {
    let found = pushes(read_with("registry.example.com", named("push.tag")));
    assert_eq!(found, [pair("registry.example.com/northwind/storefront", "2.7.1")]);
    let mut anonymous = push("a", "1");
    anonymous["request"] = json!({});
    let body = json!({"events": [anonymous]}).to_string();
    assert!(nothing(read_with("", &body)).because.contains("set registryHost"));
}

#[test]
fn the_tags_of_one_repository_do_not_count_for_another() {
    let body = json!({"events": [
        push("northwind/storefront", "1.0.0"),
        sample("pull", "registry.example.com/northwind/other", "9.9.9"),
        push("northwind/other", "2.0.0"),
        push("northwind/storefront", "latest"),
    ]});
    assert_eq!(
        pushes(read_with("", body.to_string())),
        [
            pair("registry.example.com/northwind/other", "2.0.0"),
            pair("registry.example.com/northwind/storefront", "1.0.0 latest"),
        ]
    );
}

#[test]
fn a_push_that_names_neither_tag_nor_digest_concerns_every_subscriber() {
    let mut unknown = push("a", "");
    unknown["target"]["digest"] = "".into();
    let body = json!({"events": [push("a", "1.0.0"), unknown]}).to_string();
    assert_eq!(pushes(read_with("", body)), [pair("registry.example.com/a", "")]);
}

#[test]
fn what_only_the_address_of_the_manifest_names_is_read_from_there() {
    let digest = format!("sha512:{}", "ab".repeat(64));
    let with_url = |reference: &str| {
        let target = json!({"url": format!("https://registry.example.com/v2/shop/wiki/manifests/{reference}")});
        json!({"events": [{"action": "push", "target": target}]}).to_string()
    };
    for tag in ["1.4.0", "1.4.0?ns=docker.io", "1.4.0#top"] {
        assert_eq!(pushes(read_with("", with_url(tag))), [pair("registry.example.com/shop/wiki", "1.4.0")], "{tag}");
    }
    for digest in [digest.clone(), digest.replace(':', "%3A")] {
        let event = nothing(read_with("", with_url(&digest)));
        assert!(event.because.contains("by digest only"), "{}", event.because);
    }
    let mut named = push("shop/wiki", "2.0.0");
    named["target"]["url"] = "https://internal:5000/v2/other/manifests/1.4.0".into();
    let found = pushes(read_with("", json!({"events": [named]}).to_string()));
    assert_eq!(found, [pair("registry.example.com/shop/wiki", "2.0.0")], "the members go first");
    for odd in ["", "registry.example.com/v2/a/manifests/1", "https://registry.example.com/v2/a/blobs/1", "://v2/"] {
        let body = json!({"events": [{"action": "push", "target": {"url": odd, "repository": "a"}}]}).to_string();
        assert!(nothing(read_with("", body)).because.contains("registryHost"), "{odd}");
    }
}

#[test]
fn an_envelope_is_never_refused_for_what_is_in_it() {
    let body = json!({"events": [7, null, {"action": "push"}, {"action": []}, push("a", "1.0.0")]}).to_string();
    assert_eq!(pushes(read_with("", body)), [pair("registry.example.com/a", "1.0.0")]);
    for body in ["{}", "null", r#"{"events":[]}"#, r#"{"events":7}"#] {
        assert_eq!(nothing(read_with("", body)).event, "unknown", "{body}");
    }
    assert_eq!(nothing(read_with("", r#"{"events":[{"action":"copy"}]}"#)).event, "copy");
    for body in ["", "[]", "{", "events"] {
        assert_eq!(read_with("", body), Err(Rejection::InvalidBody), "{body}");
    }
}

#[test]
fn an_envelope_full_of_events_is_put_in_order_once() {
    // As many as two mebibytes hold. Put in order event by event, this takes minutes.
    let events: Vec<String> =
        (0..35_600).map(|n| format!(r#"{{"action":"push","target":{{"repository":"a/b","tag":"{n}"}}}}"#)).collect();
    let body = format!(r#"{{"events":[{}]}}"#, events.join(","));
    assert!(body.len() <= 2_400_000, "{}", body.len());
    let pushed = pushes(read_with("registry.example.com", body));
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].1.split(' ').count(), 35_600);
}
