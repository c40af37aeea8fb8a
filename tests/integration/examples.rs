//! Every folder under `examples/` applies and works as its comments say.

use std::collections::BTreeSet;

use quayside::domain::kind::ReceiverKind;
use serde_json::json;

use crate::harness::{ClusterTurn, ControlPlane, Hook, Operator, Project, SOON, file, image, manifests, wait_until};

const SYSTEM_NAMESPACE: &str = "kargo-system-resources";

/// Applies a folder, reads the receiver's URL from the status with the command from its comment, and returns the
/// receiver as this operator serves it.
async fn apply(operator: &Operator, folder: &str, config: &str) -> (Project, Hook) {
    let namespace = manifests(&format!("examples/{folder}/00-namespace.yaml"))[0]["metadata"]["name"].clone();
    let project = Project::named(ControlPlane::shared(), namespace.as_str().unwrap().to_owned()).await;
    let secret = &manifests(&format!("examples/{folder}/10-secret.yaml"))[0]["stringData"];
    // The values beside it are not what the URL is derived from.
    let secret = secret.get("secret").or_else(|| secret.as_object()?.values().next()).unwrap().as_str().unwrap();
    let object = &manifests(&format!("examples/{folder}/{config}"))[0];
    // A receiver of our own is the object itself; Kargo's stands in a list.
    let (name, receiver) = match &object["spec"]["webhookReceivers"][0] {
        serde_json::Value::Null => (&object["metadata"]["name"], &object["spec"]),
        entry => (&entry["name"], entry),
    };
    let kind = receiver.as_object().unwrap().iter().find(|(_, value)| value["secretRef"].is_object()).unwrap().0;
    let scope = if config.starts_with("20-cluster") { "" } else { project.namespace.as_str() };
    let hook = Hook::derive(operator, scope, name.as_str().unwrap(), secret).of(kind);
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
    sent(project, hook, &["--repository", repository, "--tag", tag]).await
}

