//! What is wrong with the cluster or with Quayside itself.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{Asked, Row, subscribed};
use crate::harness::{ControlPlane, Operator, Project, Setup};

fn nobody(plane: &ControlPlane) -> Asked<'_> {
    Asked { plane, namespace: "kargo-demo", views: None, knows: false, base: "", environment: String::new() }
}

/// Asks about a cluster whose Kargo has no Promotions, after a change of that.
async fn without_promotions(row: Row, change: &str) {
    let (plane, _turn) = ControlPlane::lawless().await;
    let delete = "kubectl delete crd promotions.kargo.akuity.io --ignore-not-found";
    plane.bash(&format!("{delete}\n{change}")).success();
    row.is_told(nobody(plane)).await;
    plane.bash(delete).success();
}

pub(super) async fn crd_missing(row: Row) {
    without_promotions(row, "").await;
}

pub(super) async fn crd_of_another_version(row: Row) {
    let create =
        "sed 's/name: v1alpha1/name: v2/' tests/fixtures/crds/kargo.akuity.io_promotions.yaml | kubectl create -f -";
    without_promotions(row, create).await;
}

pub(super) async fn other_base_url(row: Row) {
    // No operator runs there that would correct it.
    let (plane, _turn) = ControlPlane::lawless().await;
    for origin in ["https://a.hooks.example.com", "https://a.kargo.example.com"] {
        let project = Project::on(plane, "base-url").await;
        project.receivers(json!([])).await;
        let receiver = json!({"name": "quay", "path": "/quay/0", "url": format!("{origin}/quay/0")});
        let status = Patch::Merge(json!({"status": {"webhookReceivers": [receiver]}}));
        let configs = project.api("ProjectConfig");
        configs.patch_status(&project.namespace, &PatchParams::default(), &status).await.unwrap();
    }
    row.is_told(nobody(plane)).await;
}

pub(super) async fn not_running(row: Row) {
    row.is_told(nobody(ControlPlane::shared())).await;
}

pub(super) async fn no_views(row: Row) {
    let operator = Operator::start(Setup::on(ControlPlane::shared()).with(["--views-listen", "none"]));
    operator.ready().await;
    let (project, _) = subscribed("no-views", Operator::shared().await, json!({})).await;
    row.is_told(Asked { knows: false, ..Asked::of(&project, &operator) }).await;
}
