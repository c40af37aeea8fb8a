//! The memory of the process under each kind of load, and the processor time of hostile requests, with 10,000
//! Warehouses and the memory budget of the chart. `QUAYSIDE_BENCH_PUSHES` says how many pushes an outage has
//! (1,000,000).
#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a bench")]
#![allow(dead_code, reason = "the other benches use the rest of the common module")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use common::{BASE_PORT, Connection, ControlPlane, Operator, SECRET, Worker, load, path_of, seed, setting};
use http::{Request, StatusCode};
use kube::Client;
use quayside::domain::kind::ReceiverKind;
use serde_json::{Value, json};

const WAREHOUSES: usize = 10_000;
const PROJECT: &str = "p0";
/// What the chart grants.
const BUDGET: &str = "256Mi";
const CONNECTIONS: usize = 4_000;
const HEAD: usize = 27 * 1024;
const SLOW_BODIES: usize = 64;
const BODY: usize = 2 * 1024 * 1024;
/// How long a load is held: longer than an idle connection keeps its buffers.
const HELD: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().expect("the first provider");
    let limit = rustix::process::Rlimit { current: Some(10_000), maximum: Some(10_000) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("10,000 files");
    let mut plane = ControlPlane::start("", "");
    let client = plane.client().await;
    seed_cluster(&plane, &client).await;

    println!("| load | idle | at most | {} s later | limit of the chart |\n|---|---|---|---|---|", HELD.as_secs());
    Scene::start(&plane, &[]).await.row("4,000 idle connections, a head of 27 KB each", idle_heads).await;
    Scene::start(&plane, &[]).await.row("64 slow bodies of 2 MiB", slow_bodies).await;
    fan_out(&plane).await;
    outage(&mut plane, &client).await;

    println!("\n| request | processor time | memory above idle | to reach |\n|---|---|---|---|");
    for hostile in hostile() {
        hostile.row(&plane).await;
    }
}

/// An operator that has filled its tables.
struct Scene {
    operator: Operator,
    idle: f64,
}

impl Scene {
    async fn start(plane: &ControlPlane, arguments: &[&str]) -> Self {
        let spool = ["--spool-dir", "none"];
        let arguments =
            [&["--memory-budget", BUDGET][..], if arguments.is_empty() { &spool[..] } else { arguments }].concat();
        let operator = Operator::start_with(&plane.operator_kubeconfig(), &arguments);
        operator.ready().await;
        tokio::time::sleep(HELD).await;
        operator.forget_peak();
        let idle = operator.resident();
        Self { operator, idle }
    }

    /// Does something that holds its connections until it is dropped, and prints what it costs.
    async fn row<T: Send + 'static>(self, load: &str, act: impl FnOnce() -> T + Send + 'static) {
        let held = tokio::task::spawn_blocking(act).await.expect("a load");
        self.print(load).await;
        drop(held);
    }

    async fn print(&self, load: &str) {
        tokio::time::sleep(HELD).await;
        let (idle, peak, later) = (self.idle, self.operator.peak(), self.operator.resident());
        println!("| {load} | {idle:.0} MB | {peak:.0} MB | {later:.0} MB | 268 MB |");
    }
}

fn connect() -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", BASE_PORT)).expect("the webhook port");
    stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a socket");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    stream
}

