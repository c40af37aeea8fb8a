//! What each of MSR's events comes to; where the bodies come from stands beside the fixtures.

use serde_json::{Value, json};

use super::*;
use crate::receiver::read::registry_event::tests::ignored as nothing;
use crate::receiver::read::registry_event::tests::{fixture, fixtures, headers, pushed, receive, settings};

fn read_with(host: &str, body: impl AsRef<[u8]>) -> Result<Verdict, Rejection> {
    receive(&Msr, &settings(host), &headers(&[]), body)
}

fn named(name: &str) -> Vec<u8> {
    fixture(&format!("msr/{name}.json"))
}

#[test]
fn pushed_promoted_and_mirrored_tags_refresh() {
    for (name, repository) in [
        ("TAG_PUSH", "msr.example.com/northwind/storefront"),
        ("POLL_MIRRORING", "configured.example:4443/northwind/storefront"),
        ("PROMOTION", "configured.example:4443/northwind/storefront"),
        ("variants/TAG_PUSH.host_with_port", "msr.corp.example:4443/northwind/storefront"),
        ("variants/TAG_PUSH.imageName_without_host", "configured.example:4443/northwind/storefront"),
        ("variants/TAG_PUSH.no_location", "msr.example.com/northwind/storefront"),
    ] {
        let event = pushed(read_with("configured.example:4443", named(name)));
        assert_eq!(
            (event.repositories.as_slice(), event.qualifiers.as_slice()),
            (&[repository.to_owned()][..], &["2.7.1".to_owned()][..]),
            "{name}"
        );
    }
}

#[test]
fn everything_else_is_named_and_asks_for_nothing() {
    let refreshing = ["TAG_PUSH", "POLL_MIRRORING", "PROMOTION"];
    let mut names = fixtures("msr");
    names.retain(|name| !refreshing.contains(&name.as_str()));
    assert_eq!(names.len(), 12);
    for name in names {
        assert_eq!(nothing(read_with("", named(&name))).event, name);
    }
    let pull = nothing(read_with("", named("TAG_PULL")));
    assert_eq!(
        (pull.repositories, pull.qualifiers),
        (vec!["msr.example.com/northwind/storefront".to_owned()], vec!["2.7.1".to_owned()])
    );
}

#[test]
fn every_documented_event_has_a_fixture_but_those_of_charts() {
    let mut documented: Vec<&str> = NAMES.into_iter().filter(|name| !name.starts_with("CHART_")).collect();
    let mut present = fixtures("msr");
    documented.sort_unstable();
    present.sort_unstable();
    assert_eq!(present, documented);
}

#[test]
fn without_any_host_the_answer_says_what_to_configure() {
    for name in ["POLL_MIRRORING", "PROMOTION", "variants/TAG_PUSH.imageName_without_host"] {
        let event = nothing(read_with("", named(name)));
        assert!(event.because.contains("set registryHost"), "{name}: {}", event.because);
    }
}

#[test]
fn the_first_segment_of_an_image_name_is_a_host_only_when_it_can_be_nothing_else() {
    for (image_name, host) in [
        ("msr.example.com/a/b:1", Some("msr.example.com")),
        ("msr:4443/a/b:1", Some("msr:4443")),
        ("localhost/a/b:1", Some("localhost")),
        ("[::1]:5000/a/b", Some("[::1]:5000")),
        ("northwind/storefront:1.0", None),
        ("storefront:1.0", None),
        ("", None),
    ] {
        assert_eq!(host_in(image_name), host, "{image_name:?}");
    }
}

#[test]
fn a_promotion_that_never_took_place_and_the_test_body_are_acknowledged() {
    let event = nothing(read_with("msr.example.com", named("variants/PROMOTION.zero_time")));
    assert_eq!(
        (&*event.event, event.repositories.as_slice()),
        ("PROMOTION", &["msr.example.com/foo/baz".to_owned()][..])
    );
    let test = json!({"type": "TAG_PUSH", "createdAt": "2026-05-04T07:15:32.118204517Z", "contents": {
        "namespace": "foo", "repository": "bar", "tag": "latest", "imageName": "foo/bar:latest",
        "digest": "sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
        "author": "foo", "pushedAt": "2015-01-02T15:04:05Z",
    }});
    assert_eq!(pushed(read_with("msr.example.com", test.to_string())).repositories, ["msr.example.com/foo/bar"]);
}

#[test]
fn a_chart_is_found_by_its_address_over_http_and_as_an_artifact() {
    let chart = |contents: Value| {
        let body = json!({"type": "CHART_PUSH", "contents": contents});
        pushed(read_with("msr.example.com", body.to_string()))
    };
    let event =
        chart(json!({"namespace": "northwind", "repository": "charts", "chart": "storefront", "version": "1.4.0"}));
    assert_eq!(
        event.repositories,
        ["https://msr.example.com/charts/northwind/charts", "msr.example.com/northwind/charts"]
    );
    assert_eq!(event.qualifiers, ["1.4.0"]);
    let without = chart(json!({"namespace": "northwind", "repository": "charts", "digest": "sha256:abc"}));
    assert_eq!(without.qualifiers, [""; 0]);
    let nowhere = json!({"type": "CHART_PUSH", "contents": {"namespace": "northwind", "repository": "charts"}});
    assert!(nothing(read_with("", nowhere.to_string())).because.contains("set registryHost"));
}

#[test]
fn a_tag_or_digest_that_only_the_image_name_holds_is_read_from_there() {
    let push = |image_name: &str| {
        let contents = json!({"namespace": "northwind", "repository": "storefront", "imageName": image_name});
        read_with("", json!({"type": "TAG_PUSH", "contents": contents}).to_string())
    };
    let digest = format!("sha512:{}", "ab".repeat(64));
    assert_eq!(pushed(push("msr.example.com:8443/northwind/storefront:2.7.1")).qualifiers, ["2.7.1"]);
    assert_eq!(pushed(push(&format!("msr.example.com/northwind/storefront:2.7.1@{digest}"))).qualifiers, ["2.7.1"]);
    assert!(pushed(push("msr.example.com:8443/northwind/storefront")).qualifiers.is_empty());
    let by_digest = nothing(push(&format!("msr.example.com/northwind/storefront@{digest}")));
    assert!(by_digest.because.contains("by digest only"));
}

#[test]
fn signature_tags_ask_for_nothing() {
    let tag = format!("sha256-{}.sig", "a".repeat(64));
    let contents = json!({"namespace": "northwind", "repository": "storefront", "tag": tag});
    let body = json!({"type": "TAG_PUSH", "contents": contents});
    assert_eq!(nothing(read_with("msr.example.com", body.to_string())).qualifiers, [tag]);
}

#[test]
fn members_of_another_type_and_unknown_events_are_no_reason_to_refuse() {
    let odd = json!({"type": "TAG_PUSH", "contents": {"namespace": 7, "repository": ["x"], "tag": null}});
    assert!(nothing(read_with("msr.example.com", odd.to_string())).because.contains("names no repository"));
    for (body, called) in [
        ("{}", "unknown"),
        ("null", "unknown"),
        (r#"{"type":"TAG_RETAGGED"}"#, "TAG_RETAGGED"),
        (r#"{"type":7}"#, "unknown"),
    ] {
        assert_eq!(nothing(read_with("", body)).event, called, "{body}");
    }
    for body in ["", "[]", "7", "{", "type=TAG_PUSH"] {
        assert_eq!(read_with("", body), Err(Rejection::InvalidBody), "{body}");
    }
}
