//! The kinds of receivers that Kargo does not have, through the real listener.

use std::collections::BTreeSet;
use std::path::Path;

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{Hook, Operator, Project, SOON, exchange, file, image, quayside, wait_until};

/// A kind, a repository as its sender names it, and the events that refresh.
const KINDS: &[(&str, &str, &[&str])] = &[
    ("msr", "msr.example.com/northwind/storefront", &["TAG_PUSH", "PROMOTION", "POLL_MIRRORING", "CHART_PUSH"]),
    ("distribution", "registry.example.com/northwind/storefront", &["push"]),
    ("zot", "zot.example.com:5000/northwind/storefront", &["zotregistry.image.updated"]),
    ("nexus", "nexus.example.com:8083/northwind/storefront", &["rm:repository:component", "rm:repository:asset"]),
    (
        "ecr",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/northwind/storefront",
        &["ECR Image Action", "ECR Replication Action", "ECR Pull Through Cache Action"],
    ),
    ("artifactregistry", "europe-docker.pkg.dev/northwind/apps/storefront", &["INSERT"]),
];

/// One receiver of the kind, told the repository's host, and two Warehouses of the repository.
async fn project(operator: &Operator, kind: &str, repository: &str) -> (Project, Hook) {
    let project = Project::new(kind).await;
    let secret = format!("a long enough secret of {}", project.namespace);
    project.secret("webhook", &secret).await;
    let host = repository.split('/').next().unwrap();
    let spec = json!({kind: {"secretRef": {"name": "webhook"}}, "registryHost": host});
    project.apply("Receiver", "hook", spec).await;
    let hook = project.hook(operator, "hook", &secret).of(kind);
    hook.served().await;
    project.warehouse("storefront", json!([image(repository, "^2.0.0")])).await;
    project.warehouse("storefront-next", json!([image(repository, "^3.0.0")])).await;
    for tag in ["2.7.1", "3.0.0"] {
        hook.would_refresh(1, &["--repository", repository, "--tag", tag]).await;
    }
    (project, hook)
}

/// The Warehouses that something refreshed.
async fn refreshed_by(project: &Project, act: impl FnOnce()) -> Vec<String> {
    let before = project.tokens().await;
    act();
    let after = project.tokens().await.into_iter();
    after.filter(|(name, token)| before.get(name) != Some(token)).map(|(name, _)| name).collect()
}

/// The events of a kind, as the command line lists them when another is given.
fn events(kind: &str) -> Vec<String> {
    let ran = quayside(["send", kind, "http://127.0.0.1:9/", "--event", "no such event"]);
    let (_, names) = ran.err.trim_end().split_once(" are ").unwrap_or_else(|| panic!("{}", ran.err));
    names.split(", ").map(str::to_owned).collect()
}

#[tokio::test]
async fn every_event_of_every_kind_is_answered_with_200_and_pushes_refresh_whoever_accepts_the_tag() {
    let operator = Operator::shared().await;
    for &(kind, repository, refreshing) in KINDS {
        let (project, hook) = project(operator, kind, repository).await;
        let events = events(kind);
        assert!(refreshing.iter().all(|event| events.iter().any(|known| known == event)), "{kind}: {events:?}");
        for event in events {
            let refreshed = refreshed_by(&project, || {
                let answer = hook.send(&["--event", &event, "--repository", repository, "--tag", "2.7.1"]);
                assert_eq!((answer.status, &answer.json()["event"]), (200, &json!(event)), "{kind}: {answer:?}");
            })
            .await;
            let expected: &[&str] = if refreshing.contains(&event.as_str()) { &["storefront"] } else { &[] };
            assert_eq!(refreshed, expected, "{kind}: {event}");
        }
    }
}

/// A fixture, the event that the answer names, and the Warehouses that are refreshed.
type Delivery = (&'static str, &'static str, &'static [&'static str]);

