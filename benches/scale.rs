//! Start, memory and latency with a big cluster: by default 10,000 `ProjectConfigs` and 100,000 Warehouses with a
//! status as large as in real life. `QUAYSIDE_BENCH_PROJECTS` and `QUAYSIDE_BENCH_WAREHOUSES` make it smaller.
#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench")]
#![allow(dead_code, reason = "the other bench uses the rest of the common module")]

mod common;

use std::time::{Duration, Instant};

use common::{BarePatcher, ControlPlane, Operator, Pusher, load, receiver, receiver_path, seed, setting, warehouse};
use http::Request;
use kube::Client;
use serde_json::{Value, json};

/// Images that a Warehouse has discovered.
const DISCOVERED: usize = 20;
const PUSHES: usize = 7_000;
/// Starts, each beside a yardstick of its own.
const STARTS: usize = 5;
const PAGE: usize = 500;
const WAREHOUSES: &str = "/apis/kargo.akuity.io/v1alpha1/warehouses";
const CONFIGS: &str = "/apis/kargo.akuity.io/v1alpha1/projectconfigs";

/// About 7 kB, as Kargo's controller leaves behind.
fn status() -> Value {
    let references: Vec<_> = (0..DISCOVERED)
        .map(|n| {
            json!({
                "tag": format!("1.2.{n}"),
                "digest": format!("sha256:{:064x}", n + 1),
                "createdAt": "2026-05-04T07:15:31Z",
                "annotations": {
                    "org.opencontainers.image.source": "https://git.example.com/northwind/storefront",
                    "org.opencontainers.image.revision": format!("{:040x}", n + 1),
                },
            })
        })
        .collect();
    json!({
        "conditions": [
            {"type": "Healthy", "status": "True", "reason": "DiscoverySucceeded", "message": "Successfully discovered artifacts", "lastTransitionTime": "2026-05-04T07:15:31Z"},
            {"type": "Ready", "status": "True", "reason": "ArtifactsDiscovered", "message": "Discovered artifacts", "lastTransitionTime": "2026-05-04T07:15:31Z"},
        ],
        "observedGeneration": 1,
        "discoveredArtifacts": {
            "discoveredAt": "2026-05-04T07:15:31Z",
            "images": [{"repoURL": "quay.example.com/bench/r", "platform": "linux/amd64", "references": references}],
        },
    })
}

