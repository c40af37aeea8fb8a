//! From `kubectl apply` to the annotation, as a user does it.

use crate::harness::{ControlPlane, Operator, Project, SOON, base_url, get, quayside, wait_until};

const MANIFESTS: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: quay-webhook, namespace: NAMESPACE}
stringData: {secret: "SECRET"}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata: {name: NAMESPACE, namespace: NAMESPACE}
spec:
  webhookReceivers:
  - name: my-quay
    quay: {secretRef: {name: quay-webhook}}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: subscribed, namespace: NAMESPACE}
spec:
  subscriptions:
  - git: {repoURL: "https://code.example.com/shop/storefront.git"}
  - image: {repoURL: quay.io/northwind/storefront, imageSelectionStrategy: SemVer, constraint: ^1.0.0}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: subscribed-otherwise, namespace: NAMESPACE}
spec:
  subscriptions:
  - image: {repoURL: quay.io/northwind/storefront, imageSelectionStrategy: Lexical, allowTagsRegexes: ['^1\.4']}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: other-tags, namespace: NAMESPACE}
spec:
  subscriptions:
  - image: {repoURL: quay.io/northwind/storefront, imageSelectionStrategy: SemVer, constraint: ^2.0.0}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: other-repository, namespace: NAMESPACE}
spec:
  subscriptions:
  - image: {repoURL: quay.io/northwind/storefront-next, imageSelectionStrategy: SemVer, constraint: ^1.0.0}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: no-subscription, namespace: NAMESPACE}
spec: {}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: subscribed, namespace: NEIGHBOUR}
spec:
  subscriptions:
  - image: {repoURL: quay.io/northwind/storefront, imageSelectionStrategy: SemVer, constraint: ^1.0.0}
"#;

#[tokio::test]
async fn a_push_annotates_exactly_the_subscribed_warehouses() {
    let operator = Operator::shared().await;
    let (project, neighbour) = (Project::new("end-to-end").await, Project::new("neighbour").await);
    let secret = format!("exactly the secret of {}", project.namespace);
    let filled = MANIFESTS.replace("NAMESPACE", &project.namespace).replace("NEIGHBOUR", &neighbour.namespace);
    project.plane.bash_with("kubectl apply -f -", &filled.replace("SECRET", &secret)).success();

    let hook = project.hook(operator, "my-quay", &secret);
    hook.served().await;
    project.settle(&hook).await;
    let answer = hook.push("quay.io/northwind/storefront", &["1.4.2"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 2 warehouse(s)"));
    let body = answer.json();
    assert_eq!(
        (&body["subscribed"], &body["matched"], &body["refreshed"]),
        (&3.into(), &2.into(), &2.into()),
        "{body}"
    );
    assert_eq!(project.refreshed().await, ["subscribed", "subscribed-otherwise"]);
    assert!(neighbour.refreshed().await.is_empty());
}

#[tokio::test]
async fn the_documented_command_prints_where_the_receivers_are_and_the_offline_one_agrees() {
    let operator = Operator::shared().await;
    let project = Project::new("documented").await;
    let hook = project.quay(operator).await;
    let namespace = &project.namespace;
    let command =
        format!("kubectl get projectconfigs {namespace} -n {namespace} -o=jsonpath='{{.status.webhookReceivers}}'");
    let printed = wait_until("the status names the receiver", SOON, async || {
        let printed = project.plane.bash(&command).success();
        (!printed.is_empty()).then_some(printed)
    })
    .await;
    let url = format!("{}/quay/{}", base_url(), hook.digest());
    let expected = serde_json::json!([{"name": "quay", "path": hook.path, "url": url}]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), expected);

    let offline = format!(
        "kubectl get secret quay-webhook -n {namespace} -o jsonpath='{{.data.secret}}' | base64 -d \
         | quayside url quay --base-url {} --project {namespace} --name quay --secret-file -",
        base_url()
    );
    assert_eq!(project.plane.bash(&offline).success().trim_end(), url);
}

#[tokio::test]
async fn the_senders_command_line_gets_through() {
    let operator = Operator::shared().await;
    let project = Project::new("sender").await;
    let hook = project.quay(operator).await;
    project.warehouse("storefront", serde_json::json!([crate::harness::image("quay.io/a/b", "^1.0.0")])).await;
    project.settle(&hook).await;
    let sent = quayside(["send", "quay", &hook.url(), "--repository", "quay.io/a/b", "--tag", "1.0.1"]).success();
    assert!(sent.starts_with("HTTP 200 OK\n") && sent.contains("refreshed 1 warehouse(s)"), "{sent}");
    assert_eq!(project.refreshed().await, ["storefront"]);
}

#[tokio::test]
async fn a_changed_or_deleted_warehouse_is_refreshed_for_what_it_subscribes_to_now() {
    let operator = Operator::shared().await;
    let project = Project::new("changed").await;
    let hook = project.quay(operator).await;
    let subscription = |repository| serde_json::json!([crate::harness::image(repository, "^1.0.0")]);
    project.warehouse("moves", subscription("quay.io/a/before")).await;
    project.warehouse("leaves", subscription("quay.io/a/before")).await;
    project.settle(&hook).await;
    project.warehouse("moves", subscription("quay.io/a/after")).await;
    project.delete("Warehouse", "leaves").await;
    project.settle(&hook).await;
    assert_eq!(hook.push("quay.io/a/before", &["1.0.0"]).json()["subscribed"], 0);
    assert!(project.refreshed().await.is_empty());
    assert_eq!(hook.push("quay.io/a/after", &["1.0.0"]).json()["refreshed"], 1);
    assert_eq!(project.refreshed().await, ["moves"]);
}

#[tokio::test]
async fn the_metrics_count_what_happened() {
    let plane = ControlPlane::shared();
    let operator = Operator::start(crate::harness::Setup::on(plane));
    operator.ready().await;
    let project = Project::new("metrics").await;
    let hook = project.quay(&operator).await;
    project.warehouse("one", serde_json::json!([crate::harness::image("quay.io/a/b", "^1.0.0")])).await;
    project.warehouse("two", serde_json::json!([crate::harness::image("quay.io/a/b", "^1.0.0")])).await;
    project.settle(&hook).await;
    hook.push("quay.io/a/b", &["1.0.0"]);
    hook.push("quay.io/a/b", &["2.0.0"]);
    hook.post("not json");
    get(operator.hooks, "/nobody/listens/here");
    let deliveries = |kind: &str, outcome: &str| {
        operator.metric(&format!(r#"quayside_deliveries_total{{kind="{kind}",outcome="{outcome}""#))
    };
    assert_eq!(deliveries("quay", "refreshed"), 1.0);
    assert_eq!(deliveries("quay", "no_match"), 1.0);
    assert_eq!(deliveries("quay", "invalid_body"), 1.0);
    assert!(deliveries("none", "unknown_path") >= 1.0);
    assert_eq!(operator.metric("quayside_refresh_requests_total"), 2.0);
    assert_eq!(operator.metric(r#"quayside_refresh_patches_total{outcome="written""#), 2.0);
    assert_eq!(operator.metric("quayside_refresh_owed"), 0.0);
    assert!(operator.metric(r#"quayside_routes{kind="quay""#) >= 1.0);
    assert!(operator.metric("quayside_warehouses") >= 2.0);
    assert!(operator.metric(r#"quayside_subscriptions{kind="image""#) >= 2.0);
    assert_eq!(operator.metric("quayside_ready"), 8.0);
}
