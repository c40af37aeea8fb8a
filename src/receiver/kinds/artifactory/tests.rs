//! What each of Artifactory's events comes to, and who may send it.

use http::HeaderMap;
use serde_json::json;

use super::*;

fn settings() -> Settings {
    Settings::new(Secret::new(b"a secret that signs".to_vec()))
}

fn with_header(body: &str, signature: Option<&str>) -> Result<Verdict, Rejection> {
    with(body, signature, &settings())
}

fn with(body: &str, signature: Option<&str>, settings: &Settings) -> Result<Verdict, Rejection> {
    let mut headers = HeaderMap::new();
    if let Some(signature) = signature {
        headers.insert("X-JFrog-Event-Auth", signature.parse().unwrap());
    }
    Artifactory.receive(
        &Request { headers: &headers, query: None, body: body.as_bytes(), arrived: jiff::Timestamp::UNIX_EPOCH },
        settings,
    )
}

/// With the right signature.
fn signed(body: &str, settings: &Settings) -> Result<Verdict, Rejection> {
    with(body, Some(&Algorithm::Sha256.sign(&settings.secret, body.as_bytes())), settings)
}

fn push(body: &serde_json::Value, settings: &Settings) -> PushEvent {
    match signed(&body.to_string(), settings) {
        Ok(Verdict::Push(event)) => event,
        other => panic!("{body}: {other:?}"),
    }
}

fn body() -> serde_json::Value {
    sample::sample("pushed", "artifactory.example.com:8443/docker-local/team/storefront", &["2.7.1".to_owned()])
        .unwrap()
}

#[test]
fn a_push_names_host_repository_and_image() {
    let event = push(&body(), &settings());
    assert_eq!(event.event, "pushed");
    assert_eq!(event.repositories, ["artifactory.example.com:8443/docker-local/team/storefront"]);
    assert_eq!(event.qualifiers, ["2.7.1"]);
    let mut chart = body();
    chart["data"]["image_type"] = "oci".into();
    assert_eq!(push(&chart, &settings()).repositories, event.repositories);
}

#[test]
fn a_virtual_repository_stands_in_for_the_one_that_was_pushed_to() {
    let with_virtual = Settings { virtual_repo_name: Some("docker".to_owned()), ..settings() };
    assert_eq!(push(&body(), &with_virtual).repositories, ["artifactory.example.com:8443/docker/team/storefront"]);
    let empty = Settings { virtual_repo_name: Some(String::new()), ..settings() };
    assert_eq!(push(&body(), &empty).repositories, push(&body(), &settings()).repositories);
}

#[test]
fn a_configured_host_goes_before_the_platforms() {
    let configured = Settings { registry_host: Some("docker.example.com".to_owned()), ..settings() };
    let mut body = body();
    for origin in ["https://artifactory.example.com", "", "%"] {
        body["jpd_origin"] = origin.into();
        assert_eq!(push(&body, &configured).repositories, ["docker.example.com/docker-local/team/storefront"]);
    }
    assert_eq!(
        signed(&body.to_string(), &settings()),
        Err(Rejection::Invalid("invalid value in payload's jpd_origin field"))
    );
}

#[test]
fn only_the_hmac_of_the_body_authenticates() {
    let body = body().to_string();
    let signature = Algorithm::Sha256.sign(&settings().secret, body.as_bytes());
    assert!(with_header(&body, Some(&signature)).is_ok());
    assert_eq!(with_header(&body, None), Err(Rejection::Unauthorized("missing signature")));
    assert_eq!(with_header(&body, Some("")), Err(Rejection::Unauthorized("missing signature")));
    let in_clear = "a secret that signs";
    let of_another_body = Algorithm::Sha256.sign(&settings().secret, b"{}");
    let prefixed = format!("sha256={signature}");
    for wrong in [&signature.to_uppercase(), &signature[..62], in_clear, &of_another_body, &prefixed, "00"] {
        assert_eq!(with_header(&body, Some(wrong)), Err(Rejection::Unauthorized("unauthorized")), "{wrong}");
    }
    assert_eq!(with_header("not json", Some("00")), Err(Rejection::Unauthorized("unauthorized")));
}

#[test]
fn other_events_are_named_and_ignored() {
    let ignored = |body: &serde_json::Value| match signed(&body.to_string(), &settings()) {
        Ok(Verdict::Ignored(event)) => event.event,
        other => panic!("{body}: {other:?}"),
    };
    let deleted = sample::sample("deleted", "artifactory.example.com/r/app", &["1.0".to_owned()]).unwrap();
    assert_eq!(ignored(&deleted), "deleted");
    assert_eq!(ignored(&json!({"domain": "artifact", "event_type": "deployed"})), "deployed");
    assert_eq!(ignored(&json!({"domain": "build", "event_type": "promoted"})), "promoted");
    assert_eq!(ignored(&json!({"domain": "docker", "event_type": "moved"})), "moved");
    assert_eq!(ignored(&json!({"domain": "docker"})), "unknown");
    for data in [json!({"image_type": "helm"}), json!({}), json!({"path": "manifest.json"})] {
        assert_eq!(ignored(&json!({"domain": "docker", "event_type": "pushed", "data": data})), "pushed");
    }
    let signature = format!("sha256-{}.sig", "a".repeat(64));
    let body = sample::sample("pushed", "artifactory.example.com/r/app", &[signature]).unwrap();
    assert_eq!(ignored(&body), "pushed");
}

#[test]
fn a_promotion_is_a_push_to_the_repository_it_names() {
    let promoted =
        sample::sample("promoted", "artifactory.example.com/docker-prod/shop/web", &["1.4.0".to_owned()]).unwrap();
    let event = push(&promoted, &settings());
    assert_eq!((&*event.event, event.qualifiers), ("promoted", vec!["1.4.0".to_owned()]));
    assert_eq!(event.repositories, ["artifactory.example.com/docker-prod/shop/web"]);
}

#[test]
fn without_an_image_type_it_may_be_an_image_or_a_chart() {
    let mut body = body();
    let known = push(&body, &settings());
    for missing in [None, Some(serde_json::Value::Null), Some("".into())] {
        match missing {
            None => drop(body["data"].as_object_mut().unwrap().remove("image_type")),
            Some(value) => body["data"]["image_type"] = value,
        }
        let event = push(&body, &settings());
        assert!(known.repositories.iter().all(|repository| event.repositories.contains(repository)), "{event:?}");
        assert_eq!(event.qualifiers, known.qualifiers);
    }
}

#[test]
fn a_platform_that_does_not_know_its_host_is_told_what_to_set() {
    let mut body = body();
    body["jpd_origin"] = "".into();
    match signed(&body.to_string(), &settings()) {
        Ok(Verdict::Ignored(event)) => assert!(event.because.contains("custom base URL"), "{}", event.because),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_body_that_artifactory_never_sends_is_invalid() {
    for body in ["", "[]", "{", r#"{"domain":1}"#, r#"{"data":[]}"#, r#"{"domain":"artifact","data":{"tag":1}}"#] {
        assert_eq!(signed(body, &settings()), Err(Rejection::InvalidBody), "{body}");
    }
    let mut body = body();
    for path in ["", "manifest.json"] {
        body["data"]["path"] = path.into();
        assert_eq!(
            signed(&body.to_string(), &settings()),
            Err(Rejection::Invalid("invalid value in payload's data.path field"))
        );
    }
}
