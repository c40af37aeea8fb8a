//! Receivers and ClusterReceivers, our own kinds.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::{ControlPlane, Hook, Operator, Project, SOON, Setup, image, quay_receiver, resource, wait_until};

const SYSTEM_NAMESPACE: &str = "kargo-system-resources";

fn quay(secret: &str) -> Value {
    json!({"quay": {"secretRef": {"name": secret}}})
}

#[tokio::test]
async fn a_receiver_is_served_at_the_url_in_its_status_and_reaches_its_project_only() {
    let operator = Operator::shared().await;
    let (project, other) = (Project::new("own").await, Project::new("own-other").await);
    let secret = "a secret of a receiver of our own";
    project.secret("s", secret).await;
    project.apply("Receiver", "quay", quay("s")).await;
    let hook = project.hook(operator, "quay", secret);
    hook.served().await;
    let ready = project.condition_of("Receiver", "quay", "Ready=True").await;
    assert_eq!((&ready["reason"], &ready["message"]), (&json!("Served"), &json!("requests to the URL are accepted")));
    let status = project.status_of("Receiver", "quay").await;
    assert_eq!((&status["path"], &status["kind"]), (&json!(hook.path), &json!("quay")));
    assert!(status["url"].as_str().unwrap().ends_with(&hook.path));
    let generation = project.api("Receiver").get("quay").await.unwrap().metadata.generation.unwrap();
    assert_eq!((&status["observedGeneration"], &ready["observedGeneration"]), (&json!(generation), &json!(generation)));

    let repository = format!("quay.io/own/{}", project.namespace);
    for project in [&project, &other] {
        project.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
    }
    project.settle(&hook).await;
    assert_eq!(hook.push(&repository, &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
    assert_eq!((project.refreshed().await.len(), other.refreshed().await.len()), (1, 0));

    let renewed = "another secret of a receiver of our own";
    project.secret("s", renewed).await;
    hook.gone().await;
    let hook = project.hook(operator, "quay", renewed);
    hook.served().await;
    wait_until("the status has the new path", SOON, async || {
        (project.status_of("Receiver", "quay").await["path"] == hook.path).then_some(())
    })
    .await;

    project.delete("Secret", "s").await;
    hook.gone().await;
    let ready = project.condition_of("Receiver", "quay", "Ready=False").await;
    assert_eq!(ready["reason"], "SecretNotFound");
    let status = project.status_of("Receiver", "quay").await;
    assert_eq!((status.get("path"), status.get("url")), (None, None), "{status}");
    project.secret("s", secret).await;
    project.hook(operator, "quay", secret).served().await;
    project.delete("Receiver", "quay").await;
    project.hook(operator, "quay", secret).gone().await;
}

#[tokio::test]
async fn a_cluster_receiver_reaches_every_project() {
    let operator = Operator::shared().await;
    let (one, two) = (Project::new("own-cluster").await, Project::new("own-cluster").await);
    let system = Project::named(ControlPlane::shared(), SYSTEM_NAMESPACE.to_owned()).await;
    let secret = format!("the secret of the cluster receiver of {}", one.namespace);
    system.secret(&one.namespace, &secret).await;
    one.cluster_receiver(&one.namespace, quay(&one.namespace)).await;
    let hook = Hook::derive(operator, "", &one.namespace, &secret);
    system.keep_out_of_logs(hook.digest());
    hook.served().await;
    one.condition_of("ClusterReceiver", &one.namespace, "Ready=True").await;
    assert_eq!(one.status_of("ClusterReceiver", &one.namespace).await["path"], hook.path);
    let repository = format!("quay.io/own/{}", one.namespace);
    for project in [&one, &two] {
        project.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
    }
    two.settle(&hook).await;
    assert_eq!(hook.push(&repository, &["1.0.0"]).says(), "refreshed 2 warehouse(s)");
    let receivers = resource(&one.client, "ClusterReceiver", None);
    receivers.delete(&one.namespace, &DeleteParams::default()).await.unwrap();
    hook.gone().await;
}

#[tokio::test]
async fn a_path_that_a_receiver_and_a_projectconfig_claim_is_served_for_neither() {
    let operator = Operator::shared().await;
    let project = Project::new("own-clash").await;
    let hook = project.quay(operator).await;
    project.apply("Receiver", "quay", quay("quay-webhook")).await;
    hook.gone().await;
    let namespace = &project.namespace;
    let told = project.condition_of("Receiver", "quay", "Ready=False").await;
    assert_eq!(told["reason"], "PathConflict");
    assert!(
        told["message"].as_str().unwrap().starts_with(&format!("ProjectConfig {namespace} has a receiver")),
        "{told}"
    );
    let told = project.condition("receiver.quayside.dev/quay=False").await;
    assert_eq!(told["reason"], "PathConflict");
    assert!(
        told["message"].as_str().unwrap().starts_with(&format!("Receiver {namespace}/quay has a receiver")),
        "{told}"
    );
    project.delete("Receiver", "quay").await;
    hook.served().await;
    project.condition("Ready=True").await;
}

#[tokio::test]
async fn people_see_kind_and_state_in_a_list_and_no_credential() {
    let operator = Operator::shared().await;
    let project = Project::new("own-columns").await;
    let secret = "a secret of a receiver in a list";
    project.secret("s", secret).await;
    project.apply("Receiver", "quay", quay("s")).await;
    let hook = project.hook(operator, "quay", secret);
    project.condition_of("Receiver", "quay", "Ready=True").await;
    let listed = project.plane.bash(&format!("kubectl get receivers -n {} -o wide", project.namespace)).success();
    let (columns, row) = listed.split_once('\n').unwrap();
    assert_eq!(columns.split_whitespace().collect::<Vec<_>>(), ["NAME", "KIND", "READY", "MESSAGE", "AGE"]);
    assert!(row.starts_with("quay   quay   True    requests to the URL are accepted"), "{listed}");
    assert!(!listed.contains(hook.digest()));
}

#[tokio::test]
async fn what_passed_no_admission_is_told_beside_good_receivers_which_others_do_not_harm() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let project = Project::on(plane, "own-lawless").await;
    let operator = Operator::start(Setup::on(plane));
    operator.ready().await;
    let secret = "a secret of the good receiver";
    project.secret("s", secret).await;
    let reference = json!({"secretRef": {"name": "s"}});
    for (name, spec) in [
        ("text", json!("text")),
        ("none", json!({})),
        ("odd", json!({"quay": 7})),
        ("both", json!({"quay": reference, "msr": reference})),
        ("newer", json!({"forge": reference})),
        ("good", quay("s")),
    ] {
        project.apply("Receiver", name, spec).await;
    }
    project.hook(&operator, "good", secret).served().await;
    for (name, reason, message) in [
        ("text", "Invalid", "spec is not an object"),
        ("none", "NoKind", "the receiver has no kind"),
        ("odd", "Invalid", "quay: invalid type"),
        ("both", "Invalid", "the receiver has more than one kind: quay, msr"),
        ("newer", "Invalid", "unknown receiver kind forge"),
    ] {
        let told = project.condition_of("Receiver", name, "Ready=False").await;
        assert_eq!(told["reason"], reason, "{name}");
        assert!(told["message"].as_str().unwrap().starts_with(message), "{told}");
    }
}

#[tokio::test]
async fn without_our_kinds_the_operator_is_ready_and_it_notices_when_they_are_installed() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let project = Project::on(plane, "own-absent").await;
    plane.bash("kubectl delete crd receivers.quayside.dev clusterreceivers.quayside.dev --wait").success();
    let operator = Operator::start(Setup::on(plane));
    operator.ready().await;
    project.quay(&operator).await;
    plane.prepare().unwrap();
    let secret = "a secret of a late receiver";
    project.secret("s", secret).await;
    project.apply("Receiver", "late", quay("s")).await;
    project.hook(&operator, "late", secret).served().await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    project.hook(&operator, "quay", secret).served().await;
}
