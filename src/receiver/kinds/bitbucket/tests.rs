//! What each of Bitbucket's events comes to; the bodies have the shape of real deliveries.

use serde_json::{Value, json};

use super::*;
use crate::receiver::testing::{self, event, ignored, payload, pull_request, push, receive, settings};

const EVENT: &str = "x-event-key";

fn deliver(name: &str, body: &Value) -> Result<Verdict, Rejection> {
    testing::signed(&Bitbucket, event(EVENT, name, body))
}

#[test]
fn a_push_to_cloud_names_its_repository_and_all_its_refs() {
    let pushed = push(deliver("repo:push", &payload("bitbucket/cloud_push.json")));
    assert_eq!(pushed.repositories, ["https://bitbucket.org/northwind/storefront"]);
    assert_eq!(pushed.qualifiers, ["refs/heads/main", "refs/tags/v2.7.1"]);
    assert_eq!((pushed.changed_files.listed().len(), pushed.default_branch), (0, None));
}

#[test]
fn the_link_of_cloud_is_normalised_and_its_main_branch_is_the_default() {
    let mut body = payload("bitbucket/cloud_push.json");
    body["repository"]["links"]["html"]["href"] = json!("HTTPS://Bitbucket.org/Northwind/Storefront/");
    body["repository"]["mainbranch"] = json!({"type": "branch", "name": "trunk"});
    let pushed = push(deliver("repo:push", &body));
    assert_eq!(pushed.repositories, ["https://bitbucket.org/northwind/storefront"]);
    assert_eq!(pushed.default_branch.as_deref(), Some("trunk"));
}

#[test]
fn a_push_to_data_center_names_its_clone_links_and_leaves_out_what_was_deleted() {
    let pushed = push(deliver("repo:refs_changed", &payload("bitbucket/data_center_refs_changed.json")));
    assert_eq!(
        pushed.repositories,
        ["https://git.example.net/scm/nw/storefront", "ssh://git@git.example.net:7999/nw/storefront"]
    );
    assert_eq!(pushed.qualifiers, ["refs/heads/main"]);
}

#[test]
fn deletions_alone_ask_for_nothing() {
    let cloud = ignored(deliver("repo:push", &payload("bitbucket/cloud_push_branch_deleted.json")));
    assert_eq!((&*cloud.event, cloud.qualifiers), ("repo:push", vec!["refs/heads/feature/x".to_owned()]));
    let mut body = payload("bitbucket/data_center_refs_changed.json");
    body["changes"].as_array_mut().unwrap().remove(0);
    assert_eq!(ignored(deliver("repo:refs_changed", &body)).qualifiers, ["refs/heads/feature/x"]);
}

#[test]
fn without_any_change_nobody_can_tell_what_was_pushed() {
    let links =
        json!({"html": {"href": "https://bitbucket.org/a/b"}, "clone": [{"href": "https://git.example.net/scm/a/b"}]});
    let repository = json!({"links": links});
    for pushed in [json!(null), json!({"changes": []}), json!({"changes": [{"new": null, "old": null}]})] {
        let body = json!({"repository": repository, "push": pushed});
        assert!(push(deliver("repo:push", &body)).qualifiers.is_empty(), "{body}");
    }
    let body = json!({"repository": repository, "changes": []});
    assert!(push(deliver("repo:refs_changed", &body)).qualifiers.is_empty());
}

#[test]
fn a_pull_request_is_reported_by_the_link_that_each_of_them_shows() {
    let cloud = payload("bitbucket/cloud_pullrequest_fulfilled.json");
    for name in ["pullrequest:fulfilled", "pullrequest:rejected"] {
        let closed = pull_request(deliver(name, &cloud));
        assert_eq!(
            (&*closed.event, closed.url.as_str()),
            (name, "https://bitbucket.org/northwind/storefront/pull-requests/12")
        );
    }
    let data_center = payload("bitbucket/data_center_pr_merged.json");
    for name in ["pr:merged", "pr:declined"] {
        let closed = pull_request(deliver(name, &data_center));
        let url = "https://git.example.net/projects/NW/repos/storefront/pull-requests/12";
        assert_eq!((&*closed.event, closed.url.as_str()), (name, url));
    }
}

#[test]
fn an_old_server_that_names_no_address_is_named_as_the_reason() {
    let pushed = json!({"repository": {"slug": "storefront", "project": {"key": "NW"}},
        "changes": [{"ref": {"id": "refs/heads/main"}, "type": "UPDATE"}]});
    let ignored_push = ignored(deliver("repo:refs_changed", &pushed));
    assert_eq!((ignored_push.because, &*ignored_push.qualifiers), (OLD_SERVER, &["refs/heads/main".to_owned()][..]));
    let merged = json!({"pullRequest": {"id": 12, "links": {"self": [null]}}});
    assert_eq!(ignored(deliver("pr:merged", &merged)).because, OLD_SERVER);
    let cloud = json!({"pullrequest": {"id": 12, "links": null}});
    assert_eq!(ignored(deliver("pullrequest:fulfilled", &cloud)).because, git::NO_PULL_REQUEST);
}

#[test]
fn the_connection_test_and_other_events_are_acknowledged() {
    let ping = ignored(deliver("diagnostics:ping", &payload("bitbucket/data_center_diagnostics_ping.json")));
    assert_eq!(ping.event, "diagnostics:ping");
    assert_eq!(ignored(deliver("pr:opened", &json!({}))).event, "pr:opened");
}

#[test]
fn nothing_is_read_without_the_right_signature() {
    let sample = event(EVENT, "diagnostics:ping", &json!({}));
    assert_eq!(receive(&Bitbucket, &sample, &settings()), Err(Rejection::Unauthorized("missing signature")));
    let other = Bitbucket.sign(sample, &Secret::new(b"another secret".to_vec()));
    assert_eq!(receive(&Bitbucket, &other, &settings()), Err(Rejection::Unauthorized("unauthorized")));
}
