//! Builds every part of the process: one function each, in the order in which they start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kubernetes::patcher;
use super::{App, Config};
use crate::admin::{self, Admin};
use crate::api::{ClusterConfig, ClusterReceiver, ProjectConfig, Receiver};
use crate::app::lanes::Lanes;
use crate::controller::configs::{self, Configs, Settings};
use crate::controller::feeds::configs::ConfigFeed;
use crate::controller::feeds::namespaces::NamespaceFeed;
use crate::controller::feeds::promotions::PromotionFeed;
use crate::controller::feeds::warehouses::WarehouseFeed;
use crate::controller::feeds::watch::{Sink, drive};
use crate::controller::feeds::watched::{WatchedConfig, WatchedPromotion, WatchedWarehouse};
use crate::events::{self, Events};
use crate::http::entrance::{Entrance, Proxies};
use crate::http::memory::Memory;
use crate::http::state::{DeliveryIds, Hooks};
use crate::http::tls::Tls;
use crate::http::{handler, intake, server};
use crate::journal::record::Step;
use crate::journal::{Bounds, Journal};
use crate::lease::Leadership;
use crate::lease::elector::Elector;
use crate::metrics::Metrics;
use crate::metrics::connection::ConnectionMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::{Gate, Readiness};
use crate::process::supervisor::Supervisor;
use crate::pursuit::Pursuit;
use crate::recovery::catch_up::CatchUp;
use crate::recovery::{known, owed, silence};
use crate::refresh::token::TokenSource;
use crate::refresh::{Refresher, Settled};
use crate::registration::{Registrations, Setup};
use crate::spool::{Limits, Spool};
use crate::tables::Tables;
use crate::views::look::Views;
use crate::views::{self, Hosts};

/// Memory of the admin port, and of the views: some hundred connections, with small requests.
const ADMIN_MEMORY: u64 = 16 * 1024 * 1024;

/// Starts every part.
pub(super) async fn app(config: Config, kubernetes: &kube::Config, stop: CancellationToken) -> anyhow::Result<App> {
    let parts = Parts::new(config, kubernetes, stop).await?;
    parts.admin_port()?;
    parts.views_port();
    let stop_hooks = CancellationToken::new();
    let hooks = parts.webhook_port(&stop_hooks)?;
    parts.recovery()?;
    let stop_election = CancellationToken::new();
    let election = parts.election(&stop_election);
    if !parts.tables.shard.is_whole() {
        tracing::info!("this installation serves {}", parts.tables.shard);
    }
    parts.controller();
    parts.registrations();
    parts.tasks.close();
    let Parts { config, readiness, refresher, spool, tasks, supervisor, stop, .. } = parts;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), listen = %config.listen, admin_listen = %config.admin_listen, "started"
    );
    Ok(App { config, readiness, refresher, spool, tasks, supervisor, stop, stop_hooks, hooks, stop_election, election })
}

/// What the parts share.
struct Parts<'a> {
    config: Config,
    kubernetes: &'a kube::Config,
    client: Client,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    tables: Tables,
    /// Of the webhook port.
    memory: Memory,
    journal: Journal,
    events: Events,
    leadership: Leadership,
    pursuit: Pursuit,
    refresher: Refresher,
    spool: Option<Spool>,
    tasks: TaskTracker,
    /// Hears from every task.
    supervisor: Supervisor,
    /// Ends the tasks.
    stop: CancellationToken,
}

