//! A replica with a spool of its own and a way of its own to the API server.

use std::net::SocketAddr;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;

use crate::harness::{
    FaultProxy, Hook, LEASE_NAMESPACE, LeaseTurn, Operator, Project, SOON, Setup, exchange, quay_receiver, wait_until,
};

pub(super) struct Replica {
    pub(super) proxy: FaultProxy,
    spool: TempDir,
    hooks: SocketAddr,
    operator: Mutex<Option<Operator>>,
    log_level: &'static str,
}

impl Replica {
    pub(super) fn start(turn: &LeaseTurn, log_level: &'static str) -> Self {
        let proxy = FaultProxy::to_server_of(turn.plane.operator_kubeconfig());
        let spool = tempfile::tempdir().unwrap();
        let operator = Operator::start(setup(turn, &proxy, &spool, log_level));
        Self { proxy, spool, hooks: operator.hooks, operator: Mutex::new(Some(operator)), log_level }
    }

    /// Lets it be served, and waits until it is.
    pub(super) async fn serves(&self, project: &Project, secret: &str) {
        project.secret("s", secret).await;
        project.receivers(serde_json::json!([quay_receiver("quay", "s")])).await;
        self.ready().await;
        self.hook(project, secret).served().await;
    }

    pub(super) fn hook(&self, project: &Project, secret: &str) -> Hook {
        let operator = self.operator.lock();
        project.hook(operator.as_ref().unwrap(), "quay", secret)
    }

    /// Ends it by a signal and starts it again where it was, on the same spool.
    pub(super) async fn restart(&self, signal: &str, turn: &LeaseTurn) {
        let old = self.operator.lock().take().unwrap();
        old.signal(signal);
        old.ended().await;
        drop(old);
        let new = Operator::start(setup(turn, &self.proxy, &self.spool, self.log_level).listening_on(self.hooks));
        *self.operator.lock() = Some(new);
        let listening = || std::net::TcpStream::connect(self.hooks).ok().map(drop);
        wait_until("it is listening again", SOON, async || listening()).await;
    }

    async fn ready(&self) {
        let admin = self.operator.lock().as_ref().unwrap().admin;
        let readyz = || exchange(admin, "GET /readyz", &[], b"").ok().filter(|answer| answer.status == 200);
        wait_until("the replica is ready", Duration::from_secs(40), async || readyz()).await;
    }

    /// Waits until everything that it acknowledged is written.
    pub(super) async fn owes_nothing(&self, limit: Duration) {
        for metric in ["quayside_spool_intake_requests", "quayside_refresh_owed", "quayside_spool_owed"] {
            self.metric_is(metric, 0.0, limit).await;
        }
    }

    /// Waits until Kargo has come across everything that it pursues.
    pub(super) async fn pursues_nothing(&self, limit: Duration) {
        self.metric_is("quayside_pursuit_objects", 0.0, limit).await;
    }

    pub(super) fn metric(&self, metric: &str) -> f64 {
        self.operator.lock().as_ref().unwrap().metric(metric)
    }

    async fn metric_is(&self, metric: &str, value: f64, limit: Duration) {
        let what = format!("{metric} of {} is {value}", self.hooks);
        wait_until(&what, limit, async || (self.metric(metric) == value).then_some(())).await;
    }
}

/// With an acknowledgement deadline so short that much is queued.
fn setup(turn: &LeaseTurn, proxy: &FaultProxy, spool: &TempDir, log_level: &str) -> Setup {
    let setup = Setup::on(turn.plane).kubeconfig(proxy.kubeconfig()).spool(spool.path());
    // A catch-up would make good what was lost.
    let others = ["--lease-namespace", LEASE_NAMESPACE, "--catch-up-after", "0s"];
    let setup = setup.with(others).with(["--ack-deadline", "300ms", "--log-level", log_level]);
    // A tenth of the pauses that are shipped, as everything here lasts for seconds only.
    setup.with(["--follow-up-pause", "500ms"])
}
