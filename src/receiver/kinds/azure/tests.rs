//! What each event of Azure Container Registry and Azure DevOps comes to.

use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::domain::secret::Secret;

const ACR: &str = "AzureContainerRegistry/1.0";
const VSTS: &str = "VSServices/20.266.36305.2 (Service Hooks)";

fn receive(agent: &str, body: &str) -> Result<Verdict, Rejection> {
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", agent.parse().unwrap());
    let settings = Settings::new(Secret::new(b"s3cr3t".to_vec()));
    Azure.receive(
        &Request { headers: &headers, query: None, body: body.as_bytes(), arrived: jiff::Timestamp::UNIX_EPOCH },
        &settings,
    )
}

fn push(agent: &str, body: &serde_json::Value) -> PushEvent {
    match receive(agent, &body.to_string()) {
        Ok(Verdict::Push(event)) => event,
        other => panic!("{body}: {other:?}"),
    }
}

fn refs(updates: &serde_json::Value) -> serde_json::Value {
    let repository = json!({"remoteUrl": "https://code.example.com/shop/_git/storefront"});
    json!({"eventType": "git.push", "resource": {"refUpdates": updates, "repository": repository}})
}

#[test]
fn an_image_push_names_host_repository_and_tag() {
    let body = json!({
        "action": "push", "request": {"host": "Northwind.azurecr.io"},
        "target": {"repository": "team/storefront", "tag": "2.7.1", "mediaType": "application/vnd.oci.image.index.v1+json"},
    });
    let event = push(ACR, &body);
    assert_eq!(
        (&*event.event, event.repositories.as_slice()),
        ("push", &["northwind.azurecr.io/team/storefront".to_owned()][..])
    );
    assert_eq!(event.qualifiers, ["2.7.1"]);
}

#[test]
fn a_git_push_names_refs_and_the_default_branch() {
    let mut body = refs(&json!([{"name": "refs/heads/main"}, {"name": "refs/tags/v1"}]));
    body["resource"]["repository"]["defaultBranch"] = "refs/heads/trunk".into();
    let event = push(VSTS, &body);
    assert_eq!(event.repositories, ["https://code.example.com/shop/_git/storefront"]);
    assert_eq!(event.qualifiers, ["refs/heads/main", "refs/tags/v1"]);
    assert_eq!(event.default_branch.as_deref(), Some("trunk"));
    assert!(event.changed_files.listed().is_empty());
}

#[test]
fn a_deleted_ref_does_not_count_and_nothing_but_deletions_is_ignored() {
    let zeros = "0".repeat(40);
    let gone = json!({"name": "refs/heads/gone", "newObjectId": zeros});
    let kept = json!({"name": "refs/heads/main", "oldObjectId": zeros, "newObjectId": "88c1"});
    assert_eq!(push(VSTS, &refs(&json!([gone, kept]))).qualifiers, ["refs/heads/main"]);
    match receive(VSTS, &refs(&json!([gone])).to_string()) {
        Ok(Verdict::Ignored(event)) => assert_eq!(event.qualifiers, ["refs/heads/gone"]),
        other => panic!("{other:?}"),
    }
    assert!(push(VSTS, &refs(&json!([]))).qualifiers.is_empty());
}

#[test]
fn a_closed_pull_request_is_told_by_its_page() {
    let body = |kind: &str, status: &str| {
        let links = json!({"web": {"href": "https://dev.azure.com/n/s/_git/r/pullrequest/77"}});
        json!({"eventType": kind, "resource": {"pullRequestId": 77, "status": status, "_links": links}}).to_string()
    };
    for (kind, status, closed) in [
        ("git.pullrequest.merged", "completed", true),
        ("git.pullrequest.updated", "abandoned", true),
        ("git.pullrequest.updated", "active", false),
        ("git.pullrequest.created", "active", false),
    ] {
        match receive(VSTS, &body(kind, status)).unwrap() {
            Verdict::PullRequest(event) if closed => {
                assert_eq!((&*event.event, &*event.url), (kind, "https://dev.azure.com/n/s/_git/r/pullrequest/77"));
            }
            Verdict::Ignored(event) if !closed => assert_eq!(event.event, kind),
            other => panic!("{kind} {status}: {other:?}"),
        }
    }
}

