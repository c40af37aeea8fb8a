//! Objects that are wrong, each with its clear condition, beside good ones that go on working.

use serde_json::{Value, json};

use crate::harness::{ControlPlane, Operator, Project, Setup, image, quay_receiver};

const SECRET: &str = "a secret of a good receiver";

/// A project with one good receiver, and another whose Secret is `odd`.
async fn project(operator: &Operator, name: &str) -> Project {
    let project = Project::new(name).await;
    project.secret("good", SECRET).await;
    project.receivers(json!([quay_receiver("good", "good"), quay_receiver("odd", "odd")])).await;
    project.hook(operator, "good", SECRET).served().await;
    project
}

/// Expects that only the good receiver is served and that the status says why the other one is not.
async fn only_the_good_one_is_served(operator: &Operator, project: &Project, reason: &str, cause: &str) {
    let condition = project.condition("receiver.quayside.dev/odd=False").await;
    assert_eq!((&condition["reason"], &condition["message"]), (&json!(reason), &json!(cause)));
    let ready = project.condition("Ready=False").await;
    let message = format!(r#"Failed to sync WebhookReceivers: error syncing WebhookReceiver "odd": {cause}"#);
    assert_eq!((&ready["reason"], &ready["message"]), (&json!("SyncWebhookReceiversFailed"), &json!(message)));
    let status = project.status().await;
    let names: Vec<&Value> = status["webhookReceivers"].as_array().unwrap().iter().map(|r| &r["name"]).collect();
    assert_eq!(names, ["good"]);
    assert_eq!(status.get("observedGeneration"), None, "only a generation without errors is observed");
    assert_eq!(project.hook(operator, "good", SECRET).probe(), Some(200));
}

/// Expects that the other receiver is served once its Secret is right.
async fn a_good_secret_mends_it(operator: &Operator, project: &Project) {
    project.secret("odd", "a good secret at last").await;
    project.hook(operator, "odd", "a good secret at last").served().await;
    project.condition("Ready=True").await;
    assert_eq!(project.status().await["conditions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_secret_is_named_until_it_is_there() {
    let operator = Operator::shared().await;
    let project = project(operator, "no-secret").await;
    let cause = format!(r#"error getting Secret "odd" in namespace "{}": secrets "odd" not found"#, project.namespace);
    only_the_good_one_is_served(operator, &project, "SecretNotFound", &cause).await;
    a_good_secret_mends_it(operator, &project).await;
}

#[tokio::test]
async fn a_missing_key_is_named_until_it_is_there() {
    let operator = Operator::shared().await;
    let project = project(operator, "no-key").await;
    let create =
        format!("kubectl create secret generic odd -n {} --from-literal=token=value-of-another-key", project.namespace);
    project.plane.bash(&create).success();
    project.keep_out_of_logs("value-of-another-key");
    let cause = format!(
        r#"error extracting secret values from Secret "odd" in namespace "{}": missing "secret" data key for Quay.io WebhookReceiver"#,
        project.namespace
    );
    let missing = async || project.condition("receiver.quayside.dev/odd=False").await["reason"] == "SecretKeyMissing";
    crate::harness::wait_until("the key is missed", crate::harness::SOON, async || missing().await.then_some(())).await;
    only_the_good_one_is_served(operator, &project, "SecretKeyMissing", &cause).await;
    a_good_secret_mends_it(operator, &project).await;
}

#[tokio::test]
async fn an_empty_secret_is_refused() {
    let operator = Operator::shared().await;
    let project = Project::new("empty-secret").await;
    project
        .plane
        .bash(&format!("kubectl create secret generic odd -n {} --from-literal=secret=", project.namespace))
        .success();
    project.secret("good", SECRET).await;
    project.receivers(json!([quay_receiver("good", "good"), quay_receiver("odd", "odd")])).await;
    let cause = format!(
        r#"the key "secret" of Secret "odd" in namespace "{}" is empty, so that anybody could compute the URL; put a random value of at least 16 bytes there"#,
        project.namespace
    );
    only_the_good_one_is_served(operator, &project, "SecretEmpty", &cause).await;
    assert_eq!(project.hook(operator, "odd", "").probe(), Some(404));
    a_good_secret_mends_it(operator, &project).await;
}

#[tokio::test]
async fn a_weak_secret_is_served_with_a_warning() {
    let operator = Operator::shared().await;
    let project = Project::new("weak-secret").await;
    project.secret("s", "s3cr3t-too-weak").await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    project.hook(operator, "quay", "s3cr3t-too-weak").served().await;
    let warning = project.condition("receiver.quayside.dev/quay=True").await;
    assert_eq!(warning["reason"], "WeakSecret");
    assert!(warning["message"].as_str().unwrap().contains("shorter than 16 bytes"), "{warning}");
    project.condition("Ready=True").await;
}

#[tokio::test]
async fn a_bad_expression_excludes_its_own_subscription_only() {
    let operator = Operator::shared().await;
    let project = Project::new("bad-regex").await;
    let hook = project.quay(operator).await;
    let with = |field: &str, value: Value| json!({"image": {"repoURL": "quay.io/a/b", field: value}});
    let good = image("quay.io/a/b", "^1.0.0");
    for (name, subscriptions) in [
        ("bad-allow", json!([with("allowTagsRegexes", json!(["["]))])),
        ("bad-ignore", json!([with("ignoreTagsRegexes", json!(["(?P<x"]))])),
        ("bad-constraint", json!([with("constraint", json!("not a range"))])),
        ("bad-strategy", json!([with("imageSelectionStrategy", json!("Youngest"))])),
        ("bad-beside-good", json!([with("allowTagsRegexes", json!(["["])), good.clone()])),
        ("good", json!([good.clone()])),
    ] {
        project.warehouse(name, subscriptions).await;
    }
    project.settle(&hook).await;
    let answer = hook.push("quay.io/a/b", &["1.0.0"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 2 warehouse(s)"));
    assert_eq!(answer.json()["notMatched"], json!({"invalid_subscription": 5}), "{answer:?}");
    assert_eq!(project.refreshed().await, ["bad-beside-good", "good"]);
    let told = operator.logged("WARN", "subscription cannot be evaluated");
    for name in ["bad-allow", "bad-ignore", "bad-constraint", "bad-strategy", "bad-beside-good"] {
        let warehouse = format!("{}/{name}", project.namespace);
        assert!(told.iter().any(|line| line["warehouse"] == warehouse), "{name}: {told:?}");
    }
    assert!(operator.metric("quayside_rejected_subscriptions") >= 5.0);

    project.warehouse("bad-allow", json!([with("allowTagsRegexes", json!(["^1"]))])).await;
    project.settle(&hook).await;
    assert_eq!(hook.push("quay.io/a/b", &["1.0.0"]).json()["refreshed"], 3);
}

#[tokio::test]
async fn an_undecodable_warehouse_harms_only_itself() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let project = Project::on(plane, "undecodable").await;
    let good = image("quay.io/a/b", "^1.0.0");
    let specs = [
        ("a-spec-of-text", json!("text")),
        ("a-spec-of-a-list", json!([good])),
        ("subscriptions-of-text", json!({"subscriptions": "text"})),
        ("entries-of-other-types", json!({"subscriptions": ["text", 7, null, [], good]})),
        ("an-image-of-text", json!({"subscriptions": [{"image": "quay.io/a/b"}, good]})),
        ("a-url-that-is-a-number", json!({"subscriptions": [{"image": {"repoURL": 7}}]})),
        (
            "expressions-of-text",
            json!({"subscriptions": [{"image": {"repoURL": "quay.io/a/b", "allowTagsRegexes": "^1"}}]}),
        ),
        ("strict-as-text", json!({"subscriptions": [{"image": {"repoURL": "quay.io/a/b", "strictSemvers": "yes"}}]})),
        ("good", json!({"subscriptions": [good]})),
    ];
    for (name, spec) in &specs {
        project.apply("Warehouse", name, spec.clone()).await;
    }
    // Both ways in: by the list at the start, and by the watch.
    let operator = Operator::start(Setup::on(plane));
    operator.ready().await;
    let hook = project.quay(&operator).await;
    for (name, spec) in &specs {
        project.apply("Warehouse", &format!("later-{name}"), spec.clone()).await;
    }
    project.settle(&hook).await;
    let answer = hook.push("quay.io/a/b", &["1.0.0"]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = ["an-image-of-text", "entries-of-other-types", "good"];
    let expected: Vec<String> = expected
        .iter()
        .map(|name| (*name).to_owned())
        .chain(expected.iter().map(|name| format!("later-{name}")))
        .collect();
    assert_eq!(project.refreshed().await, expected, "{answer:?}");
}

#[tokio::test]
async fn receivers_that_passed_no_admission_are_told_apart() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let project = Project::on(plane, "no-admission").await;
    let broken = Project::on(plane, "broken-spec").await;
    let operator = Operator::start(Setup::on(plane));
    operator.ready().await;
    project.secret("s", SECRET).await;
    let both = json!({"name": "both", "quay": {"secretRef": {"name": "s"}}, "github": {"secretRef": {"name": "s"}}});
    let receivers = json!([
        quay_receiver("twice", "s"), quay_receiver("twice", "s"), "text", {"name": "none"}, {"name": "odd", "quay": 7},
        {"name": "newer", "forge": {"secretRef": {"name": "s"}}}, quay_receiver("unnamed-secret", ""), both,
        quay_receiver("good", "s"),
    ]);
    project.receivers(receivers).await;
    broken.apply("ProjectConfig", &broken.namespace, json!({"webhookReceivers": "quay"})).await;
    for name in ["twice", "good"] {
        project.hook(&operator, name, SECRET).served().await;
    }
    let ready = project.condition("Ready=False").await;
    let message = ready["message"].as_str().unwrap();
    assert!(message.starts_with("Failed to sync WebhookReceivers: [error syncing WebhookReceiver \""), "{message}");
    for part in [
        r#""twice": another WebhookReceiver before it has the same name; give it a name of its own"#,
        r#""entry-2": the entry is not an object"#,
        r#""none": error getting receiver factory: no matching registration found"#,
        r#""odd": quay: invalid type"#,
        r#""newer": unknown receiver kind forge"#,
        r#""unnamed-secret": error getting Secret "" in namespace"#,
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert_eq!(project.condition("receiver.quayside.dev/twice=False").await["reason"], "DuplicateName");
    let broken = broken.condition("Ready=False").await;
    assert!(broken["message"].as_str().unwrap().contains("webhookReceivers is not a list"), "{broken}");
}
