//! Serves the receivers of every `ProjectConfig` and of the `ClusterConfig`, and reports on them.
//!
//! A scope is looked at when its object or one of its Secrets changes. The route is in force before its URL is in the
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

use super::queue::Queue;
use super::resolve::{self, Problem, Resolution};
use super::secrets::SecretCache;
use super::status::{Report, desired, merge_patch};
use super::watched::WatchedConfig;
use crate::api::condition::ConfigKind;
use crate::api::{
    CLUSTER_CONFIG_NAME, ClusterConfig, ConfigStatus, EntryError, ProjectConfig, ReceiverConfig, ReceiverDetails,
};
use crate::clock::Clock;
use crate::domain::scope::{ObjectKey, Scope};
use crate::lease::Leadership;
use crate::metrics::Metrics;
use crate::readiness::{Gate, Readiness};
use crate::refresh::patch::FIELD_MANAGER;
use crate::routing::{Replaced, RouteTable};

/// Scopes resolved at a time; each may have to read a few Secrets.
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
    pub client: Client,
    /// Where routes go.
    pub routes: Arc<RouteTable>,
    /// Where Secrets come from.
    pub secrets: Arc<SecretCache>,
    /// Scopes to resolve. Shared with the Secret feed.
    pub work: Arc<Queue<Scope>>,
    /// The namespace of Secrets that a `ClusterConfig` references.
    pub system_namespace: String,
    /// For the gates.
    pub readiness: Arc<Readiness>,
    /// Whether statuses are this replica's business.
    pub leadership: Leadership,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// For transition times.
    pub clock: Clock,
    /// What is known about each scope.
    pub state: State,
}

/// The controller's memory. The watches write the objects, the workers the reports.
#[derive(Default)]
pub struct State {
    objects: Mutex<HashMap<Scope, Object>>,
    reports: Mutex<HashMap<Scope, Report>>,
    failures: Mutex<HashMap<Scope, u32>>,
    /// The scopes of a first list that are not resolved yet; each gate opens when none of its kind is left.
    first: Mutex<HashMap<&'static str, HashSet<Scope>>>,
    statuses: Arc<Queue<Scope>>,
}

/// A configuration as last seen.
struct Object {
    generation: Option<i64>,
    refresh: Option<String>,
    entries: Arc<Vec<Result<ReceiverConfig, EntryError>>>,
    /// The status as text; it is read only when it is compared.
    status: Box<str>,
    /// Whether the running list has named the object.
    listed: bool,
}

const fn gate_of(scope: &Scope) -> Gate {
    match scope {
        Scope::Project(_) => Gate::ProjectConfigs,
        Scope::Cluster => Gate::ClusterConfigs,
    }
}

