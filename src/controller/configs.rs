//! Serves the receivers of every `ProjectConfig`, of the `ClusterConfig`, and every `Receiver` and `ClusterReceiver`, and
//! reports on them.
//!
//! An owner is looked at when its object or one of its Secrets changes. The route is in force before its URL is in the
//! status. Statuses are written by a queue of their own, so that slow writes never delay a route, and by the leader only.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::feeds::watched::WatchedConfig;
use super::namespaces::Namespaces;
use super::queue::Queue;
use super::resolve::{self, Defaults, Problem, Resolution};
use super::secrets::{SecretCache, SecretFeed};
use super::status::{self, Report};
use crate::api::{
    CLUSTER_CONFIG_NAME, ClusterConfig, ClusterReceiver, Entry, EntryError, ProjectConfig, Receiver, ReceiverDetails,
};
use crate::domain::owner::Owner;
use crate::domain::project_filter::ProjectFilter;
use crate::domain::scope::ObjectKey;
use crate::lease::Leadership;
use crate::metrics::controller::ControllerMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::{Gate, Readiness};
use crate::refresh::patch::FIELD_MANAGER;
use crate::tables::routes::{Replaced, RouteTable, Standing};

/// Owners resolved at a time; each may have to read a few Secrets.
const RESOLVERS: usize = 16;
/// Statuses written at a time.
const STATUS_WRITERS: usize = 4;
/// A status write that takes longer counts as failed.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);
/// How long statuses wait for the tables to be filled; a list that never comes must not keep the URLs from being told.
const STATUS_PATIENCE: Duration = Duration::from_secs(30);
/// Pause before the first repetition of something that failed; doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often every status is compared with what it should say, because somebody else may have overwritten it.
const RESYNC: Duration = Duration::from_secs(300);

/// The configuration controller.
pub struct Configs {
    /// For status writes.
    client: Client,
    /// Where routes go.
    routes: Arc<RouteTable>,
    /// Where Secrets come from.
    secrets: Arc<SecretCache>,
    /// Owners to resolve. Shared with the Secret feed.
    work: Arc<Queue<Owner>>,
    settings: Settings,
    /// The labels of namespaces.
    pub(super) namespaces: Namespaces,
    /// For the gates.
    readiness: Arc<Readiness>,
    /// Whether statuses are this replica's business.
    leadership: Leadership,
    metrics: ControllerMetrics,
    /// For transition times.
    clock: Clock,
    state: State,
}

/// What the process is configured with.
pub struct Settings {
    /// The namespace of Secrets that an object of the cluster references.
    pub system_namespace: String,
    /// What holds for all receivers, unless one says otherwise.
    pub defaults: Defaults,
}

/// The controller's memory. The watches write the objects, the workers the reports.
#[derive(Default)]
struct State {
    objects: Mutex<HashMap<Owner, Object>>,
    reports: Mutex<HashMap<Owner, Report>>,
    failures: Mutex<HashMap<Owner, u32>>,
    /// The owners of a first list that are not resolved yet; each gate opens when none of its kind is left.
    first: Mutex<HashMap<&'static str, HashSet<Owner>>>,
    statuses: Arc<Queue<Owner>>,
}

/// An owner as last seen.
struct Object {
    generation: Option<i64>,
    refresh: Option<String>,
    /// To which projects it is narrowed down; counts for what belongs to the cluster.
    filter: Result<ProjectFilter, String>,
    entries: Arc<Vec<Result<Entry, EntryError>>>,
    /// The status as text; it is read only when it is compared.
    status: Box<str>,
    /// Whether the running list has named the object.
    listed: bool,
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
    pub fn new(
        client: Client,
        routes: Arc<RouteTable>,
        readiness: Arc<Readiness>,
        leadership: Leadership,
        metrics: ControllerMetrics,
        settings: Settings,
    ) -> Self {
        Self {
            secrets: Arc::new(SecretCache::new(client.clone())),
            client,
            routes,
            work: Arc::default(),
            settings,
            namespaces: Namespaces::default(),
            readiness,
            leadership,
            metrics,
            clock: Clock::system(),
            state: State::default(),
        }
    }

    /// What feeds the watch on Secrets into this controller.
    #[must_use]
    pub fn secret_feed(&self) -> SecretFeed {
        SecretFeed::new(Arc::clone(&self.secrets), Arc::clone(&self.work))
    }

