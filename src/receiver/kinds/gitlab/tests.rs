//! What each of GitLab's events comes to; the bodies have the shape of real deliveries.

use serde_json::{Value, json};

use super::*;
use crate::domain::event::PushEvent;
use crate::receiver::testing::{self, event, ignored, payload, pull_request, push, receive, settings};

const EVENT: &str = "x-gitlab-event";

fn deliver(name: &str, body: &Value) -> Result<Verdict, Rejection> {
    testing::signed(&GitLab, event(EVENT, name, body))
}

#[test]
fn a_push_names_its_repository_in_both_spellings_its_ref_files_and_default_branch() {
    let pushed = push(deliver("Push Hook", &payload("gitlab/push.json")));
    assert_eq!(
        pushed.repositories,
        ["https://gitlab.example.com/northwind/storefront", "ssh://git@gitlab.example.com/northwind/storefront"]
    );
    assert_eq!(pushed.qualifiers, ["refs/heads/trunk"]);
    assert_eq!(pushed.changed_files.listed(), ["README.md", "charts/web/values.yaml"]);
    assert_eq!(pushed.default_branch.as_deref(), Some("trunk"));
}

#[test]
fn files_are_unknown_when_more_commits_were_pushed_than_listed() {
    assert!(push(deliver("Push Hook", &payload("gitlab/push_of_many_commits.json"))).changed_files.listed().is_empty());
}

#[test]
fn a_tag_is_pushed_without_files_and_a_deleted_one_asks_for_nothing() {
    let pushed = push(deliver("Tag Push Hook", &payload("gitlab/tag_push.json")));
    assert_eq!(
        (pushed.qualifiers.as_slice(), pushed.changed_files.listed().len()),
        (&["refs/tags/v2.7.1".to_owned()][..], 0)
    );
    let deleted = ignored(deliver("Tag Push Hook", &payload("gitlab/tag_push_deleted.json")));
    assert_eq!((&*deleted.event, deleted.qualifiers), ("Tag Push Hook", vec!["refs/tags/v2.7.1".to_owned()]));
}

#[test]
fn a_merged_or_closed_merge_request_is_reported_and_an_open_one_is_not() {
    let mut body = payload("gitlab/merge_request_merged.json");
    for action in ["merge", "close"] {
        body["object_attributes"]["action"] = json!(action);
        let closed = pull_request(deliver("Merge Request Hook", &body));
        assert_eq!(closed.url, "https://gitlab.example.com/northwind/storefront/-/merge_requests/12");
    }
    body["object_attributes"]["action"] = json!("approved");
    ignored(deliver("Merge Request Hook", &body));
}

#[test]
fn a_system_hook_is_read_like_the_hook_of_a_project() {
    for (hook, file, member) in [
        ("Push Hook", "push", "object_kind"),
        ("Push Hook", "push_of_many_commits", "event_name"),
        ("Tag Push Hook", "tag_push", "object_kind"),
    ] {
        let mut body = payload(&format!("gitlab/{file}.json"));
        let of_project = push(deliver(hook, &body));
        let kind = body["object_kind"].clone();
        let members = body.as_object_mut().unwrap();
        members.remove("object_kind");
        members.remove("event_name");
        body[member] = kind.clone();
        let of_system = push(deliver("System Hook", &body));
        assert_eq!(of_system.event, kind.as_str().unwrap());
        assert_eq!(PushEvent { event: of_project.event.clone(), ..of_system }, of_project);
    }
    let deleted = payload("gitlab/tag_push_deleted.json");
    assert_eq!(ignored(deliver("System Hook", &deleted)).event, "tag_push");
    let merged = payload("gitlab/merge_request_merged.json");
    let closed = pull_request(deliver("System Hook", &merged));
    assert_eq!(closed.url, "https://gitlab.example.com/northwind/storefront/-/merge_requests/12");
}

#[test]
fn repository_update_names_every_ref_that_still_exists_and_no_files() {
    let mut body = json!({
        "event_name": "repository_update",
        "project": payload("gitlab/push.json")["project"],
        "changes": [
            {"before": "0".repeat(40), "after": "9ab2", "ref": "refs/heads/main"},
            {"before": "9ab2", "after": "0".repeat(40), "ref": "refs/heads/old"},
        ],
        "refs": ["refs/heads/main", "refs/heads/old"],
    });
    let updated = push(deliver("System Hook", &body));
    assert_eq!(updated.repositories.len(), 2);
    assert_eq!(updated.qualifiers, ["refs/heads/main"]);
    assert_eq!((updated.changed_files, updated.default_branch.as_deref()), (ChangedFiles::Unknown, Some("trunk")));
    body["changes"] = json!([]);
    assert_eq!(push(deliver("System Hook", &body)).qualifiers, ["refs/heads/main", "refs/heads/old"]);
    body["changes"] = json!([{"after": "0".repeat(40), "ref": "refs/heads/old"}]);
    assert_eq!(ignored(deliver("System Hook", &body)).qualifiers, ["refs/heads/old"]);
    body["project"] = json!(null);
    body["changes"] = json!(null);
    assert!(ignored(deliver("System Hook", &body)).because.contains("repository"));
}

#[test]
fn other_events_of_a_system_hook_are_acknowledged_by_their_own_name() {
    assert_eq!(ignored(deliver("System Hook", &json!({"event_name": "project_create"}))).event, "project_create");
    assert_eq!(ignored(deliver("System Hook", &json!({}))).event, "System Hook");
}

#[test]
fn a_merge_request_without_an_address_does_not_blame_promotions() {
    let mut body = payload("gitlab/merge_request_merged.json");
    body["object_attributes"]["url"] = json!(null);
    assert_eq!(ignored(deliver("Merge Request Hook", &body)).because, git::NO_PULL_REQUEST);
}

#[test]
fn other_events_are_acknowledged_by_name() {
    assert_eq!(ignored(deliver("Pipeline Hook", &json!({}))).event, "Pipeline Hook");
}

#[test]
fn nothing_is_read_without_the_right_token() {
    let sample = || event(EVENT, "Pipeline Hook", &json!({}));
    let missing = Err(Rejection::Unauthorized("missing X-Gitlab-Token header"));
    assert_eq!(receive(&GitLab, &sample(), &settings()), missing);
    for wrong in [&b"a secret that is long enoughX"[..], b"a secret that is long enoug", b"x"] {
        let signed = GitLab.sign(sample(), &Secret::new(wrong.to_vec()));
        assert_eq!(receive(&GitLab, &signed, &settings()), Err(Rejection::Unauthorized("unauthorized")));
    }
}