/// The same with any arguments of the command.
async fn sent(project: &Project, hook: &Hook, arguments: &[&str]) -> Vec<String> {
    let before = project.tokens().await;
    let answer = hook.send(arguments);
    assert_eq!(answer.status, 200, "{answer:?}");
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
    let (project, hook) = apply(operator, "generic", "20-projectconfig.yaml").await;
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

#[tokio::test]
async fn artifactory() {
    let (project, hook) = apply(Operator::shared().await, "artifactory", "20-projectconfig.yaml").await;
    // What is announced is the local repository behind the virtual one.
    let repository = "artifactory.example.com/docker-local/storefront";
    wait_until("the Warehouse is known", SOON, async || {
        let answer = hook.send(&["--repository", repository, "--tag", "1.4.2", "--dry-run"]);
        (answer.json()["matched"] == 1).then_some(())
    })
    .await;
    assert_eq!(push(&project, &hook, repository, "1.4.2").await, ["storefront"]);
    assert!(push(&project, &hook, repository, "2.0.1").await.is_empty());
    assert!(sent(&project, &hook, &["--event", "deleted", "--repository", repository]).await.is_empty());
}

#[tokio::test]
async fn azure() {
    let (project, hook) = apply(Operator::shared().await, "azure", "20-projectconfig.yaml").await;
    project.settle(&hook).await;
    assert_eq!(push(&project, &hook, "northwind.azurecr.io/storefront", "1.4.2").await, ["storefront"]);
    assert!(push(&project, &hook, "northwind.azurecr.io/storefront", "2.0.1").await.is_empty());
    let repository = "https://northwind@dev.azure.com/northwind/shop/_git/storefront";
    let branch = |name| ["--event", "git.push", "--repository", repository, "--ref", name];
    assert_eq!(sent(&project, &hook, &branch("refs/heads/main")).await, ["storefront-config"]);
    assert!(sent(&project, &hook, &branch("refs/heads/feature")).await.is_empty());
}

#[tokio::test]
async fn dockerhub() {
    let (project, hook) = apply(Operator::shared().await, "dockerhub", "20-projectconfig.yaml").await;
    project.settle(&hook).await;
    assert_eq!(push(&project, &hook, "northwind/storefront", "1.4.2").await, ["storefront"]);
    assert_eq!(push(&project, &hook, "northwind/storefront", "2.0.1").await, ["storefront-next"]);
    assert!(push(&project, &hook, "northwind/storefront", "latest").await.is_empty());
}

#[tokio::test]
async fn harbor() {
    let (project, hook) = apply(Operator::shared().await, "harbor", "20-projectconfig.yaml").await;
    project.settle(&hook).await;
    assert_eq!(push(&project, &hook, "harbor.example.com/northwind/storefront", "1.4.2").await, ["storefront"]);
    let chart = "harbor.example.com/northwind/charts/storefront";
    let cloud_event = ["--event", "harbor.artifact.pushed", "--repository", chart, "--tag", "0.4.0"];
    assert_eq!(sent(&project, &hook, &cloud_event).await, ["storefront-chart"]);
    assert!(push(&project, &hook, chart, "1.0.0").await.is_empty());
}

#[tokio::test]
async fn receiver() {
    let (project, hook) = apply(Operator::shared().await, "receiver", "20-receiver.yaml").await;
    project.settle(&hook).await;
    assert_eq!(push(&project, &hook, "quay.io/northwind/storefront", "1.4.2").await, ["storefront"]);
}

#[tokio::test]
async fn clusterreceiver() {
    let operator = Operator::shared().await;
    let reached = Project::new("example-cluster-receiver").await;
    let own = reached.quay(operator).await;
    let repository = format!("quay.io/{}/storefront", reached.namespace);
    reached.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
    reached.settle(&own).await;
    let (system, hook) = apply(operator, "clusterreceiver", "20-clusterreceiver.yaml").await;
    assert_eq!(system.namespace, SYSTEM_NAMESPACE, "the operator's default");
    assert_eq!(push(&reached, &hook, &repository, "1.4.2").await, ["storefront"]);
}

#[tokio::test]
async fn git_hosts() {
    let operator = Operator::shared().await;
    for (kind, repository) in [
        ("github", "https://github.com/northwind/storefront"),
        ("gitlab", "https://gitlab.example.com/northwind/storefront"),
        ("gitea", "https://gitea.example.com/northwind/storefront"),
        ("bitbucket", "https://bitbucket.org/northwind/storefront"),
    ] {
        let (project, hook) = apply(operator, kind, "20-projectconfig.yaml").await;
        let push =
            |name| ["--repository", repository, "--ref", name, "--changed-file", "charts/storefront/values.yaml"];
        hook.would_refresh(1, &push("refs/heads/main")).await;
        hook.would_refresh(1, &push("refs/tags/v1.4.2")).await;
        assert_eq!(sent(&project, &hook, &push("refs/heads/main")).await, ["storefront"], "{kind}");
        assert_eq!(sent(&project, &hook, &push("refs/tags/v1.4.2")).await, ["storefront-releases"], "{kind}");
        assert!(sent(&project, &hook, &push("refs/tags/v2.0.0")).await.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn registries_that_kargo_has_no_receiver_for() {
    let operator = Operator::shared().await;
    for kind in ReceiverKind::ALL.into_iter().filter(|kind| !kind.is_kargos()).map(ReceiverKind::as_str) {
        let (project, hook) = apply(operator, kind, "20-receiver.yaml").await;
        let warehouse = &manifests(&format!("examples/{kind}/30-warehouse.yaml"))[0];
        let repository = warehouse["spec"]["subscriptions"][0]["image"]["repoURL"].as_str().unwrap();
        let data = &manifests(&format!("examples/{kind}/10-secret.yaml"))[0]["stringData"];
        let header = data["auth-header"].as_str().map(|value| format!("Authorization: {value}"));
        let demanded = header.as_deref().map_or(vec![], |header| vec!["--header", header]);
        let push = |tag| [&["--repository", repository, "--tag", tag], demanded.as_slice()].concat();
        hook.would_refresh(1, &push("1.4.2")).await;
        assert_eq!(sent(&project, &hook, &push("1.4.2")).await, ["storefront"], "{kind}");
        assert!(sent(&project, &hook, &push("2.0.1")).await.is_empty(), "{kind}");
        if header.is_some() {
            assert_eq!(hook.send(&["--repository", repository]).status, 401, "{kind}");
        }
    }
}

/// Its Quay does not exist, so the Registration is given an address of this machine where nobody listens.
#[tokio::test]
async fn registration() {
    Operator::shared().await;
    let project = Project::named(ControlPlane::shared(), "kargo-demo-registration".to_owned()).await;
    let apply = "for file in examples/registration/*; do
                 sed 's,https://quay.example.com,http://127.0.0.1:1,; s,quay.example.com,127.0.0.1:1,' $file |
                 kubectl apply -f -; done";
    project.plane.bash(apply).success();
    let condition = project.condition_of("Registration", "quay", "Reachable=False").await;
    assert_eq!(condition["reason"], "Unreachable");
    let listed = project.plane.bash(&format!("kubectl get registrations -n {}", project.namespace)).success();
    assert!(listed.starts_with("NAME ") && listed.contains("REGISTERED") && listed.contains("DISABLED"), "{listed}");
    let wide = project.plane.bash(&format!("kubectl get registrations -n {} -o wide", project.namespace)).success();
    let columns: Vec<_> = wide.split_once('\n').unwrap().0.split_whitespace().collect();
    assert_eq!(columns[5..], ["MESSAGE", "RECEIVER", "TOKEN", "REACHABLE", "AGE"], "{wide}");
    project.delete("Registration", "quay").await;
}

#[test]
fn no_example_is_left_out() {
    let others = [
        "quay-helm-chart",
        "quay-strategies",
        "clusterconfig-quay",
        "receiver",
        "clusterreceiver",
        "registration",
        "proxies",
    ];
    let tested = ReceiverKind::ALL.map(ReceiverKind::as_str).into_iter().chain(others).map(str::to_owned);
    let entries = std::fs::read_dir(file("examples")).unwrap().map(|entry| entry.unwrap().path());
    let folders =
        entries.filter(|path| path.is_dir()).map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    assert_eq!(folders.collect::<BTreeSet<_>>(), tested.collect());
}