impl Configs {
    /// Works until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (resolver, writer) = (Arc::clone(&self), Arc::clone(&self));
        let resolving = Arc::clone(&self.work).run(RESOLVERS, stop.clone(), move |scope| {
            let configs = Arc::clone(&resolver);
            async move { configs.reconcile(scope).await }
        });
        let writing = async {
            // At the first start every status is to be written, and the API server has enough to do with the lists.
            let filled = timeout(STATUS_PATIENCE, self.readiness.wait_for_tables());
            stop.run_until_cancelled(filled).await;
            let work = move |scope| {
                let configs = Arc::clone(&writer);
                async move { configs.report(scope).await }
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
        let scopes: Vec<Scope> = self.state.reports.lock().keys().cloned().collect();
        scopes.into_iter().for_each(|scope| self.state.statuses.add(scope));
    }

    /// A complete list of the objects behind a gate begins.
    pub(super) fn begin_list(&self, gate: Gate) {
        let mut objects = self.state.objects.lock();
        objects.iter_mut().filter(|(scope, _)| gate_of(scope) == gate).for_each(|(_, object)| object.listed = false);
    }

    /// The list is complete: what it did not name is gone.
    pub(super) fn end_list(&self, gate: Gate) {
        let mut objects = self.state.objects.lock();
        objects.retain(|scope, object| {
            let stays = gate_of(scope) != gate || object.listed;
            if !stays {
                self.work.add(scope.clone());
            }
            stays
        });
        let left = objects.keys().filter(|scope| gate_of(scope) == gate).cloned().collect();
        drop(objects);
        self.first_list_complete(gate, left);
    }

    /// An object is gone.
    pub(super) fn delete(&self, scope: Scope) {
        self.state.objects.lock().remove(&scope);
        self.work.add(scope);
    }

    /// An object was listed, added or changed.
    pub(super) fn apply(&self, scope: Scope, generation: Option<i64>, refresh: Option<&str>, spec: &str, status: &str) {
        let status: Box<str> = Box::from(status);
        let mut objects = self.state.objects.lock();
        if let Some(known) = objects.get_mut(&scope) {
            known.listed = true;
            // A generation of none is an API server that does not count; then every event is looked at.
            if known.generation == generation && generation.is_some() && known.refresh.as_deref() == refresh {
                // Only the status changed: our own write, or somebody else's that the resync compares.
                known.status = status;
                return;
            }
        }
        let entries = match serde_json::from_str::<Value>(spec) {
            Ok(spec) => ReceiverConfig::decode_list(&spec),
            Err(_) => vec![Err(EntryError { index: 0, name: None, cause: "spec is nested too deeply".to_owned() })],
        };
        let object = Object {
            generation,
            refresh: refresh.map(str::to_owned),
            entries: Arc::new(entries),
            status,
            listed: true,
        };
        objects.insert(scope.clone(), object);
        drop(objects);
        self.work.add(scope);
    }

    fn first_list_complete(&self, gate: Gate, mut scopes: HashSet<Scope>) {
        if self.readiness.is_open(gate) {
            return;
        }
        let reports = self.state.reports.lock();
        scopes.retain(|scope| !reports.contains_key(scope));
        if scopes.is_empty() {
            self.readiness.open(gate);
        } else {
            // Inserted while the reports are locked, so that a scope resolved right now is not waited for in vain.
            self.state.first.lock().insert(gate.as_str(), scopes);
        }
    }

    fn resolved_first_time(&self, scope: &Scope) {
        let gate = gate_of(scope);
        let mut first = self.state.first.lock();
        if let Some(waiting) = first.get_mut(gate.as_str()) {
            waiting.remove(scope);
            if waiting.is_empty() {
                first.remove(gate.as_str());
                drop(first);
                self.readiness.open(gate);
            }
        }
    }

    fn secret_namespace<'a>(&'a self, scope: &'a Scope) -> &'a str {
        match scope {
            Scope::Project(project) => project,
            Scope::Cluster => &self.system_namespace,
        }
    }

    /// Brings routes and report of one scope up to date.
    async fn reconcile(&self, scope: Scope) {
        let snapshot = self
            .state
            .objects
            .lock()
            .get(&scope)
            .map(|object| (object.generation, object.refresh.clone(), Arc::clone(&object.entries)));
        let Some((generation, refresh, entries)) = snapshot else {
            self.forget(&scope);
            return;
        };
        let namespace = self.secret_namespace(&scope);
        let needed = resolve::references(&entries, namespace);
        self.secrets.reference(&scope, needed.clone());
        let mut secrets = HashMap::new();
        for key in needed {
            let found = self.secrets.get(&key).await;
            secrets.insert(key, found);
        }
        let look_up = |key: &ObjectKey| secrets.get(key).cloned().unwrap_or(super::secrets::SecretState::Missing);
        let before = self.routes.of_scope(&scope);
        let resolution = resolve::resolve(&scope, &entries, namespace, look_up, &before);
        let report = self.serve(&scope, resolution, generation, refresh);
        let retry = report.problems.iter().any(|problem| problem.passing);
        self.metrics.reconciled(if report.problems.is_empty() { "synced" } else { "failed" });
        self.state.reports.lock().insert(scope.clone(), report);
        self.resolved_first_time(&scope);
        self.state.statuses.add(scope.clone());
        if retry {
            self.work.add_after(scope.clone(), self.next_pause(&scope));
        } else {
            self.state.failures.lock().remove(&scope);
        }
    }

    /// Puts the routes in force and sums up for the status.
    fn serve(&self, scope: &Scope, resolution: Resolution, generation: Option<i64>, refresh: Option<String>) -> Report {
        let Resolution { routes, mut problems, warnings } = resolution;
        let base = self.routes.base();
        let mut receivers: Vec<ReceiverDetails> = routes
            .iter()
            .map(|route| ReceiverDetails {
                name: Some(route.receiver.to_string()),
                path: Some(route.path.expose_path(base)),
                url: Some(route.path.expose_url(base)),
            })
            .collect();
        for route in &routes {
            let (kind, receiver, fingerprint) = (route.kind().as_str(), &*route.receiver, route.path.fingerprint());
            tracing::debug!(kind, project = scope.project(), receiver, fingerprint, "receiver served");
        }
        let Replaced { clashes, affected } = self.routes.replace(scope, routes);
        affected.into_iter().for_each(|scope| self.work.add(scope));
        for clash in clashes {
            receivers.retain(|details| details.name.as_deref() != Some(&*clash));
            problems.push(Problem {
                receiver: clash.to_string(),
                reason: "PathConflict",
                cause: "project, name and secret of another receiver concatenate to the same bytes, so both have one path; change the secret of one of them".to_owned(),
                passing: false,
                served: false,
            });
        }
        for Problem { receiver, cause, .. } in &problems {
            tracing::warn!(project = scope.project(), receiver, cause, "receiver is not served as configured");
        }
        Report { generation, refresh, receivers, problems, warnings }
    }

    fn forget(&self, scope: &Scope) {
        self.routes.remove(scope).into_iter().for_each(|scope| self.work.add(scope));
        self.secrets.reference(scope, HashSet::new());
        self.state.reports.lock().remove(scope);
        self.state.failures.lock().remove(scope);
        self.resolved_first_time(scope);
        tracing::info!(project = scope.project(), "configuration is gone, its receivers are no longer served");
    }

    /// Writes the status of one scope, if this replica leads and it differs from what was last seen.
    async fn report(&self, scope: Scope) {
        if !self.leadership.is_leader() {
            return;
        }
        let Some(report) = self.state.reports.lock().get(&scope).cloned() else {
            return;
        };
        let Some(current) = self.state.objects.lock().get(&scope).map(|object| object.status.clone()) else {
            return;
        };
        // A status that does not decode is replaced as if it were empty.
        let current: Option<ConfigStatus> = serde_json::from_str(&current).unwrap_or_default();
        let current = current.unwrap_or_default();
        let kind = match scope {
            Scope::Project(_) => ConfigKind::Project,
            Scope::Cluster => ConfigKind::Cluster,
        };
        let Some(patch) = merge_patch(&current, &desired(kind, &report, &current, self.clock.now())) else {
            self.metrics.status_written("unchanged");
            return;
        };
        let outcome = match timeout(STATUS_TIMEOUT, self.write(&scope, patch)).await {
            Ok(Ok(())) => "written",
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => "gone",
            Ok(Err(_)) | Err(_) => "failed",
        };
        self.metrics.status_written(outcome);
        if outcome == "failed" {
            tracing::warn!(project = scope.project(), "status could not be written, will be repeated");
            self.state.statuses.add_after(scope.clone(), self.next_pause(&scope));
        }
    }

    async fn write(&self, scope: &Scope, patch: Value) -> kube::Result<()> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let (client, patch) = (self.client.clone(), Patch::Merge(patch));
        match scope {
            Scope::Project(project) => {
                let api: Api<WatchedConfig<ProjectConfig>> = Api::namespaced(client, project);
                api.patch_status(project, &params, &patch).await.map(drop)
            }
            Scope::Cluster => {
                let api: Api<WatchedConfig<ClusterConfig>> = Api::all(client);
                api.patch_status(CLUSTER_CONFIG_NAME, &params, &patch).await.map(drop)
            }
        }
    }

    fn next_pause(&self, scope: &Scope) -> Duration {
        let mut failures = self.state.failures.lock();
        let count = failures.entry(scope.clone()).or_insert(0);
        *count += 1;
        FIRST_PAUSE.saturating_mul(1 << (*count - 1).min(10)).min(LONGEST_PAUSE)
    }
}
