//! Running operators.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rustls::ClientConfig;
use serde_json::Value;

use super::{ControlPlane, LEASE_NAMESPACE, SOON, exchange, get, wait_until};

/// The log files of all operators that were ever started.
static LOGS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Ends the operator when this process ends, however it does.
const GUARDIAN: &str = r#"read -r _; kill -KILL "$1" 2>/dev/null"#;

/// Runs a program that cannot write beyond a size. Its log is not concerned, and the program must bear it, not die of
/// it.
const SMALL_DISK: &str = r#"exec 2> >(exec cat >&2); trap '' XFSZ; ulimit -f "$1"; shift; exec "$@""#;

pub(crate) struct Operator {
    child: Mutex<Child>,
    guardian: Child,
    /// The webhook port.
    pub(crate) hooks: SocketAddr,
    /// The admin port.
    pub(crate) admin: SocketAddr,
    /// The views.
    pub(crate) views: SocketAddr,
    /// How to reach the webhook port if it has TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    log: PathBuf,
}

/// How an operator is to run.
pub(crate) struct Setup {
    log_dir: PathBuf,
    kubeconfig: PathBuf,
    hooks: SocketAddr,
    arguments: Vec<String>,
    tls: Option<Arc<ClientConfig>>,
    /// What no file that it writes may exceed, in KiB.
    largest_file: Option<u32>,
    /// The state folder, if it has one.
    state: Option<PathBuf>,
}

impl Setup {
    /// As the chart's ServiceAccount.
    pub(crate) fn on(plane: &ControlPlane) -> Self {
        let kubeconfig = plane.operator_kubeconfig().to_owned();
        let (log_dir, hooks) = (plane.dir().to_owned(), free_address());
        Self { log_dir, kubeconfig, hooks, arguments: Vec::new(), tls: None, largest_file: None, state: None }
    }

    /// With TLS, from those files; tests reach it as that client.
    pub(crate) fn tls(mut self, certificate: &Path, key: &Path, client: &Arc<ClientConfig>) -> Self {
        self.tls = Some(Arc::clone(client));
        self.with(["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()])
    }

    pub(crate) fn kubeconfig(mut self, kubeconfig: PathBuf) -> Self {
        self.kubeconfig = kubeconfig;
        self
    }

    pub(crate) fn listening_on(mut self, hooks: SocketAddr) -> Self {
        self.hooks = hooks;
        self
    }

    /// With a spool in that directory.
    pub(crate) fn spool(self, directory: &Path) -> Self {
        self.with(["--spool-dir", directory.to_str().unwrap()])
    }

    /// With a spool by default, in this state folder.
    pub(crate) fn state_folder(mut self, folder: &Path) -> Self {
        self.state = Some(folder.to_owned());
        self
    }

    /// On a disk that is full as soon as a file has that many KiB.
    pub(crate) fn largest_file(mut self, kib: u32) -> Self {
        self.largest_file = Some(kib);
        self
    }

    pub(crate) fn with<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(str::to_owned));
        self
    }
}

impl Operator {
    /// The one that most tests use. Of those on its control plane only this one takes part in an election.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceLock<Operator> = OnceLock::new();
        let operator = SHARED.get_or_init(|| {
            Self::start(Setup::on(ControlPlane::shared()).with(["--lease-namespace", LEASE_NAMESPACE]))
        });
        operator.ready().await;
        operator
    }

    /// Starts one; it is not ready yet. Whatever is given replaces what the tests usually run with.
    pub(crate) fn start(setup: Setup) -> Self {
        let (hooks, admin, views) = (setup.hooks, free_address(), free_address());
        let log = setup.log_dir.join(format!("operator-{}.log", admin.port()));
        LOGS.lock().unwrap().push(log.clone());
        let mut command = match setup.largest_file {
            Some(kib) => {
                let mut shell = Command::new("bash");
                shell.args(["-c", SMALL_DISK, "small-disk", &kib.to_string(), env!("CARGO_BIN_EXE_quayside")]);
                shell
            }
            None => Command::new(env!("CARGO_BIN_EXE_quayside")),
        };
        command.arg("run").arg("--kubeconfig").arg(setup.kubeconfig).args(["--listen", &hooks.to_string()]);
        command.args(["--admin-listen", &admin.to_string()]);
        // A process that starts again is not late even where the machine is busy.
        let (views_at, base) = (views.to_string(), base_url());
        let usual = [
            ("--base-url", base.as_str()),
            ("--drain-delay", "50ms"),
            ("--log-level", "trace"),
            ("--views-listen", &views_at),
            ("--catch-up-after", "1m"),
            ("--spool-dir", "none"),
        ];
        for (flag, value) in usual {
            if setup.state.is_some() && flag == "--spool-dir" {
                continue;
            }
            if !setup.arguments.iter().any(|argument| argument == flag) {
                command.args([flag, value]);
            }
        }
        command
            .args(setup.arguments)
            .env_clear()
            .envs(setup.state.map(|state| ("XDG_STATE_HOME", state)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut guardian = Command::new("bash");
        guardian.args(["-c", GUARDIAN, "guardian", &child.id().to_string()]).stdin(Stdio::piped());
        Self { child: Mutex::new(child), guardian: guardian.spawn().unwrap(), hooks, admin, views, tls: setup.tls, log }
    }

    /// Waits until it takes traffic.
    pub(crate) async fn ready(&self) {
        wait_until("the operator is ready", SOON * 2, async || {
            let ended = self.child.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the operator ended with {ended:?}: {}", self.log());
            (exchange(self.admin, "GET /readyz", &[], b"").ok()?.status == 200).then_some(())
        })
        .await;
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The lines of its log that are of this level and whose message begins like this.
    pub(crate) fn logged(&self, level: &str, message: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter(|line| line.contains(message)).map(|line| {
            // Inside of a value the quotes would be escaped.
            assert_eq!(line.matches(r#","message":""#).count(), 1, "a field hides the message: {line}");
            serde_json::from_str::<Value>(line).unwrap()
        });
        let begins = |line: &Value| line["message"].as_str().is_some_and(|found| found.starts_with(message));
        lines.filter(|line| line["level"] == level && begins(line)).collect()
    }

    /// The sum of a metric over all labels that begin as given, such as `quayside_routes{kind="quay"`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let exposition = get(self.admin, "/metrics").body;
        let lines = exposition.lines().filter_map(|line| line.strip_prefix(name));
        let values = lines.filter(|rest| rest.starts_with([' ', '{', ',', '}']));
        values.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&self) -> ExitStatus {
        let probe = async || self.child.lock().unwrap().try_wait().unwrap();
        wait_until("the operator has ended", SOON, probe).await
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // First the guardian, for the number of an operator that is gone may belong to another process.
        drop((self.guardian.kill(), self.guardian.wait()));
        let child = self.child.get_mut().unwrap();
        drop((child.kill(), child.wait()));
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of the operator's log:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }
}

/// The logs of all operators so far.
pub(crate) fn all_logs() -> Vec<String> {
    LOGS.lock().unwrap().iter().filter_map(|log| std::fs::read_to_string(log).ok()).collect()
}

/// All operators publish one base URL, as replicas do; otherwise those of one control plane would fight over the
/// statuses.
pub(crate) fn base_url() -> String {
    static SHARED: OnceLock<SocketAddr> = OnceLock::new();
    format!("http://{}/hooks", SHARED.get_or_init(free_address))
}

/// An address that no other test in this process was given. Below the ports that the kernel hands out for connections.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
