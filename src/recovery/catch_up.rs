//! Makes good what was missed while no replica lived, as senders give up on pushes that nobody takes; and what a damaged spool
//! has forgotten.
//!
//! Owns the walk over the Warehouses that a receiver could have reached: once each, in their order, spread over time,
//! giving way to pushes. Whether a catch-up is due, and how far it has come, is recorded in the Lease, so that another
//! process goes on where this one ends; see [`crate::lease`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::target::Target;
use crate::lease::{Due, Leadership};
use crate::metrics::recovery::CatchUpMetrics;
use crate::process::readiness::Readiness;
use crate::refresh::Refresher;
use crate::tables::Tables;
use crate::tables::warehouses::Warehouse;

/// Pushes have priority, but one turn in so many is taken even under a load without a pause: a catch-up has to end.
const PATIENCE: u32 = 10;

/// The catch-up.
pub struct CatchUp {
    /// Whether one is due, and where its progress goes.
    leadership: Leadership,
    /// For what is served, and for the Warehouses.
    tables: Tables,
    /// Writes the refreshes.
    refresher: Refresher,
    /// For when the tables are filled, and for the drain.
    readiness: Arc<Readiness>,
    metrics: CatchUpMetrics,
    /// Refreshes a second, at least 1.
    rate: u32,
}

impl CatchUp {
    /// A catch-up that refreshes so many Warehouses a second.
    #[must_use]
    pub const fn new(
        leadership: Leadership,
        tables: Tables,
        refresher: Refresher,
        readiness: Arc<Readiness>,
        metrics: CatchUpMetrics,
        rate: u32,
    ) -> Self {
        Self { leadership, tables, refresher, readiness, metrics, rate }
    }

    /// Does what is due whenever this replica becomes leader, until `stop` is cancelled or the process drains.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut term = 0;
        let next_term = async |term| {
            let term = self.leadership.next_term(term).await;
            self.readiness.wait_for_tables().await;
            term
        };
        while let Some(next) = stop.run_until_cancelled(next_term(term)).await {
            term = next;
            if let Some(due) = self.leadership.catch_up_due().filter(|due| due.term == term) {
                self.catch_up(due, &stop).await;
                self.metrics.remaining.set(0);
            }
        }
    }

    /// Refreshes everything within reach whenever this replica's spool has lost what it held, since nobody knows what that was.
    /// Whether it leads does not matter: no other replica knows of the loss.
    pub async fn run_after_losses(self: Arc<Self>, mut losses: watch::Receiver<u64>, stop: CancellationToken) {
        let all = async {
            while losses.changed().await.is_ok() {
                self.readiness.wait_for_tables().await;
                let warehouses = self.reachable(None);
                tracing::warn!(
                    warehouses = warehouses.len(),
                    "the spool has lost what it held: refreshing every Warehouse that a receiver could have reached"
                );
                let mut turns = self.turns();
                for warehouse in &warehouses {
                    self.turn(&mut turns).await;
                    self.refresh(warehouse).await;
                }
            }
        };
        stop.run_until_cancelled(all).await;
    }

    async fn catch_up(&self, due: Due, stop: &CancellationToken) {
        let warehouses = self.reachable(due.at.as_deref());
        let since = due.since;
        tracing::info!(
            %since, warehouses = warehouses.len(), continued = due.at.is_some(),
            "no replica lived for a while: refreshing every Warehouse that a receiver could have reached"
        );
        let mut turns = self.turns();
        for (done, warehouse) in warehouses.iter().enumerate() {
            let remaining = warehouses.len() - done;
            self.metrics.remaining.set(i64::try_from(remaining).unwrap_or(i64::MAX));
            let refreshed = async {
                self.turn(&mut turns).await;
                let goes_on = !self.readiness.is_draining() && self.leadership.leads_in(due.term);
                if goes_on {
                    self.refresh(warehouse).await;
                }
                goes_on
            };
            if stop.run_until_cancelled(refreshed).await != Some(true) {
                tracing::info!(%since, done, remaining, "catch-up interrupted, the next leader continues it");
                return;
            }
            self.leadership.caught_up_to(due.term, &warehouse.to_string());
        }
        self.leadership.caught_up(due.term);
        tracing::info!(%since, done = warehouses.len(), "catch-up complete");
    }

    /// The Warehouses that a served receiver can reach and that come after `at`, in their order.
    fn reachable(&self, at: Option<&str>) -> Vec<ObjectKey> {
        let at = at.and_then(|at| at.split_once('/')).map(|(namespace, name)| ObjectKey::new(namespace, name));
        let scopes = self.tables.routes.scopes();
        let warehouses = self.tables.index.warehouses();
        let reachable = warehouses.iter().filter(|warehouse| is_reachable(warehouse, &scopes));
        reachable.map(|warehouse| &warehouse.key).filter(|key| Some(*key) > at.as_ref()).cloned().collect()
    }

    fn turns(&self) -> Interval {
        let mut turns = interval(Duration::from_secs(1) / self.rate.max(1));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        turns
    }

    /// Waits for this catch-up's turn: the next one at which no push is being written.
    async fn turn(&self, turns: &mut Interval) {
        for _ in 0..PATIENCE {
            turns.tick().await;
            if !self.refresher.is_busy() {
                return;
            }
        }
    }

    /// Refreshes, and waits until that has come to something: while the API server is away, nothing more is added to what
    /// is owed.
    async fn refresh(&self, warehouse: &ObjectKey) {
        let waiters = self.refresher.request(&[Target::warehouse(warehouse.clone())]);
        join_all(waiters).await;
        self.metrics.refreshes.inc();
    }
}

/// Whether a push to one of these scopes can concern the Warehouse.
fn is_reachable(warehouse: &Warehouse, scopes: &HashSet<Scope>) -> bool {
    let namespace = &warehouse.key.namespace;
    let some = || scopes.iter().any(|scope| matches!(scope, Scope::Projects(_)) && scope.covers(namespace));
    let covered = scopes.contains(&Scope::Cluster) || scopes.contains(&Scope::Project(Arc::clone(namespace))) || some();
    covered && warehouse.subscriptions.iter().any(Result::is_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warehouse(namespace: &str, subscriptions: &str) -> Warehouse {
        Warehouse::decode(ObjectKey::new(namespace, "w"), &format!(r#"{{"subscriptions":{subscriptions}}}"#))
    }

    #[test]
    fn a_warehouse_is_reachable_through_its_project_or_the_cluster_if_it_subscribes_to_anything() {
        let image = r#"[{"image":{"repoURL":"quay.io/a/b"}}]"#;
        let project = HashSet::from([Scope::Project(Arc::from("a"))]);
        let cluster = HashSet::from([Scope::Cluster]);
        assert!(is_reachable(&warehouse("a", image), &project));
        assert!(!is_reachable(&warehouse("b", image), &project));
        assert!(!is_reachable(&warehouse("a", "[]"), &project));
        assert!(!is_reachable(&warehouse("a", r#"["nonsense"]"#), &project));
        assert!(is_reachable(&warehouse("b", image), &cluster));
        assert!(!is_reachable(&warehouse("a", image), &HashSet::new()));
    }
}
