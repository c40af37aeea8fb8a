//! Which of several replicas writes statuses, and what becomes of that when it ends, dies or sleeps.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    ControlPlane, LEASE_NAMESPACE, LeaseTurn, Operator, Project, SOON, Setup, image, quay_receiver, wait_until,
};

/// The duration of the Lease, and a look every two seconds by those who wait.
const SUCCESSION: Duration = Duration::from_secs(15 + 2);
/// For a machine that is busy with all the other tests.
const BUSY: Duration = Duration::from_secs(5);

fn written(operator: &Operator) -> f64 {
    operator.metric(r#"quayside_status_writes_total{outcome="written""#)
}

/// Something to report that was not reported before.
async fn add_broken_receiver(project: &Project) {
    project.receivers(json!([quay_receiver("quay", "quay-webhook"), quay_receiver("broken", "missing")])).await;
}

#[tokio::test]
async fn one_replica_writes_statuses_and_when_it_ends_another_does_at_once() {
    let turn = LeaseTurn::take().await;
    let first = turn.replica([]);
    first.leading(SOON).await;
    let second = turn.replica([]);
    second.ready().await;
    let project = Project::on(turn.plane, "two-replicas").await;
    let hook = project.quay(&first).await;
    project.condition("Ready=True").await;
    project.secret("another", "a secret that changes the status").await;
    project.receivers(json!([quay_receiver("quay", "another")])).await;
    for replica in [&first, &second] {
        project.hook(replica, "quay", "a secret that changes the status").served().await;
    }
    hook.gone().await;
    wait_until("the status has the new URL", SOON, async || {
        let path = project.hook(&first, "quay", "a secret that changes the status").path;
        (project.status().await["webhookReceivers"][0]["path"] == path).then_some(())
    })
    .await;
    assert!(written(&first) >= 2.0);
    assert_eq!((first.leads(), second.leads()), (true, false));
    assert_eq!(second.metric("quayside_status_writes_total"), 0.0);
    assert_eq!(second.logged("INFO", "another replica leads")[0]["leader"], turn.holder().await);

    first.signal("-TERM");
    assert_eq!(first.ended().await.code(), Some(0));
    assert_eq!(first.logged("INFO", "lease released").len(), 1);
    let released = Instant::now();
    second.leading(SOON).await;
    assert!(released.elapsed() < Duration::from_secs(3) + BUSY, "{:?}", released.elapsed());
    add_broken_receiver(&project).await;
    project.condition("Ready=False").await;
    assert!(written(&second) >= 1.0);
}

#[tokio::test]
async fn a_killed_leader_is_succeeded_within_the_duration_of_the_lease_and_no_sender_notices() {
    let turn = LeaseTurn::take().await;
    let first = turn.replica([]);
    first.leading(SOON).await;
    let second = turn.replica([]);
    second.ready().await;
    let project = Project::on(turn.plane, "killed-leader").await;
    let hook = project.quay(&second).await;
    project.warehouse("storefront", json!([image("quay.io/killed/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    project.condition("Ready=True").await;

    first.signal("-KILL");
    let killed = Instant::now();
    // No replica writes this until there is a successor.
    add_broken_receiver(&project).await;
    assert_eq!(hook.push("quay.io/killed/app", &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
    second.leading(SUCCESSION + BUSY).await;
    // The last renewal was at most five seconds old, and a call may take two.
    assert!(killed.elapsed() >= Duration::from_secs(15 - 5 - 2), "taken over after {:?}", killed.elapsed());
    project.condition("Ready=False").await;
}

#[tokio::test]
async fn a_leader_that_was_suspended_knows_when_it_wakes_up_that_it_leads_no_longer() {
    let turn = LeaseTurn::take().await;
    let first = turn.replica([]);
    first.leading(SOON).await;
    let second = turn.replica([]);
    second.ready().await;
    first.signal("-STOP");
    second.leading(SUCCESSION + BUSY).await;
    first.signal("-CONT");
    assert_eq!((first.leads(), second.leads()), (false, true));
    wait_until("it has found its successor", SOON, async || {
        let leader = first.logged("INFO", "another replica leads").pop()?;
        (leader["leader"] == *turn.holder().await).then_some(())
    })
    .await;
    assert_eq!((first.leads(), second.leads()), (false, true));
    assert_eq!(first.metric("quayside_lease_errors_total"), 0.0);
}

#[tokio::test]
async fn without_the_right_to_leases_a_replica_serves_and_says_why_it_writes_no_status() {
    let plane = ControlPlane::shared();
    let kubeconfig = plane.service_account("quayside", "without-leases");
    let bind = "kubectl create clusterrolebinding without-leases --clusterrole=quayside --serviceaccount=quayside:without-leases";
    plane.bash(bind).success();
    let setup = Setup::on(plane).kubeconfig(kubeconfig).with(["--lease-namespace", LEASE_NAMESPACE]);
    let operator = Operator::start(setup);
    operator.ready().await;
    let project = Project::new("without-leases").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/no-lease/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    assert_eq!(hook.push("quay.io/no-lease/app", &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
    wait_until("it has tried twice", SOON, async || {
        (operator.metric("quayside_lease_errors_total") >= 2.0).then_some(())
    })
    .await;
    let warnings = operator.logged("WARN", "the lease cannot be read or written");
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    let reason = warning["reason"].as_str().unwrap();
    assert!(reason.contains("cannot get resource \"leases\"") && reason.ends_with("(403)"), "{reason}");
    assert!(!operator.leads());
    assert_eq!(operator.metric("quayside_status_writes_total"), 0.0);
}

#[tokio::test]
async fn without_a_namespace_for_the_lease_there_is_no_election() {
    let operator = Operator::start(Setup::on(ControlPlane::shared()));
    operator.ready().await;
    assert!(operator.leads());
    assert_eq!(operator.logged("INFO", "no lease: neither --lease-namespace nor POD_NAMESPACE").len(), 1);
}
