//! Senders that do not say what was pushed, or say it at the wrong place.

use serde_json::json;

use super::{Asked, Row, known, repository, subscribed};
use crate::harness::{Operator, Project, content, exchange, image, push_body, quay_receiver};

pub(super) async fn silent(row: Row) {
    let operator = Operator::shared().await;
    let (project, _) = subscribed("silent", operator, json!({})).await;
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn builds_only(row: Row) {
    let operator = Operator::shared().await;
    let (project, hook) = subscribed("builds", operator, json!({})).await;
    assert_eq!(hook.post(content("tests/fixtures/payloads/quay/build_success.json")).status, 200);
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn template(row: Row) {
    let operator = Operator::shared().await;
    let (project, hook) = subscribed("template", operator, json!({})).await;
    assert_eq!(hook.post(r#"{"text": "somebody pushed something"}"#).status, 200);
    row.is_told(Asked::of(&project, operator)).await;
}

/// A receiver with a secret, and the body of a push of a tag that it accepts.
async fn rotating(name: &str, operator: &Operator, keys: &[(&str, &str)]) -> (Project, String) {
    let project = Project::new(name).await;
    project.secret_of("s", keys).await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    project.warehouse("app", json!([image(&repository(&project), "^1.0.0")])).await;
    known(&project, operator).await;
    let push = push_body(&repository(&project), &["1.4.2"]);
    (project, push)
}

const OLD: &str = "the secret of last year";
const NEW: &str = "the secret of this year";

pub(super) async fn stale_url(row: Row) {
    let operator = Operator::shared().await;
    let (project, push) = rotating("stale", operator, &[("secret", OLD)]).await;
    let (old, new) = (project.hook(operator, "quay", OLD), project.hook(operator, "quay", NEW));
    old.served().await;
    assert_eq!(old.post(&push).status, 200);
    project.secret("s", NEW).await;
    new.served().await;
    let unknown = old.post(&push);
    assert_eq!((unknown.status, unknown.body.trim()), (404, "{}"), "it learns nothing");
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn previous_url(row: Row) {
    let operator = Operator::shared().await;
    let (project, push) = rotating("previous", operator, &[("secret", NEW), ("secret.previous", OLD)]).await;
    let old = project.hook(operator, "quay", OLD);
    old.served().await;
    assert_eq!(old.post(&push).status, 200);
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn turned_into_get(row: Row) {
    let operator = Operator::shared().await;
    let (project, hook) = subscribed("got", operator, json!({})).await;
    assert_eq!(exchange(hook.address, &format!("GET {}", hook.path), &[], b"").unwrap().status, 405);
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn broken_action(row: Row) {
    let operator = Operator::shared().await;
    let project = Project::new("broken-action").await;
    let target = json!({"kind": "Warehouse", "name": "app"});
    let action = json!({"action": "Refresh", "whenExpression": "1 +", "targetSelectionCriteria": [target]});
    project.receiver(operator, "generic", "secret", json!({"actions": [action]})).await;
    row.is_told(Asked::of(&project, operator)).await;
}