impl<'a> Parts<'a> {
    async fn new(config: Config, kubernetes: &'a kube::Config, stop: CancellationToken) -> anyhow::Result<Self> {
        let client = Client::try_from(kubernetes.clone()).context("failed to set up the API client")?;
        let metrics = Metrics::default();
        let journal = Journal::new(&config.replica, Bounds { bytes: config.journal_bytes, ..Bounds::default() });
        let opened = Spool::open_at(config.spool.clone(), Limits::default(), Clock::system(), metrics.spool.clone());
        let spool = opened.await.context("the spool cannot be opened; see --spool-dir")?;
        let tables = Tables::new(config.base_url.clone(), config.registry_aliases.clone()).of(config.shard.clone());
        let index = Arc::clone(&tables.index);
        let (events, notes) = Events::new();
        let (follow_up, of_pursuit) = (config.follow_up, metrics.pursuit.clone());
        let pursuit = Pursuit::new(follow_up, index, Clock::system(), of_pursuit, journal.clone(), events.clone());
        let (tasks, supervisor) = (TaskTracker::new(), Supervisor::default());
        let writing = events::write(client.clone(), config.replica.clone(), notes, stop.clone());
        tasks.spawn(supervisor.part("the Events", &stop, writing));
        let refresher = Refresher::new(
            pursuit.followed(patcher(kubernetes, &config)?),
            TokenSource::new(Clock::system()),
            config.refresh_concurrency,
            metrics.refresh.clone(),
            settled(spool.clone(), journal.clone()),
        );
        Ok(Self {
            tables,
            memory: Memory::new(config.memory_budget),
            pursuit,
            journal,
            events,
            leadership: leadership(&config, spool.as_ref()),
            readiness: Arc::default(),
            tasks,
            supervisor,
            config,
            kubernetes,
            client,
            metrics,
            refresher,
            spool,
            stop,
        })
    }

    /// Runs a part until the process stops.
    fn spawn<W>(&self, part: &'static str, work: W)
    where
        W: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tasks.spawn(self.supervisor.part(part, &self.stop, work));
    }

    /// Runs a part that ends when it has done its work.
    fn spawn_task<W>(&self, part: &'static str, work: W)
    where
        W: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tasks.spawn(self.supervisor.task(part, work));
    }

    /// Probes and metrics.
    fn admin_port(&self) -> anyhow::Result<()> {
        let listener = bind(self.config.admin_listen, "--admin-listen")?;
        let admin = Admin::new(
            self.tables.clone(),
            self.refresher.clone(),
            self.leadership.clone(),
            Arc::clone(&self.readiness),
            self.metrics.clone(),
        );
        self.serve("the admin port", listener, admin::router(Arc::new(admin)));
        Ok(())
    }

    /// What the people who run it may see.
    fn views_port(&self) {
        let (journal, tables, leadership) = (self.journal.clone(), self.tables.clone(), self.leadership.clone());
        let looking = views::silence::watch(journal, tables, leadership, self.events.clone(), self.stop.clone());
        self.spawn("the look for silent receivers", looking);
        let Some(address) = self.config.views_listen else { return };
        let views = Views {
            replica: self.config.replica.clone(),
            since: Clock::system().now(),
            journal: self.journal.clone(),
            tables: self.tables.clone(),
            readiness: Arc::clone(&self.readiness),
            refresher: self.refresher.clone(),
            leadership: self.leadership.clone(),
            spool: self.spool.clone(),
            clock: Clock::system(),
        };
        let hosts = if address.ip().is_loopback() { Hosts::Loopback } else { Hosts::Any };
        match bind(address, "--views-listen") {
            Ok(listener) => self.serve("the views", listener, views::router(Arc::new(views), hosts)),
            // A help must not keep the work from being done.
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the views are not served"),
        }
    }

    /// Serves a port for the people who run it, on the thread of this runtime, until the process ends.
    fn serve(&self, part: &'static str, listener: TcpListener, router: axum::Router) {
        let lanes = vec![(Handle::current(), router)];
        let (metrics, memory) = (ConnectionMetrics::default(), Memory::new(ADMIN_MEMORY));
        let serving =
            server::serve(listener, Entrance::default(), lanes, memory, metrics, self.stop.clone(), Duration::ZERO);
        self.spawn(part, serving);
    }

    /// Where senders connect; ends with its own token.
    fn webhook_port(&self, stop: &CancellationToken) -> anyhow::Result<JoinHandle<Option<usize>>> {
        let entrance = self.entrance()?;
        let mut serving = Vec::new();
        for lane in Lanes::start(&self.supervisor, &self.stop)?.handles() {
            serving.push((lane.clone(), handler::router(Arc::new(self.hooks()?))));
        }
        let listener = bind(self.config.listen, "--listen")?;
        let (metrics, drain_timeout) = (self.metrics.connections.clone(), self.config.drain_timeout);
        let memory = self.memory.clone();
        let serve = server::serve(listener, entrance, serving, memory, metrics, stop.clone(), drain_timeout);
        let hooks = tokio::spawn(self.supervisor.part("the webhook port", stop, serve));
        self.readiness.open(Gate::Listener);
        Ok(hooks)
    }

