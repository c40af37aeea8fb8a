//! The composition root: builds every part, runs them, and ends them in order.

pub mod lanes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Admin};
use crate::api::{ClusterConfig, ClusterReceiver, ProjectConfig, Receiver};
use crate::app::lanes::Lanes;
use crate::controller::configs::{Configs, State};
use crate::controller::feeds::configs::ConfigFeed;
use crate::controller::feeds::promotions::PromotionFeed;
use crate::controller::feeds::warehouses::WarehouseFeed;
use crate::controller::feeds::watch::{Sink, WATCH_SECONDS, drive};
use crate::controller::feeds::watched::{WatchedConfig, WatchedPromotion, WatchedWarehouse};
use crate::controller::namespaces::{NamespaceFeed, Namespaces};
use crate::controller::queue::Queue;
use crate::controller::resolve::Defaults;
use crate::controller::secrets::{SecretCache, SecretFeed};
use crate::domain::alias::HostAliases;
use crate::domain::path::BaseUrl;
use crate::http::handler::{self, DeliveryIds, Hooks};
use crate::http::tls::{self, Tls};
use crate::http::{intake, server};
use crate::lease::Leadership;
use crate::lease::elector::Elector;
use crate::metrics::{ConnectionMetrics, Metrics};
use crate::process::clock::Clock;
use crate::process::readiness::{Gate, Readiness};
use crate::recovery::catch_up::CatchUp;
use crate::recovery::owed;
use crate::refresh::patch::Patcher;
use crate::refresh::token::TokenSource;
use crate::refresh::{Refresher, Settled};
use crate::spool::{Limits, Spool};
use crate::tables::promotions::PromotionIndex;
use crate::tables::routes::RouteTable;
use crate::tables::warehouses::SubscriptionIndex;

/// Everything that can be configured, already validated.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where senders connect.
    pub listen: SocketAddr,
    /// Where probes and metrics are served.
    pub admin_listen: SocketAddr,
    /// TLS on the port for senders; without it, plain HTTP.
    pub tls: Option<tls::Files>,
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
    /// Other names of registries.
    pub registry_aliases: HostAliases,
    /// What holds for all receivers, unless one says otherwise.
    pub defaults: Defaults,
    /// How long an answer waits for its refreshes to be written.
    pub ack_deadline: Duration,
    /// PATCHes in flight at a time.
    pub refresh_concurrency: usize,
    /// The directory of the spool; `None`: what is owed lives in memory only.
    pub spool_dir: Option<PathBuf>,
    /// How long an unready replica goes on accepting, so that load balancers notice.
    pub drain_delay: Duration,
    /// How long requests in flight, and then owed refreshes, may take to finish.
    pub drain_timeout: Duration,
}

/// Time to connect to the API server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence after which a connection to the API server is given up: longer than any watch.
const READ_TIMEOUT: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 15);

/// Runs until SIGTERM or SIGINT, then drains. A second signal ends the process at once.
///
/// # Errors
/// When a part cannot be set up: no API server configured, an address in use.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let kubernetes = kubernetes(config.kubeconfig.as_deref()).await?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let mut app = App::start(config, &kubernetes, stop).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = app.tasks.wait() => anyhow::bail!("a part of the process ended by itself"),
    }
    tokio::select! {
        () = app.drain() => Ok(()),
        _ = terminate.recv() => anyhow::bail!("ended by a second signal before everything was drained"),
        _ = interrupt.recv() => anyhow::bail!("ended by a second signal before everything was drained"),
    }
}

/// How to reach the API server.
async fn kubernetes(kubeconfig: Option<&std::path::Path>) -> anyhow::Result<kube::Config> {
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("failed to read the kubeconfig {}", path.display()))?;
            kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .with_context(|| format!("failed to use the kubeconfig {}", path.display()))?
        }
        None => kube::Config::infer().await.context(
            "no API server is configured: give --kubeconfig, set KUBECONFIG, or run in a Pod with a ServiceAccount",
        )?,
    };
    // Retries are decided in one place, `refresh`, and by the watches' own back-off.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    Ok(config)
}

