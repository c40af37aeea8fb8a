//! What the benches need: a real control plane, the operator as a child process, and a load generator.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use quayside::domain::kind::ReceiverKind;
use quayside::domain::path::{BaseUrl, ReceiverPath};
use quayside::domain::scope::Scope;
use quayside::domain::secret::Secret;
use serde_json::json;
use tokio::net::TcpStream;

pub const SECRET: &str = "a secret for benches only, long enough";
pub const BASE_PORT: u16 = 18_080;

/// etcd and kube-apiserver; they end when this is dropped.
pub struct ControlPlane {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    pub dir: tempfile::TempDir,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn tools() -> PathBuf {
    PathBuf::from(std::env::var_os("QUAYSIDE_TEST_TOOLS").expect("run this with `make bench` or `make bench-scale`"))
}

impl ControlPlane {
    pub fn start(apiserver_args: &str, etcd_args: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(repository().join("tests/controlplane/controlplane.sh"))
            .args(["run".as_ref(), dir.path().join("plane").as_os_str()])
            .env("CONTROLPLANE_APISERVER_ARGS", apiserver_args)
            .env("CONTROLPLANE_ETCD_ARGS", etcd_args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the control plane's script");
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("piped")));
        let mut plane = Self { child, stdin, stdout, dir };
        let line = plane.line();
        assert!(line.starts_with("ready"), "the control plane did not start: {line}");
        plane
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        line
    }

    /// Asks its script for something, such as `kill-apiserver`, and waits until it is done.
    pub fn command(&mut self, command: &str) {
        writeln!(self.stdin.as_mut().expect("it runs"), "{command}").expect("a script that listens");
        assert_eq!(self.line().trim_end(), "ok", "{command}");
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("plane/kubeconfig")
    }

    pub fn kubectl(&self, args: &[&str]) {
        let status = Command::new(tools().join("kubectl"))
            .current_dir(repository())
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(args)
            .stdout(Stdio::null())
            .status()
            .expect("kubectl");
        assert!(status.success(), "kubectl {args:?} failed");
    }

    /// A kubeconfig of the operator's ServiceAccount.
    pub fn operator_kubeconfig(&self) -> PathBuf {
        let out = self.dir.path().join("operator.kubeconfig");
        let status = Command::new(repository().join("tests/controlplane/user.sh"))
            .arg(self.kubeconfig())
            .args(["quayside", "quayside"])
            .arg(&out)
            .stdout(Stdio::null())
            .status()
            .expect("user.sh");
        assert!(status.success(), "user.sh failed");
        out
    }

    pub async fn client(&self) -> Client {
        client(&self.kubeconfig()).await
    }
}

pub async fn client(kubeconfig: &Path) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a config");
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.child.wait().ok();
    }
}

/// `quayside run`.
pub struct Operator {
    child: Child,
    pub started: Instant,
}

impl Operator {
    pub fn start(kubeconfig: &Path) -> Self {
        // Nothing of a run before, and nothing that is left of this one.
        Self::start_with(kubeconfig, &["--spool-dir", "none"])
    }

    pub fn start_with(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let listen = format!("127.0.0.1:{BASE_PORT}");
        let binary = std::env::var_os("QUAYSIDE_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_quayside").into());
        let child = Command::new(binary)
            .args(["run", "--base-url", "http://127.0.0.1", "--listen", &listen, "--admin-listen"])
            .arg(format!("127.0.0.1:{}", BASE_PORT + 1))
            .args(["--views-listen", "none", "--kubeconfig"])
            .arg(kubeconfig)
            .args(arguments)
            .stderr(Stdio::null())
            .spawn()
            .expect("quayside");
        Self { child, started: Instant::now() }
    }

    pub async fn ready(&self) {
        loop {
            let ready = async {
                let mut connection = Connection::open(BASE_PORT + 1).await?;
                let response = connection.send(Request::get("/readyz"), Bytes::new()).await?;
                (response.0 == StatusCode::OK).then_some(())
            };
            if ready.await.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Resident memory in MB (10^6 bytes).
    pub fn resident(&self) -> f64 {
        resident(self.child.id())
    }

    /// The largest resident memory since [`Self::forget_peak`], in MB.
    pub fn peak(&self) -> f64 {
        status_of(self.child.id(), "VmHWM:")
    }

    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("a process of ours");
    }

    /// Processor time used so far, in seconds.
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        // utime and stime, in ticks of 10 ms.
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
    }

    /// The value of a metric, summed over its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let mut connection = Connection::open(BASE_PORT + 1).await.expect("the admin port");
        let (_, body) = connection.send(Request::get("/metrics"), Bytes::new()).await.expect("metrics");
        let text = String::from_utf8_lossy(&body).into_owned();
        let of = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
        text.lines().filter(|line| line.starts_with(name)).filter_map(of).sum()
    }
}

pub fn resident(pid: u32) -> f64 {
    status_of(pid, "VmRSS:")
}

fn status_of(pid: u32, key: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() * 1024.0 / 1e6
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One keep-alive connection.
pub struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    pub async fn open(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(async move { connection.await.ok() });
        Some(Self(sender))
    }

    pub async fn send(&mut self, request: http::request::Builder, body: Bytes) -> Option<(StatusCode, Bytes)> {
        let request = request.header("host", "127.0.0.1").body(Full::new(body)).ok()?;
        self.0.ready().await.ok()?;
        let response = self.0.send_request(request).await.ok()?;
        let status = response.status();
        Some((status, response.into_body().collect().await.ok()?.to_bytes()))
    }
}

/// A number from the environment, or what holds without it.
pub fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect("a number"))
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The figures of one run.
pub struct Run {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
}