#[test]
fn an_event_without_details_names_the_setting_and_a_page_can_be_put_together() {
    let because = |body: &serde_json::Value| match receive(VSTS, &body.to_string()) {
        Ok(Verdict::Ignored(event)) => event.because,
        other => panic!("{body}: {other:?}"),
    };
    let pushed = json!({"eventType": "git.push", "resource": {"pushId": 14, "_links": {}}});
    assert!(because(&pushed).contains("\"Resource details to send\" to \"All\""));
    let mut merged = json!({"eventType": "git.pullrequest.merged", "resource": {"pullRequestId": 77}});
    assert!(because(&merged).contains("\"Resource details to send\" to \"All\""));
    merged["resource"]["repository"] = json!({"remoteUrl": "https://dev.azure.com/n/s/_git/r/"});
    match receive(VSTS, &merged.to_string()) {
        Ok(Verdict::PullRequest(event)) => assert_eq!(event.url, "https://dev.azure.com/n/s/_git/r/pullrequest/77"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_events_and_other_senders_are_named_and_ignored() {
    let ignored = |agent: &str, body: &str| match receive(agent, body) {
        Ok(Verdict::Ignored(event)) => event.event,
        other => panic!("{body}: {other:?}"),
    };
    for action in ["ping", "delete", "quarantine", "chart_push", "chart_delete"] {
        assert_eq!(ignored(ACR, &json!({"action": action}).to_string()), action);
    }
    assert_eq!(ignored(ACR, r#"{"action":"PUSH"}"#), "PUSH");
    assert_eq!(ignored(ACR, r#"{}"#), "unknown");
    assert_eq!(ignored(ACR, r#"{"action":"push","target":{"repository":"storefront"}}"#), "push");
    assert_eq!(ignored(ACR, r#"{"action":"push","request":{"host":"northwind.azurecr.io"}}"#), "push");
    assert_eq!(ignored(VSTS, r#"{"eventType":"build.complete"}"#), "build.complete");
    assert_eq!(ignored(VSTS, "{}"), "unknown");
    assert_eq!(ignored("curl/8", r#"{"action":"push"}"#), "unknown");
}

#[test]
fn every_sample_is_read_as_the_kind_it_plays() {
    let tags = ["1.4.2".to_owned()];
    for event in sample::EVENTS {
        let sample = Azure
            .sample(event, &SamplePush { repository: sample::IMAGE, qualifiers: &tags, changed_files: &[] })
            .unwrap();
        let agent = sample.headers.iter().find(|(name, _)| name == "user-agent").unwrap().1.to_str().unwrap();
        match receive(agent, std::str::from_utf8(&sample.body).unwrap()).unwrap() {
            Verdict::Push(push) => assert!(push.event == event && event.ends_with("push"), "{event}"),
            Verdict::PullRequest(closed) => assert_eq!((&*closed.event, event), ("git.pullrequest.merged", event)),
            Verdict::Ignored(ignored) => assert_eq!(ignored.event, event),
            Verdict::Pushes(_) | Verdict::Actions(_) => panic!("{event}"),
        }
    }
    let defaults = SamplePush { repository: sample::IMAGE, qualifiers: &["latest".to_owned()], changed_files: &[] };
    let git = Azure.sample("git.push", &defaults).unwrap();
    let event = push(VSTS, &serde_json::from_slice(&git.body).unwrap());
    assert_eq!((event.qualifiers, event.default_branch), (vec!["refs/heads/main".to_owned()], Some("main".to_owned())));
}

#[test]
fn a_body_that_azure_never_sends_is_invalid() {
    for (agent, body) in [
        (ACR, ""),
        (ACR, "[]"),
        (ACR, r#"{"action":1}"#),
        (ACR, r#"{"action":"ping","target":5}"#),
        (VSTS, r#"{"resource":[]}"#),
        (VSTS, r#"{"eventType":"build.complete","resource":{"refUpdates":{}}}"#),
        ("curl/8", "nope"),
    ] {
        assert_eq!(receive(agent, body), Err(Rejection::InvalidBody), "{body}");
    }
    assert!(receive(VSTS, r#"{"eventType":"git.push","resource":{"pullRequestId":"7"}}"#).is_ok());
}
