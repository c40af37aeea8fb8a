//! What Docker Hub's only event comes to.

use http::HeaderMap;

use super::*;
use crate::domain::secret::Secret;

fn receive(body: &str) -> Result<Verdict, Rejection> {
    let headers = HeaderMap::new();
    let settings = Settings::new(Secret::new(b"s3cr3t".to_vec()));
    DockerHub.receive(
        &Request { headers: &headers, query: None, body: body.as_bytes(), arrived: jiff::Timestamp::UNIX_EPOCH },
        &settings,
    )
}

fn push(body: &str) -> PushEvent {
    match receive(body) {
        Ok(Verdict::Push(event)) => event,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn a_push_names_a_repository_without_host() {
    let event = push(
        r#"{"push_data":{"pushed_at":1.417566161e+09,"tag":"2.7.1"},"repository":{"repo_name":"Northwind/storefront"}}"#,
    );
    assert_eq!(
        (&*event.event, event.repositories, event.qualifiers),
        ("push", vec!["northwind/storefront".to_owned()], vec!["2.7.1".to_owned()])
    );
}

#[test]
fn an_official_image_is_known_without_its_namespace() {
    for name in ["library/busybox", "busybox", "docker.io/library/busybox"] {
        let body = json!({"push_data": {"tag": "1"}, "repository": {"repo_name": name}}).to_string();
        assert_eq!(push(&body).repositories, ["busybox"], "{name}");
    }
}

#[test]
fn the_sample_is_read_as_what_it_plays() {
    let tags = ["1.4.2".to_owned()];
    for repository in ["northwind/storefront", "docker.io/northwind/storefront"] {
        let sample =
            DockerHub.sample("push", &SamplePush { repository, qualifiers: &tags, changed_files: &[] }).unwrap();
        let event = push(std::str::from_utf8(&sample.body).unwrap());
        assert_eq!((event.repositories, event.qualifiers), (vec!["northwind/storefront".to_owned()], tags.to_vec()));
    }
    assert!(DockerHub.sample("pull", &SamplePush { repository: "a/b", qualifiers: &[], changed_files: &[] }).is_none());
}

#[test]
fn signature_tags_are_ignored_and_odd_bodies_invalid() {
    let body = json!({
        "push_data": {"tag": format!("sha256-{}", "a".repeat(64))}, "repository": {"repo_name": "northwind/storefront"},
    });
    assert!(matches!(receive(&body.to_string()), Ok(Verdict::Ignored(_))));
    match receive(r#"{"push_data":{"tag":"1.0"}}"#) {
        Ok(Verdict::Ignored(event)) => assert!(event.because.contains("names no repository")),
        other => panic!("{other:?}"),
    }
    for body in ["", "[]", r#"{"push_data":{"tag":2}}"#, r#"{"repository":"northwind/storefront"}"#] {
        assert_eq!(receive(body), Err(Rejection::InvalidBody), "{body}");
    }
}
