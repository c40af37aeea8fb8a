//! One push to very many Warehouses, and the pushes of other projects meanwhile.

use std::thread;

use futures::{StreamExt, stream};
use serde_json::json;

use crate::harness::{ControlPlane, Fault, FaultProxy, Operator, Project, SOON, Setup, image, wait_until};

const MANY: usize = 300;
const CONCURRENCY: usize = 4;
/// A round trip so long that the fan-out cannot end while the others push.
const ROUND_TRIP: std::time::Duration = std::time::Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_one_push_refreshes_hundreds_another_waits_for_a_round_trip_and_not_for_the_queue() {
    let plane = ControlPlane::shared();
    let proxy = FaultProxy::to_server_of(plane.operator_kubeconfig());
    let setup = Setup::on(plane).kubeconfig(proxy.kubeconfig());
    let operator = Operator::start(setup.with(["--refresh-concurrency", "4", "--ack-deadline", "60s"]));
    operator.ready().await;
    let (large, small) = (Project::new("fan-out").await, Project::new("fan-out-other").await);
    let (fan_out, other) = (large.quay(&operator).await, small.quay(&operator).await);
    stream::iter(0..MANY)
        .for_each_concurrent(8, async |number| {
            large.warehouse(&format!("w-{number:03}"), json!([image("quay.io/fan/out", "^1.0.0")])).await;
        })
        .await;
    small.warehouse("storefront", json!([image("quay.io/fan/other", "^1.0.0")])).await;
    large.settle(&fan_out).await;
    small.settle(&other).await;
    wait_until("all Warehouses are known", SOON, async || {
        (fan_out.push("quay.io/fan/out", &["0.1.0"]).json()["subscribed"] == MANY).then_some(())
    })
    .await;

    proxy.set(Fault::Slow(ROUND_TRIP));
    let before = proxy.patches();
    thread::scope(|scope| {
        let fan_out = scope.spawn(|| fan_out.push("quay.io/fan/out", &["1.0.0"]));
        while proxy.patches() - before < 2 * CONCURRENCY {
            thread::yield_now();
        }
        for _ in 0..5 {
            let sent = proxy.patches();
            let answer = other.push("quay.io/fan/other", &["1.0.0"]);
            assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
            let meanwhile = proxy.patches() - sent;
            assert!(meanwhile <= 3 * CONCURRENCY + 6, "{meanwhile} PATCHes went before it");
        }
        assert!(operator.metric("quayside_refresh_owed") > MANY as f64 / 2.0, "the fan-out is still under way");
        let answer = fan_out.join().unwrap();
        assert_eq!((answer.status, answer.says()), (200, format!("refreshed {MANY} warehouse(s)")));
    });
    assert_eq!(proxy.patches() - before, MANY + 5);
    assert_eq!(large.refreshed().await.len(), MANY);
}
