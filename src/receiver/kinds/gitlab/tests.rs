//! What each of GitLab's events comes to; the bodies have the shape of real deliveries.

use serde_json::{Value, json};

use super::*;
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
fn other_events_are_acknowledged_by_name() {
    assert_eq!(ignored(deliver("Pipeline Hook", &json!({}))).event, "Pipeline Hook");
}

#[test]
fn nothing_is_read_without_the_right_token() {
    let sample = || event(EVENT, "Pipeline Hook", &json!({}));
    let nothing_said = Err(Rejection::Unauthorized(""));
    assert_eq!(receive(&GitLab, &sample(), &settings()), nothing_said);
    for wrong in [&b"a secret that is long enoughX"[..], b"a secret that is long enoug", b"x"] {
        let signed = GitLab.sign(sample(), &Secret::new(wrong.to_vec()));
        assert_eq!(receive(&GitLab, &signed, &settings()), nothing_said);
    }
}
