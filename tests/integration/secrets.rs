//! Secrets that change, go away and come back.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use crate::harness::{
    ControlPlane, Fault, FaultProxy, Operator, Project, SOON, Setup, base_url, exchange, image, quay_receiver,
    wait_until,
};

#[tokio::test]
async fn a_changed_secret_is_in_force_and_in_the_status_within_a_second() {
    let operator = Operator::shared().await;
    let project = Project::new("rotation").await;
    let mut hook = project.quay(operator).await;
    let mut took = Vec::new();
    for round in 0..3 {
        let secret = format!("secret number {round} of this project");
        let next = project.hook(operator, "quay", &secret);
        let began = Instant::now();
        project.secret("quay-webhook", &secret).await;
        wait_until("the new URL is in force", SOON, async || (next.probe() == Some(200)).then_some(())).await;
        assert_eq!(hook.probe(), Some(404), "the old URL ends in the same step");
        let url = format!("{}/quay/{}", base_url(), next.digest());
        wait_until("the new URL is in the status", SOON, async || {
            (project.status().await["webhookReceivers"][0]["url"] == url).then_some(())
        })
        .await;
        took.push(began.elapsed());
        hook = next;
    }
    // The machine runs all the other tests at the same time; one slow round is its fault.
    took.sort();
    assert!(took[1] < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_deleted_secret_ends_the_route_and_a_new_one_brings_it_back() {
    let operator = Operator::shared().await;
    let project = Project::new("deleted").await;
    let hook = project.quay(operator).await;
    project.condition("Ready=True").await;
    project.delete("Secret", "quay-webhook").await;
    hook.gone().await;
    let ready = project.condition("Ready=False").await;
    let namespace = &project.namespace;
    assert_eq!(ready["reason"], "SyncWebhookReceiversFailed");
    let cause =
        format!(r#"error getting Secret "quay-webhook" in namespace "{namespace}": secrets "quay-webhook" not found"#);
    let message = format!(r#"Failed to sync WebhookReceivers: error syncing WebhookReceiver "quay": {cause}"#);
    assert_eq!(ready["message"], message);
    assert_eq!(project.condition("Reconciling=True").await["message"], "Syncing WebhookReceivers");
    assert_eq!(project.condition("receiver.quayside.dev/quay=False").await["reason"], "SecretNotFound");
    assert!(project.status().await["webhookReceivers"].is_null());

    project.secret("quay-webhook", &format!("a long enough secret of {namespace}")).await;
    hook.served().await;
    project.condition("Ready=True").await;
    let status = project.status().await;
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status["webhookReceivers"][0]["path"], hook.path);
}

#[tokio::test]
async fn a_deleted_projectconfig_ends_its_routes_and_a_new_one_brings_them_back() {
    let operator = Operator::shared().await;
    let project = Project::new("unconfigured").await;
    let hook = project.quay(operator).await;
    project.delete("ProjectConfig", &project.namespace).await;
    hook.gone().await;
    // The Secret is not read while no receiver references it.
    project.secret("quay-webhook", "another secret in the meantime").await;
    project.receivers(json!([quay_receiver("quay", "quay-webhook")])).await;
    project.hook(operator, "quay", "another secret in the meantime").served().await;
    assert_eq!(hook.probe(), Some(404));
}

#[tokio::test]
async fn a_secret_that_several_receivers_share_moves_them_all() {
    let operator = Operator::shared().await;
    let project = Project::new("shared-secret").await;
    project.secret("s", "the first shared secret").await;
    project.receivers(json!([quay_receiver("one", "s"), quay_receiver("two", "s")])).await;
    let hooks = |secret: &str| ["one", "two"].map(|name| project.hook(operator, name, secret));
    for hook in hooks("the first shared secret") {
        hook.served().await;
    }
    project.secret("s", "the second shared secret").await;
    for hook in hooks("the second shared secret") {
        hook.served().await;
    }
    for hook in hooks("the first shared secret") {
        assert_eq!(hook.probe(), Some(404));
    }
}

#[tokio::test]
async fn every_byte_of_a_secret_counts() {
    let operator = Operator::shared().await;
    let project = Project::new("bytes").await;
    let secret = "  spaces, a newline\nand another\n";
    project.secret("s", secret).await;
    project.receivers(json!([quay_receiver("quay", "s")])).await;
    project.hook(operator, "quay", secret).served().await;
    assert_eq!(project.hook(operator, "quay", secret.trim()).probe(), Some(404));
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_at_the_start_keeps_its_pushes_until_it_can() {
    // Where few tests leave owners behind: each is looked at once, and a silent read takes its time limit.
    let (plane, _turn) = ControlPlane::lawless().await;
    let before = Operator::start(Setup::on(plane));
    before.ready().await;
    let project = Project::on(plane, "unreadable").await;
    let settled = project.quay(&before).await;
    project.warehouse("storefront", json!([image("quay.io/unreadable/app", "^1.0.0")])).await;
    project.settle(&settled).await;
    let secret = format!("a long enough secret of {}", project.namespace);
    for fault in [Fault::SecretReads(429), Fault::SecretReads(500), Fault::SilentSecretReads] {
        let (proxy, spool) = (FaultProxy::to_server_of(plane.operator_kubeconfig()), tempfile::tempdir().unwrap());
        proxy.set(fault);
        let operator = Operator::start(Setup::on(plane).kubeconfig(proxy.kubeconfig()).spool(spool.path()));
        wait_until("the operator is ready", SOON * 8, async || {
            (exchange(operator.admin, "GET /readyz", &[], b"").ok()?.status == 200).then_some(())
        })
        .await;
        let held = || operator.metric("quayside_spool_intake_requests");
        wait_until("it is known that Secrets cannot be read", SOON, async || {
            (operator.metric("quayside_unresolved_owners") > 0.0).then_some(())
        })
        .await;
        let (hook, sent) = (project.hook(&operator, "quay", &secret), Timestamp::now());
        let answers: Vec<u16> = (0..3).map(|_| hook.push("quay.io/unreadable/app", &["1.0.0"]).status).collect();
        assert_eq!(answers, [202; 3], "{fault:?}");
        wait_until("what was taken in has been looked at, and waits", SOON, async || {
            (operator.logged("DEBUG", "request that was taken in waits").len() >= 3).then_some(())
        })
        .await;
        assert_eq!((held(), operator.metric("quayside_intake_runs_total")), (3.0, 0.0), "{fault:?}");
        proxy.set(Fault::None);
        wait_until("what was taken in is refreshed", SOON * 4, async || {
            let token = project.tokens().await.remove("storefront")?;
            (token.parse::<Timestamp>().unwrap() >= sent).then_some(())
        })
        .await;
        wait_until("nothing waits any more", SOON, async || (held() == 0.0).then_some(())).await;
        hook.served().await;
        wait_until("what is unknown is unknown", SOON * 4, async || {
            (project.hook(&operator, "another", &secret).probe() == Some(404)).then_some(())
        })
        .await;
    }
}
