//! The CRDs: real manifests pass and come back as they were given, bad ones are refused in words for a person.

use serde_json::{Value, json};

use crate::harness::{ClusterTurn, ControlPlane, Operator, Project, content, file, manifests, quay_receiver, resource};

/// Applies a file of manifests written for Kargo and expects every object back as it was given.
async fn round_trips(project: &Project, path: &str) {
    project.plane.bash(&format!("kubectl apply -f {path}")).success();
    for manifest in manifests(path) {
        let (kind, name) = (manifest["kind"].as_str().unwrap(), manifest["metadata"]["name"].as_str().unwrap());
        let namespace = (kind != "ClusterConfig").then_some(project.namespace.as_str());
        let object = resource(&project.client, kind, namespace).get(name).await.unwrap();
        assert_eq!(object.data.get("spec"), manifest.get("spec"), "{path}: {kind} {name}");
        for (key, label) in manifest["metadata"]["labels"].as_object().into_iter().flatten() {
            assert_eq!(object.metadata.labels.as_ref().unwrap()[key], *label);
        }
    }
}

#[tokio::test]
async fn manifests_written_for_kargo_pass_and_stay_as_they_are() {
    let operator = Operator::shared().await;
    let turn = ClusterTurn::take().await;
    let project = Project::named(ControlPlane::shared(), "northwind".to_owned()).await;
    let upstream = |name: &str| format!("tests/fixtures/upstream/{name}.yaml");
    for name in ["projectconfig-no-spec", "projectconfig-no-receivers"] {
        round_trips(&project, &upstream(name)).await;
        project.condition("Ready=True").await;
    }
    project.secret("quay-webhook", "a secret beside all other kinds").await;
    round_trips(&project, &upstream("warehouses")).await;
    round_trips(&project, &upstream("projectconfig-full")).await;
    round_trips(&project, &upstream("clusterconfig-full")).await;

    // Of all the receivers in it, the one whose Secret is there is served, and the status changed nothing in the spec.
    let hook = project.hook(operator, "quay", "a secret beside all other kinds");
    hook.served().await;
    let ready = project.condition("Ready=False").await;
    assert!(ready["message"].as_str().unwrap().contains(r#"secrets "hub-webhook" not found"#), "{ready}");
    let status = project.status().await;
    assert_eq!(status["lastHandledRefresh"], "2026-11-20T08:15:00Z");
    assert_eq!(status["webhookReceivers"].as_array().unwrap().len(), 1);
    let manifest = manifests(&upstream("projectconfig-full")).remove(0);
    let stored = project.api("ProjectConfig").get("northwind").await.unwrap();
    assert_eq!(stored.data["spec"], manifest["spec"]);

    // And Warehouses of every strategy are understood; fields that Kargo gave up are as broken for us as for Kargo.
    project.settle(&hook).await;
    assert_eq!(hook.push("quay.io/northwind/storefront", &["1.4.2"]).json()["refreshed"], 1);
    assert_eq!(project.refreshed().await, ["storefront"]);
    hook.push("quay.io/northwind/base", &["stable"]);
    assert_eq!(project.refreshed().await, ["storefront", "storefront-strategies"]);
    let legacy = hook.push("docker.io/library/redis", &["7.2.0"]).json();
    assert_eq!(legacy["notMatched"], json!({"invalid_subscription": 1}), "{legacy}");
    turn.delete().await;
}

#[tokio::test]
async fn bad_manifests_are_refused_in_words_that_a_person_understands() {
    let plane = ControlPlane::shared();
    let project = Project::named(plane, "bad".to_owned()).await;
    let mut files: Vec<_> =
        std::fs::read_dir(file("tests/fixtures/bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{}", files.len());
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let path = format!("tests/fixtures/bad/{name}");
        let text = content(&path);
        let expected =
            text.lines().next().unwrap().strip_prefix("# expect: ").unwrap_or_else(|| panic!("{name} expects nothing"));
        let ran = plane.bash(&format!("kubectl apply --dry-run=server -n {} -f {path}", project.namespace));
        assert_eq!(ran.code, Some(1), "{name} is accepted: {}", ran.out);
        assert!(ran.err.contains(expected), "{name}: expected {expected:?} in {:?}", ran.err);
    }
}

#[tokio::test]
async fn a_status_of_kargos_making_passes() {
    let operator = Operator::shared().await;
    let project = Project::new("kargos-status").await;
    let hook = project.quay(operator).await;
    project.condition("Ready=True").await;
    let conditions = json!([
        {"type": "Reconciling", "status": "True", "reason": "SyncingWebhooks", "message": "Syncing WebhookReceivers",
         "lastTransitionTime": "2026-11-20T08:15:00Z", "observedGeneration": 1},
        {"type": "Ready", "status": "False", "reason": "SyncingWebhooks", "message": "Syncing WebhookReceivers",
         "lastTransitionTime": "2026-11-20T08:15:00Z", "observedGeneration": 1},
    ]);
    let status = json!({"status": {"conditions": conditions, "webhookReceivers": [{"name": "quay", "path": "/x", "url": "https://h/x"}]}});
    let parameters = kube::api::PatchParams::default();
    let api = project.api("ProjectConfig");
    api.patch_status(&project.namespace, &parameters, &kube::api::Patch::Merge(status)).await.unwrap();
    // A wrong status misroutes nothing, and is put right when there is a reason to look.
    assert_eq!(hook.probe(), Some(200));
    project.receivers(json!([quay_receiver("quay", "quay-webhook"), quay_receiver("two", "quay-webhook")])).await;
    project.condition("Ready=True").await;
    let status: Value = project.status().await;
    assert_eq!(status["webhookReceivers"][0]["path"], hook.path);
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1, "{status}");
}

#[tokio::test]
async fn people_see_what_matters_in_a_list() {
    let plane = ControlPlane::shared();
    let operator = Operator::shared().await;
    let project = Project::new("columns").await;
    project.quay(operator).await;
    project.condition("Ready=True").await;
    let listed = plane.bash(&format!("kubectl get projectconfigs -n {}", project.namespace)).success();
    let (columns, row) = listed.split_once('\n').unwrap();
    assert!(columns.starts_with("NAME ") && columns.contains("READY"), "{listed}");
    assert!(row.contains("True"), "{listed}");
    let explained = plane.bash("kubectl explain projectconfig.spec.webhookReceivers.quay.secretRef").success();
    assert!(explained.contains("secretRef") && explained.contains("DESCRIPTION"), "{explained}");
}
