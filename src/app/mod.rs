//! The composition root: builds every part, runs them, and ends them in order.

mod build;
mod kubernetes;
mod lanes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::controller::resolve::Defaults;
use crate::domain::alias::HostAliases;
use crate::domain::path::BaseUrl;
use crate::domain::shard::Shard;
use crate::http::entrance::Trusted;
use crate::http::tls;
use crate::process::readiness::Readiness;
use crate::process::supervisor::Supervisor;
use crate::pursuit::Rules;
use crate::refresh::Refresher;
use crate::registration;
use crate::spool::{Place, Spool};

/// Everything that can be configured, already validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where senders connect.
    pub listen: SocketAddr,
    /// Where probes and metrics are served.
    pub admin_listen: SocketAddr,
    /// Where the views are served; `None`: nowhere.
    pub views_listen: Option<SocketAddr>,
    /// TLS on the port for senders, or only what judges the client certificates that proxies pass on; without it, plain
    /// HTTP.
    pub tls: Option<tls::Files>,
    /// Proxies that end TLS and pass on client certificates.
    pub proxies: Option<Trusted>,
    /// How often the TLS files are looked at.
    pub tls_reload_interval: Duration,
    /// The public address of the receivers.
    pub base_url: BaseUrl,
    /// A kubeconfig file; else `KUBECONFIG`, else the Pod's ServiceAccount.
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the Secrets that an object of the cluster references.
    pub system_namespace: String,
    /// The namespace of the Lease by which replicas agree who writes statuses; `None`: there is no election.
    pub lease_namespace: Option<String>,
    /// What this replica is called in the Lease.
    pub replica: String,
    /// A catch-up is due when no replica has lived for longer than this; zero turns it off.
    pub catch_up_after: Duration,
    /// Warehouses that a catch-up refreshes a second.
    pub catch_up_rate: u32,
    /// How pushes are pursued until Kargo has looked.
    pub follow_up: Rules,
    /// How often registrations are looked at.
    pub registrations: registration::Rules,
    /// Other names of registries.
    pub registry_aliases: HostAliases,
    /// The part of the cluster that is served.
    pub shard: Shard,
    /// What holds for all receivers, unless one says otherwise.
    pub defaults: Defaults,
    /// How long an answer waits for its refreshes to be written.
    pub ack_deadline: Duration,
    /// PATCHes in flight at a time.
    pub refresh_concurrency: usize,
    /// Whether the cause of a refresh is written beside it.
    pub last_refresh_cause: bool,
    /// Where the spool is to be.
    pub spool: Place,
    /// Bytes from which the memory of connections, heads and bodies is derived.
    pub memory_budget: u64,
    /// What the records of deliveries may occupy; zero keeps none.
    pub journal_bytes: usize,
    /// How long an unready replica goes on accepting, so that load balancers notice.
    pub drain_delay: Duration,
    /// How long requests in flight, and then owed refreshes, may take to finish.
    pub drain_timeout: Duration,
}

/// Runs until SIGTERM or SIGINT, then drains. A second signal ends the process at once. When a part ends that should
/// not, it drains as well as it can.
///
/// # Errors
/// When a part cannot be set up (no API server configured, an address in use) or has ended by itself.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let kubernetes = kubernetes::config(config.kubeconfig.as_deref()).await?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let mut app = build::app(config, &kubernetes, stop).await?;
    let supervisor = app.supervisor.clone();
    let failure = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        failure = supervisor.failure() => Some(failure),
    };
    // A part that is gone may be what the drain waits for.
    let patience = failure.map_or(Duration::MAX, |_| app.config.drain_delay + app.config.drain_timeout * 2);
    tokio::select! {
        drained = timeout(patience, app.drain()) => match failure {
            Some(failure) => anyhow::bail!("{failure}"),
            None => Ok(drained?),
        },
        _ = terminate.recv() => anyhow::bail!("ended by a second signal before everything was drained"),
        _ = interrupt.recv() => anyhow::bail!("ended by a second signal before everything was drained"),
    }
}

/// A running process.
struct App {
    config: Config,
    readiness: Arc<Readiness>,
    refresher: Refresher,
    spool: Option<Spool>,
    tasks: TaskTracker,
    supervisor: Supervisor,
    /// Ends watches and the admin port.
    stop: CancellationToken,
    /// Ends the webhook port.
    stop_hooks: CancellationToken,
    hooks: JoinHandle<Option<usize>>,
    /// Releases the Lease.
    stop_election: CancellationToken,
    election: JoinHandle<Option<()>>,
}

impl App {
    /// Unready, a pause for the load balancers, no new connections, requests in flight finish, owed refreshes are
    /// written, the Lease is released.
    async fn drain(&mut self) {
        tracing::info!("draining");
        self.readiness.drain();
        tokio::time::sleep(self.config.drain_delay).await;
        self.stop_hooks.cancel();
        let cut_off = (&mut self.hooks).await.ok().flatten().unwrap_or_default();
        let owed = self.refresher.flush(self.config.drain_timeout).await;
        if cut_off + owed > 0 {
            tracing::warn!(connections = cut_off, refreshes = owed, "not everything finished before the drain timeout");
        }
        self.stop.cancel();
        self.tasks.wait().await;
        // Last, so that the successor begins when nothing is written from here any more.
        self.stop_election.cancel();
        (&mut self.election).await.ok();
        if let Some(spool) = &self.spool {
            spool.close().await;
        }
        tracing::info!("stopped");
    }
}