/// Pages through a list and reads nothing of it: the yardstick for the start.
async fn page_through(client: &Client, list: &str) -> usize {
    let (mut token, mut bytes) = (String::new(), 0);
    loop {
        let request = Request::get(format!("{list}?limit={PAGE}&continue={token}")).body(vec![]).expect("a request");
        let page = client.request_text(request).await.expect("a page");
        bytes += page.len();
        let meta = page.find("\"continue\":\"").map(|at| &page[at + 12..]);
        match meta.and_then(|rest| rest.split('"').next()).filter(|token| !token.is_empty()) {
            Some(next) => token = next.to_owned(),
            None => return bytes,
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[tokio::main]
async fn main() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first provider");
    let projects = setting("QUAYSIDE_BENCH_PROJECTS", 10_000);
    let warehouses = setting("QUAYSIDE_BENCH_WAREHOUSES", 100_000);
    let plane = ControlPlane::start(
        "--max-requests-inflight=800 --max-mutating-requests-inflight=400",
        "--quota-backend-bytes=8589934592",
    );
    let client = plane.client().await;
    seed_cluster(&plane, &client, projects, warehouses).await;

    println!("| work | yardstick | ours | ratio | to reach |\n|---|---|---|---|---|");
    // Once in vain: after the CRD was replaced the API server fills its own caches again.
    page_through(&client, WAREHOUSES).await;
    page_through(&client, CONFIGS).await;
    let (operator, first) = started(&plane, &client).await;
    statuses_written(&operator, projects).await;

    let ready = operator.resident();
    let path = receiver_path("p0");
    // The yardstick has the operator's identity: authentication and authorisation cost the API server something, too.
    latency(&common::client(&plane.operator_kubeconfig()).await, &path).await;
    load(PUSHES, Pusher::several(32, &path, BUSY).await).await;
    println!(
        "| resident memory | – | {ready:.0} MB ready, {:.0} MB after {PUSHES} pushes | – | ≤ 150 MB, flat |",
        operator.resident()
    );

    let mut starts = vec![first];
    drop(operator);
    while starts.len() < STARTS {
        starts.push(started(&plane, &client).await.1);
    }
    let mut ratios = Vec::new();
    for (at, Start { paging, mb, start, cpu }) in starts.iter().enumerate() {
        let what = if at == 0 { "the first start, which writes every status" } else { "a start" };
        let ratio = start / paging;
        println!(
            "| {what} | {paging:.1} s paging through {mb:.0} MB | {start:.1} s, {cpu:.1} s of processor time | {ratio:.2} | |"
        );
        ratios.push(ratio);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    println!("| start to ready | – | – | {:.2} | ≤ 1.2 |", ratios[STARTS / 2]);
}

/// What a start took.
struct Start {
    /// Seconds for the yardstick.
    paging: f64,
    mb: f64,
    /// Seconds until ready.
    start: f64,
    /// Seconds of processor time until then.
    cpu: f64,
}

async fn started(plane: &ControlPlane, client: &Client) -> (Operator, Start) {
    let began = Instant::now();
    let bytes = page_through(client, WAREHOUSES).await + page_through(client, CONFIGS).await;
    let paging = began.elapsed().as_secs_f64();
    let operator = Operator::start(&plane.operator_kubeconfig());
    operator.ready().await;
    let (start, cpu) = (operator.started.elapsed().as_secs_f64(), operator.cpu());
    (operator, Start { paging, mb: bytes as f64 / 1e6, start, cpu })
}

/// The Warehouses of the project that is pushed to.
const BUSY: usize = 1_000;

async fn latency(client: &Client, path: &str) {
    load(200, BarePatcher::several(1, client, "p0", BUSY)).await;
    load(200, Pusher::several(1, path, BUSY).await).await;
    let mut ratios = Vec::new();
    let (mut bare, mut ours) = (0.0, 0.0);
    for _ in 0..5 {
        bare = ms(load(500, BarePatcher::several(1, client, "p0", BUSY)).await.p50);
        ours = ms(load(500, Pusher::several(1, path, BUSY).await).await.p50);
        ratios.push(ours / bare);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    println!("| one push at a time, p50 | {bare:.2} ms bare PATCH | {ours:.2} ms | {:.2} | ≤ 1.15 |", ratios[2]);
}

async fn statuses_written(operator: &Operator, projects: usize) {
    while operator.metric("quayside_status_writes_total").await < projects as f64 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The status goes in with the object: until the real CRD is applied, its `status` is a member like any other.
async fn seed_cluster(plane: &ControlPlane, client: &Client, projects: usize, warehouses: usize) {
    let crds = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/crds/kargo.akuity.io_warehouses.yaml"));
    let loose = crds.expect("the CRD").replace("    subresources:\n      status: {}\n", "");
    let file = plane.dir.path().join("warehouses.yaml");
    std::fs::write(&file, loose).expect("a file");
    plane.kubectl(&["apply", "-f", "crds"]);
    plane.kubectl(&["apply", "-f", file.to_str().expect("a path")]);
    plane.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
    plane.kubectl(&["apply", "-f", "examples/rbac.yaml"]);

    eprintln!("seeding {projects} projects and {warehouses} Warehouses");
    seed(client, "Namespaces", projects, |n| {
        (
            "/api/v1/namespaces".to_owned(),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("p{n}")}}),
        )
    })
    .await;
    let status = status();
    seed(client, "Warehouses", warehouses, |n| {
        // The first thousand belong to the project that is pushed to, the rest are spread.
        let namespace = if n < BUSY { "p0".to_owned() } else { format!("p{}", n % projects) };
        (
            format!("/apis/kargo.akuity.io/v1alpha1/namespaces/{namespace}/warehouses"),
            warehouse(n, &namespace, Some(status.clone())),
        )
    })
    .await;
    seed(client, "Secrets", projects, |n| {
        let [secret, _] = receiver(&format!("p{n}"));
        (format!("/api/v1/namespaces/p{n}/secrets"), secret)
    })
    .await;
    seed(client, "ProjectConfigs", projects, |n| {
        let [_, config] = receiver(&format!("p{n}"));
        (format!("/apis/kargo.akuity.io/v1alpha1/namespaces/p{n}/projectconfigs"), config)
    })
    .await;
    plane.kubectl(&["apply", "-f", "crds"]);
}
