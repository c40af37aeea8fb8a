//! Named gates: a replica takes traffic only when its tables are filled.

use serde_json::json;

use crate::harness::{ControlPlane, Operator, Project, Proxy, SOON, Setup, exchange, get, wait_until};

#[tokio::test]
async fn a_replica_is_not_ready_before_its_tables_are_filled() {
    let plane = ControlPlane::shared();
    let project = Project::new("late").await;
    let early = project.quay(Operator::shared().await).await;
    let proxy = Proxy::to_server_of(plane.operator_kubeconfig());
    proxy.hold();
    let operator = Operator::start(Setup::on(plane).kubeconfig(proxy.kubeconfig()));
    wait_until("the ports are open", SOON, async || {
        let answer = exchange(operator.hooks, "GET /healthz", &[], b"").ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
    assert_eq!((get(operator.admin, "/livez").status, get(operator.admin, "/livez").body.as_str()), (200, "ok\n"));
    let gates = |tables: bool| {
        json!({
            "projectconfigs": tables, "clusterconfigs": tables, "receivers": tables, "clusterreceivers": tables,
            "warehouses": tables, "promotions": tables, "namespaces": tables, "listener": true,
        })
    };
    let readyz = get(operator.admin, "/readyz");
    assert_eq!(readyz.status, 503);
    assert_eq!(readyz.json(), json!({"ready": false, "draining": false, "gates": gates(false)}));
    assert_eq!(operator.metric(r#"quayside_ready{gate="warehouses""#), 0.0);

    // It is not known yet whether the path belongs to a receiver, so the sender is asked to come back.
    let hook = project.hook(&operator, "quay", &format!("a long enough secret of {}", project.namespace));
    assert_eq!(hook.path, early.path);
    let answer = hook.post("{}");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{answer:?}");
    assert_eq!(answer.says(), "starting: receivers are not loaded yet, please try again");
    assert_eq!(exchange(operator.hooks, "POST /hooks/quay/short", &[], b"{}").unwrap().status, 404);

    proxy.open();
    operator.ready().await;
    // Ready means that "unknown" can be believed and that what was there is served.
    assert_eq!(hook.post("{}").status, 200);
    assert_eq!(get(operator.admin, "/readyz").json(), json!({"ready": true, "draining": false, "gates": gates(true)}));
    assert_eq!(operator.metric(r#"quayside_ready{gate="warehouses""#), 1.0);
}

#[tokio::test]
async fn the_admin_port_serves_probes_and_metrics_and_nothing_else() {
    let operator = Operator::shared().await;
    let metrics = get(operator.admin, "/metrics");
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((metrics.status, metrics.header("content-type")), (200, Some(content_type)));
    assert!(metrics.body.ends_with("# EOF\n"));
    assert!(metrics.body.contains(&format!(r#"quayside_build_info{{version="{}"}} 1"#, env!("CARGO_PKG_VERSION"))));
    let project = Project::new("admin-port").await;
    let hook = project.quay(operator).await;
    for path in ["/", "/healthz", &hook.path] {
        assert_eq!(exchange(operator.admin, &format!("POST {path}"), &[], b"{}").unwrap().status, 404, "{path}");
    }
}

#[tokio::test]
async fn without_the_clusterconfig_crd_the_projects_are_served_all_the_same() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let crd = "clusterconfigs.kargo.akuity.io";
    plane.bash(&format!("kubectl delete crd {crd}")).success();
    let operator = Operator::start(Setup::on(plane));
    operator.ready().await;
    Project::on(plane, "no-crd").await.quay(&operator).await;
    plane.prepare().unwrap();
}
