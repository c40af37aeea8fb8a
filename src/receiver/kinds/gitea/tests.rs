//! What each of Gitea's events comes to; the bodies have the shape of real deliveries.

use serde_json::{Value, json};

use super::*;
use crate::receiver::proof::signature::Algorithm;
use crate::receiver::testing::{self, event, ignored, payload, pull_request, push, receive, settings};

const EVENT: &str = "x-gitea-event";

fn deliver(name: &str, body: &Value) -> Result<Verdict, Rejection> {
    testing::signed(&Gitea, event(EVENT, name, body))
}

#[test]
fn a_push_names_its_repository_in_both_spellings_its_ref_files_and_default_branch() {
    let pushed = push(deliver("push", &payload("gitea/push.json")));
    assert_eq!(
        pushed.repositories,
        ["https://gitea.example.com/northwind/storefront", "ssh://git@ssh.gitea.example.com:2222/northwind/storefront"]
    );
    assert_eq!(pushed.qualifiers, ["refs/heads/trunk"]);
    assert_eq!(pushed.changed_files.listed(), ["README.md", "charts/web/values.yaml"]);
    assert_eq!(pushed.default_branch.as_deref(), Some("trunk"));
}

#[test]
fn files_are_unknown_when_more_commits_were_pushed_than_listed() {
    let mut body = payload("gitea/push.json");
    body["total_commits"] = json!(2);
    assert!(push(deliver("push", &body)).changed_files.listed().is_empty());
}

#[test]
fn a_deleted_branch_asks_for_nothing() {
    let mut body = payload("gitea/push.json");
    body["after"] = json!("0".repeat(40));
    assert_eq!(ignored(deliver("push", &body)).event, "push");
    assert_eq!(ignored(deliver("delete", &body)).event, "delete");
}

#[test]
fn a_closed_pull_request_is_reported_and_an_open_one_is_not() {
    let mut body = payload("gitea/pull_request_closed.json");
    let closed = pull_request(deliver("pull_request", &body));
    assert_eq!(closed.url, "https://gitea.example.com/northwind/storefront/pulls/12");
    body["action"] = json!("synchronized");
    ignored(deliver("pull_request", &body));
    (body["action"], body["pull_request"]) = (json!("closed"), json!(null));
    assert_eq!(ignored(deliver("pull_request", &body)).because, git::NO_PULL_REQUEST);
}

#[test]
fn a_created_ref_says_that_pushes_have_to_be_registered() {
    let created = ignored(deliver("create", &payload("gitea/push.json")));
    assert_eq!(created.event, "create");
    assert!(created.because.contains("register the webhook for pushes"), "{}", created.because);
}

#[test]
fn an_image_in_the_built_in_registry_has_the_configured_host_or_the_one_of_its_page() {
    let body = payload("gitea/package_created.json");
    let pushed = push(deliver("package", &body));
    assert_eq!(pushed.repositories, ["gitea.example.com/northwind/storefront"]);
    assert_eq!(pushed.qualifiers, ["2.7.1"]);
    let settings = Settings { registry_host: Some("images.example.com:8443".to_owned()), ..settings() };
    let sample = Gitea.sign(event(EVENT, "package", &body), &settings.secret);
    assert_eq!(
        push(receive(&Gitea, &sample, &settings)).repositories,
        ["images.example.com:8443/northwind/storefront"]
    );
}

