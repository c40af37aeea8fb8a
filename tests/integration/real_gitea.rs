//! A real Gitea, with a repository and webhooks that are made through its API, real pushes with `git`, a merged pull
//! request, and its package registry.

use serde_json::{Value, json};

use crate::harness::{
    GITEA_PATIENCE as PATIENCE, GITEA_USER as USER, Gitea, GiteaDelivery, Hook, Operator, Project, git, image,
    wait_until,
};

/// What the steps of the test look at.
struct Scene {
    gitea: Gitea,
    project: Project,
    /// The pages of the webhooks.
    pages: Vec<String>,
}

impl Scene {
    /// Does something; Gitea's log then has exactly these new deliveries, all answered with 200, and exactly these
    /// objects are refreshed.
    async fn step(&self, what: &str, act: impl FnOnce(), events: &[&str], refreshed: &[&str]) {
        let (log, before) = (self.log(), self.tokens().await);
        act();
        let fresh = wait_until(&format!("{what}: Gitea has delivered {events:?}"), PATIENCE, async || {
            let fresh: Vec<_> = self.log().into_iter().filter(|delivered| !log.contains(delivered)).collect();
            (fresh.len() >= events.len()).then_some(fresh)
        })
        .await;
        let mut names: Vec<_> = fresh.iter().map(|delivered| delivered.event.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, events, "{what}");
        assert!(fresh.iter().all(|delivered| delivered.status == 200), "{what}: {fresh:?}");
        let after = self.tokens().await;
        let changed: Vec<_> =
            after.iter().filter(|token| !before.contains(token)).map(|(name, _)| name.as_str()).collect();
        assert_eq!(changed, refreshed, "{what}: {fresh:?}");
    }

    fn log(&self) -> Vec<GiteaDelivery> {
        self.pages.iter().flat_map(|page| self.gitea.deliveries(page)).collect()
    }

    async fn tokens(&self) -> Vec<(String, String)> {
        let warehouses = self.project.tokens().await.into_iter();
        warehouses.chain(self.project.tokens_of("Promotion").await).collect()
    }
}

async fn scene() -> (Scene, Hook) {
    let operator = Operator::shared().await;
    let project = Project::new("real-gitea").await;
    let hook = project.receiver(operator, "gitea", "secret", json!({})).await;
    let gitea = Gitea::start().await;
    gitea.api("POST /user/repos", &json!({"name": "storefront", "auto_init": true, "default_branch": "main"}));
    let (host, repository) = (gitea.host(), format!("http://{}/{USER}/storefront.git", gitea.host()));
    let paths =
        |branch: &str, path: &str| json!([{"git": {"repoURL": repository, "branch": branch, "includePaths": [path]}}]);
    let tags =
        json!([{"git": {"repoURL": repository, "commitSelectionStrategy": "SemVer", "semverConstraint": "^1.0.0"}}]);
    for (name, subscriptions) in [
        ("charts", paths("main", "charts")),
        ("docs", paths("main", "docs")),
        ("main", json!([git(&repository, "main")])),
        ("other", json!([git(&format!("http://{host}/{USER}/other"), "main")])),
        ("release", json!([git(&repository, "release/1.9")])),
        ("release-charts", paths("release/1.9", "charts")),
        ("tags", tags),
        ("web", json!([image(&format!("{host}/{USER}/web"), "^1.0.0")])),
        ("web-next", json!([image(&format!("{host}/{USER}/web"), "^2.0.0")])),
        (
            "chart",
            json!([{"chart": {"repoURL": format!("oci://{host}/{USER}/harbour"), "semverConstraint": "^0.4.0"}}]),
        ),
    ] {
        project.warehouse(name, subscriptions).await;
    }
    project.promotion("waits", &format!("http://{host}/{USER}/storefront/pulls/1")).await;
    let at = |event| ["--event", event, "--repository"];
    let (image, pull) = (format!("http://{host}/{USER}/web"), format!("http://{host}/{USER}/storefront/pulls/1"));
    hook.would_refresh(1, &[&at("package")[..], &[&image, "--tag", "1.4.0"]].concat()).await;
    hook.would_refresh(
        1,
        &[&at("package")[..], &[&format!("http://{host}/{USER}/harbour"), "--tag", "0.4.0"]].concat(),
    )
    .await;
    hook.would_refresh(1, &[&at("pull_request")[..], &[&pull]].concat()).await;
    gitea.clone_repository();
    let secret = format!("a long enough secret of {}", project.namespace);
    let repository = format!("/repos/{USER}/storefront");
    let pages = vec![
        gitea.register(&repository, &hook, &secret, &["push", "create", "delete", "pull_request"]),
        gitea.register("/user", &hook, &secret, &["package"]),
    ];
    (Scene { gitea, project, pages }, hook)
}

