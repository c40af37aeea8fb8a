//! Registrations: the notifications that senders have for receivers are made, watched, healed and removed.
//!
//! ```text
//! Registration ─▶ objects ─┐
//! routes, Warehouses ──────┼─▶ follow ─▶ book (pure): whose turn ─▶ look ─▶ plan (pure): what to do ─▶ hooks ─▶ sender
//! Secret with the token ───┘                  └─▶ status                └─▶ refreshes of what may have been missed
//! ```
//!
//! The leader does all of it. One task tends one registration, so that a sender that is away or hostile costs the
//! others nothing. Everything is derived from lists of the sender: a new leader needs no memory of its predecessor's.

mod aim;
mod book;
mod follow;
mod look;
mod objects;
mod plan;
mod reach;
mod refreshes;
mod rules;
mod status;
mod tender;
mod write;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::{Api, Client};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::controller::feeds::secrets::SecretFeed;
use crate::controller::feeds::watch::drive;
use crate::controller::queue::Queue;
use crate::controller::secrets::SecretCache;
use crate::domain::scope::ObjectKey;
use crate::hooks::Network;
use crate::journal::Journal;
use crate::lease::Leadership;
use crate::metrics::controller::ControllerMetrics;
use crate::metrics::registration::RegistrationMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::Readiness;
use crate::process::supervisor::caught_async;
use crate::refresh::Refresher;
use crate::tables::Tables;
use objects::{Feed, Objects};
use refreshes::Refreshes;
pub use rules::Rules;
use tender::Tender;

/// The finalizer by which the operator removes the notifications before the object is gone.
const FINALIZER: &str = "quayside.dev/notifications";

/// The most entries of `status.repositories`.
const MOST_REPOSITORIES: usize = 200;

/// How often the leader looks for objects that nobody tends.
const LOOK_ROUND: Duration = Duration::from_millis(500);
/// Pause before an object is tended again whose tender panicked.
const AFTER_PANIC: Duration = Duration::from_secs(10);

/// What registrations need of the process.
pub struct Setup {
    /// For statuses and finalizers.
    pub client: Client,
    /// For URLs and Warehouses.
    pub tables: Tables,
    /// For the refreshes.
    pub refresher: Refresher,
    /// For calls that prove a new URL.
    pub journal: Journal,
    /// Only the leader calls senders.
    pub leadership: Leadership,
    /// For when the tables are filled.
    pub readiness: Arc<Readiness>,
    /// What is counted.
    pub metrics: RegistrationMetrics,
    /// How often things are done.
    pub rules: Rules,
    /// The namespace of the Secrets of ClusterRegistrations.
    pub system_namespace: String,
}

/// All registrations.
pub struct Registrations {
    client: Client,
    tables: Tables,
    refresher: Refresher,
    journal: Journal,
    leadership: Leadership,
    readiness: Arc<Readiness>,
    metrics: RegistrationMetrics,
    rules: Rules,
    system_namespace: String,
    objects: Arc<Objects>,
    refreshes: Refreshes,
    secrets: Arc<SecretCache<ObjectKey>>,
    network: Network,
    clock: Clock,
}

impl Registrations {
    /// Knows of no object yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup { client, tables, refresher, journal, leadership, readiness, metrics, rules, system_namespace } =
            setup;
        Self {
            secrets: Arc::new(SecretCache::new(client.clone())),
            client,
            tables,
            refresher,
            journal,
            leadership,
            readiness,
            metrics,
            rules,
            system_namespace,
            objects: Arc::default(),
            refreshes: Refreshes::default(),
            network: Network::from_env(),
            clock: Clock::system(),
        }
    }

    /// Watches one of the two kinds until `stop` is cancelled.
    pub async fn watch(self: Arc<Self>, is_namespaced: bool, metrics: ControllerMetrics, stop: CancellationToken) {
        let api = Api::all_with(self.client.clone(), &write::resource(is_namespaced));
        let name = if is_namespaced { "registrations" } else { "clusterregistrations" };
        let shard = Arc::clone(&self.tables.shard);
        let fields = shard.field_selector().filter(|_| is_namespaced);
        let feed = Feed { objects: Arc::clone(&self.objects), is_namespaced, shard };
        drive(api, fields.as_deref(), name, feed, &metrics, &self.readiness, stop).await;
    }

    /// Watches the Secrets with tokens, each by its name, until `stop` is cancelled.
    pub async fn watch_secrets(self: Arc<Self>, metrics: ControllerMetrics, stop: CancellationToken) {
        // Nobody works on the queue: a tender looks at its Secret every second, in memory while nothing has changed.
        let feed = SecretFeed::new(Arc::clone(&self.secrets), Arc::<Queue<_>>::default());
        feed.run_by_name(self.client.clone(), metrics, Arc::clone(&self.readiness), stop).await;
    }

    /// Tends all objects while this replica leads, until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let leading = async {
            let mut term = 0;
            let next_term = async |after| {
                let term = self.leadership.next_term(after).await;
                self.readiness.wait_for_tables().await;
                term
            };
            while let Some(next) = stop.run_until_cancelled(next_term(term)).await {
                term = next;
                self.lead(&stop).await;
            }
        };
        tokio::join!(leading, self.refreshes.run(&self.refresher, &self.readiness, &self.metrics, &stop));
    }

    async fn lead(self: &Arc<Self>, stop: &CancellationToken) {
        let ends = stop.child_token();
        let (mut tending, mut tended) = (JoinSet::new(), HashSet::new());
        while self.leadership.is_leader() && !stop.is_cancelled() {
            for key in self.objects.keys() {
                if tended.insert(key.clone()) {
                    tending.spawn(Arc::clone(self).tend(key, ends.clone()));
                }
            }
            tokio::select! {
                Some(ended) = tending.join_next(), if !tending.is_empty() => {
                    // It does not panic itself.
                    if let Ok(key) = ended {
                        tended.remove(&key);
                    }
                }
                () = tokio::time::sleep(LOOK_ROUND) => {}
                () = stop.cancelled() => {}
            }
        }
        ends.cancel();
        while tending.join_next().await.is_some() {}
    }

    /// Tends one object for as long as it is there.
    async fn tend(self: Arc<Self>, key: ObjectKey, ends: CancellationToken) -> ObjectKey {
        if let Some(object) = self.objects.get(&key) {
            let tending = Box::pin(Tender::new(&self, &object).run(&ends));
            let tended = caught_async("a registration", tending).await;
            if tended.is_none() {
                ends.run_until_cancelled(tokio::time::sleep(AFTER_PANIC)).await;
            }
        }
        self.secrets.reference(&key, HashSet::new());
        key
    }
}

/// The time as pauses know it. A test can stop it.
fn steady() -> Instant {
    tokio::time::Instant::now().into_std()
}