    fn entrance(&self) -> anyhow::Result<Entrance> {
        let Some(files) = self.config.tls.clone() else {
            return Ok(Entrance::default());
        };
        let tls = Arc::new(Tls::load(files, self.metrics.tls.clone()).context("TLS cannot be set up")?);
        self.spawn(
            "the look at the TLS files",
            Arc::clone(&tls).follow(self.config.tls_reload_interval, self.stop.clone()),
        );
        let proxies = self.config.proxies.clone();
        let proxies = proxies.map(|trusted| Proxies::new(trusted, Arc::clone(&tls), self.metrics.tls.clone()));
        Ok(Entrance { proxies: proxies.map(Arc::new), tls: tls.is_served().then_some(tls) })
    }

    /// What serves requests, with connections to the API server of its own.
    fn hooks(&self) -> anyhow::Result<Hooks> {
        Ok(Hooks {
            tables: self.tables.clone(),
            refresher: self.refresher.with_patcher(self.pursuit.followed(patcher(self.kubernetes, &self.config)?)),
            pursuit: self.pursuit.clone(),
            readiness: Arc::clone(&self.readiness),
            metrics: self.metrics.delivery.clone(),
            ids: DeliveryIds::default(),
            ack_deadline: self.config.ack_deadline,
            spool: self.spool.clone(),
            memory: self.memory.clone(),
            journal: self.journal.clone(),
            clock: Clock::system(),
        })
    }

    /// Makes good what was owed, taken in or missed before this start.
    fn recovery(&self) -> anyhow::Result<()> {
        let catch_up = Arc::new(CatchUp::new(
            self.leadership.clone(),
            self.tables.clone(),
            self.refresher.clone(),
            Arc::clone(&self.readiness),
            self.metrics.catch_up.clone(),
            self.spool.clone(),
            self.config.catch_up_rate,
        ));
        self.spawn("the catch-up", Arc::clone(&catch_up).run(self.stop.clone()));
        let (readiness, leadership) = (Arc::clone(&self.readiness), self.leadership.clone());
        let pursuit = self.pursuit.clone().run(self.refresher.clone(), leadership, readiness, self.stop.clone());
        self.spawn("the pursuit of pushes", pursuit);
        if let Some(spool) = &self.spool {
            self.spawn(
                "the memory of receiver paths",
                known::remember(
                    spool.clone(),
                    Arc::clone(&self.tables.routes),
                    Arc::clone(&self.readiness),
                    self.stop.clone(),
                ),
            );
            self.spawn_task(
                "the refreshes owed on disk",
                owed::owed(spool.clone(), self.refresher.clone(), self.stop.clone()),
            );
            self.spawn_task(
                "the look for a silent API server",
                silence::take_traffic(Arc::clone(&self.readiness), self.stop.clone()),
            );
            self.spawn("the intake", intake::run(Arc::new(self.hooks()?), spool.clone(), self.stop.clone()));
            self.spawn(
                "the catch-up after a loss of the spool",
                catch_up.run_after_losses(spool.losses(), self.stop.clone()),
            );
        }
        Ok(())
    }

    /// Who writes statuses; ends with its own token, by releasing the Lease.
    fn election(&self, stop: &CancellationToken) -> JoinHandle<Option<()>> {
        let namespace = self.config.lease_namespace.clone().unwrap_or_default();
        let (leadership, metrics) = (self.leadership.clone(), self.metrics.lease.clone());
        let spool = self.spool.clone();
        let owes = Box::new(move || spool.as_ref().is_some_and(|spool| spool.counts().holds_anything()));
        let elector = Elector::new(self.client.clone(), namespace, leadership, metrics, owes).run(stop.clone());
        if self.config.lease_namespace.is_none() {
            // There is nothing to take part in, and it ends at once.
            return tokio::spawn(self.supervisor.task("the election", elector));
        }
        tokio::spawn(self.supervisor.part("the election", stop, elector))
    }

