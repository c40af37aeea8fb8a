//! What each of Harbor's events comes to in each of its formats, and who may send it.

use http::HeaderMap;
use serde_json::json;

use super::*;

const HEADER: &str = "Bearer a text of the user's choice";

fn with(headers: &[(&'static str, &str)], body: &str) -> Result<Verdict, Rejection> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let settings = Settings::new(Secret::new(HEADER.as_bytes().to_vec()));
    Harbor.receive(
        &Request { headers: &map, query: None, body: body.as_bytes(), arrived: jiff::Timestamp::UNIX_EPOCH },
        &settings,
    )
}

fn receive(body: &str) -> Result<Verdict, Rejection> {
    with(&[("authorization", HEADER)], body)
}

fn push(verdict: Result<Verdict, Rejection>) -> PushEvent {
    match verdict {
        Ok(Verdict::Push(event)) => event,
        other => panic!("{other:?}"),
    }
}

fn resources(list: &[(&str, &str)]) -> serde_json::Value {
    let resources: Vec<_> = list.iter().map(|(url, tag)| json!({"resource_url": url, "tag": tag})).collect();
    json!({"resources": resources})
}

fn default(kind: &str, list: &[(&str, &str)]) -> String {
    json!({"type": kind, "event_data": resources(list)}).to_string()
}

#[test]
fn a_push_is_read_in_both_formats_and_in_binary_mode() {
    let list = [("harbor.example.com:8443/northwind/storefront:2.7.1", "2.7.1")];
    let structured =
        json!({"specversion": "1.0", "type": "harbor.artifact.pushed", "data": resources(&list)}).to_string();
    let binary = with(
        &[("authorization", HEADER), ("ce-specversion", "1.0"), ("ce-type", "harbor.artifact.pushed")],
        &resources(&list).to_string(),
    );
    for (verdict, name) in [
        (receive(&default("PUSH_ARTIFACT", &list)), "PUSH_ARTIFACT"),
        (receive(&structured), "harbor.artifact.pushed"),
        (binary, "harbor.artifact.pushed"),
    ] {
        let event = push(verdict);
        assert_eq!(event.event, name);
        assert_eq!(event.repositories, ["harbor.example.com:8443/northwind/storefront"]);
        assert_eq!(event.qualifiers, ["2.7.1"]);
    }
}

#[test]
fn the_repository_and_tag_of_every_resource_count() {
    let event = push(receive(&default(
        "PUSH_ARTIFACT",
        &[("harbor.example.com/n/two:2.0", "2.0"), ("harbor.example.com/n/one:1.0", "1.0")],
    )));
    assert_eq!(event.repositories, ["harbor.example.com/n/one", "harbor.example.com/n/two"]);
    assert_eq!(event.qualifiers, ["1.0", "2.0"]);
}

#[test]
fn a_digest_in_place_of_the_tag_is_no_tag() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let child = format!("harbor.example.com/n/app@{digest}");
    match receive(&default("PUSH_ARTIFACT", &[(&child, &digest)])) {
        Ok(Verdict::Ignored(event)) => assert_eq!(event.repositories, ["harbor.example.com/n/app"]),
        other => panic!("{other:?}"),
    }
    let event = push(receive(&default("PUSH_ARTIFACT", &[(&child, &digest), ("harbor.example.com/n/app:1.0", "1.0")])));
    assert_eq!(event.qualifiers, ["1.0"]);
}

#[test]
fn only_the_whole_header_authenticates() {
    let body = default("PUSH_ARTIFACT", &[]);
    assert!(with(&[("Authorization", HEADER)], &body).is_ok());
    assert_eq!(with(&[], &body), Err(Rejection::Unauthorized("missing authorization")));
    assert_eq!(with(&[("authorization", "")], "nope"), Err(Rejection::Unauthorized("missing authorization")));
    for wrong in ["a text of the user's choice", "bearer a text of the user's choice", "Bearer a text", "x"] {
        assert_eq!(with(&[("authorization", wrong)], "nope"), Err(Rejection::Unauthorized("unauthorized")), "{wrong}");
    }
    let second = [("authorization", "other"), ("authorization", HEADER)];
    assert_eq!(with(&second, &body), Err(Rejection::Unauthorized("unauthorized")));
}

#[test]
fn other_events_are_named_and_ignored() {
    let ignored = |verdict| match verdict {
        Ok(Verdict::Ignored(event)) => event.event,
        other => panic!("{other:?}"),
    };
    let list = [("harbor.example.com/n/app:1.0", "1.0")];
    for (event, _) in DEFAULT.iter().skip(1).filter(|(event, _)| *event != "pushImage") {
        assert_eq!(ignored(receive(&default(event, &list))), *event);
    }
    for (event, _) in CLOUD_EVENTS.iter().skip(1) {
        let body = json!({"type": event, "data": resources(&list)}).to_string();
        assert_eq!(ignored(receive(&body)), *event);
    }
    for (unknown, called) in
        [("push_artifact", "push_artifact"), ("PUSH_ARTIFACT ", "PUSH_ARTIFACT "), ("a\nb", "ab"), ("", "unknown")]
    {
        assert_eq!(ignored(receive(&default(unknown, &list))), called);
    }
    assert_eq!(ignored(receive(&default("PUSH_ARTIFACT", &[]))), "PUSH_ARTIFACT");
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    assert_eq!(ignored(receive(&default("PUSH_ARTIFACT", &[("h.example.com/n/app", &signature)]))), "PUSH_ARTIFACT");
}

#[test]
fn an_image_pushed_to_harbor_1_is_read_and_a_chart_in_chart_museum_is_called_by_its_name() {
    let list = [("harbor.example.com/n/app:1.0", "1.0")];
    match receive(&default("pushImage", &list)) {
        Ok(Verdict::Push(event)) => assert_eq!((&*event.event, event.qualifiers.len()), ("pushImage", 1)),
        other => panic!("{other:?}"),
    }
    for upload in ["UPLOAD_CHART", "uploadChart"] {
        match receive(&default(upload, &[("harbor.example.com/chartrepo/n/charts/app-0.4.0.tgz", "0.4.0")])) {
            Ok(Verdict::Ignored(event)) => assert!(event.event == upload && event.because.contains("ChartMuseum")),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_sample_is_read_as_the_kind_it_plays() {
    let secret = Secret::new(HEADER.as_bytes().to_vec());
    for event in sample::EVENTS {
        let sample = sample::sample(event, "harbor.example.com/northwind/storefront", &["1.4.2".to_owned()]).unwrap();
        let sample = Harbor.sign(sample, &secret);
        let headers: HeaderMap = sample.headers.into_iter().collect();
        let settings = Settings::new(secret.clone());
        let request =
            Request { headers: &headers, query: None, body: &sample.body, arrived: jiff::Timestamp::UNIX_EPOCH };
        let (name, refreshes) = match Harbor.receive(&request, &settings).unwrap() {
            Verdict::Push(push) => (push.event, true),
            Verdict::Ignored(ignored) => (ignored.event, false),
            other => panic!("{other:?}"),
        };
        assert_eq!(name, event);
        assert_eq!(refreshes, matches!(event, "PUSH_ARTIFACT" | "pushImage" | "harbor.artifact.pushed"), "{event}");
    }
    assert!(sample::sample("PUSH", "harbor.example.com/a/b", &[]).is_none());
}

#[test]
fn a_body_that_harbor_never_sends_is_invalid() {
    for body in [
        "",
        "[]",
        r#"{"type":["PUSH_ARTIFACT"]}"#,
        r#"{"type":"PULL_ARTIFACT","event_data":7}"#,
        r#"{"type":"PUSH_ARTIFACT","event_data":{"resources":{}}}"#,
        r#"{"type":"PUSH_ARTIFACT","event_data":{"resources":[{"tag":271}]}}"#,
        r#"{"type":"harbor.artifact.pushed","data":"text"}"#,
    ] {
        assert_eq!(receive(body), Err(Rejection::InvalidBody), "{body}");
    }
}
