//! Refreshes that are not written, not taken up, or do not find what was pushed.

use serde_json::json;

use super::{Asked, Row, repository, subscribed};
use crate::harness::{ControlPlane, Kargo, Operator, Setup, Tags};

/// An operator of its own, with short pauses, whose push Kargo answers in some way; without `tags` it does not run.
async fn pushed(row: Row, name: &str, tags: Option<Tags>) {
    let operator = Operator::start(Setup::on(ControlPlane::shared()).with(["--follow-up-pause", "50ms"]));
    operator.ready().await;
    let (project, hook) = subscribed(name, &operator, json!({"constraint": "^1.0.0"})).await;
    let _kargo = tags.map(|tags| Kargo::start(&project, tags));
    assert_eq!(hook.push(&repository(&project), &["1.4.2"]).status, 200);
    row.is_told(Asked::of(&project, &operator)).await;
}

pub(super) async fn controller_down(row: Row) {
    pushed(row, "no-kargo", None).await;
}

pub(super) async fn registry_failing(row: Row) {
    pushed(row, "failing", Some(Box::new(|_| Err("503 Service Unavailable".to_owned())))).await;
}

pub(super) async fn not_listed(row: Row) {
    pushed(row, "not-listed", Some(Box::new(|_| Ok(Vec::new())))).await;
}

pub(super) async fn no_right_to_patch(row: Row) {
    let plane = ControlPlane::shared();
    let operator = Operator::start(Setup::on(plane).kubeconfig(plane.without("warehouses", "patch")));
    operator.ready().await;
    let (project, hook) = subscribed("no-patch", &operator, json!({"constraint": "^1.0.0"})).await;
    hook.push(&repository(&project), &["1.4.2"]);
    row.is_told(Asked::of(&project, &operator)).await;
}
