//! Why a Warehouse was refreshed, as an annotation beside the refresh says it.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use kube::ResourceExt;
use kube::api::WatchParams;
use kube::core::WatchEvent;
use serde_json::{Value, json};

use crate::harness::{CAUSE, Hook, Operator, Project, Setup, image};

const REFRESH: &str = "kargo.akuity.io/refresh";

/// Pushes once. Returns the id of the delivery, and the annotations after the first change that it made.
async fn first_change(project: &Project, hook: &Hook, repository: &str) -> (String, BTreeMap<String, String>) {
    let warehouses = project.api("Warehouse");
    let before = warehouses.get("storefront").await.unwrap();
    let answer = hook.push(repository, &["1.0.0"]);
    assert_eq!(answer.says(), "refreshed 1 warehouse(s)");
    let only = WatchParams::default().fields("metadata.name=storefront").timeout(60);
    let mut changes = warehouses.watch(&only, &before.resource_version().unwrap()).await.unwrap().boxed();
    let Some(WatchEvent::Modified(changed)) = changes.try_next().await.unwrap() else {
        panic!("the push changes the Warehouse");
    };
    (answer.header("x-quayside-delivery").unwrap().to_owned(), changed.annotations().clone())
}

#[tokio::test]
async fn a_push_writes_the_refresh_and_its_cause_in_one_step() {
    let operator = Operator::shared().await;
    let project = Project::new("cause").await;
    let hook = project.quay(operator).await;
    let repository = format!("quay.io/{}/app", project.namespace);
    project.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
    project.settle(&hook).await;
    let (delivery, annotations) = first_change(&project, &hook, &repository).await;
    assert_eq!(annotations.keys().collect::<Vec<_>>(), [REFRESH, CAUSE]);
    let cause: Value = serde_json::from_str(&annotations[CAUSE]).unwrap();
    let receiver = format!("{}/quay", project.namespace);
    let named = json!({"cause": "delivery", "delivery": delivery, "receiver": receiver, "event": "repo_push"});
    assert_eq!(cause, named);
    assert!(project.notes().contains(&delivery), "the check for credentials looks at it");
}

#[tokio::test]
async fn the_cause_is_left_out_where_that_is_wanted() {
    let project = Project::new("no-cause").await;
    let operator = Operator::start(Setup::on(project.plane).with(["--last-refresh-cause", "off"]));
    operator.ready().await;
    let hook = project.quay(&operator).await;
    let repository = format!("quay.io/{}/app", project.namespace);
    project.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
    project.settle(&hook).await;
    let (_, annotations) = first_change(&project, &hook, &repository).await;
    assert_eq!(annotations.keys().collect::<Vec<_>>(), [REFRESH]);
}
