//! Every folder under `examples/` applies and works as its comments say.

use std::collections::BTreeSet;

use serde_json::json;

use crate::harness::{
    ClusterTurn, ControlPlane, Hook, Operator, Project, SOON, file, image, manifests, quayside, wait_until,
};

const SYSTEM_NAMESPACE: &str = "kargo-system-resources";

/// Applies a folder, reads the receiver's URL from the status with the command from its comment, and returns the receiver
/// as this operator serves it.
async fn apply(operator: &Operator, folder: &str, config: &str) -> (Project, Hook) {
    apply_receiver(operator, folder, config, "quay", "quay").await
}

/// The same for a receiver of that kind and name.
async fn apply_receiver(operator: &Operator, folder: &str, config: &str, kind: &str, name: &str) -> (Project, Hook) {
    let namespace = manifests(&format!("examples/{folder}/00-namespace.yaml"))[0]["metadata"]["name"].clone();
    let project = Project::named(ControlPlane::shared(), namespace.as_str().unwrap().to_owned()).await;
    let secret = &manifests(&format!("examples/{folder}/10-secret.yaml"))[0]["stringData"]["secret"];
    let scope = if config == "20-clusterconfig.yaml" { "" } else { project.namespace.as_str() };
    let hook = Hook::derive(operator, scope, name, secret.as_str().unwrap());
    let hook = Hook { path: hook.path.replace("/quay/", &format!("/{kind}/")), ..hook };
    project.keep_out_of_logs(hook.digest());
    project.plane.bash(&format!("kubectl apply -f examples/{folder}")).success();
    hook.served().await;
    let text = std::fs::read_to_string(file(&format!("examples/{folder}/{config}"))).unwrap();
    let command = text.lines().find_map(|line| line.strip_prefix("#   ")).unwrap();
    let url = wait_until("the status names the URL", SOON, async || {
        let url = project.plane.bash(command).success();
        (!url.is_empty()).then_some(url)
    })
    .await;
    assert!(url.ends_with(&hook.path), "the command in the comment prints {url}");
    (project, hook)
}

/// Pushes a tag with the command line and returns which Warehouses were refreshed by it.
async fn push(project: &Project, hook: &Hook, repository: &str, tag: &str) -> Vec<String> {
    let before = project.tokens().await;
    let sent = quayside(["send", "quay", &hook.url(), "--repository", repository, "--tag", tag]);
    assert!(sent.success().starts_with("HTTP 200 OK\n"));
    let after = project.tokens().await.into_iter();
    after.filter(|(name, token)| before.get(name) != Some(token)).map(|(name, _)| name).collect()
}

#[tokio::test]
async fn quay() {
    let (project, hook) = apply(Operator::shared().await, "quay", "20-projectconfig.yaml").await;
    project.settle(&hook).await;
    let repository = "quay.io/northwind/storefront";
    assert_eq!(push(&project, &hook, repository, "1.4.2").await, ["storefront"]);
    assert_eq!(push(&project, &hook, repository, "2.0.1").await, ["storefront-next"]);
    assert!(push(&project, &hook, repository, "latest").await.is_empty());
    assert!(push(&project, &hook, "quay.io/northwind/another", "1.4.2").await.is_empty());
}

#[tokio::test]
async fn generic() {
    let operator = Operator::shared().await;
    let (project, hook) = apply_receiver(operator, "generic", "20-projectconfig.yaml", "generic", "pipeline").await;
    let url = hook.url();
    let send = |arguments: &[&str]| {
        project.plane.bash(&format!("quayside send generic {url} {}", arguments.join(" "))).success()
    };
    wait_until("the operator knows of all Warehouses", SOON, async || {
        send(&["--event", "nightly", "--dry-run"]).contains("Would refresh 2 selected").then_some(())
    })
    .await;
    let refreshed = async |arguments: &[&str]| {
        let before = project.tokens().await;
        assert!(send(arguments).starts_with("HTTP 200 OK\n"));
        let after = project.tokens().await.into_iter();
        after.filter(|(name, token)| before.get(name) != Some(token)).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(refreshed(&["--tag", "1.4.2"]).await, ["everything", "storefront"]);
    assert!(refreshed(&["--tag", "dev-7"]).await.is_empty());
    assert!(refreshed(&["--tag", "1.4.2", "--repository", "registry.example.com/northwind/unknown"]).await.is_empty());
    assert_eq!(refreshed(&["--event", "nightly"]).await, ["backoffice", "everything"]);
    assert!(refreshed(&["--event", "ping"]).await.is_empty());
    let folder = tempfile::tempdir().unwrap();
    for (name, expected) in [("storefront", vec!["storefront"]), ("backoffice", vec![]), ("unknown", vec![])] {
        let body = folder.path().join(name);
        std::fs::write(&body, json!({"warehouse": name}).to_string()).unwrap();
        assert_eq!(refreshed(&["--event", "ping", "--file", body.to_str().unwrap()]).await, expected, "{name}");
    }
}

#[tokio::test]
async fn quay_helm_chart() {
    let (project, hook) = apply(Operator::shared().await, "quay-helm-chart", "20-projectconfig.yaml").await;
    project.settle(&hook).await;
    let repository = "quay.io/northwind/charts/storefront";
    assert_eq!(push(&project, &hook, repository, "0.4.0").await, ["storefront-chart"]);
    assert_eq!(push(&project, &hook, repository, "0.4.0_build.7").await, ["storefront-chart"]);
    assert!(push(&project, &hook, repository, "1.0.0").await.is_empty());
    assert!(push(&project, &hook, repository, "0.2.9").await.is_empty());
}

#[tokio::test]
async fn quay_strategies() {
    let (project, hook) = apply(Operator::shared().await, "quay-strategies", "20-projectconfig.yaml").await;
    project.settle(&hook).await;
    let repository = "quay.io/northwind/storefront";
    assert_eq!(push(&project, &hook, repository, "2026-11-22-1").await, ["nightly"]);
    assert!(push(&project, &hook, repository, "2026-11-22-1-debug").await.is_empty());
    assert_eq!(push(&project, &hook, repository, "main-3f9c2d1").await, ["main-builds"]);
    assert!(push(&project, &hook, repository, "main-3f9c2d1-arm64").await.is_empty());
    assert_eq!(push(&project, &hook, repository, "stable").await, ["stable"]);
    assert!(push(&project, &hook, repository, "1.4.2").await.is_empty());
}

#[tokio::test]
async fn clusterconfig_quay() {
    let turn = ClusterTurn::take().await;
    let operator = Operator::shared().await;
    let reached = Project::new("example-cluster").await;
    let own = reached.quay(operator).await;
    let repository = format!("quay.io/{}/storefront", reached.namespace);
    reached.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
    reached.settle(&own).await;
    let (system, hook) = apply(operator, "clusterconfig-quay", "20-clusterconfig.yaml").await;
    assert_eq!(system.namespace, SYSTEM_NAMESPACE, "the operator's default");
    assert_eq!(push(&reached, &hook, &repository, "1.4.2").await, ["storefront"]);
    turn.delete().await;
}

#[test]
fn no_example_is_left_out() {
    let tested = ["generic", "quay", "quay-helm-chart", "quay-strategies", "clusterconfig-quay"].map(str::to_owned);
    let entries = std::fs::read_dir(file("examples")).unwrap().map(|entry| entry.unwrap().path());
    let folders =
        entries.filter(|path| path.is_dir()).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(folders.collect::<BTreeSet<_>>(), BTreeSet::from(tested));
}