#[tokio::test]
async fn everything_that_a_real_gitea_sends_refreshes_exactly_what_it_should() {
    let (scene, hook) = scene().await;
    let shell = |line: &'static str| || scene.gitea.shell(line);
    scene
        .step(
            "a push",
            shell("commit charts/api/values.yaml one; git push -q origin main"),
            &["push"],
            &["charts", "main"],
        )
        .await;
    scene.step("a tag", shell("git tag v1.4.0; git push -q origin v1.4.0"), &["create", "push"], &["tags"]).await;
    // Its only new commit changes a file outside of charts, but all of charts is new on the branch.
    let created = "git checkout -q -b release/1.9; commit README.md start; git push -q origin release/1.9";
    scene.step("a new branch", shell(created), &["create", "push"], &["release", "release-charts"]).await;
    // Gitea does not say that it was forced; the commit that it lists changes no chart.
    let forced = "git commit -q --amend -m again; git push -qf origin release/1.9";
    scene.step("a forced branch", shell(forced), &["push"], &["release"]).await;
    let back = "git reset -q --hard HEAD~1; git push -qf origin release/1.9";
    scene.step("a branch set back", shell(back), &["push"], &["release", "release-charts"]).await;
    let many = "git checkout -q main; commit charts/web/values.yaml first; \
                for i in 1 2 3 4 5 6; do commit docs/$i.md \"docs $i\"; done; git push -q origin main";
    scene.step("more commits than are listed", shell(many), &["push"], &["charts", "docs", "main"]).await;
    scene
        .step("few commits", shell("commit docs/7.md seven; git push -q origin main"), &["push"], &["docs", "main"])
        .await;
    scene.step("a deleted branch", shell("git push -q origin :release/1.9"), &["delete"], &[]).await;
    let feature = "git checkout -q -b feature; commit docs/8.md eight; git push -q origin feature";
    scene.step("a branch of nobody", shell(feature), &["create", "push"], &[]).await;

    let pulls = format!("POST /repos/{USER}/storefront/pulls");
    let open = || drop(scene.gitea.api(&pulls, &json!({"head": "feature", "base": "main", "title": "Feature"})));
    scene.step("an open pull request", open, &["pull_request"], &[]).await;
    let merge = || drop(scene.gitea.api(&format!("{pulls}/1/merge"), &json!({"Do": "merge"})));
    scene.step("a merged pull request", merge, &["pull_request", "push"], &["docs", "main", "waits"]).await;

    let image =
        "tar -cf ../layer.tar README.md; $CRANE append --oci-empty-base -f ../layer.tar -t $HOST/northwind/web:1.4.0";
    scene.step("an image", shell(image), &["package"], &["web"]).await;
    let chart = "mkdir -p ../chart; printf 'apiVersion: v2\\nname: harbour\\nversion: 0.4.0+build.7\\n' >../chart/Chart.yaml; \
                 helm package -d .. ../chart >/dev/null; \
                 helm push --plain-http --registry-config \"$DOCKER_CONFIG/config.json\" ../harbour-0.4.0+build.7.tgz \
                 oci://$HOST/northwind 2>/dev/null";
    // The manifest is announced by digest as well.
    scene.step("a chart", shell(chart), &["package", "package"], &["chart"]).await;

    let before = scene.tokens().await;
    let repository = format!("/repos/{USER}/storefront");
    let wrong = scene.gitea.register(&repository, &hook, "another secret", &["push"]);
    scene.gitea.api(&format!("DELETE {repository}/hooks/1"), &Value::Null);
    scene
        .gitea
        .shell("git checkout -q -B main origin/main; git pull -q; commit docs/9.md nine; git push -q origin main");
    let refused = wait_until("Gitea has delivered with the wrong secret", PATIENCE, async || {
        scene.gitea.deliveries(&wrong).pop()
    })
    .await;
    assert_eq!((refused.event.as_str(), refused.status), ("push", 401));
    assert_eq!(scene.tokens().await, before);
}
