//! Secrets that keep a receiver from being served, or its sender from being believed.

use serde_json::json;

use super::{Asked, Row, known, repository};
use crate::harness::{ControlPlane, Operator, Project, Setup, git, image, quay_receiver};

/// A Warehouse whose receiver needs the Secret `s`.
async fn needing(name: &str, operator: &Operator) -> Project {
    let project = Project::new(name).await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    project.warehouse("app", json!([image(&repository(&project), "^1.0.0")])).await;
    known(&project, operator).await;
    project
}

pub(super) async fn missing(row: Row) {
    let operator = Operator::shared().await;
    let project = needing("no-secret", operator).await;
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn misnamed_key(row: Row) {
    let operator = Operator::shared().await;
    let project = needing("misnamed-key", operator).await;
    project.secret_under("token", "s", "a long enough secret under another key").await;
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn empty(row: Row) {
    let operator = Operator::shared().await;
    let project = needing("empty", operator).await;
    project.secret("s", "").await;
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn weak(row: Row) {
    let operator = Operator::shared().await;
    let project = needing("weak", operator).await;
    project.secret("s", "zx8f1").await;
    row.is_told(Asked::of(&project, operator)).await;
}

/// A Gitea whose secret differs from the one in the cluster sends a push.
async fn signed(row: Row, name: &str, in_the_cluster: &str, at_the_sender: &str) {
    let operator = Operator::shared().await;
    let project = Project::new(name).await;
    let url = format!("https://git.example.com/northwind/{}", project.namespace);
    project.secret("s", in_the_cluster).await;
    project.receivers(json!([{"name": "code", "gitea": {"secretRef": {"name": "s"}}}])).await;
    project.warehouse("app", json!([git(&url, "main")])).await;
    known(&project, operator).await;
    let hook = project.hook(operator, "code", in_the_cluster).of("gitea");
    hook.served().await;
    assert_eq!(hook.signing_with(at_the_sender).send(&["--repository", &url, "--ref", "refs/heads/main"]).status, 401);
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn line_break(row: Row) {
    signed(row, "line-break", "a secret that is long enough\n", "a secret that is long enough").await;
}

pub(super) async fn other_secret(row: Row) {
    signed(row, "other-secret", "a secret that is long enough", "another secret, as long as that").await;
}

pub(super) async fn clash(row: Row) {
    let operator = Operator::shared().await;
    let project = needing("one-path", operator).await;
    // Project and name run together.
    let other = Project::named(project.plane, format!("{}q", project.namespace)).await;
    for (project, receiver) in [(&project, "quay"), (&other, "uay")] {
        project.secret("s", "one secret for two projects").await;
        project.receivers(json!([quay_receiver(receiver, "s")])).await;
    }
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn forbidden(row: Row) {
    let plane = ControlPlane::shared();
    let operator = Operator::start(Setup::on(plane).kubeconfig(plane.without("secrets", "get")));
    operator.ready().await;
    let project = needing("forbidden", &operator).await;
    project.secret("s", "a secret that may not be read").await;
    row.is_told(Asked::of(&project, &operator)).await;
}