const MSR: [Delivery; 19] = [
    ("TAG_PUSH", "TAG_PUSH", &["storefront"]),
    ("POLL_MIRRORING", "POLL_MIRRORING", &["storefront"]),
    ("PROMOTION", "PROMOTION", &["storefront"]),
    ("TAG_PULL", "TAG_PULL", &[]),
    ("TAG_DELETE", "TAG_DELETE", &[]),
    ("MANIFEST_PUSH", "MANIFEST_PUSH", &[]),
    ("MANIFEST_PULL", "MANIFEST_PULL", &[]),
    ("MANIFEST_DELETE", "MANIFEST_DELETE", &[]),
    ("SCAN_COMPLETED", "SCAN_COMPLETED", &[]),
    ("SCAN_FAILED", "SCAN_FAILED", &[]),
    ("PUSH_MIRRORING", "PUSH_MIRRORING", &[]),
    ("REPO_CREATED", "REPO_CREATED", &[]),
    ("REPO_UPDATED", "REPO_UPDATED", &[]),
    ("REPO_DELETED", "REPO_DELETED", &[]),
    ("SCANNER_UPDATE_COMPLETED", "SCANNER_UPDATE_COMPLETED", &[]),
    ("variants/PROMOTION.zero_time", "PROMOTION", &[]),
    ("variants/TAG_PUSH.host_with_port", "TAG_PUSH", &[]),
    ("variants/TAG_PUSH.imageName_without_host", "TAG_PUSH", &["storefront"]),
    ("variants/TAG_PUSH.no_location", "TAG_PUSH", &["storefront"]),
];

const DISTRIBUTION: [Delivery; 10] = [
    ("push.tag", "push", &["storefront"]),
    ("push.blob", "push", &[]),
    ("push.docker_manifest", "push", &[]),
    ("push.digest_of_a_platform", "push", &[]),
    ("push.index", "push", &[]),
    ("push.signature_tag", "push", &[]),
    ("mount", "mount", &[]),
    ("pull", "pull", &[]),
    ("delete.manifest", "delete", &[]),
    ("delete.tag", "delete", &[]),
];

fn bodies(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(bodies(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.insert(name);
        }
    }
    found
}

#[tokio::test]
async fn recorded_deliveries_are_answered_with_200_and_refresh_whom_they_should() {
    let operator = Operator::shared().await;
    for (kind, repository, deliveries) in [
        ("msr", "msr.example.com/northwind/storefront", &MSR[..]),
        ("distribution", "registry.example.com:5000/northwind/storefront", &DISTRIBUTION[..]),
    ] {
        let folder = file("tests/fixtures/payloads").join(kind);
        let listed: BTreeSet<String> = deliveries.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(listed, bodies(&folder));
        let (project, hook) = project(operator, kind, repository).await;
        for (name, event, expected) in deliveries {
            let body = folder.join(format!("{name}.json"));
            let refreshed = refreshed_by(&project, || {
                let answer = hook.send(&["--file", body.to_str().unwrap()]);
                assert_eq!((answer.status, &answer.json()["event"]), (200, &json!(event)), "{name}: {answer:?}");
            })
            .await;
            assert_eq!(refreshed, *expected, "{kind}: {name}");
        }
    }
}

#[tokio::test]
async fn a_demanded_header_keeps_out_whoever_has_the_url_only() {
    let operator = Operator::shared().await;
    let (kind, repository) = ("distribution", "registry.example.com/northwind/storefront");
    let (project, hook) = project(operator, kind, repository).await;
    let body = json!({"events": []}).to_string();
    let post = |headers: &[&str]| exchange(hook.address, &format!("POST {}", hook.path), headers, body.as_bytes());
    assert_eq!(post(&[]).unwrap().status, 200);
    let credential = "Bearer of a credential that must not leak";
    project.keep_out_of_logs(credential);
    let demanding: Value = json!({"stringData": {"auth-header": credential}});
    project.api("Secret").patch("webhook", &PatchParams::default(), &Patch::Merge(demanding)).await.unwrap();
    wait_until("the header is demanded", SOON, async || (post(&[]).ok()?.status == 401).then_some(())).await;
    assert_eq!(post(&["Authorization: Bearer of another"]).unwrap().says(), "unauthorized");
    assert_eq!(post(&[&format!("Authorization: {credential}")]).unwrap().status, 200);
    assert_eq!(post(&[&format!("X-Api-Key: {credential}")]).unwrap().status, 200);
}

#[tokio::test]
async fn half_of_what_verifies_tokens_is_a_mistake_that_is_told() {
    let operator = Operator::shared().await;
    let (kind, repository) = ("artifactregistry", "europe-docker.pkg.dev/northwind/apps/storefront");
    let (project, hook) = project(operator, kind, repository).await;
    let half = json!({"stringData": {"oidc-email": "pusher@northwind.iam.gserviceaccount.com"}});
    project.api("Secret").patch("webhook", &PatchParams::default(), &Patch::Merge(half)).await.unwrap();
    hook.gone().await;
    let ready = project.condition_of("Receiver", "hook", "Ready=False").await;
    assert_eq!(ready["reason"], "InvalidOIDC");
    assert!(ready["message"].as_str().unwrap().contains(r#"the key "oidc-jwks" is missing"#), "{ready}");
}