/// Opens connections, 32 at a time.
fn connections(count: usize, open: impl Fn() -> TcpStream + Sync) -> Vec<TcpStream> {
    thread::scope(|scope| {
        let open = || (0..count / 32).map(|_| open()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..32).map(|_| scope.spawn(open)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a connection")).collect()
    })
}

fn idle_heads() -> Vec<TcpStream> {
    let head = format!("GET /nobody HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(HEAD));
    connections(CONNECTIONS, || {
        let mut stream = connect();
        stream.write_all(head.as_bytes()).expect("a head");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 404");
        stream
    })
}

/// They send three quarters of what they announce, as far as it is read.
fn slow_bodies() -> Vec<TcpStream> {
    let head =
        format!("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: {BODY}\r\n\r\n", path_of(PROJECT, ReceiverKind::Quay));
    let body = vec![b' '; BODY / 4 * 3];
    connections(SLOW_BODIES, || {
        let mut stream = connect();
        stream.write_all(head.as_bytes()).expect("a head");
        // What waits for memory is not read.
        stream.write_all(&body).ok();
        stream
    })
}

async fn fan_out(plane: &ControlPlane) {
    let scene = Scene::start(plane, &[]).await;
    let mut connection = Connection::open(BASE_PORT).await.expect("the webhook port");
    let body = json!({"docker_url": "quay.example.com/bench/all", "updated_tags": ["1.2.3"]}).to_string();
    let request = Request::post(path_of(PROJECT, ReceiverKind::Quay));
    let (_, answer) = connection.send(request, Bytes::from(body)).await.expect("an answer");
    let matched: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(matched["matched"], WAREHOUSES);
    while scene.operator.metric("quayside_refresh_owed").await > 0.0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    scene.print("one push to 10,000 Warehouses").await;
}

/// Pushes that are answered 202.
struct Queued {
    connection: Connection,
    path: Arc<str>,
}

impl Worker for Queued {
    async fn work(&mut self, n: usize) {
        let url = format!("quay.example.com/bench/r{}", n % WAREHOUSES);
        let body = json!({"docker_url": url, "updated_tags": ["1.2.3"]}).to_string();
        let (status, _) = self.connection.send(Request::post(&*self.path), Bytes::from(body)).await.expect("an answer");
        assert_eq!(status, StatusCode::ACCEPTED);
    }
}

async fn outage(plane: &mut ControlPlane, client: &Client) {
    let pushes = setting("QUAYSIDE_BENCH_PUSHES", 1_000_000);
    let spool = plane.dir.path().join("spool");
    let scene = Scene::start(plane, &["--spool-dir", spool.to_str().expect("a path")]).await;
    plane.command("kill-apiserver");
    let path: Arc<str> = path_of(PROJECT, ReceiverKind::Quay).into();
    let mut workers = Vec::new();
    for _ in 0..32 {
        let connection = Connection::open(BASE_PORT).await.expect("the webhook port");
        workers.push(Queued { connection, path: Arc::clone(&path) });
    }
    let run = load(pushes, workers).await;
    scene
        .print(&format!("{pushes} pushes to 10,000 Warehouses while the API server is away, {:.0}/s", run.per_second))
        .await;
    plane.command("start-apiserver");
    while client.apiserver_version().await.is_err() || scene.operator.metric("quayside_refresh_owed").await > 0.0 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A request that is as expensive as somebody could make it.
struct Hostile {
    what: &'static str,
    kind: ReceiverKind,
    headers: &'static [(&'static str, &'static str)],
    body: String,
}

const REQUESTS: usize = 5;

impl Hostile {
    async fn row(self, plane: &ControlPlane) {
        let scene = Scene::start(plane, &[]).await;
        let cpu = scene.operator.cpu();
        for _ in 0..REQUESTS {
            let mut connection = Connection::open(BASE_PORT).await.expect("the webhook port");
            let request = Request::post(path_of("hostile", self.kind));
            let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let (status, _) = connection.send(request, Bytes::from(self.body.clone())).await.expect("an answer");
            assert!(status == StatusCode::OK || status == StatusCode::PAYLOAD_TOO_LARGE, "{}: {status}", self.what);
        }
        let cpu = (scene.operator.cpu() - cpu) / REQUESTS as f64 * 1e3;
        let above = scene.operator.peak() - scene.idle;
        println!("| {} | {cpu:.0} ms | {above:.0} MB | < 250 ms, < 67 MB |", self.what);
    }
}

fn hostile() -> Vec<Hostile> {
    let quay = |tags: Value| json!({"docker_url": "quay.example.com/bench/hostile", "updated_tags": tags}).to_string();
    let ab = "ab".repeat(64);
    let files: Vec<String> =
        (0..10_000).map(|n| format!("apps/{}/service-{n}/values.yaml", "deep/".repeat(12))).collect();
    let event = |n: usize| json!({"action": "push", "target": {"repository": format!("r{n}"), "tag": "1"}});
    vec![
        Hostile { what: "a tag of 2 MB", kind: ReceiverKind::Quay, headers: &[], body: quay(json!(["ab".repeat(1_000_000)])) },
        Hostile {
            what: "14,000 tags of 128 characters, three large patterns",
            kind: ReceiverKind::Quay,
            headers: &[],
            body: quay((0..14_000).map(|n| format!("{n:06}{}", &ab[6..])).collect()),
        },
        Hostile {
            what: "10,000 files, 20 globs",
            kind: ReceiverKind::GitLab,
            headers: &[("x-gitlab-event", "Push Hook"), ("x-gitlab-token", SECRET)],
            body: json!({
                "object_kind": "push", "ref": "refs/heads/main", "before": "0", "after": "1", "total_commits_count": 1,
                "repository": {"git_http_url": "https://git.example.com/a/b.git"}, "project": {"default_branch": "main"},
                "commits": [{"id": "1", "added": files, "modified": [], "removed": []}],
            })
            .to_string(),
        },
        Hostile {
            what: "30,000 events in one envelope",
            kind: ReceiverKind::Distribution,
            headers: &[],
            body: json!({"events": (0..30_000).map(event).collect::<Vec<_>>()}).to_string(),
        },
        Hostile {
            what: "expressions that run for as long as they may",
            kind: ReceiverKind::Generic,
            headers: &[],
            body: json!({"text": "ab".repeat(900_000)}).to_string(),
        },
    ]
}

async fn seed_cluster(plane: &ControlPlane, client: &Client) {
    plane.kubectl(&["apply", "-f", "crds"]);
    plane.kubectl(&["wait", "--for=condition=Established", "crd", "--all"]);
    plane.kubectl(&["apply", "-f", "examples/rbac.yaml"]);
    for project in [PROJECT, "hostile"] {
        plane.kubectl(&["create", "namespace", project]);
    }
    let kargo = "/apis/kargo.akuity.io/v1alpha1/namespaces";
    seed(client, "Warehouses", WAREHOUSES, |n| {
        let mut warehouse = common::warehouse(n, PROJECT, None);
        let everybodys = json!({"image": {"repoURL": "quay.example.com/bench/all", "constraint": "^1.0.0"}});
        warehouse["spec"]["subscriptions"].as_array_mut().expect("a list").push(everybodys);
        (format!("{kargo}/{PROJECT}/warehouses"), warehouse)
    })
    .await;
    let patterns = ["([ab][ab]?){450}[c-z]0", "(a|b|ab)*c", "(.*)(.*)(.*)(.*)[c-z]"];
    let many = vec![r"\pL{48}N"; 120];
    let image = |allowed: Value| {
        json!({"image": {
            "repoURL": "quay.example.com/bench/hostile", "imageSelectionStrategy": "NewestBuild", "allowTagsRegexes": allowed,
        }})
    };
    let globs: Vec<String> = (0..20).map(|n| format!("glob:**/a*/**/b*/**/c{n}*/**/*.yaml")).collect();
    let git = json!({"git": {"repoURL": "https://git.example.com/a/b.git", "includePaths": globs}});
    let subscriptions = [image(json!(patterns)), image(json!(many)), git];
    seed(client, "hostile Warehouses", subscriptions.len(), |n| {
        let mut warehouse = common::warehouse(n, "hostile", None);
        warehouse["spec"]["subscriptions"] = json!([subscriptions[n]]);
        (format!("{kargo}/hostile/warehouses"), warehouse)
    })
    .await;
    let secret = |project: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "webhook", "namespace": project},
            "stringData": {"secret": SECRET, "secret-token": SECRET},
        })
    };
    let hook = |kind: &str| json!({"name": kind, kind: {"secretRef": {"name": "webhook"}}});
    let mut generic = hook("generic");
    generic["generic"]["actions"] = json!([{
        "action": "Refresh",
        "whenExpression": "any(1..100000, any(1..100000, # < 0)) or any(1..1000, request.body.text matches ('(a?b?){' + string(#) + '}c'))",
        "targetSelectionCriteria": [{"kind": "Warehouse", "name": "w0"}],
    }]);
    let config = |project: &str, receivers: Value| {
        json!({
            "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "ProjectConfig",
            "metadata": {"name": project, "namespace": project}, "spec": {"webhookReceivers": receivers},
        })
    };
    let distribution = json!({
        "apiVersion": "quayside.dev/v1alpha1", "kind": "Receiver",
        "metadata": {"name": "distribution", "namespace": "hostile"},
        "spec": {"distribution": {"secretRef": {"name": "webhook"}}, "registryHost": "registry.example.com"},
    });
    let objects = [
        ("/api/v1/namespaces/p0/secrets".to_owned(), secret(PROJECT)),
        ("/api/v1/namespaces/hostile/secrets".to_owned(), secret("hostile")),
        (format!("{kargo}/p0/projectconfigs"), config(PROJECT, json!([hook("quay")]))),
        (format!("{kargo}/hostile/projectconfigs"), config("hostile", json!([hook("quay"), hook("gitlab"), generic]))),
        ("/apis/quayside.dev/v1alpha1/namespaces/hostile/receivers".to_owned(), distribution),
    ];
    seed(client, "objects", objects.len(), |n| objects[n].clone()).await;
}
