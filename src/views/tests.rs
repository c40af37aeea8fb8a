//! The views over an example: what they say, and what they never say.

use std::sync::Arc;

use axum::body::Body;
use futures::stream::{self, BoxStream, StreamExt};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use tower::ServiceExt;

use super::look::{Look, News};
use super::model::{Deliveries, Gate, Health, Past, Receiver, Receivers, Replicas, Warehouse};
use super::{Filter, Hosts, is_at_home, router};
use crate::journal::record::{Names, Record, Refresh, State};

struct Example;

const HOSTILE: &str = "<script>alert(1)</script>";

fn record() -> Record {
    Record {
        id: "00000001".to_owned(),
        time: Timestamp::from_second(1_800_000_000).unwrap(),
        project: "northwind".to_owned(),
        receiver: "quay".to_owned(),
        kind: "quay".to_owned(),
        event: HOSTILE.to_owned(),
        repositories: Names::of(&["quay.io/northwind/storefront", HOSTILE]),
        qualifiers: Names::of(&["2.1.0"]),
        status: 200,
        outcome: "refreshed".to_owned(),
        matched: 1,
        refreshes: vec![Refresh {
            kind: "Warehouse".to_owned(),
            namespace: "northwind".to_owned(),
            name: "app".to_owned(),
            state: State::NotLooked,
            because: HOSTILE.to_owned(),
            written: Some(Timestamp::from_second(1_800_000_001).unwrap()),
            ..Refresh::default()
        }],
        ..Record::default()
    }
}

impl Look for Example {
    async fn deliveries(&self, filter: &Filter) -> Deliveries {
        let deliveries = vec![record()].into_iter().filter(|record| filter.passes(record)).collect();
        Deliveries { replica: "a".to_owned(), deliveries, ..Deliveries::default() }
    }

    async fn delivery(&self, id: &str) -> Option<Record> {
        Some(record()).filter(|record| record.id == id)
    }

    async fn receivers(&self) -> Receivers {
        let past = vec![Past { time: Timestamp::default(), outcome: "refreshed".to_owned() }];
        let receiver =
            Receiver { project: "northwind".to_owned(), name: "quay".to_owned(), past, ..Receiver::default() };
        Receivers { receivers: vec![receiver], ..Receivers::default() }
    }

    async fn warehouse(&self, namespace: &str, name: &str) -> Warehouse {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Warehouse { namespace, name, answer: format!("because {HOSTILE}"), ..Warehouse::default() }
    }

    async fn health(&self) -> Replicas {
        let gates = vec![Gate { name: "warehouses".to_owned(), open: true }];
        Replicas {
            replicas: vec![Health { replica: "a".to_owned(), ready: true, gates, ..Health::default() }],
            problems: Vec::new(),
        }
    }

    fn news(&self) -> BoxStream<'static, News> {
        stream::iter([News::Missed(3), News::Delivery(Arc::new(record()))]).boxed()
    }
}

async fn get(path: &str) -> (StatusCode, http::HeaderMap, String) {
    let request = Request::get(path).header(header::HOST, "localhost:9091").body(Body::empty()).unwrap();
    let response = router(Arc::new(Example), Hosts::Loopback).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_json_reads_back_as_what_it_was() {
    let (status, _, body) = get("/api/v1/deliveries?receiver=northwind/quay").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(serde_json::from_str::<Deliveries>(&body).unwrap().deliveries, [record()]);
    assert!(
        serde_json::from_str::<Deliveries>(&get("/api/v1/deliveries?outcome=ignored").await.2)
            .unwrap()
            .deliveries
            .is_empty()
    );
    assert_eq!(serde_json::from_str::<Record>(&get("/api/v1/deliveries/00000001").await.2).unwrap(), record());
    assert_eq!(get("/api/v1/deliveries/00000002").await.0, StatusCode::NOT_FOUND);
    let (status, _, body) = get("/api/v1/deliveries?since=yesterday").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("2026-01-31T12:00:00Z"), "{body}");
    let (.., body) = get("/api/v1/events").await;
    assert!(body.starts_with("event: missed\ndata: 3\n\nevent: delivery\ndata: {\"id\":\"00000001\""), "{body}");
    assert_eq!(get("/api/v2/deliveries").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_page_lets_a_text_become_markup() {
    for path in [
        "/",
        "/checks",
        "/deliveries/00000001",
        "/warehouses/northwind/app",
        "/?receiver=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    ] {
        let (status, headers, body) = get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!body.contains("<script>alert"), "{path}: {body}");
        assert!(!body.contains(" style=") && !body.contains(" onclick="), "{path}: the policy forbids it");
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(
            !body.contains("http://") && !body.contains("https://") || body.contains("xmlns"),
            "nothing from outside: {path}"
        );
    }
}

#[tokio::test]
async fn a_form_for_a_warehouse_leads_to_its_page() {
    let (status, headers, _) = get("/warehouses?name=northwind/a+b").await;
    assert_eq!(
        (status, headers[header::LOCATION].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/warehouses/northwind/a%20b")
    );
    assert_eq!(get("/warehouses?name=app").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_page_of_a_stranger_is_not_answered() {
    let request =
        Request::get("/api/v1/receivers").header(header::HOST, "evil.example.com").body(Body::empty()).unwrap();
    let response = router(Arc::new(Example), Hosts::Loopback).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
    let request = Request::get("/api/v1/receivers").header(header::HOST, "views.corp").body(Body::empty()).unwrap();
    let response = router(Arc::new(Example), Hosts::Any).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[test]
fn only_names_of_this_machine_are_answered() {
    for host in
        [None, Some("localhost"), Some("LOCALHOST:9091"), Some("127.0.0.1:1"), Some("[::1]:9091"), Some("[::1]")]
    {
        assert!(is_at_home(host), "{host:?}");
    }
    for host in ["evil.example.com", "localhost.evil.example.com:9091", "10.0.0.1", "127.0.0.1.nip.io", "", ":9091"] {
        assert!(!is_at_home(Some(host)), "{host}");
    }
}
