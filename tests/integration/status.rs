//! What the status of a ProjectConfig says, in Kargo's words.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::{Operator, Project, SOON, quay_receiver, wait_until};

#[tokio::test]
async fn a_synced_projectconfig_is_ready_in_kargos_words() {
    let operator = Operator::shared().await;
    let project = Project::new("ready").await;
    let hook = project.quay(operator).await;
    let namespace = &project.namespace;
    let wait = format!("kubectl wait projectconfig {namespace} -n {namespace} --for=condition=Ready --timeout=20s");
    project.plane.bash(&wait).success();
    let status = project.status().await;
    let [ready] = status["conditions"].as_array().unwrap().as_slice() else { panic!("{status}") };
    let generation = project.api("ProjectConfig").get(namespace).await.unwrap().metadata.generation.unwrap();
    let time = ready["lastTransitionTime"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    let expected = json!({
        "type": "Ready", "status": "True", "reason": "Synced", "message": "ProjectConfig is synced and ready for use",
        "observedGeneration": generation, "lastTransitionTime": time,
    });
    assert_eq!(ready, &expected);
    assert_eq!(status["observedGeneration"], generation);
    assert_eq!(status["webhookReceivers"][0]["path"], hook.path);
}

/// A project whose status has been written.
async fn without_receivers(name: &str) -> Project {
    Operator::shared().await;
    let project = Project::new(name).await;
    project.receivers(json!([])).await;
    project.condition("Ready=True").await;
    project
}

#[tokio::test]
async fn a_refresh_asked_for_by_annotation_is_reported_as_handled() {
    let project = without_receivers("annotated").await;
    let namespace = &project.namespace;
    for token in ["2026-11-20T08:15:00Z", "something else"] {
        let command = format!(
            "kubectl annotate projectconfig {namespace} -n {namespace} --overwrite kargo.akuity.io/refresh='{token}'"
        );
        project.plane.bash(&command).success();
        wait_until("the refresh is reported as handled", SOON, async || {
            (project.status().await["lastHandledRefresh"] == token).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_status_that_another_client_overwrites_is_put_right() {
    let project = without_receivers("overwritten").await;
    let (api, name) = (project.api("ProjectConfig"), &project.namespace);
    let late = json!({"status": {"conditions": [], "webhookReceivers": [{"name": "of-yesterday", "path": "/x"}]}});
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(&late)).await.unwrap();
    let status = wait_until("the status is as it was", SOON, async || {
        let status = project.status().await;
        (!status["conditions"].as_array()?.is_empty()).then_some(status)
    })
    .await;
    assert_eq!(status["webhookReceivers"].as_array().map_or(0, Vec::len), 0, "{status}");
}

#[tokio::test]
async fn the_status_follows_the_receivers_of_the_spec() {
    let operator = Operator::shared().await;
    let project = Project::new("follows").await;
    project.secret("s", "a secret for both of them").await;
    let named = |names: &[&str]| names.iter().map(|name| quay_receiver(name, "s")).collect::<Vec<_>>();
    project.receivers(json!(named(&["zeta", "alpha", "mid"]))).await;
    let hooks = ["zeta", "alpha", "mid"].map(|name| project.hook(operator, name, "a secret for both of them"));
    for hook in &hooks {
        hook.served().await;
    }
    let names = async || {
        let status = project.status().await;
        let receivers = status["webhookReceivers"].as_array().cloned().unwrap_or_default();
        receivers.iter().map(|receiver| receiver["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let becomes = async |expected: &[&str]| {
        wait_until(&format!("the status names {expected:?}"), SOON, async || (names().await == expected).then_some(()))
            .await;
    };
    becomes(&["zeta", "alpha", "mid"]).await;

    project.receivers(json!(named(&["zeta", "renamed"]))).await;
    hooks[1].gone().await;
    hooks[2].gone().await;
    project.hook(operator, "renamed", "a secret for both of them").served().await;
    hooks[0].served().await;
    becomes(&["zeta", "renamed"]).await;

    project.receivers(json!([])).await;
    hooks[0].gone().await;
    becomes(&[]).await;
    project.condition("Ready=True").await;
}

#[tokio::test]
async fn what_others_write_into_a_status_stays() {
    let operator = Operator::shared().await;
    let project = Project::new("shared-status").await;
    project.quay(operator).await;
    project.condition("Ready=True").await;
    let api = project.api("ProjectConfig");
    let mut conditions = project.status().await["conditions"].as_array().unwrap().clone();
    conditions.insert(0, json!({
        "type": "Healthy", "status": "Unknown", "reason": "Theirs", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }));
    let theirs = json!({"status": {"conditions": conditions, "promotionWindows": {"open": true}}});
    api.patch_status(&project.namespace, &PatchParams::default(), &Patch::Merge(theirs)).await.unwrap();
    // Something to report, so that the status is written again.
    project.receivers(json!([quay_receiver("quay", "missing")])).await;
    project.condition("Ready=False").await;
    let status = project.status().await;
    assert_eq!(status["promotionWindows"], json!({"open": true}));
    assert_eq!(status["conditions"][0]["reason"], "Theirs");
}

#[tokio::test]
async fn a_projectconfig_that_is_not_named_like_its_namespace_counts_for_nothing() {
    let operator = Operator::shared().await;
    let project = Project::new("misnamed").await;
    let secret = "a secret of a misnamed project";
    project.secret("s", secret).await;
    project.apply("ProjectConfig", "another-name", json!({"webhookReceivers": [quay_receiver("quay", "s")]})).await;
    project.receivers(json!([quay_receiver("quay-2", "s")])).await;
    project.hook(operator, "quay-2", secret).served().await;
    assert_eq!(project.hook(operator, "quay", secret).probe(), Some(404));
    let message =
        "object ignored: a ProjectConfig must be named like its namespace, the ClusterConfig must be named cluster";
    assert!(operator.logged("WARN", message).iter().any(|line| line["namespace"] == *project.namespace));
}
