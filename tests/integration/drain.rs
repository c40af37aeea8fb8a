//! How a replica ends.

use serde_json::json;

use crate::harness::{
    Connection, ControlPlane, Operator, Project, Proxy, SOON, Setup, exchange, get, head, image, push_body, wait_until,
};

#[tokio::test]
async fn sigterm_unreadies_finishes_what_is_in_flight_and_exits_with_0() {
    let plane = ControlPlane::shared();
    let operator = Operator::start(Setup::on(plane).with(["--drain-delay", "1s"]));
    operator.ready().await;
    let project = Project::new("drain").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/drain/app", "^1.0.0")])).await;
    project.settle(&hook).await;

    let body = push_body("quay.io/drain/app", &["1.0.0"]).into_bytes();
    let (first, second) = body.split_at(10);
    let mut slow = Connection::open(hook.address).unwrap();
    slow.send(&head(&format!("POST {}", hook.path), &[&format!("Content-Length: {}", body.len())])).unwrap();
    slow.send(first).unwrap();
    let idle = Connection::open(hook.address).unwrap();
    let request = b"POST /hooks/nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_vec();
    let mut kept = Connection::open(hook.address).unwrap();
    kept.send(&request).unwrap();
    assert_eq!(kept.next_answer().unwrap().header("connection"), None);

    operator.signal("-TERM");
    wait_until("the replica is unready", SOON, async || {
        let readyz = get(operator.admin, "/readyz");
        (readyz.status == 503 && readyz.json()["draining"] == true).then_some(())
    })
    .await;
    assert_eq!(get(operator.admin, "/livez").status, 200);
    // Load balancers need time to notice, so it goes on accepting for a while.
    assert_eq!(hook.push("quay.io/drain/app", &["2.0.0"]).status, 200);
    // A proxy is told not to keep its connection.
    kept.send(&request).unwrap();
    let answer = kept.answer().unwrap();
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
    wait_until("no new connection is accepted", SOON, async || {
        exchange(hook.address, "GET /healthz", &[], b"").is_err().then_some(())
    })
    .await;
    assert!(project.refreshed().await.is_empty());
    slow.send(second).unwrap();
    let answer = slow.answer().unwrap();
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
    assert_eq!(operator.ended().await.code(), Some(0), "{}", operator.log());
    assert_eq!(project.refreshed().await, ["storefront"]);
    idle.abort();
}

#[tokio::test]
async fn a_refresh_that_is_owed_is_written_before_the_replica_ends() {
    let plane = ControlPlane::shared();
    let proxy = Proxy::to_server_of(plane.operator_kubeconfig());
    let setup = Setup::on(plane).kubeconfig(proxy.kubeconfig()).with(["--ack-deadline", "100ms"]);
    let operator = Operator::start(setup);
    operator.ready().await;
    let project = Project::new("flush").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/flush/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    proxy.hold();
    assert_eq!(hook.push("quay.io/flush/app", &["1.0.0"]).status, 503);
    operator.signal("-TERM");
    wait_until("no new connection is accepted", SOON, async || {
        exchange(hook.address, "GET /healthz", &[], b"").is_err().then_some(())
    })
    .await;
    assert!(project.refreshed().await.is_empty());
    proxy.open();
    assert_eq!(operator.ended().await.code(), Some(0));
    assert_eq!(project.refreshed().await, ["storefront"]);
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_at_the_drain_timeout() {
    let plane = ControlPlane::shared();
    let operator = Operator::start(Setup::on(plane).with(["--drain-timeout", "300ms"]));
    operator.ready().await;
    let project = Project::new("cut-off").await;
    let hook = project.quay(&operator).await;
    let mut slow = Connection::open(hook.address).unwrap();
    slow.send(&head(&format!("POST {}", hook.path), &["Content-Length: 1000"])).unwrap();
    slow.send(b"{").unwrap();
    // The head has been read when the answer to a later request is there.
    hook.served().await;
    operator.signal("-TERM");
    assert_eq!(operator.ended().await.code(), Some(0));
    assert_eq!(operator.logged("WARN", "not everything finished before the drain timeout")[0]["connections"], 1);
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once_and_not_with_0() {
    let operator = Operator::start(Setup::on(ControlPlane::shared()).with(["--drain-delay", "60s"]));
    operator.ready().await;
    operator.signal("-INT");
    wait_until("the replica is unready", SOON, async || (get(operator.admin, "/readyz").status == 503).then_some(()))
        .await;
    operator.signal("-TERM");
    let code = operator.ended().await.code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    assert!(operator.log().contains("second signal"), "{}", operator.log());
}

#[tokio::test]
async fn a_setup_that_cannot_work_ends_at_once_and_says_what_to_do() {
    let plane = ControlPlane::shared();
    let shared = Operator::shared().await;
    let taken = Operator::start(Setup::on(plane).with(["--drain-delay", "0s"]).listening_on(shared.hooks));
    assert_eq!(taken.ended().await.code(), Some(2));
    assert!(taken.log().contains("choose another address with --listen"), "{}", taken.log());
    let missing = Operator::start(Setup::on(plane).kubeconfig("/nonexistent/kubeconfig".into()));
    assert_eq!(missing.ended().await.code(), Some(2));
    assert!(missing.log().contains("failed to read the kubeconfig /nonexistent/kubeconfig"), "{}", missing.log());
}
