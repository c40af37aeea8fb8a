//! Pushes that arrive and that no subscription accepts.

use serde_json::{Value, json};

use super::{Asked, Row, known, repository, subscribed};
use crate::harness::{ControlPlane, Operator, Project, Setup, git, image};

/// Where Secrets of the cluster are.
const SYSTEM_NAMESPACE: &str = "kargo-system-resources";

/// A push of that tag to a Warehouse with those settings.
async fn pushed(row: Row, name: &str, settings: Value, tag: &str) {
    let operator = Operator::shared().await;
    let (project, hook) = subscribed(name, operator, settings).await;
    assert_eq!(hook.push(&repository(&project), &[tag]).status, 200);
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn outside_the_constraint(row: Row) {
    pushed(row, "outside", json!({"constraint": "^1.0.0"}), "2.0.0").await;
}

pub(super) async fn pre_release(row: Row) {
    pushed(row, "pre-release", json!({"constraint": "^1.0.0"}), "1.5.0-rc.1").await;
}

pub(super) async fn leading_zero(row: Row) {
    pushed(row, "leading-zero", json!({"strictSemvers": true}), "2026.02.01").await;
}

pub(super) async fn no_version(row: Row) {
    pushed(row, "no-version", json!({"constraint": "^1.0.0"}), "latest").await;
}

pub(super) async fn v_prefix(row: Row) {
    pushed(row, "v-prefix", json!({"allowTagsRegexes": ["^[0-9.]+$"]}), "v1.4.2").await;
}

pub(super) async fn ignored_tag(row: Row) {
    pushed(row, "ignored-tag", json!({"ignoreTagsRegexes": ["-dev$"]}), "1.4.2-dev").await;
}

pub(super) async fn other_tag(row: Row) {
    let settings = json!({"imageSelectionStrategy": "Digest", "constraint": "stable"});
    pushed(row, "other-tag", settings, "latest").await;
}

pub(super) async fn malformed_constraint(row: Row) {
    let operator = Operator::shared().await;
    let (project, _) = subscribed("malformed", operator, json!({"constraint": "newest"})).await;
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn misplaced_constraint(row: Row) {
    let settings = json!({"semverConstraint": "^1.0.0", "allowTagsRegexes": ["^1"]});
    pushed(row, "misplaced", settings, "2.0.0").await;
}

/// A push to a Git repository with those settings besides its URL.
async fn pushed_to_git(row: Row, name: &str, url: impl Fn(&str) -> String, settings: Value, sent: &[&str]) {
    let operator = Operator::shared().await;
    let project = Project::new(name).await;
    let hook = project.receiver(operator, "gitea", "secret", json!({})).await;
    let mut git = json!({"repoURL": url(&project.namespace)});
    git.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    project.warehouse("app", json!([{ "git": git }])).await;
    known(&project, operator).await;
    let pushed = https(&project.namespace);
    hook.send(&[&["--repository", pushed.as_str()], sent].concat());
    row.is_told(Asked::of(&project, operator)).await;
}

fn https(name: &str) -> String {
    format!("https://git.example.com/northwind/{name}")
}

pub(super) async fn other_branch(row: Row) {
    pushed_to_git(row, "branch", https, json!({"branch": "main"}), &["--ref", "refs/heads/feature"]).await;
}

pub(super) async fn path_filter(row: Row) {
    let settings = json!({"branch": "main", "includePaths": ["charts"]});
    let sent = ["--ref", "refs/heads/main", "--changed-file", "README.md"];
    pushed_to_git(row, "paths", https, settings, &sent).await;
}

pub(super) async fn ssh_host(row: Row) {
    let ssh = |name: &str| format!("ssh://git@ssh.example.com:2222/northwind/{name}.git");
    pushed_to_git(row, "ssh", ssh, json!({"branch": "main"}), &["--ref", "refs/heads/main"]).await;
}

pub(super) async fn alias_missing(row: Row) {
    let operator = Operator::shared().await;
    let (project, hook) = subscribed("alias", operator, json!({})).await;
    hook.push(&repository(&project).replace("quay.io", "quay.corp.example.com"), &["1.4.2"]);
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn other_project(row: Row) {
    let operator = Operator::shared().await;
    let project = Project::new("right-project").await;
    project.warehouse("app", json!([image(&repository(&project), "^1.0.0")])).await;
    // Its own receiver is not the one that the sender calls.
    project.quay(operator).await;
    known(&project, operator).await;
    let other = Project::new("wrong-project").await;
    other.quay(operator).await.push(&repository(&project), &["1.4.2"]);
    row.is_told(Asked::of(&project, operator)).await;
}

pub(super) async fn narrowed_down(row: Row) {
    // On the shared control plane a receiver of the cluster that another test has made would reach the Warehouse.
    let (plane, _turn) = ControlPlane::for_elections().await;
    let operator = Operator::start(Setup::on(plane));
    operator.ready().await;
    let (system, project) =
        (Project::named(plane, SYSTEM_NAMESPACE.to_owned()).await, Project::on(plane, "narrowed").await);
    let name = format!("{}-hub", project.namespace);
    system.secret("narrowed-down", "a long enough secret for everybody").await;
    system.cluster_receiver(&name, json!({"quay": {"secretRef": {"name": "narrowed-down"}}})).await;
    let annotate = format!("kubectl annotate clusterreceiver {name} quayside.dev/projects=elsewhere");
    project.plane.bash(&annotate).success();
    project.warehouse("app", json!([git("https://git.example.com/northwind/narrowed", "main")])).await;
    known(&project, &operator).await;
    row.is_told(Asked::of(&project, &operator)).await;
    project.plane.bash(&format!("kubectl delete clusterreceiver {name}")).success();
}

pub(super) async fn misspelt(row: Row) {
    let operator = Operator::shared().await;
    let project = Project::new("misspelt").await;
    project.warehouse("ap", json!([image(&repository(&project), "^1.0.0")])).await;
    row.is_told(Asked::of(&project, operator)).await;
}