impl Run {
    fn of(mut latencies: Vec<Duration>, took: Duration) -> Self {
        latencies.sort_unstable();
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
        Self { per_second: latencies.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) }
    }
}

/// Something that can do one piece of work at a time.
pub trait Worker: Send + 'static {
    /// Does piece number `n`; panics when it fails, because then the figures mean nothing.
    fn work(&mut self, n: usize) -> impl Future<Output = ()> + Send;
}

/// Does `total` pieces of work, as many at a time as there are workers.
pub async fn load<W: Worker>(total: usize, workers: Vec<W>) -> Run {
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let run = |mut worker: W| {
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= total {
                    return latencies;
                }
                let began = Instant::now();
                worker.work(n).await;
                latencies.push(began.elapsed());
            }
        })
    };
    let tasks: Vec<_> = workers.into_iter().map(run).collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a worker"));
    }
    Run::of(latencies, began.elapsed())
}

/// Pushes to the repositories `bench/r0`, `bench/r1`, … in turn.
pub struct Pusher {
    connection: Connection,
    path: Arc<str>,
    repositories: usize,
}

impl Pusher {
    pub async fn several(count: usize, path: &str, repositories: usize) -> Vec<Self> {
        let mut pushers = Vec::new();
        for _ in 0..count {
            let connection = Connection::open(BASE_PORT).await.expect("the webhook port");
            pushers.push(Self { connection, path: Arc::from(path), repositories });
        }
        pushers
    }
}

impl Worker for Pusher {
    async fn work(&mut self, n: usize) {
        let url = format!("quay.example.com/bench/r{}", n % self.repositories);
        let body = json!({"docker_url": url, "updated_tags": ["1.2.3"]}).to_string();
        let (status, answer) =
            self.connection.send(Request::post(&*self.path), Bytes::from(body)).await.expect("an answer");
        let refreshed = answer.windows(13).any(|window| window == b"\"refreshed\":1");
        assert!(status == StatusCode::OK && refreshed, "{status} {}", String::from_utf8_lossy(&answer));
    }
}

/// Writes the refresh annotation itself, with nothing in between: the yardstick.
pub struct BarePatcher {
    api: Api<DynamicObject>,
    warehouses: usize,
}

impl BarePatcher {
    pub fn several(count: usize, client: &Client, namespace: &str, warehouses: usize) -> Vec<Self> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("kargo.akuity.io", "v1alpha1", "Warehouse"));
        let api = Api::namespaced_with(client.clone(), namespace, &kind);
        (0..count).map(|_| Self { api: api.clone(), warehouses }).collect()
    }
}

impl Worker for BarePatcher {
    async fn work(&mut self, n: usize) {
        static TOKEN: AtomicUsize = AtomicUsize::new(0);
        let token = TOKEN.fetch_add(1, Ordering::Relaxed);
        let patch = json!({"metadata": {"annotations": {"kargo.akuity.io/refresh": format!("bare-{token}")}}});
        let name = format!("w{}", n % self.warehouses);
        // The same manager as ours: every manager that owns a field makes the object larger and each write dearer.
        let params = PatchParams { field_manager: Some("quayside".to_owned()), ..PatchParams::default() };
        self.api.patch(&name, &params, &Patch::Merge(patch)).await.expect("a PATCH");
    }
}

/// A Warehouse that accepts tag 1.2.3 of its own repository.
pub fn warehouse(n: usize, namespace: &str, status: Option<serde_json::Value>) -> serde_json::Value {
    let mut warehouse = json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": {"name": format!("w{n}"), "namespace": namespace},
        "spec": {"subscriptions": [{"image": {"repoURL": format!("quay.example.com/bench/r{n}"), "constraint": "^1.0.0"}}]},
    });
    if let Some(status) = status {
        warehouse["status"] = status;
    }
    warehouse
}

/// The receiver of a project, with its Secret.
pub fn receiver(project: &str) -> [serde_json::Value; 2] {
    [
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "quay-webhook", "namespace": project},
            "stringData": {"secret": SECRET},
        }),
        json!({
            "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "ProjectConfig",
            "metadata": {"name": project, "namespace": project},
            "spec": {"webhookReceivers": [{"name": "quay", "quay": {"secretRef": {"name": "quay-webhook"}}}]},
        }),
    ]
}

/// The path of that receiver.
pub fn receiver_path(project: &str) -> String {
    path_of(project, ReceiverKind::Quay)
}

/// The path of a receiver that is named after its kind.
pub fn path_of(project: &str, kind: ReceiverKind) -> String {
    let scope = Scope::Project(Arc::from(project));
    let secret = Secret::new(SECRET.as_bytes().to_vec());
    let base = BaseUrl::parse("http://127.0.0.1").expect("a base URL");
    ReceiverPath::derive(kind, &scope, kind.as_str(), &secret).expose_path(&base)
}

/// Creates objects, 32 at a time, saying how far it is.
pub async fn seed(client: &Client, what: &str, total: usize, object: impl Fn(usize) -> (String, serde_json::Value)) {
    let began = Instant::now();
    let done = AtomicUsize::new(0);
    let requests = (0..total).map(|n| {
        let (uri, object) = object(n);
        let request =
            Request::post(uri).header("content-type", "application/json").body(object.to_string().into_bytes());
        let (client, done) = (client.clone(), &done);
        async move {
            client.request_text(request.expect("a request")).await.expect("a created object");
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done % 10_000 == 0 {
                eprintln!("  {done} of {total} {what} after {:.0} s", began.elapsed().as_secs_f64());
            }
        }
    });
    futures::stream::iter(requests).buffer_unordered(32).collect::<Vec<()>>().await;
}
