//! What a Secret demands of senders besides the URL, and how it is changed without an outage.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::harness::{Answer, Hook, Operator, Project, SOON, exchange_on, image, push_body, quay_receiver, wait_until};

const SECRET: &str = "the secret of the URL";

/// A project with a Quay receiver and a Warehouse, and its hook.
async fn subscribed(operator: &Operator, name: &str) -> (Project, Hook) {
    let project = Project::new(name).await;
    project.secret("s", SECRET).await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    project.warehouse("storefront", json!([image("quay.io/a/b", "^1.0.0")])).await;
    let hook = project.hook(operator, "quay", SECRET);
    project.settle(&hook).await;
    (project, hook)
}

fn post(hook: &Hook, headers: &[&str], body: &str) -> Answer {
    exchange_on(hook.connect().unwrap(), &format!("POST {}", hook.path), headers, body.as_bytes()).unwrap()
}

#[tokio::test]
async fn user_password_and_token_are_demanded_as_soon_as_the_secret_has_them() {
    let operator = Operator::shared().await;
    let (project, hook) = subscribed(operator, "demanded").await;
    let body = push_body("quay.io/a/b", &["1.0.0"]);
    assert_eq!(post(&hook, &[], &body).status, 200);

    project.secret_of("s", &[("secret", SECRET), ("basic-auth", "receiver:pw\n")]).await;
    wait_until("the password is demanded", SOON, async || (post(&hook, &[], &body).status == 401).then_some(())).await;
    let password = "Authorization: Basic cmVjZWl2ZXI6cHc=";
    assert_eq!(post(&hook, &[], &body).says(), "missing Authorization header");
    assert_eq!(post(&hook, &["Authorization: Basic cmVjZWl2ZXI6cHg="], &body).says(), "unauthorized");
    assert_eq!(post(&hook, &[password], &body).says(), "refreshed 1 warehouse(s)");

    project.secret_of("s", &[("secret", SECRET), ("basic-auth", "receiver:pw\n"), ("body-token", "rosebud")]).await;
    wait_until("the token is demanded", SOON, async || (post(&hook, &[password], &body).status == 401).then_some(()))
        .await;
    assert_eq!(post(&hook, &[password], &body).says(), "missing token");
    let enveloped = |token: &str| format!(r#"{{"event":"repo_push","token":"{token}","data":{body}}}"#);
    assert_eq!(post(&hook, &[password], &enveloped("sled")).says(), "unauthorized");
    assert_eq!(post(&hook, &[password], &enveloped("rosebud")).says(), "refreshed 1 warehouse(s)");
    assert_eq!(project.refreshed().await, ["storefront"]);
}

#[tokio::test]
async fn what_cannot_be_demanded_is_told_and_the_receiver_is_not_served_without_it() {
    let operator = Operator::shared().await;
    let (project, hook) = subscribed(operator, "undemandable").await;
    project.secret_of("s", &[("secret", SECRET), ("basic-auth", "")]).await;
    hook.gone().await;
    let told = project.condition("receiver.quayside.dev/quay=False").await;
    assert_eq!(told["reason"], "InvalidCredentials");
    assert!(told["message"].as_str().unwrap().contains(r#""basic-auth" is empty"#), "{told}");
}

#[tokio::test]
async fn the_url_of_the_previous_secret_lives_beside_the_new_one_until_its_time() {
    let operator = Operator::shared().await;
    let (project, old) = subscribed(operator, "previous").await;
    let rotated = [("secret", "the secret from now on"), ("secret.previous", SECRET)];
    project.secret_of("s", &rotated).await;
    let new = project.hook(operator, "quay", "the secret from now on");
    new.served().await;
    let body = push_body("quay.io/a/b", &["1.0.0"]);
    assert_eq!(old.post(&body).says(), "refreshed 1 warehouse(s)", "never was there a moment without it");
    assert_eq!(new.post(&body).says(), "refreshed 1 warehouse(s)");
    let used = operator.metric(r#"quayside_previous_secret_last_used_timestamp_seconds{kind="quay""#);
    assert!(used > 1_700_000_000.0, "{used}");
    wait_until("the status names the new URL only", SOON, async || {
        let receivers = project.status().await["webhookReceivers"].clone();
        (receivers.as_array()?.len() == 1 && receivers[0]["path"] == new.path).then_some(())
    })
    .await;

    let until = Timestamp::now() + SignedDuration::from_secs(2);
    let until_text = until.to_string();
    project.secret_of("s", &[rotated[0], rotated[1], ("secret.previous-until", &until_text)]).await;
    old.gone().await;
    assert!(Timestamp::now() >= until, "it ended before its time");
    assert_eq!(new.post(&body).status, 200);
}
