//! What it costs to remember deliveries: throughput, processor time and memory with the journal and without it, in
//! rounds that alternate, because the speed of a machine drifts. `QUAYSIDE_BENCH_ROUNDS`, `QUAYSIDE_BENCH_PUSHES` and
//! `QUAYSIDE_BENCH_SECONDS` say how long it takes.
#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench")]
#![allow(dead_code, reason = "the other benches use the rest of the common module")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{
    BASE_PORT, Connection, ControlPlane, Operator, Worker, median, receiver, receiver_path, seed, setting, warehouse,
};
use http::{Request, StatusCode};
use serde_json::json;

const WAREHOUSES: usize = 1_000;
const PROJECT: &str = "bench";
/// As many as wait at a time when each push waits for the next of two refreshes a second.
const PACED_SENDERS: usize = 1_024;
const PER_SECOND: usize = 1_000;

/// A kind of load.
#[derive(Clone, Copy)]
struct Load {
    what: &'static str,
    senders: usize,
    /// The repositories that are pushed to in turn.
    repositories: usize,
    tag: &'static str,
    /// Pushes a second; `None`: as many as are answered.
    pace: Option<usize>,
    /// What the ratio of pushes a second has to reach.
    to_reach: Option<f64>,
}

const LOADS: [Load; 3] = [
    Load {
        what: "pushes to distinct Warehouses, 32 at a time",
        senders: 32,
        repositories: WAREHOUSES,
        tag: "1.2.3",
        pace: None,
        to_reach: Some(0.98),
    },
    Load {
        what: "pushes of a tag that nobody accepts, 32 at a time",
        senders: 32,
        repositories: WAREHOUSES,
        tag: "2.0.0",
        pace: None,
        to_reach: None,
    },
    Load {
        what: "1,000 pushes a second to 100 Warehouses",
        senders: PACED_SENDERS,
        repositories: 100,
        tag: "1.2.3",
        pace: Some(PER_SECOND),
        to_reach: Some(0.98),
    },
];

/// The figures of one operator under one load.
struct Figures {
    per_second: f64,
    /// Processor time of a push, in microseconds.
    cpu: f64,
    /// Resident memory at the end, in MB.
    resident: f64,
}

struct Sender {
    connection: Connection,
    path: Arc<str>,
    load: Load,
    began: Instant,
}

impl Worker for Sender {
    async fn work(&mut self, n: usize) {
        if let Some(pace) = self.load.pace {
            let due = self.began + Duration::from_secs(n as u64) / u32::try_from(pace).expect("a small number");
            tokio::time::sleep_until(due.into()).await;
        }
        let url = format!("quay.example.com/bench/r{}", n % self.load.repositories);
        let body = json!({"docker_url": url, "updated_tags": [self.load.tag]}).to_string();
        let (status, _) = self.connection.send(Request::post(&*self.path), Bytes::from(body)).await.expect("an answer");
        // Where the API server is slower than the pace, the disk keeps what is owed.
        assert!(status == StatusCode::OK || self.load.pace.is_some() && status == StatusCode::ACCEPTED, "{status}");
    }
}

#[tokio::main]
async fn main() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first provider");
    let limit = rustix::process::Rlimit { current: Some(10_000), maximum: Some(10_000) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("10,000 files");
    let plane = ControlPlane::start("", "");
    seed_cluster(&plane).await;
    let (rounds, seconds) = (setting("QUAYSIDE_BENCH_ROUNDS", 5), setting("QUAYSIDE_BENCH_SECONDS", 60));
    let pushes = setting("QUAYSIDE_BENCH_PUSHES", 20_000);
    println!("| load | journal | pushes/s | processor time of a push | resident memory |\n|---|---|---|---|---|");
    for load in LOADS {
        let total = load.pace.map_or(pushes, |pace| pace * seconds);
        let (mut on, mut off) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            // Whichever is second finds the API server warmer.
            let order = if round % 2 == 0 { [true, false] } else { [false, true] };
            for is_on in order {
                let figures = measure(&plane, load, total, is_on).await;
                if is_on { on.push(figures) } else { off.push(figures) }
            }
        }
        row(load, &on, &off);
    }
}

/// Puts a load on an operator of its own.
async fn measure(plane: &ControlPlane, load: Load, total: usize, is_on: bool) -> Figures {
    let (journal, spool) = (if is_on { "16Mi" } else { "0" }, tempfile::tempdir().expect("a temporary folder"));
    let arguments = ["--spool-dir", spool.path().to_str().expect("a path"), "--journal-bytes", journal];
    let operator = Operator::start_with(&plane.operator_kubeconfig(), &arguments);
    operator.ready().await;
    let path: Arc<str> = receiver_path(PROJECT).into();
    let mut senders = Vec::new();
    for _ in 0..load.senders {
        let connection = Connection::open(BASE_PORT).await.expect("the webhook port");
        senders.push(Sender { connection, path: Arc::clone(&path), load, began: Instant::now() });
    }
    let (began, cpu) = (Instant::now(), operator.cpu());
    senders.iter_mut().for_each(|sender| sender.began = began);
    let run = common::load(total, senders).await;
    let cpu = (operator.cpu() - cpu) / total as f64 * 1e6;
    Figures { per_second: run.per_second, cpu, resident: operator.resident() }
}

fn row(Load { what, to_reach, .. }: Load, on: &[Figures], off: &[Figures]) {
    let of = |figures: &[Figures], figure: fn(&Figures) -> f64| median(figures.iter().map(figure).collect());
    let ratio =
        |figure: fn(&Figures) -> f64| median(on.iter().zip(off).map(|(on, off)| figure(on) / figure(off)).collect());
    let (per_second, cpu, resident) =
        (|figures: &Figures| figures.per_second, |figures: &Figures| figures.cpu, |figures: &Figures| figures.resident);
    for (journal, figures) in [("on", on), ("off", off)] {
        println!(
            "| {what} | {journal} | {:.0} | {:.0} µs | {:.0} MB |",
            of(figures, per_second),
            of(figures, cpu),
            of(figures, resident)
        );
    }
    let more = of(on, resident) - of(off, resident);
    let to_reach = to_reach.map(|to_reach| format!(" (to reach: {to_reach})")).unwrap_or_default();
    println!("| | ratio | {:.3}{to_reach} | {:.2} | {more:+.0} MB |", ratio(per_second), ratio(cpu));
}

async fn seed_cluster(plane: &ControlPlane) {
    plane.kubectl(&["apply", "-f", "crds"]);
    plane.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
    plane.kubectl(&["apply", "-f", "examples/rbac.yaml"]);
    plane.kubectl(&["create", "namespace", PROJECT]);
    let client = plane.client().await;
    let kargo = format!("/apis/kargo.akuity.io/v1alpha1/namespaces/{PROJECT}");
    seed(&client, "Warehouses", WAREHOUSES, |n| (format!("{kargo}/warehouses"), warehouse(n, PROJECT, None))).await;
    let [secret, config] = receiver(PROJECT);
    let objects =
        [(format!("/api/v1/namespaces/{PROJECT}/secrets"), secret), (format!("{kargo}/projectconfigs"), config)];
    seed(&client, "objects", objects.len(), |n| objects[n].clone()).await;
}