    /// The controller and everything that is watched.
    fn controller(&self) {
        let Config { system_namespace, defaults, .. } = self.config.clone();
        let configs = Arc::new(Configs::new(configs::Setup {
            client: self.client.clone(),
            tables: self.tables.clone(),
            readiness: Arc::clone(&self.readiness),
            leadership: self.leadership.clone(),
            metrics: self.metrics.controller.clone(),
            troubles: self.pursuit.troubles(),
            events: self.events.clone(),
            settings: Settings { system_namespace, defaults },
        }));
        self.spawn("the controller", Arc::clone(&configs).run(self.stop.clone()));
        let fields = || self.tables.shard.field_selector();
        self.watch::<WatchedConfig<ProjectConfig>, _>(
            "projectconfigs",
            fields(),
            ConfigFeed::new(Arc::clone(&configs)),
        );
        self.watch::<WatchedConfig<ClusterConfig>, _>("clusterconfigs", None, ConfigFeed::new(Arc::clone(&configs)));
        self.watch::<WatchedConfig<Receiver>, _>("receivers", fields(), ConfigFeed::new(Arc::clone(&configs)));
        self.watch::<WatchedConfig<ClusterReceiver>, _>(
            "clusterreceivers",
            None,
            ConfigFeed::new(Arc::clone(&configs)),
        );
        let (client, metrics) = (self.client.clone(), self.metrics.controller.clone());
        let readiness = || Arc::clone(&self.readiness);
        let secrets = self.tables.shard.secret_selector();
        let watching = configs.secret_feed().run(client, secrets, metrics, readiness(), self.stop.clone());
        self.spawn("secrets", watching);
        self.watch::<PartialObjectMeta<Namespace>, _>("namespaces", None, NamespaceFeed::new(configs));
        let warehouses = WarehouseFeed::new(&self.tables, readiness(), self.pursuit.clone());
        self.watch::<WatchedWarehouse, _>("warehouses", fields(), warehouses);
        let promotions = PromotionFeed::new(&self.tables, readiness(), self.pursuit.clone());
        self.watch::<WatchedPromotion, _>("promotions", fields(), promotions);
    }

    /// Notifications that are registered with senders.
    fn registrations(&self) {
        let registrations = Arc::new(Registrations::new(Setup {
            client: self.client.clone(),
            tables: self.tables.clone(),
            refresher: self.refresher.clone(),
            journal: self.journal.clone(),
            leadership: self.leadership.clone(),
            readiness: Arc::clone(&self.readiness),
            metrics: self.metrics.registration.clone(),
            rules: self.config.registrations,
            system_namespace: self.config.system_namespace.clone(),
        }));
        let of = || Arc::clone(&registrations);
        let (metrics, stop) = (|| self.metrics.controller.clone(), || self.stop.clone());
        self.spawn("registrations", of().watch(true, metrics(), stop()));
        self.spawn("clusterregistrations", of().watch(false, metrics(), stop()));
        self.spawn("the Secrets of registrations", of().watch_secrets(metrics(), stop()));
        self.spawn("the registrations", of().run(stop()));
    }

    /// Watches one kind in the whole cluster, but for what `fields` leaves out.
    fn watch<K, S>(&self, resource: &'static str, fields: Option<String>, sink: S)
    where
        K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
        S: Sink<K> + 'static,
    {
        let api = Api::all(self.client.clone());
        let (metrics, readiness) = (self.metrics.controller.clone(), Arc::clone(&self.readiness));
        let stop = self.stop.clone();
        self.spawn(
            resource,
            async move { drive(api, fields.as_deref(), resource, sink, &metrics, &readiness, stop).await },
        );
    }
}

/// Called when a target owes nothing any more: then it owes nothing on disk either, except for what came since.
fn settled(spool: Option<Spool>, journal: Journal) -> Settled {
    Box::new(move |target, up_to| {
        journal.advance(target, up_to, &Step::Written, Clock::system().now());
        if let Some(spool) = spool.as_ref().filter(|spool| spool.counts().owed > 0) {
            spool.settle(target, up_to);
        }
    })
}

/// Whether and how this replica takes part in an election.
fn leadership(config: &Config, spool: Option<&Spool>) -> Leadership {
    if config.lease_namespace.is_some() {
        let id = spool.map(|spool| spool.id());
        return Leadership::candidate(&config.replica, config.catch_up_after, id, Clock::system());
    }
    tracing::info!(
        "no lease: neither --lease-namespace nor POD_NAMESPACE names a namespace, so this process writes statuses without \
         an election, and does not know what was missed before it started"
    );
    Leadership::alone()
}

fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    server::listen(address)
        .with_context(|| format!("failed to listen on {address}; choose another address with {flag}"))
}