    /// Works until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (resolver, writer) = (Arc::clone(&self), Arc::clone(&self));
        let resolving = Arc::clone(&self.work).run(RESOLVERS, stop.clone(), move |owner| {
            let configs = Arc::clone(&resolver);
            async move { configs.reconcile(owner).await }
        });
        let writing = async {
            // At the first start every status is to be written, and the API server has enough to do with the lists.
            let filled = timeout(STATUS_PATIENCE, self.readiness.wait_for_tables());
            stop.run_until_cancelled(filled).await;
            let work = move |owner| {
                let configs = Arc::clone(&writer);
                async move { configs.report(owner).await }
            };
            Arc::clone(&self.state.statuses).run(STATUS_WRITERS, stop.clone(), work).await;
        };
        let resyncing = stop.run_until_cancelled(self.resync());
        let succeeding = stop.run_until_cancelled(self.succeed());
        tokio::join!(resolving, writing, resyncing, succeeding);
    }

    async fn resync(&self) {
        loop {
            tokio::time::sleep(RESYNC).await;
            self.compare_all();
        }
    }

    /// Whoever becomes leader makes sure of every status, for its predecessor may have left some unwritten.
    async fn succeed(&self) {
        let mut term = 0;
        loop {
            term = self.leadership.next_term(term).await;
            self.compare_all();
        }
    }

    /// Sends every status to be compared with what it should say.
    fn compare_all(&self) {
        let owners: Vec<Owner> = self.state.reports.lock().keys().cloned().collect();
        owners.into_iter().for_each(|owner| self.state.statuses.add(owner));
    }

    /// A complete list of the objects behind a gate begins.
    pub(super) fn begin_list(&self, gate: Gate) {
        let mut objects = self.state.objects.lock();
        objects.iter_mut().filter(|(owner, _)| gate_of(owner) == gate).for_each(|(_, object)| object.listed = false);
    }

    /// The list is complete: what it did not name is gone.
    pub(super) fn end_list(&self, gate: Gate) {
        let mut objects = self.state.objects.lock();
        objects.retain(|owner, object| {
            let stays = gate_of(owner) != gate || object.listed;
            if !stays {
                self.work.add(owner.clone());
            }
            stays
        });
        let left = objects.keys().filter(|owner| gate_of(owner) == gate).cloned().collect();
        drop(objects);
        self.first_list_complete(gate, left);
    }

    /// An object is gone.
    pub(super) fn delete(&self, owner: Owner) {
        self.state.objects.lock().remove(&owner);
        self.work.add(owner);
    }

    /// An object was listed, added or changed.
    pub(super) fn apply(
        &self,
        owner: Owner,
        generation: Option<i64>,
        refresh: Option<&str>,
        filter: Result<ProjectFilter, String>,
        spec: &str,
        status: &str,
    ) {
        let status: Box<str> = Box::from(status);
        let mut objects = self.state.objects.lock();
        if let Some(known) = objects.get_mut(&owner) {
            known.listed = true;
            // A generation of none is an API server that does not count; then every event is looked at.
            let is_same = known.refresh.as_deref() == refresh && known.filter == filter;
            if known.generation == generation && generation.is_some() && is_same {
                // Only the status changed: our own write, or somebody else's that the resync compares.
                known.status = status;
                return;
            }
        }
        let entries = match serde_json::from_str::<Value>(spec) {
            Ok(spec) => resolve::declared(&owner, &spec),
            Err(_) => vec![Err(EntryError { index: 0, name: None, cause: "spec is nested too deeply".to_owned() })],
        };
        let object = Object {
            generation,
            refresh: refresh.map(str::to_owned),
            filter,
            entries: Arc::new(entries),
            status,
            listed: true,
        };
        objects.insert(owner.clone(), object);
        drop(objects);
        self.work.add(owner);
    }

    fn first_list_complete(&self, gate: Gate, mut owners: HashSet<Owner>) {
        if self.readiness.is_open(gate) {
            return;
        }
        let reports = self.state.reports.lock();
        owners.retain(|owner| !reports.contains_key(owner));
        if owners.is_empty() {
            self.readiness.open(gate);
        } else {
            // Inserted while the reports are locked, so that an owner resolved right now is not waited for in vain.
            self.state.first.lock().insert(gate.as_str(), owners);
        }
    }

    fn resolved_first_time(&self, owner: &Owner) {
        let gate = gate_of(owner);
        let mut first = self.state.first.lock();
        if let Some(waiting) = first.get_mut(gate.as_str()) {
            waiting.remove(owner);
            if waiting.is_empty() {
                first.remove(gate.as_str());
                drop(first);
                self.readiness.open(gate);
            }
        }
    }

    /// Looks again at what is narrowed down by the labels of namespaces.
    pub(super) fn namespaces_changed(&self) {
        let objects = self.state.objects.lock();
        let narrowed =
            objects.iter().filter(|(_, object)| object.filter.as_ref().is_ok_and(ProjectFilter::looks_at_labels));
        narrowed.for_each(|(owner, _)| self.work.add(owner.clone()));
    }

    /// Brings routes and report of one owner up to date.
    async fn reconcile(&self, owner: Owner) {
        let snapshot = self.state.objects.lock().get(&owner).map(|object| {
            (object.generation, object.refresh.clone(), object.filter.clone(), Arc::clone(&object.entries))
        });
        let Some((generation, refresh, filter, entries)) = snapshot else {
            self.forget(&owner);
            return;
        };
        let namespace = owner.secret_namespace(&self.settings.system_namespace);
        let needed = resolve::references(&entries, namespace);
        self.secrets.reference(&owner, needed.clone());
        let mut secrets = HashMap::new();
        for key in needed {
            let found = self.secrets.get(&key).await;
            secrets.insert(key, found);
        }
        let look_up = |key: &ObjectKey| secrets.get(key).cloned().unwrap_or(super::secrets::SecretState::Missing);
        let before = self.routes.of_owner(&owner);
        let mut resolution = resolve::resolve(&owner, &entries, namespace, &self.settings.defaults, look_up, &before);
        resolve::narrow(&mut resolution, &owner, &filter, || self.namespaces.labels());
        let kind = entries.first().and_then(|entry| entry.as_ref().ok()?.kind()).map(|kind| kind.as_str());
        let report = Report { generation, refresh, kind, ..self.serve(&owner, resolution) };
        let retry = report.problems.iter().any(|problem| problem.passing);
        self.metrics.reconciled(if report.problems.is_empty() { "synced" } else { "failed" });
        self.state.reports.lock().insert(owner.clone(), report);
        self.resolved_first_time(&owner);
        self.state.statuses.add(owner.clone());
        if retry {
            self.work.add_after(owner.clone(), self.next_pause(&owner));
        } else {
            self.state.failures.lock().remove(&owner);
        }
    }

    /// Puts the routes in force and sums up for the status.
    fn serve(&self, owner: &Owner, resolution: Resolution) -> Report {
        let Resolution { routes, mut problems, warnings } = resolution;
        let base = self.routes.base();
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
        let Replaced { clashes, affected } = self.routes.replace(owner, routes);
        affected.into_iter().for_each(|owner| self.work.add(owner));
        for clash in clashes {
            receivers.retain(|details| details.name.as_deref() != Some(&*clash.receiver));
            problems.push(resolve::path_conflict(&clash));
        }
        for Problem { receiver, cause, .. } in &problems {
            tracing::warn!(project = owner.project(), receiver, cause, "receiver is not served as configured");
        }
        Report { receivers, problems, warnings, ..Report::default() }
    }

    fn forget(&self, owner: &Owner) {
        self.routes.remove(owner).into_iter().for_each(|owner| self.work.add(owner));
        self.secrets.reference(owner, HashSet::new());
        self.state.reports.lock().remove(owner);
        self.state.failures.lock().remove(owner);
        self.resolved_first_time(owner);
        tracing::info!(project = owner.project(), "configuration is gone, its receivers are no longer served");
    }

    /// Writes the status of one owner, if this replica leads and it differs from what was last seen.
    async fn report(&self, owner: Owner) {
        if !self.leadership.is_leader() {
            return;
        }
        let Some(report) = self.state.reports.lock().get(&owner).cloned() else {
            return;
        };
        let Some(current) = self.state.objects.lock().get(&owner).map(|object| object.status.clone()) else {
            return;
        };
        let Some(patch) = status::patch(&owner, &report, &current, self.clock.now()) else {
            self.metrics.status_written("unchanged");
            return;
        };
        let outcome = match timeout(STATUS_TIMEOUT, self.write(&owner, patch)).await {
            Ok(Ok(())) => "written",
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => "gone",
            Ok(Err(_)) | Err(_) => "failed",
        };
        self.metrics.status_written(outcome);
        if outcome == "failed" {
            tracing::warn!(project = owner.project(), "status could not be written, will be repeated");
            self.state.statuses.add_after(owner.clone(), self.next_pause(&owner));
        }
    }

    async fn write(&self, owner: &Owner, patch: Value) -> kube::Result<()> {
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

    fn next_pause(&self, owner: &Owner) -> Duration {
        let mut failures = self.state.failures.lock();
        let count = failures.entry(owner.clone()).or_insert(0);
        *count += 1;
        FIRST_PAUSE.saturating_mul(1 << (*count - 1).min(10)).min(LONGEST_PAUSE)
    }
}