/// A running process.
struct App {
    config: Config,
    readiness: Arc<Readiness>,
    refresher: Refresher,
    spool: Option<Spool>,
    tasks: TaskTracker,
    /// Ends watches and the admin port.
    stop: CancellationToken,
    /// Ends the webhook port.
    stop_hooks: CancellationToken,
    hooks: tokio::task::JoinHandle<usize>,
    /// Releases the Lease.
    stop_election: CancellationToken,
    election: tokio::task::JoinHandle<()>,
}

impl App {
    async fn start(config: Config, kubernetes: &kube::Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let client = Client::try_from(kubernetes.clone()).context("failed to set up the API client")?;
        let patcher = || Patcher::new(kubernetes).context("failed to set up the API client");
        let metrics = Arc::new(Metrics::new());
        let readiness = Arc::new(Readiness::default());
        let routes = Arc::new(RouteTable::new(config.base_url.clone()));
        let index = Arc::new(SubscriptionIndex::default());
        let promotions = Arc::new(PromotionIndex::default());
        let tokens = TokenSource::new(Clock::system());
        let spool = match config.spool_dir.clone() {
            Some(directory) => {
                let opened = Spool::open(directory, Limits::default(), Clock::system(), metrics.spool.clone());
                Some(opened.await.context("the spool cannot be opened; see --spool-dir")?)
            }
            None => None,
        };
        let settled = settled(spool.clone());
        let refresher = Refresher::new(patcher()?, tokens, config.refresh_concurrency, Arc::clone(&metrics), settled);
        let tasks = TaskTracker::new();
        let leadership = leadership(&config);

        let admin = Admin {
            readiness: Arc::clone(&readiness),
            metrics: Arc::clone(&metrics),
            routes: Arc::clone(&routes),
            index: Arc::clone(&index),
            promotions: Arc::clone(&promotions),
            refresher: refresher.clone(),
            leadership: leadership.clone(),
        };
        let listener = bind(config.admin_listen, "--admin-listen")?;
        let admin_port = server::serve(
            listener,
            None,
            vec![(Handle::current(), admin::router(Arc::new(admin)))],
            ConnectionMetrics::default(),
            stop.clone(),
            Duration::ZERO,
        );
        tasks.spawn(async move {
            admin_port.await;
        });

        let aliases = Arc::new(config.registry_aliases.clone());
        let tls = match config.tls.clone() {
            Some(files) => Some(Arc::new(Tls::load(files, metrics.tls.clone()).context("TLS cannot be set up")?)),
            None => None,
        };
        if let Some(tls) = &tls {
            tasks.spawn(Arc::clone(tls).follow(config.tls_reload_interval, stop.clone()));
        }

        let lanes = Lanes::start(&stop)?;
        let mut serving = Vec::new();
        let hooks = |patcher: Patcher| {
            Arc::new(Hooks {
                routes: Arc::clone(&routes),
                index: Arc::clone(&index),
                promotions: Arc::clone(&promotions),
                aliases: Arc::clone(&aliases),
                refresher: refresher.with_patcher(patcher),
                readiness: Arc::clone(&readiness),
                metrics: Arc::clone(&metrics),
                ids: DeliveryIds::default(),
                ack_deadline: config.ack_deadline,
                spool: spool.clone(),
                clock: Clock::system(),
            })
        };
        for lane in lanes.handles() {
            serving.push((lane.clone(), handler::router(hooks(patcher()?))));
        }
        if let Some(spool) = &spool {
            tasks.spawn(owed::owed(spool.clone(), refresher.clone(), stop.clone()));
            tasks.spawn(owed::intake(Arc::clone(&readiness), stop.clone()));
            tasks.spawn(intake::run(hooks(patcher()?), spool.clone(), stop.clone()));
        }
        let listener = bind(config.listen, "--listen")?;
        let stop_hooks = CancellationToken::new();
        let hooks = tokio::spawn(server::serve(
            listener,
            tls,
            serving,
            metrics.connections.clone(),
            stop_hooks.clone(),
            config.drain_timeout,
        ));
        readiness.open(Gate::Listener);

        let work: Arc<Queue<_>> = Arc::default();
        let secrets = Arc::new(SecretCache::new(client.clone()));
        let catch_up = Arc::new(CatchUp {
            leadership: leadership.clone(),
            routes: Arc::clone(&routes),
            index: Arc::clone(&index),
            refresher: refresher.clone(),
            readiness: Arc::clone(&readiness),
            metrics: Arc::clone(&metrics),
            rate: config.catch_up_rate,
        });
        tasks.spawn(Arc::clone(&catch_up).run(stop.clone()));
        if let Some(spool) = &spool {
            tasks.spawn(catch_up.run_after_losses(spool.losses(), stop.clone()));
        }
        let stop_election = CancellationToken::new();
        let namespace = config.lease_namespace.clone().unwrap_or_default();
        let elector = Elector::new(client.clone(), namespace, leadership.clone(), Arc::clone(&metrics));
        let election = tokio::spawn(elector.run(stop_election.clone()));
        let configs = Arc::new(Configs {
            client: client.clone(),
            routes,
            secrets: Arc::clone(&secrets),
            work: Arc::clone(&work),
            system_namespace: config.system_namespace.clone(),
            defaults: config.defaults.clone(),
            namespaces: Namespaces::default(),
            readiness: Arc::clone(&readiness),
            leadership,
            metrics: Arc::clone(&metrics),
            clock: Clock::system(),
            state: State::default(),
        });
        tasks.spawn(Arc::clone(&configs).run(stop.clone()));

        let heard = Arc::clone(&readiness);
        let watches = Watches { client, metrics, readiness: heard, tasks: tasks.clone(), stop: stop.clone() };
        watches.add::<WatchedConfig<ProjectConfig>, _>("projectconfigs", ConfigFeed::new(Arc::clone(&configs)));
        watches.add::<WatchedConfig<ClusterConfig>, _>("clusterconfigs", ConfigFeed::new(Arc::clone(&configs)));
        watches.add::<WatchedConfig<Receiver>, _>("receivers", ConfigFeed::new(Arc::clone(&configs)));
        watches.add::<WatchedConfig<ClusterReceiver>, _>("clusterreceivers", ConfigFeed::new(Arc::clone(&configs)));
        let namespaces = NamespaceFeed::new(configs, Arc::clone(&readiness));
        watches.add::<PartialObjectMeta<Namespace>, _>("namespaces", namespaces);
        watches.add::<PartialObjectMeta<Secret>, _>("secrets", SecretFeed::new(secrets, work));
        watches.add::<WatchedWarehouse, _>("warehouses", WarehouseFeed::new(index, Arc::clone(&readiness)));
        watches.add::<WatchedPromotion, _>("promotions", PromotionFeed::new(promotions, Arc::clone(&readiness)));
        tasks.close();
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"), listen = %config.listen, admin_listen = %config.admin_listen, "started"
        );
        Ok(Self { config, readiness, refresher, spool, tasks, stop, stop_hooks, hooks, stop_election, election })
    }

    /// Unready, a pause for the load balancers, no new connections, requests in flight finish, owed refreshes are
    /// written, the Lease is released.
    async fn drain(&mut self) {
        tracing::info!("draining");
        self.readiness.drain();
        tokio::time::sleep(self.config.drain_delay).await;
        self.stop_hooks.cancel();
        let cut_off = (&mut self.hooks).await.unwrap_or_default();
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

/// What the refresher tells: a target that owes nothing any more owes nothing on disk either, but for what came since.
fn settled(spool: Option<Spool>) -> Settled {
    Box::new(move |target, up_to| {
        if let Some(spool) = spool.as_ref().filter(|spool| spool.counts().owed > 0) {
            spool.settle(target, up_to);
        }
    })
}

/// Whether and how this replica takes part in an election.
fn leadership(config: &Config) -> Leadership {
    if config.lease_namespace.is_some() {
        return Leadership::candidate(&config.replica, config.catch_up_after, Clock::system());
    }
    tracing::info!(
        "no lease: neither --lease-namespace nor POD_NAMESPACE names a namespace, so this process writes statuses without an election, and does not know what was missed before it started"
    );
    Leadership::alone()
}

fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    server::listen(address)
        .with_context(|| format!("failed to listen on {address}; choose another address with {flag}"))
}

/// Starts watches.
struct Watches {
    client: Client,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Watches {
    fn add<K, S>(&self, resource: &'static str, sink: S)
    where
        K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
        S: Sink<K> + 'static,
    {
        let api = Api::all(self.client.clone());
        let (metrics, readiness, stop) = (Arc::clone(&self.metrics), Arc::clone(&self.readiness), self.stop.clone());
        self.tasks.spawn(async move { drive(api, resource, sink, &metrics, &readiness, stop).await });
    }
}
