//! The ClusterConfig, whose receivers reach every project. There is only one, so its tests take turns.

use serde_json::json;

use crate::harness::{
    ClusterTurn, ControlPlane, Hook, Operator, Project, SOON, Setup, image, push_body, quay_receiver, wait_until,
};

const SYSTEM_NAMESPACE: &str = "kargo-system-resources";

#[tokio::test]
async fn a_cluster_receiver_reaches_every_project_and_a_projects_own_receiver_only_itself() {
    let turn = ClusterTurn::take().await;
    let operator = Operator::shared().await;
    let (one, two) = (Project::new("cluster-one").await, Project::new("cluster-two").await);
    let system = Project::named(ControlPlane::shared(), SYSTEM_NAMESPACE.to_owned()).await;
    let repository = format!("quay.io/cluster/{}", one.namespace);
    let own = one.quay(operator).await;
    for project in [&one, &two] {
        project.warehouse("subscribed", json!([image(&repository, "^1.0.0")])).await;
        project.warehouse("not-subscribed", json!([image("quay.io/a/b", "^1.0.0")])).await;
    }
    one.settle(&own).await;

    let secret = "the secret of a cluster receiver";
    system.secret("cluster-quay", secret).await;
    turn.apply(json!([quay_receiver("quay", "cluster-quay")])).await;
    let hook = Hook::derive(operator, "", "quay", secret);
    system.keep_out_of_logs(hook.digest());
    hook.served().await;
    let status = turn.status_with("Ready=True").await;
    assert_eq!(status["conditions"][0]["message"], "ClusterConfig is synced and ready for use");
    assert_eq!(status["webhookReceivers"][0]["path"], hook.path);

    let answer = own.push(&repository, &["1.0.0"]);
    assert_eq!(answer.says(), "refreshed 1 warehouse(s)");
    let before = one.tokens().await;
    assert!(two.refreshed().await.is_empty());
    let answer = hook.push(&repository, &["1.0.0"]);
    assert_eq!(answer.says(), "refreshed 2 warehouse(s)");
    assert!(one.tokens().await["subscribed"] > before["subscribed"]);
    assert_eq!(
        (one.refreshed().await, two.refreshed().await),
        (vec!["subscribed".to_owned()], vec!["subscribed".to_owned()])
    );

    system.delete("Secret", "cluster-quay").await;
    hook.gone().await;
    let status = turn.status_with("Ready=False").await;
    let message = status["conditions"][0]["message"].as_str().unwrap();
    let cause = r#"error getting Secret "cluster-quay" in namespace "kargo-system-resources": secrets "cluster-quay" not found"#;
    assert_eq!(message, format!(r#"Failed to sync webhook receivers: error syncing WebhookReceiver "quay": {cause}"#));
    system.secret("cluster-quay", secret).await;
    hook.served().await;
    turn.delete().await;
    hook.gone().await;
    assert_eq!(own.probe(), Some(200));
}

#[tokio::test]
async fn secrets_of_cluster_receivers_live_where_the_operator_is_told() {
    let turn = ClusterTurn::take().await;
    let project = Project::new("system").await;
    let setup = Setup::on(project.plane).with(["--system-namespace", &project.namespace]);
    let operator = Operator::start(setup);
    operator.ready().await;
    let secret = "a secret in another system namespace";
    project.secret("elsewhere", secret).await;
    turn.apply(json!([quay_receiver("quay", "elsewhere")])).await;
    let hook = Hook::derive(&operator, "", "quay", secret);
    project.keep_out_of_logs(hook.digest());
    hook.served().await;
    turn.delete().await;
    hook.gone().await;
}

#[tokio::test]
async fn a_path_that_two_projects_claim_is_served_for_neither_until_one_gives_it_up() {
    let operator = Operator::shared().await;
    let secret = "one secret for two projects";
    let first = Project::new("clash").await;
    // Project and receiver name are concatenated without anything in between.
    let second = Project::named(first.plane, format!("{}b", first.namespace)).await;
    for (project, receiver) in [(&first, "bc"), (&second, "c")] {
        project.secret("s", secret).await;
        project.receivers(json!([quay_receiver(receiver, "s"), quay_receiver("another", "s")])).await;
        project.hook(operator, "another", secret).served().await;
    }
    let hook = first.hook(operator, "bc", secret);
    assert_eq!(hook.path, second.hook(operator, "c", secret).path);
    hook.gone().await;
    for (project, receiver, other) in [(&first, "bc", &second), (&second, "c", &first)] {
        let told = project.condition(&format!("receiver.quayside.dev/{receiver}=False")).await;
        assert_eq!(told["reason"], "PathConflict");
        let message = told["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("ProjectConfig {} has a receiver with the same path", other.namespace)),
            "{told}"
        );
        assert_eq!(project.status().await["webhookReceivers"].as_array().unwrap().len(), 1, "the other receiver");
    }
    second.warehouse("storefront", json!([image("quay.io/clash/app", "^1.0.0")])).await;
    first.delete("ProjectConfig", &first.namespace).await;
    wait_until("the other project has the path", SOON, async || {
        (hook.probe()? == 200 && hook.push("quay.io/clash/app", &["1.0.0"]).json()["refreshed"] == 1).then_some(())
    })
    .await;
    second.condition("Ready=True").await;
}

#[tokio::test]
async fn annotations_narrow_the_cluster_down_to_projects_by_name_and_by_label_and_fail_closed() {
    let turn = ClusterTurn::take().await;
    let operator = Operator::shared().await;
    let (one, two) = (Project::new("narrowed-one").await, Project::new("narrowed-two").await);
    let system = Project::named(ControlPlane::shared(), SYSTEM_NAMESPACE.to_owned()).await;
    let repository = format!("quay.io/narrowed/{}", one.namespace);
    let own = one.quay(operator).await;
    for project in [&one, &two] {
        project.warehouse("subscribed", json!([image(&repository, "^1.0.0")])).await;
    }
    one.settle(&own).await;
    let secret = "the secret of a narrowed receiver";
    system.secret("narrowed-quay", secret).await;
    turn.apply(json!([quay_receiver("quay", "narrowed-quay")])).await;
    let hook = Hook::derive(operator, "", "quay", secret);
    system.keep_out_of_logs(hook.digest());
    hook.served().await;

    let reaches = async |what: &str, count: usize| {
        wait_until(what, SOON, async || {
            let answer = hook.post_with("?dry-run=true", push_body(&repository, &["1.0.0"]));
            (answer.status == 200 && answer.json()["matched"] == count).then_some(())
        })
        .await;
    };
    let annotate = |annotation: &str| {
        one.plane.bash(&format!("kubectl annotate clusterconfig cluster --overwrite {annotation}")).success();
    };
    reaches("every project is within reach", 2).await;
    annotate(&format!("quayside.dev/projects={}", two.namespace));
    reaches("only the named project is", 1).await;
    assert_eq!(hook.push(&repository, &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
    assert_eq!((one.refreshed().await.len(), two.refreshed().await.len()), (0, 1));

    annotate("quayside.dev/projects- quayside.dev/project-selector=narrowed=yes");
    reaches("nobody has the label", 0).await;
    one.plane.bash(&format!("kubectl label namespace {} narrowed=yes", one.namespace)).success();
    reaches("a project with the label is", 1).await;
    assert_eq!(hook.push(&repository, &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
    assert_eq!(one.refreshed().await, ["subscribed"]);

    annotate("quayside.dev/project-selector='team within (a)'");
    hook.gone().await;
    let status = turn.status_with("Ready=False").await;
    let message = status["conditions"][0]["message"].as_str().unwrap();
    assert!(message.contains("quayside.dev/project-selector is not a label selector"), "{message}");
    annotate("quayside.dev/project-selector-");
    reaches("every project is within reach again", 2).await;
    turn.delete().await;
}
