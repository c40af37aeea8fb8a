//! GitHub, GitLab, Gitea and Bitbucket: from the signed request to the annotation, of Warehouses and of Promotions.

use serde_json::json;

use crate::harness::{Operator, Project, git};

/// Kind, key of the Secret, repository, the same over SSH, a pull request of it, and the event that closes one.
const HOSTS: [(&str, &str, &str, &str, &str, &str); 5] = [
    (
        "github",
        "secret",
        "https://github.com/northwind/storefront",
        "git@github.com:northwind/storefront.git",
        "https://github.com/northwind/storefront/pull/12",
        "pull_request",
    ),
    (
        "gitlab",
        "secret-token",
        "https://gitlab.example.com/northwind/shop/storefront",
        "ssh://git@gitlab.example.com:2222/northwind/shop/storefront.git",
        "https://gitlab.example.com/northwind/shop/storefront/-/merge_requests/12",
        "Merge Request Hook",
    ),
    (
        "gitea",
        "secret",
        "https://gitea.example.com/northwind/storefront",
        "git@gitea.example.com:northwind/storefront.git",
        "https://gitea.example.com/northwind/storefront/pulls/12",
        "pull_request",
    ),
    (
        "bitbucket",
        "secret",
        "https://bitbucket.org/northwind/storefront",
        "git@bitbucket.org:northwind/storefront.git",
        "https://bitbucket.org/northwind/storefront/pull-requests/12",
        "pullrequest:fulfilled",
    ),
    (
        "bitbucket",
        "secret",
        "https://git.example.net/scm/nw/storefront.git",
        "ssh://git@git.example.net:7999/nw/storefront.git",
        "https://git.example.net/projects/NW/repos/storefront/pull-requests/12",
        "pr:merged",
    ),
];

#[tokio::test]
async fn a_push_to_any_git_host_refreshes_who_subscribes_to_its_branch_in_any_spelling() {
    let operator = Operator::shared().await;
    for (kind, key, https, ssh, _, closes) in HOSTS {
        let project = Project::new(&format!("push-{kind}")).await;
        let hook = project.receiver(operator, kind, key, json!({})).await;
        project.warehouse("https", json!([git(https, "main")])).await;
        project.warehouse("ssh", json!([git(ssh, "main")])).await;
        project.warehouse("other-branch", json!([git(https, "release")])).await;
        project.warehouse("other-repository", json!([git(&format!("{https}-docs"), "main")])).await;
        let event: &[&str] = if closes == "pr:merged" { &["--event", "repo:refs_changed"] } else { &[] };
        let push = |name| [event, &["--repository", https, "--ref", name]].concat();
        hook.would_refresh(2, &push("refs/heads/main")).await;
        hook.would_refresh(1, &push("refs/heads/release")).await;

        let sent = hook.send(&push("refs/heads/main"));
        assert_eq!((sent.status, sent.says().as_str()), (200, "refreshed 2 warehouse(s)"), "{kind}");
        assert_eq!(project.refreshed().await, ["https", "ssh"], "{kind}");
        assert_eq!(hook.send(&push("refs/tags/1.0.0")).json()["matched"], 0, "{kind}");

        let unsigned = hook.post("{}");
        assert_eq!(unsigned.status, 401, "{kind}: {}", unsigned.body);
    }
}

#[tokio::test]
async fn changed_files_decide_for_who_selects_paths() {
    let operator = Operator::shared().await;
    let project = Project::new("paths").await;
    let hook = project.receiver(operator, "github", "secret", json!({})).await;
    let repository = "https://github.com/northwind/monorepo";
    for (name, include) in [("shop", "glob:apps/shop/**"), ("docs", "docs")] {
        let subscription = json!({"git": {"repoURL": repository, "branch": "main", "includePaths": [include]}});
        project.warehouse(name, json!([subscription])).await;
    }
    let push = ["--repository", repository, "--ref", "refs/heads/main"];
    hook.would_refresh(2, &push).await;
    hook.send(&[&push[..], &["--changed-file", "apps/shop/values.yaml", "--changed-file", "README.md"]].concat());
    assert_eq!(project.refreshed().await, ["shop"]);
}

#[tokio::test]
async fn a_closed_pull_request_refreshes_the_promotion_that_waits_for_it() {
    let operator = Operator::shared().await;
    for (kind, key, _, _, pull_request, closes) in HOSTS {
        let project = Project::new(&format!("pull-{kind}")).await;
        let hook = project.receiver(operator, kind, key, json!({})).await;
        project.promotion("waits", pull_request).await;
        project.promotion("waits-for-another", &format!("{pull_request}3")).await;
        let closed = ["--event", closes, "--repository", pull_request];
        hook.would_refresh(1, &closed).await;
        assert!(project.tokens_of("Promotion").await.is_empty(), "a dry run changes nothing");

        let sent = hook.send(&closed);
        assert_eq!((sent.status, sent.says().as_str()), (200, "refreshed 1 promotion(s)"), "{kind}");
        let refreshed = project.tokens_of("Promotion").await;
        assert_eq!(refreshed.keys().collect::<Vec<_>>(), ["waits"], "{kind}");
        assert!(project.refreshed().await.is_empty(), "{kind}");

        let nobody = hook.send(&["--event", closes, "--repository", &format!("{pull_request}4")]);
        assert!(
            nobody.status == 200 && nobody.says().starts_with("refreshed 0 promotion(s)"),
            "{kind}: {}",
            nobody.says()
        );
    }
}

#[tokio::test]
async fn a_promotion_that_has_ended_waits_for_nothing() {
    let operator = Operator::shared().await;
    let project = Project::new("ended").await;
    let hook = project.receiver(operator, "github", "secret", json!({})).await;
    let pull_request = "https://github.com/northwind/storefront/pull/12";
    project.promotion("ends", pull_request).await;
    let closed = ["--event", "pull_request", "--repository", pull_request];
    hook.would_refresh(1, &closed).await;
    let status = json!({"status": {"phase": "Succeeded"}});
    let (parameters, patch) = (kube::api::PatchParams::default(), kube::api::Patch::Merge(status));
    project.api("Promotion").patch_status("ends", &parameters, &patch).await.unwrap();
    hook.would_refresh(0, &closed).await;
    hook.send(&closed);
    assert!(project.tokens_of("Promotion").await.is_empty());
}
