//! Deliveries end to end, each figure beside its yardstick from the same run: the bare annotation PATCH, and a bare
//! axum route. Rounds alternate and the median ratio is printed, because the speed of a machine drifts.
#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench")]
#![allow(dead_code, reason = "the other bench uses the rest of the common module")]

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use common::{
    BarePatcher, Connection, ControlPlane, Operator, Pusher, Worker, load, median, receiver, receiver_path, seed,
    warehouse,
};
use http::{Request, StatusCode};

const WAREHOUSES: usize = 2_000;
const ROUNDS: usize = 5;
const PROJECT: &str = "bench";
/// Where the yardstick of the unknown path listens.
const AXUM_PORT: u16 = 18_090;

struct Prober(Connection);

impl Worker for Prober {
    async fn work(&mut self, _: usize) {
        let path = format!("/quay/{}", "0".repeat(64));
        let (status, _) = self.0.send(Request::post(path), Bytes::new()).await.expect("an answer");
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
}

async fn probers(port: u16) -> Vec<Prober> {
    let mut probers = Vec::new();
    for _ in 0..64 {
        probers.push(Prober(Connection::open(port).await.expect("a connection")));
    }
    probers
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// What the bare route answers with is what our unknown path answers with.
async fn bare_axum() {
    let answer = || async { (StatusCode::NOT_FOUND, [("content-type", "application/json")], "{}\n") };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", AXUM_PORT)).await.expect("a port");
    axum::serve(listener, Router::new().fallback(answer)).await.expect("a server");
}

#[tokio::main]
async fn main() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first provider");
    if std::env::args().any(|arg| arg == "bare-axum") {
        return bare_axum().await;
    }
    let plane = ControlPlane::start("", "");
    let client = plane.client().await;
    plane.kubectl(&["apply", "-f", "crds"]);
    plane.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
    plane.kubectl(&["apply", "-f", "examples/rbac.yaml"]);
    plane.kubectl(&["create", "namespace", PROJECT]);
    let warehouses = format!("/apis/kargo.akuity.io/v1alpha1/namespaces/{PROJECT}/warehouses");
    seed(&client, "Warehouses", WAREHOUSES, |n| (warehouses.clone(), warehouse(n, PROJECT, None))).await;
    let [secret, config] = receiver(PROJECT);
    seed(&client, "Secrets", 1, |_| (format!("/api/v1/namespaces/{PROJECT}/secrets"), secret.clone())).await;
    let configs = format!("/apis/kargo.akuity.io/v1alpha1/namespaces/{PROJECT}/projectconfigs");
    seed(&client, "ProjectConfigs", 1, |_| (configs.clone(), config.clone())).await;

    let operator = Operator::start(&plane.operator_kubeconfig());
    operator.ready().await;
    let path = receiver_path(PROJECT);
    // The yardstick has the operator's identity: authentication and authorisation cost the API server something, too.
    let client = common::client(&plane.operator_kubeconfig()).await;
    // Warm up both ways: connections, caches, the API server's own paths.
    load(2_000, BarePatcher::several(32, &client, PROJECT, WAREHOUSES)).await;
    load(2_000, Pusher::several(32, &path, WAREHOUSES).await).await;

    println!("| work | yardstick | ours | ratio | to reach |\n|---|---|---|---|---|");
    distinct(&operator, &client, &path).await;
    one_at_a_time(&client, &path).await;
    one_repository(&operator, &path).await;
    unknown_path().await;
    println!("\nresident memory: {:.0} MB", operator.resident());
}

async fn distinct(operator: &Operator, client: &kube::Client, path: &str) {
    let (mut bare, mut ours, mut ratios) = (vec![], vec![], vec![]);
    let mut cpu = 0.0;
    for _ in 0..ROUNDS {
        let yardstick = load(2_000, BarePatcher::several(32, client, PROJECT, WAREHOUSES)).await.per_second;
        let before = operator.cpu();
        let run = load(2_000, Pusher::several(32, path, WAREHOUSES).await).await.per_second;
        cpu += operator.cpu() - before;
        bare.push(yardstick);
        ours.push(run);
        ratios.push(run / yardstick);
    }
    let (bare, ours, ratio) = (median(bare), median(ours), median(ratios));
    println!(
        "| pushes to distinct Warehouses, 32 at a time | {bare:.0}/s bare PATCH | {ours:.0}/s | {ratio:.2} | ≥ 0.95 |"
    );
    let each = cpu / (2_000 * ROUNDS) as f64 * 1e3;
    println!("| processor time of the operator for each of them | – | {each:.2} ms | – | – |");
}

async fn one_at_a_time(client: &kube::Client, path: &str) {
    let (mut bare, mut ours, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let yardstick = ms(load(500, BarePatcher::several(1, client, PROJECT, WAREHOUSES)).await.p50);
        let run = ms(load(500, Pusher::several(1, path, WAREHOUSES).await).await.p50);
        bare.push(yardstick);
        ours.push(run);
        ratios.push(run / yardstick);
    }
    let (bare, ours, ratio) = (median(bare), median(ours), median(ratios));
    println!("| one push at a time, p50 | {bare:.2} ms bare PATCH | {ours:.2} ms | {ratio:.2} | ≤ 1.15 |");
}

async fn one_repository(operator: &Operator, path: &str) {
    let name = "quayside_refresh_patches_total";
    let before = operator.metric(name).await;
    let run = load(3_000, Pusher::several(64, path, 1).await).await;
    let patches = operator.metric(name).await - before;
    println!(
        "| 3,000 pushes to one repository, 64 at a time | 3,000 PATCHes | {patches:.0} PATCHes, p99 {:.1} ms | {:.3} | ≤ 120, p99 < 100 ms |",
        ms(run.p99),
        patches / 3_000.0
    );
}

async fn unknown_path() {
    let mut yardstick = Command::new(std::env::current_exe().expect("this program"))
        .arg("bare-axum")
        .stderr(Stdio::null())
        .spawn()
        .expect("the yardstick");
    while Connection::open(AXUM_PORT).await.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (mut bare, mut ours, mut ratios) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let axum = load(60_000, probers(AXUM_PORT).await).await.per_second;
        let run = load(60_000, probers(common::BASE_PORT).await).await.per_second;
        bare.push(axum);
        ours.push(run);
        ratios.push(run / axum);
    }
    yardstick.kill().ok();
    yardstick.wait().ok();
    let (bare, ours, ratio) = (median(bare), median(ours), median(ratios));
    println!("| unknown path, 64 at a time | {bare:.0}/s bare axum route | {ours:.0}/s | {ratio:.2} | ≥ 0.9 |");
}
