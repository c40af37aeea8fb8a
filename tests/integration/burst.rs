//! Many pushes at once cost few writes, and none of them is lost.

use std::sync::Barrier;
use std::thread;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use kube::api::{WatchEvent, WatchParams};
use serde_json::json;

use crate::harness::{
    Answer, Connection, ControlPlane, Hook, Operator, Project, Proxy, SOON, Setup, head, image, push_body, wait_until,
};

const PUSHES: usize = 100;

/// One push: when its last byte was sent, and its answer, and when that was there.
struct Delivery {
    sent: Timestamp,
    answer: Answer,
    answered: Timestamp,
}

/// Opens all connections, sends everything but the last byte, and then all last bytes at once.
fn push_at_once(hook: &Hook, repository: &str) -> Vec<Delivery> {
    let body = push_body(repository, &["1.0.0"]).into_bytes();
    let (most, last) = body.split_at(body.len() - 1);
    let head = head(&format!("POST {}", hook.path), &[&format!("Content-Length: {}", body.len())]);
    let ready = Barrier::new(PUSHES);
    let push = || {
        let mut connection = Connection::open(hook.address).unwrap();
        connection.send(&head).unwrap();
        connection.send(most).unwrap();
        ready.wait();
        let sent = Timestamp::now();
        connection.send(last).unwrap();
        let answer = connection.answer().unwrap();
        Delivery { sent, answer, answered: Timestamp::now() }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..PUSHES).map(|_| scope.spawn(push)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Every token that the Warehouse had since `version`, up to the one it has now.
async fn tokens_since(project: &Project, name: &str, version: &str) -> Vec<String> {
    let now = project.tokens().await.remove(name).unwrap();
    let parameters = WatchParams::default().fields(&format!("metadata.name={name}"));
    let api = project.api("Warehouse");
    let events = api.watch(&parameters, version).await.unwrap().try_filter_map(|event| async move {
        let WatchEvent::Modified(warehouse) = event else { return Ok(None) };
        Ok(warehouse.metadata.annotations.and_then(|mut annotations| annotations.remove("kargo.akuity.io/refresh")))
    });
    let mut events = std::pin::pin!(events);
    let mut tokens = Vec::new();
    while tokens.last() != Some(&now) {
        tokens.push(events.next().await.unwrap().unwrap());
    }
    tokens
}

async fn version(project: &Project, name: &str) -> String {
    project.api("Warehouse").get(name).await.unwrap().metadata.resource_version.unwrap()
}

/// Every push was answered by a PATCH that began after it had arrived, and no two PATCHes wrote the same.
fn nothing_is_lost(deliveries: &[Delivery], tokens: &[String]) {
    assert!(tokens.is_sorted_by(|a, b| a < b), "tokens increase strictly: {tokens:?}");
    let times: Vec<Timestamp> = tokens.iter().map(|token| token.parse().unwrap()).collect();
    for Delivery { sent, answer, answered } in deliveries {
        assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
        let covered = times.iter().any(|time| sent <= time && time <= answered);
        assert!(covered, "no PATCH began between {sent} and {answered}: {tokens:?}");
    }
    let last = deliveries.iter().map(|delivery| delivery.sent).max().unwrap();
    assert!(*times.last().unwrap() >= last, "the last PATCH began before the last push arrived");
}

#[tokio::test]
async fn a_hundred_concurrent_pushes_for_one_warehouse_cause_a_few_patches() {
    let plane = ControlPlane::shared();
    let operator = Operator::start(Setup::on(plane).with(["--ack-deadline", "30s"]));
    operator.ready().await;
    let project = Project::new("burst").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/burst/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    let version = version(&project, "storefront").await;
    let deliveries = push_at_once(&hook, "quay.io/burst/app");
    let tokens = tokens_since(&project, "storefront", &version).await;
    nothing_is_lost(&deliveries, &tokens);
    assert!(tokens.len() <= 10, "{} PATCHes", tokens.len());
    assert_eq!(operator.metric("quayside_refresh_patches_total"), tokens.len() as f64);
    assert_eq!(operator.metric("quayside_refresh_requests_total"), PUSHES as f64);
}

#[tokio::test]
async fn pushes_that_arrive_during_a_patch_share_one_more() {
    let plane = ControlPlane::shared();
    let proxy = Proxy::to_server_of(plane.operator_kubeconfig());
    let setup = Setup::on(plane).kubeconfig(proxy.kubeconfig()).with(["--ack-deadline", "30s"]);
    let operator = Operator::start(setup);
    operator.ready().await;
    let project = Project::new("held").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/held/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    let version = version(&project, "storefront").await;
    let requests = || operator.metric("quayside_refresh_requests_total") as usize;

    proxy.hold();
    let (first, mut deliveries) = thread::scope(|scope| {
        let first = scope.spawn(|| {
            let sent = Timestamp::now();
            let answer = hook.push("quay.io/held/app", &["1.0.0"]);
            Delivery { sent, answer, answered: Timestamp::now() }
        });
        // Its PATCH is on its way, or about to be.
        while requests() < 1 {
            thread::yield_now();
        }
        let others = scope.spawn(|| push_at_once(&hook, "quay.io/held/app"));
        while requests() < 1 + PUSHES {
            thread::yield_now();
        }
        proxy.open();
        (first.join().unwrap(), others.join().unwrap())
    });
    deliveries.push(first);
    let tokens = tokens_since(&project, "storefront", &version).await;
    nothing_is_lost(&deliveries, &tokens);
    assert!(tokens.len() <= 2, "{tokens:?}");
    assert_eq!(operator.metric("quayside_refresh_patches_total"), tokens.len() as f64);
}

#[tokio::test]
async fn a_push_for_many_warehouses_refreshes_them_all_at_once() {
    let operator = Operator::shared().await;
    let project = Project::new("many").await;
    let hook = project.quay(operator).await;
    let names: Vec<String> = (0..50).map(|number| format!("warehouse-{number:02}")).collect();
    for name in &names {
        project.warehouse(name, json!([image("quay.io/many/app", "^1.0.0")])).await;
    }
    project.settle(&hook).await;
    let answer = hook.push("quay.io/many/app", &["1.0.0"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 50 warehouse(s)"));
    assert_eq!(project.refreshed().await, names);
}

#[tokio::test]
async fn a_warehouse_that_was_deleted_a_moment_ago_is_no_failure() {
    let plane = ControlPlane::shared();
    let proxy = Proxy::to_server_of(plane.operator_kubeconfig());
    let operator = Operator::start(Setup::on(plane).kubeconfig(proxy.kubeconfig()).with(["--ack-deadline", "30s"]));
    operator.ready().await;
    let project = Project::new("moment").await;
    let hook = project.quay(&operator).await;
    for name in ["stays", "goes"] {
        project.warehouse(name, json!([image("quay.io/moment/app", "^1.0.0")])).await;
    }
    project.settle(&hook).await;
    proxy.hold();
    let pushed = thread::spawn({
        let hook = hook.clone();
        move || hook.push("quay.io/moment/app", &["1.0.0"])
    });
    wait_until("the push has arrived", SOON, async || {
        (operator.metric("quayside_refresh_requests_total") >= 2.0).then_some(())
    })
    .await;
    project.delete("Warehouse", "goes").await;
    proxy.open();
    let answer = pushed.join().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(project.refreshed().await, ["stays"]);
    assert_eq!(operator.metric(r#"quayside_refresh_patches_total{outcome="gone""#), 1.0);
}
