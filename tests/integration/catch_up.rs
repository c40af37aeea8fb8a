//! What is made good after no replica had lived for a while.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::harness::{
    Fault, FaultProxy, LEASE_NAMESPACE, LeaseTurn, Operator, Project, SOON, Setup, image, wait_until,
};

const SINCE: &str = "quayside.dev/catch-up-since";
const AT: &str = "quayside.dev/catch-up-at";
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// A project with a receiver and so many Warehouses, which comes before all others.
async fn project(turn: &LeaseTurn, operator: &Operator, name: &str, warehouses: usize) -> Project {
    let project = Project::on(turn.plane, &format!("0-{name}")).await;
    for index in 0..warehouses {
        project.warehouse(&format!("w-{index:02}"), json!([image("quay.io/catch-up/app", "*")])).await;
    }
    project.quay(operator).await;
    project
}

async fn ends(operator: &Operator) {
    operator.signal("-TERM");
    assert_eq!(operator.ended().await.code(), Some(0), "{}", operator.log());
}

async fn complete(operator: &Operator) {
    // Other tests may have left many Warehouses.
    wait_until("the catch-up is complete", SOON * 3, async || operator.logged("INFO", "catch-up complete").pop()).await;
}

#[tokio::test]
async fn after_a_downtime_and_not_otherwise_every_reachable_warehouse_is_refreshed_once_and_spread_out() {
    let turn = LeaseTurn::take().await;
    let first = turn.replica([]);
    first.ready().await;
    let reachable = project(&turn, &first, "downtime", 8).await;
    reachable.warehouse("subscribes-to-nothing", json!([])).await;
    let unreachable = Project::on(turn.plane, "0-without-receiver").await;
    unreachable.warehouse("storefront", json!([image("quay.io/catch-up/app", "*")])).await;
    unreachable.receivers(json!([])).await;
    first.leading(SOON).await;
    assert!(!turn.annotations().await.contains_key(SINCE), "a first installation has missed nothing");
    ends(&first).await;

    let restarted = turn.replica([]);
    restarted.leading(SOON).await;
    assert!(!turn.annotations().await.contains_key(SINCE), "a restart is not a downtime");
    ends(&restarted).await;
    assert!(reachable.refreshed().await.is_empty());

    turn.ended_ago(TEN_MINUTES).await;
    let late = turn.replica(["--catch-up-rate", "8"]);
    complete(&late).await;
    let tokens = reachable.tokens().await;
    assert_eq!(tokens.keys().filter(|name| name.starts_with("w-")).count(), 8, "{tokens:?}");
    assert_eq!(tokens.len(), 8, "{tokens:?}");
    for name in tokens.keys() {
        assert_eq!(reachable.cause(name).await, json!({"cause": "catch-up"}), "{name}");
    }
    assert!(unreachable.refreshed().await.is_empty());
    let mut times: Vec<Timestamp> = tokens.values().map(|token| token.parse().unwrap()).collect();
    times.sort_unstable();
    let took = Duration::try_from(times[7].duration_since(times[0])).unwrap();
    assert!(took >= Duration::from_millis(7 * 125 - 60), "all within {took:?}");
    let begun = late.logged("INFO", "no replica lived for a while").pop().unwrap();
    let count = begun["warehouses"].as_u64().unwrap();
    assert!(count >= 8 && begun["continued"] == false, "{begun}");
    assert_eq!(late.logged("INFO", "catch-up complete")[0]["done"], count);
    assert_eq!(late.metric("quayside_catch_up_refreshes_total") as u64, count);
    assert_eq!(late.metric("quayside_catch_up_remaining"), 0.0);
    assert_eq!(late.metric("quayside_refresh_requests_total") as u64, count, "once each");
    wait_until("the Lease says so", SOON, async || {
        (!turn.annotations().await.keys().any(|key| key.contains("catch-up"))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_catch_up_that_is_switched_off_does_not_happen() {
    let turn = LeaseTurn::take().await;
    turn.ended_ago(TEN_MINUTES).await;
    let operator = turn.replica(["--catch-up-after", "0"]);
    operator.leading(SOON).await;
    assert!(!turn.annotations().await.contains_key(SINCE));
}

#[tokio::test]
async fn an_interrupted_catch_up_is_continued_where_it_was_whether_its_replica_ended_or_was_killed() {
    let turn = LeaseTurn::take().await;
    let before = turn.replica([]);
    before.ready().await;
    let project = project(&turn, &before, "interrupted", 24).await;
    ends(&before).await;
    turn.ended_ago(TEN_MINUTES).await;

    let ended = turn.replica(["--catch-up-rate", "2"]);
    wait_until("the catch-up has begun", SOON, async || (project.tokens().await.len() >= 2).then_some(())).await;
    ends(&ended).await;
    assert_eq!(ended.logged("INFO", "catch-up interrupted").len(), 1);
    let annotations = turn.annotations().await;
    let since = annotations[SINCE].clone();
    assert_eq!(turn.holder().await, "");
    let at = position(&annotations[AT], &project);
    let first = project.tokens().await;
    assert_eq!(first.keys().last().unwrap(), &at, "everything that was done is recorded, and nothing more");

    let killed = turn.replica(["--catch-up-rate", "2"]);
    let at = wait_until("progress is recorded", SOON, async || {
        let now = position(turn.annotations().await.get(AT)?, &project);
        (now > at).then_some(now)
    })
    .await;
    killed.signal("-KILL");
    let second = project.tokens().await;
    assert_eq!(killed.logged("INFO", "no replica lived for a while")[0]["continued"], true);
    assert_eq!(turn.annotations().await[SINCE], since);

    let last = turn.replica(["--catch-up-rate", "100"]);
    last.leading(SOON * 2).await;
    complete(&last).await;
    let third = project.tokens().await;
    assert_eq!(third.len(), 24);
    for (earlier, until) in [(&first, first.keys().last().unwrap()), (&second, &at)] {
        for (name, token) in earlier.range::<String, _>(..=until) {
            assert_eq!(&third[name], token, "{name} was refreshed again");
        }
    }
}

#[tokio::test]
async fn a_warehouse_that_cannot_be_refreshed_keeps_no_other_from_the_catch_up_and_is_come_back_to() {
    let turn = LeaseTurn::take().await;
    let before = turn.replica([]);
    before.ready().await;
    let project = project(&turn, &before, "one-fails", 20).await;
    ends(&before).await;
    turn.ended_ago(TEN_MINUTES).await;

    let proxy = FaultProxy::to_server_of(turn.plane.operator_kubeconfig());
    proxy.set(Fault::Unavailable("/warehouses/w-00"));
    let setup = Setup::on(turn.plane).kubeconfig(proxy.kubeconfig());
    let operator = Operator::start(setup.with(["--lease-namespace", LEASE_NAMESPACE, "--catch-up-rate", "100"]));
    wait_until("all others are refreshed", SOON * 3, async || (project.tokens().await.len() == 19).then_some(())).await;
    assert!(turn.annotations().await.contains_key(SINCE), "it is not complete");
    assert!(!turn.annotations().await.contains_key(AT), "the next leader begins with the one that fails");
    proxy.set(Fault::None);
    complete(&operator).await;
    assert_eq!(project.tokens().await.len(), 20);
}

#[tokio::test]
async fn what_a_replica_owed_that_is_lost_with_its_disk_is_made_good_by_the_leader() {
    let turn = LeaseTurn::take().await;
    let disks = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [disk, other_disk] = disks.each_ref().map(|disk| disk.path().to_str().unwrap());
    let leader = turn.replica(["--spool-dir", disk]);
    leader.leading(SOON).await;
    let proxy = FaultProxy::to_server_of(turn.plane.operator_kubeconfig());
    let setup = Setup::on(turn.plane).kubeconfig(proxy.kubeconfig()).with(["--lease-namespace", LEASE_NAMESPACE]);
    let lost = Operator::start(setup.with(["--spool-dir", other_disk, "--ack-deadline", "200ms"]));
    lost.ready().await;
    let project = project(&turn, &lost, "lost", 1).await;
    let hook = project.quay(&lost).await;
    project.settle(&hook).await;

    proxy.set(Fault::Unavailable("/warehouses/w-00"));
    assert_eq!(hook.push("quay.io/catch-up/app", &["1.0.0"]).status, 202);
    wait_until("it is noted that it owes", SOON, async || {
        turn.annotations().await.values().any(|note| note.ends_with(" owes")).then_some(())
    })
    .await;
    lost.signal("-KILL");
    lost.ended().await;
    assert!(project.tokens().await.is_empty());
    // It is missed for as long as a note may be late.
    wait_until("the leader makes it good", Duration::from_secs(120), async || {
        leader.logged("INFO", "catch-up complete").pop()
    })
    .await;
    assert!(project.tokens().await.contains_key("w-00"));
    let notes = turn.annotations().await.keys().filter(|key| key.starts_with("replica.")).count();
    assert_eq!(notes, 1, "only the leader's own is left");
}

/// The name in a record of progress, which is in this project.
fn position(at: &str, project: &Project) -> String {
    let (namespace, name) = at.split_once('/').unwrap();
    assert_eq!(namespace, project.namespace);
    name.to_owned()
}