#[test]
fn what_a_real_gitea_sent_is_read_as_it_was_meant() {
    let deliver = |event: &str, file: &str| deliver(event, &payload(&format!("gitea/captured/{file}.json")));
    let repository = "https://gitea.example.com/northwind/storefront";
    for (file, name, files) in [
        ("push", "refs/heads/main", 1),
        ("push_tag_created", "refs/tags/v1.4.0", 0),
        ("push_branch_created", "refs/heads/release/1.9", 0),
        // Nothing in it says that it was forced.
        ("push_branch_forced", "refs/heads/release/1.9", 1),
        ("push_cut_list", "refs/heads/main", 0),
        ("push_merge", "refs/heads/main", 1),
    ] {
        let pushed = push(deliver("push", file));
        assert!(pushed.repositories.contains(&repository.to_owned()), "{file}: {:?}", pushed.repositories);
        assert_eq!(
            (pushed.qualifiers.as_slice(), pushed.changed_files.listed().len()),
            (&[name.to_owned()][..], files),
            "{file}"
        );
    }
    for (event, file) in [("create", "create_tag"), ("create", "create_branch"), ("delete", "delete_branch")] {
        assert_eq!(ignored(deliver(event, file)).event, event);
    }
    let merged = pull_request(deliver("pull_request", "pull_request_merged"));
    assert_eq!(merged.url, format!("{repository}/pulls/1"));
    let image = push(deliver("package", "package_image"));
    assert_eq!(
        (image.repositories[0].as_str(), image.qualifiers[0].as_str()),
        ("gitea.example.com/northwind/web", "1.4.0")
    );
    let chart = push(deliver("package", "package_chart"));
    let names = (chart.repositories[0].as_str(), chart.qualifiers[0].as_str());
    assert_eq!(names, ("gitea.example.com/northwind/harbour", "0.4.0_build.7"));
    ignored(deliver("package", "package_chart_digest"));
}

#[test]
fn other_packages_deletions_and_digests_ask_for_nothing() {
    for (pointer, value) in [
        ("/action", json!("deleted")),
        ("/package/type", json!("npm")),
        ("/package/version", json!(format!("sha256:{}", "a".repeat(64)))),
        ("/package/html_url", json!("")),
        ("/package/owner", json!(null)),
        ("/package", json!([])),
    ] {
        let mut body = payload("gitea/package_created.json");
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(ignored(deliver("package", &body)).event, "package", "{pointer}");
    }
}

#[test]
fn forgejos_own_headers_are_enough() {
    let body = payload("gitea/push.json");
    let sample = event("x-forgejo-event", "push", &body);
    let signature = Algorithm::Sha256.sign(&settings().secret, &sample.body);
    let signed = sample.clone().with_header("x-forgejo-signature", &signature);
    push(receive(&Gitea, &signed, &settings()));
    let wrong = sample.with_header("x-forgejo-signature", &signature.replace('a', "b"));
    assert_eq!(receive(&Gitea, &wrong, &settings()), Err(Rejection::Unauthorized("unauthorized")));
}

#[test]
fn the_twins_of_other_programs_headers_name_no_event() {
    let sample = event("x-github-event", "push", &payload("gitea/push.json"));
    assert_eq!(ignored(testing::signed(&Gitea, sample)).event, "unnamed");
}

#[test]
fn a_form_is_unpacked_and_the_signature_covers_the_json_in_it() {
    let json = payload("gitea/push.json").to_string();
    let signature = format!("sha256={}", Algorithm::Sha256.sign(&settings().secret, json.as_bytes()));
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    let form = Sample { body: body.into_bytes(), ..Sample::default() }
        .with_header("content-type", "application/x-www-form-urlencoded")
        .with_header(EVENT, "push")
        .with_header("x-hub-signature-256", &signature);
    assert_eq!(push(receive(&Gitea, &form, &settings())).qualifiers, ["refs/heads/trunk"]);
}

#[test]
fn nothing_is_read_without_the_right_signature() {
    let sample = event(EVENT, "issues", &json!({}));
    assert_eq!(receive(&Gitea, &sample, &settings()), Err(Rejection::Unauthorized("missing signature")));
    // As Gitea sends it where no secret was entered.
    let empty = sample.with_header("x-hub-signature-256", "sha256=");
    assert_eq!(receive(&Gitea, &empty, &settings()), Err(Rejection::Unauthorized("unauthorized")));
}
