//! Every recorded body of Artifactory, Azure, Docker Hub and Harbor through the real listener, sent as its sender does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Hook, Operator, Project, content, exchange, file, image};

/// A fixture, the event as which it is sent, the one that the answer names, and the Warehouses that are refreshed.
type Delivery = (&'static str, &'static str, &'static str, &'static [&'static str]);

const ARTIFACTORY: [Delivery; 5] = [
    ("pushed", "pushed", "pushed", &["any-tag", "storefront"]),
    ("pushed.oci", "pushed", "pushed", &["any-tag", "storefront"]),
    ("deleted", "deleted", "deleted", &[]),
    ("promoted", "promoted", "promoted", &["any-tag", "storefront"]),
    ("artifact_deployed", "pushed", "deployed", &[]),
];

const AZURE: [Delivery; 11] = [
    ("acr_push", "push", "push", &["any-tag", "storefront"]),
    // The event does not say which tag was meant.
    ("acr_push.untagged", "push", "push", &["any-tag", "storefront", "storefront-next"]),
    ("acr_delete", "delete", "delete", &[]),
    ("acr_ping", "ping", "ping", &[]),
    ("devops_git_push", "git.push", "git.push", &["default-branch", "over-ssh"]),
    ("devops_git_push.branch_deleted", "git.push", "git.push", &[]),
    ("devops_git_push.tag", "git.push", "git.push", &[]),
    ("devops_pull_request_merged", "git.pullrequest.merged", "git.pullrequest.merged", &[]),
    ("devops_pull_request_abandoned", "git.pullrequest.updated", "git.pullrequest.updated", &[]),
    ("devops_pull_request_updated", "git.pullrequest.updated", "git.pullrequest.updated", &[]),
    ("devops_build_complete", "git.push", "build.complete", &[]),
];

const DOCKERHUB: [Delivery; 2] = [
    ("push", "push", "push", &["any-tag", "storefront"]),
    ("push.no_media_type", "push", "push", &["any-tag", "storefront"]),
];

const HARBOR: [Delivery; 7] = [
    ("push_artifact", "PUSH_ARTIFACT", "PUSH_ARTIFACT", &["any-tag", "storefront"]),
    ("push_artifact.child_manifest", "PUSH_ARTIFACT", "PUSH_ARTIFACT", &[]),
    ("pull_artifact", "PULL_ARTIFACT", "PULL_ARTIFACT", &[]),
    ("delete_artifact", "DELETE_ARTIFACT", "DELETE_ARTIFACT", &[]),
    ("quota_exceed", "QUOTA_EXCEED", "QUOTA_EXCEED", &[]),
    ("cloudevents.artifact_pushed", "harbor.artifact.pushed", "harbor.artifact.pushed", &["any-tag", "storefront"]),
    ("cloudevents.tag_retention_finished", "harbor.tag_retention.finished", "harbor.tag_retention.finished", &[]),
];

/// A project with one receiver of the kind, and Warehouses of one repository.
async fn project(operator: &Operator, kind: &str, key: &str, repository: &str) -> (Project, Hook) {
    let project = Project::new(kind).await;
    let hook = project.receiver(operator, kind, key, json!({})).await;
    let any_tag = json!({"image": {"repoURL": repository, "imageSelectionStrategy": "NewestBuild"}});
    project.warehouse("any-tag", json!([any_tag])).await;
    project.warehouse("storefront", json!([image(repository, "^2.0.0")])).await;
    project.warehouse("storefront-next", json!([image(repository, "^3.0.0"), image("quay.io/a/b", "*")])).await;
    (project, hook)
}

/// Sends every recorded body; each must be listed.
async fn deliver(project: &Project, hook: &Hook, kind: &str, deliveries: &[Delivery]) {
    project.settle(hook).await;
    let folder = file(&format!("tests/fixtures/payloads/{kind}"));
    let listed: BTreeSet<String> = deliveries.iter().map(|(name, ..)| format!("{name}.json")).collect();
    let present: BTreeSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(listed, present, "{kind}");
    for (name, sent_as, event, expected) in deliveries {
        let before = project.tokens().await;
        let body = folder.join(format!("{name}.json"));
        let answer = hook.send(&["--event", sent_as, "--file", body.to_str().unwrap()]);
        let after = project.tokens().await.into_iter();
        let changed: Vec<String> =
            after.filter(|(name, token)| before.get(name) != Some(token)).map(|(name, _)| name).collect();
        let refreshed: Vec<&str> = changed.iter().map(String::as_str).collect();
        assert_eq!((answer.status, refreshed.as_slice()), (200, *expected), "{kind} {name}: {answer:?}");
        assert_eq!(answer.json()["event"], **event, "{kind} {name}: {answer:?}");
    }
}

#[tokio::test]
async fn artifactory_deliveries_are_read_and_answered_with_200() {
    let repository = "artifactory.example.com/docker-local/northwind/storefront";
    let (project, hook) = project(Operator::shared().await, "artifactory", "secret-token", repository).await;
    deliver(&project, &hook, "artifactory", &ARTIFACTORY).await;
}

#[tokio::test]
async fn azure_deliveries_are_read_and_answered_with_200() {
    let (project, hook) =
        project(Operator::shared().await, "azure", "secret", "northwind.azurecr.io/northwind/storefront").await;
    let git = |url: &str| json!([{"git": {"repoURL": url}}]);
    project.warehouse("default-branch", git("https://dev.azure.com/northwind/shop/_git/storefront")).await;
    project.warehouse("over-ssh", git("git@ssh.dev.azure.com:v3/northwind/shop/storefront")).await;
    project.warehouse("elsewhere", git("https://dev.azure.com/northwind/shop/_git/another")).await;
    deliver(&project, &hook, "azure", &AZURE).await;
}

#[tokio::test]
async fn docker_hub_deliveries_are_read_and_answered_with_200() {
    let (project, hook) =
        project(Operator::shared().await, "dockerhub", "secret", "docker.io/northwind/storefront").await;
    deliver(&project, &hook, "dockerhub", &DOCKERHUB).await;
}

#[tokio::test]
async fn harbor_deliveries_are_read_and_answered_with_200() {
    let (project, hook) =
        project(Operator::shared().await, "harbor", "auth-header", "harbor.example.com/northwind/storefront").await;
    deliver(&project, &hook, "harbor", &HARBOR).await;
    // A relay may turn the structured event into one of binary mode.
    let structured: Value =
        serde_json::from_str(&content("tests/fixtures/payloads/harbor/cloudevents.artifact_pushed.json")).unwrap();
    let credential = format!("Authorization: a long enough secret of {}", project.namespace);
    let headers = [credential.as_str(), "Ce-Specversion: 1.0", "Ce-Type: harbor.artifact.pushed"];
    let answer = post(&hook, &headers, structured["data"].to_string().as_bytes());
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 2 warehouse(s)"));
}

fn post(hook: &Hook, headers: &[&str], body: &[u8]) -> Answer {
    exchange(hook.address, &format!("POST {}", hook.path), headers, body).unwrap()
}

#[tokio::test]
async fn whoever_cannot_prove_the_secret_is_refused_before_anything_is_read() {
    let operator = Operator::shared().await;
    let artifactory = Project::new("artifactory-stranger").await;
    let harbor = Project::new("harbor-stranger").await;
    let signed = artifactory.receiver(operator, "artifactory", "secret-token", json!({})).await;
    let repeated = harbor.receiver(operator, "harbor", "auth-header", json!({})).await;
    let push = content("tests/fixtures/payloads/artifactory/pushed.json");
    let in_clear = format!("X-JFrog-Event-Auth: a long enough secret of {}", artifactory.namespace);
    let harbors = format!("Authorization: Bearer a long enough secret of {}", harbor.namespace);
    for (hook, headers, error) in [
        (&signed, vec![], "missing signature"),
        (&signed, vec!["X-JFrog-Event-Auth: 00"], "unauthorized"),
        (&signed, vec![in_clear.as_str()], "unauthorized"),
        (&repeated, vec![], "missing authorization"),
        (&repeated, vec![harbors.as_str()], "unauthorized"),
    ] {
        for body in [push.as_bytes(), b"not json"] {
            let answer = post(hook, &headers, body);
            assert_eq!((answer.status, answer.says().as_str()), (401, error), "{headers:?}");
        }
    }
}
