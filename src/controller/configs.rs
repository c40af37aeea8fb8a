//! Serves the receivers of every `ProjectConfig`, of the `ClusterConfig`, and every `Receiver` and `ClusterReceiver`,
//! and reports on them.
//!
//! An owner is looked at when its object or one of its Secrets changes. The route is in force before its URL is in the
//! status. Statuses are written by a queue of their own, so that slow writes never delay a route, and by the leader
//! only.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::feeds::secrets::SecretFeed;
use super::feeds::watched::WatchedConfig;
use super::memory::{Attempt, Change, Memory, Seen, Snapshot};
use super::namespaces::Namespaces;
use super::news;
use super::queue::Queue;
use super::resolve::{self, Declaration, Defaults, Problem, Resolution};
use super::secrets::{SecretCache, SecretState};
use super::status::{self, Report};
use super::unseen::Unseen;
use crate::api::{CLUSTER_CONFIG_NAME, ClusterConfig, ClusterReceiver, ProjectConfig, Receiver, ReceiverDetails};
use crate::domain::owner::Owner;
use crate::domain::path::ReceiverPath;
use crate::domain::project_filter::ProjectFilter;
use crate::domain::scope::ObjectKey;
use crate::domain::shard::Shard;
use crate::events::Events;
use crate::lease::Leadership;
use crate::metrics::controller::ControllerMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::{Gate, Readiness};
use crate::pursuit::Troubles;
use crate::refresh::patch::FIELD_MANAGER;
use crate::tables::Tables;
use crate::tables::routes::{Replaced, Route, Standing};

/// Owners resolved at a time. Each may have to read a few Secrets, and waits for them most of the time.
const RESOLVERS: usize = 64;
/// Statuses written at a time.
const STATUS_WRITERS: usize = 4;
/// A status write that takes longer counts as failed.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long statuses wait for the tables to be filled; a list that never comes must not keep the URLs out of the
/// statuses.
const STATUS_PATIENCE: Duration = Duration::from_secs(30);
/// How often every status is compared with what it should say. One that is seen to become another is compared before;
/// the longer pauses of one that does so again and again end here.
const RESYNC: Duration = Duration::from_secs(300);
/// How often the statuses follow what becomes of pushes, at most: a registry that comes and goes must not make a write
/// of each time.
const TROUBLES_PAUSE: Duration = Duration::from_secs(5);

/// The configuration controller.
pub struct Configs {
    /// For status writes.
    client: Client,
    /// Where routes go.
    tables: Tables,
    /// Where Secrets come from.
    secrets: Arc<SecretCache>,
    /// Owners to resolve. Shared with the Secret feed.
    work: Arc<Queue<Owner>>,
    settings: Settings,
    /// The labels of namespaces.
    namespaces: Arc<Namespaces>,
    readiness: Arc<Readiness>,
    /// Whether statuses are this replica's business.
    leadership: Leadership,
    metrics: ControllerMetrics,
    /// For transition times.
    clock: Clock,
    memory: Memory,
    /// Warehouses whose pushes Kargo does not come across.
    troubles: Arc<Troubles>,
    /// Takes what is new in a status.
    events: Events,
    /// Owners whose status is to be compared with what it should say.
    statuses: Arc<Queue<Owner>>,
}

/// What the controller works with.
pub struct Setup {
    /// For status writes.
    pub client: Client,
    /// Where routes go.
    pub tables: Tables,
    /// For the gates that wait for objects.
    pub readiness: Arc<Readiness>,
    /// Whether statuses are this replica's business.
    pub leadership: Leadership,
    /// Counters.
    pub metrics: ControllerMetrics,
    /// Warehouses whose pushes Kargo does not come across.
    pub troubles: Arc<Troubles>,
    /// Takes what is new in a status.
    pub events: Events,
    /// What the process is configured with.
    pub settings: Settings,
}

/// What the process is configured with.
pub struct Settings {
    /// The namespace of Secrets that an object of the cluster references.
    pub system_namespace: String,
    /// What holds for all receivers, unless one says otherwise.
    pub defaults: Defaults,
}

const fn gate_of(owner: &Owner) -> Gate {
    match owner {
        Owner::ProjectConfig(_) => Gate::ProjectConfigs,
        Owner::ClusterConfig => Gate::ClusterConfigs,
        Owner::Receiver(_) => Gate::Receivers,
        Owner::ClusterReceiver(_) => Gate::ClusterReceivers,
    }
}

impl Configs {
    /// A controller that knows of no object yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup { client, tables, readiness, leadership, metrics, troubles, events, settings } = setup;
        Self {
            secrets: Arc::new(SecretCache::new(client.clone())),
            client,
            tables,
            work: Arc::default(),
            settings,
            namespaces: Arc::default(),
            memory: Memory::new(Arc::clone(&readiness)),
            statuses: Arc::default(),
            readiness,
            leadership,
            metrics,
            troubles,
            events,
            clock: Clock::system(),
        }
    }

    /// What feeds the watch on Secrets into this controller.
    #[must_use]
    pub fn secret_feed(&self) -> SecretFeed {
        SecretFeed::new(Arc::clone(&self.secrets), Arc::clone(&self.work))
    }

    /// The labels of namespaces, for the feed that fills them.
    pub(super) fn namespaces(&self) -> Arc<Namespaces> {
        Arc::clone(&self.namespaces)
    }

    /// The part of the cluster that is served.
    pub(super) fn shard(&self) -> &Shard {
        &self.tables.shard
    }

    /// Works until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (resolver, writer, passer) = (Arc::clone(&self), Arc::clone(&self), Arc::clone(&self));
        let resolve = move |owner| {
            let configs = Arc::clone(&resolver);
            async move { configs.reconcile(owner).await }
        };
        let resolving = Arc::clone(&self.work).run(RESOLVERS, stop.clone(), resolve, move |owner| {
            tracing::error!(%owner, "an object cannot be resolved; it is passed over, its last good routes stay");
            passer.memory.pass_over(&owner);
        });
        let writing = async {
            // At the first start every status is to be written, and the API server has enough to do with the lists.
            let filled = timeout(STATUS_PATIENCE, self.readiness.wait_for_tables());
            stop.run_until_cancelled(filled).await;
            let work = move |owner| {
                let configs = Arc::clone(&writer);
                async move { configs.report(owner).await }
            };
            Arc::clone(&self.statuses)
                .run(STATUS_WRITERS, stop.clone(), work, |owner| {
                    tracing::error!(%owner, "the status of an object cannot be written");
                })
                .await;
        };
        let resyncing = stop.run_until_cancelled(self.resync());
        let succeeding = stop.run_until_cancelled(self.succeed());
        let following = stop.run_until_cancelled(self.follow_troubles());
        tokio::join!(resolving, writing, resyncing, succeeding, following);
    }

    async fn resync(&self) {
        loop {
            tokio::time::sleep(RESYNC).await;
            for owner in self.memory.reported() {
                self.memory.succeeded(&owner, Attempt::Keep);
                self.statuses.add(owner);
            }
        }
    }

    /// A new leader compares every status, because its predecessor may have left some unwritten.
    async fn succeed(&self) {
        let mut term = 0;
        loop {
            term = self.leadership.next_term(term).await;
            self.compare_all();
        }
    }

    /// Compares the statuses of the objects whose receivers reach a project in which pushes come to nothing, or no
    /// longer do.
    async fn follow_troubles(&self) {
        loop {
            let projects = self.troubles.changed().await;
            let reaches = |owner: &Owner| {
                let routes = self.tables.routes.of_owner(owner);
                routes.iter().any(|route| projects.iter().any(|project| route.scope.covers(project)))
            };
            self.memory.reported().into_iter().filter(reaches).for_each(|owner| self.statuses.add(owner));
            tokio::time::sleep(TROUBLES_PAUSE).await;
        }
    }

    /// What the status of an owner says about pushes that Kargo does not come across.
    fn unseen(&self, owner: &Owner) -> Option<Unseen> {
        let routes = self.tables.routes.of_owner(owner);
        Unseen::of(self.troubles.within(|project| routes.iter().any(|route| route.scope.covers(project))))
    }

    /// Sends every status to be compared with what it should say.
    fn compare_all(&self) {
        self.memory.reported().into_iter().for_each(|owner| self.statuses.add(owner));
    }

    /// The owners that a gate is about.
    pub(super) fn owners_behind(&self, gate: Gate) -> HashSet<Owner> {
        self.memory.owners(|owner, _| gate_of(owner) == gate)
    }

    /// An object was listed, added or changed.
    pub(super) fn apply(&self, owner: Owner, seen: Seen<'_>) {
        match self.memory.apply(&owner, seen) {
            Change::Declaration => self.work.add(owner),
            Change::Status if self.leadership.is_leader() => {
                let pause = self.memory.failed(&owner, Attempt::Keep);
                self.statuses.add_after(owner, pause);
            }
            Change::Status | Change::None => {}
        }
    }

    /// An object is gone.
    pub(super) fn remove(&self, owner: Owner) {
        self.memory.remove(&owner);
        self.work.add(owner);
    }

    /// The list of the objects behind a gate is complete.
    pub(super) fn listed(&self, gate: Gate) {
        self.memory.listed(gate, |owner| gate_of(owner) == gate);
    }

    /// Looks again at what is narrowed down by the labels of namespaces.
    pub(super) fn namespaces_changed(&self) {
        self.narrowed().into_iter().for_each(|owner| self.work.add(owner));
    }

    /// Every namespace is listed. Receivers that were narrowed down before are resolved again; the gate waits for that.
    pub(super) fn namespaces_listed(&self) {
        let narrowed = self.narrowed();
        self.memory.wait_for(Gate::Namespaces, narrowed.clone());
        narrowed.into_iter().for_each(|owner| self.work.add(owner));
    }

    fn narrowed(&self) -> HashSet<Owner> {
        self.memory.owners(|_, object| object.filter.as_ref().is_ok_and(ProjectFilter::looks_at_labels))
    }

    /// Brings routes and report of one owner up to date.
    async fn reconcile(&self, owner: Owner) {
        let Some(Snapshot { generation, refresh, filter, entries }) = self.memory.snapshot(&owner) else {
            self.forget(&owner);
            return;
        };
        let namespace = owner.secret_namespace(&self.settings.system_namespace);
        let needed = resolve::references(&entries, namespace);
        self.secrets.reference(&owner, needed.clone());
        let secrets = self.secrets.get_all(needed).await;
        let look_up = |key: &ObjectKey| secrets.get(key).cloned().unwrap_or(SecretState::Missing);
        // Asked before the labels are read: what is resolved with an incomplete list does not count for its gate.
        let knows_namespaces = self.namespaces.is_listed();
        let (labels, before) = (|| self.namespaces.labels(), self.tables.routes.of_owner(&owner));
        let declaration =
            Declaration { owner: &owner, entries: &entries, filter: &filter, secret_namespace: namespace };
        let resolution = resolve::resolve(&declaration, &self.settings.defaults, look_up, labels, &before);
        let kind = entries.first().and_then(|entry| entry.as_ref().ok()?.kind()).map(|kind| kind.as_str());
        let report = Report { generation, refresh, kind, ..self.serve(&owner, resolution, &before) };
        let retry = report.problems.iter().any(Problem::is_passing);
        self.metrics.reconciled(if report.problems.is_empty() { "synced" } else { "failed" });
        self.memory.resolved(&owner, report, |gate| gate != Gate::Namespaces || knows_namespaces);
        self.statuses.add(owner.clone());
        if retry {
            self.work.add_after(owner.clone(), self.memory.failed(&owner, Attempt::Resolve));
        } else {
            self.memory.succeeded(&owner, Attempt::Resolve);
        }
    }

    /// Puts the routes in force and sums up for the status.
    fn serve(&self, owner: &Owner, resolution: Resolution, before: &[Arc<Route>]) -> Report {
        let Resolution { routes, mut problems, warnings } = resolution;
        let base = self.tables.routes.base();
        let current = routes.iter().filter(|route| route.standing == Standing::Current);
        let mut receivers: Vec<ReceiverDetails> = current
            .map(|route| ReceiverDetails {
                name: Some(route.receiver.to_string()),
                path: Some(route.path.expose_path(base)),
                url: Some(route.path.expose_url(base)),
            })
            .collect();
        for route in &routes {
            let (kind, receiver, fingerprint) = (route.kind().as_str(), &*route.receiver, route.path.fingerprint());
            tracing::debug!(kind, project = owner.project(), receiver, fingerprint, "receiver served");
        }
        let kept: HashSet<ReceiverPath> = routes.iter().map(|route| route.path.clone()).collect();
        let is_complete = !problems.iter().any(Problem::hides_a_path);
        let Replaced { clashes, affected } = self.tables.routes.replace_as(owner, routes, is_complete);
        let retired = before.iter().map(|route| &**route).filter(|route| !kept.contains(&route.path));
        self.tables.retired.add(retired, self.clock.now());
        affected.into_iter().for_each(|owner| self.work.add(owner));
        for clash in clashes {
            receivers.retain(|details| details.name.as_deref() != Some(&*clash.receiver));
            problems.push(resolve::path_conflict(&clash));
        }
        for Problem { receiver, cause, .. } in &problems {
            tracing::warn!(project = owner.project(), receiver, cause, "receiver is not served as configured");
        }
        self.tables.problems.replace(owner, problems.iter().chain(&warnings).map(Problem::remark).collect());
        Report { receivers, problems, warnings, ..Report::default() }
    }

    fn forget(&self, owner: &Owner) {
        let before = self.tables.routes.of_owner(owner);
        self.tables.retired.add(before.iter().map(|route| &**route), self.clock.now());
        self.tables.problems.replace(owner, Vec::new());
        self.tables.routes.remove(owner).into_iter().for_each(|owner| self.work.add(owner));
        self.secrets.reference(owner, HashSet::new());
        self.memory.forget(owner);
        tracing::info!(project = owner.project(), "configuration is gone, its receivers are no longer served");
    }

    /// Writes the status of one owner, if this replica leads and it differs from what was last seen.
    async fn report(&self, owner: Owner) {
        if !self.leadership.is_leader() {
            return;
        }
        let Some((report, current)) = self.memory.status(&owner) else {
            return;
        };
        let report = Report { unseen: self.unseen(&owner), ..Report::clone(&report) };
        let Some(patch) = status::patch(&owner, &report, &current, self.clock.now()) else {
            self.metrics.status_written("unchanged");
            self.memory.succeeded(&owner, Attempt::Status);
            return;
        };
        let outcome = match timeout(STATUS_TIMEOUT, self.write(&owner, &patch)).await {
            Ok(Ok(())) => "written",
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => "gone",
            Ok(Err(_)) | Err(_) => "failed",
        };
        self.metrics.status_written(outcome);
        if outcome == "failed" {
            tracing::warn!(project = owner.project(), "the status could not be written, will be repeated");
            self.statuses.add_after(owner.clone(), self.memory.failed(&owner, Attempt::Status));
        } else {
            self.memory.succeeded(&owner, Attempt::Status);
        }
        if outcome == "written" {
            self.memory.wrote(&owner, &current, &patch);
            news::of(&owner, &current, &patch).into_iter().for_each(|note| self.events.send(note));
        }
    }

    async fn write(&self, owner: &Owner, patch: &Value) -> kube::Result<()> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let (client, patch) = (self.client.clone(), Patch::Merge(patch));
        match owner {
            Owner::ProjectConfig(project) => {
                let api: Api<WatchedConfig<ProjectConfig>> = Api::namespaced(client, project);
                api.patch_status(project, &params, &patch).await.map(drop)
            }
            Owner::ClusterConfig => {
                let api: Api<WatchedConfig<ClusterConfig>> = Api::all(client);
                api.patch_status(CLUSTER_CONFIG_NAME, &params, &patch).await.map(drop)
            }
            Owner::Receiver(ObjectKey { namespace, name }) => {
                let api: Api<WatchedConfig<Receiver>> = Api::namespaced(client, namespace);
                api.patch_status(name, &params, &patch).await.map(drop)
            }
            Owner::ClusterReceiver(name) => {
                let api: Api<WatchedConfig<ClusterReceiver>> = Api::all(client);
                api.patch_status(name, &params, &patch).await.map(drop)
            }
        }
    }
}
