//! Makes good what was missed while no replica lived, because senders give up on pushes that are not taken, and what a
//! damaged spool has forgotten.
//!
//! Every Warehouse that a receiver could have reached is refreshed once, in their order, spread over time, giving way
//! to pushes. Whether a catch-up is due, and how far it has come, is recorded in the Lease, so that another
//! process goes on where this one ends; see [`crate::lease`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::walk::Walk;
use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::target::Target;
use crate::lease::{Due, Leadership};
use crate::metrics::recovery::CatchUpMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::Readiness;
use crate::refresh::Refresher;
use crate::spool::Spool;
use crate::tables::Tables;
use crate::tables::warehouses::Warehouse;

/// Pushes have priority, but one turn in so many is taken even under a load without a pause: a catch-up has to end.
const PATIENCE: u32 = 10;

/// Takes the place of a delivery's id where no delivery asked.
pub(super) const CATCH_UP: &str = "catch-up";

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
    /// Keeps what cannot be refreshed yet.
    spool: Option<Spool>,
    clock: Clock,
    /// Refreshes a second, at least 1.
    rate: u32,
}

impl CatchUp {
    /// A catch-up that refreshes so many Warehouses a second.
    #[must_use]
    pub fn new(
        leadership: Leadership,
        tables: Tables,
        refresher: Refresher,
        readiness: Arc<Readiness>,
        metrics: CatchUpMetrics,
        spool: Option<Spool>,
        rate: u32,
    ) -> Self {
        Self { leadership, tables, refresher, readiness, metrics, spool, clock: Clock::system(), rate }
    }

    /// Does what is due while this replica leads, until `stop` is cancelled or the process drains.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut round = 0;
        let next_due = async |round| {
            let due = self.leadership.next_due(round).await;
            self.readiness.wait_for_tables().await;
            due
        };
        while let Some(due) = stop.run_until_cancelled(next_due(round)).await {
            round = due.round;
            self.catch_up(due, &stop).await;
            self.metrics.remaining.set(0);
        }
    }

    /// Refreshes everything within reach whenever this replica's spool has lost what it held, because
    /// nothing else knows what that was.
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
                let (mut turns, mut walk) = (self.turns(), Walk::new(&self.refresher));
                for warehouse in &warehouses {
                    self.turn(&mut turns).await;
                    self.metrics.refreshes.inc();
                    walk.step(warehouse).await;
                }
                let unfinished = self.owe(walk.come_back().await).await;
                tracing::info!(unfinished, "everything that the spool may have held is refreshed or owed");
            }
        };
        stop.run_until_cancelled(all).await;
    }

    async fn catch_up(&self, due: Due, stop: &CancellationToken) {
        let warehouses = self.reachable(due.at.as_deref());
        let since = due.since;
        tracing::info!(
            %since, warehouses = warehouses.len(), continued = due.at.is_some(),
            "no replica lived for a while, or one is lost: refreshing every Warehouse that a receiver could have reached"
        );
        let (mut turns, mut walk, recording) = (self.turns(), Walk::new(&self.refresher), self.refresher.record());
        for (done, warehouse) in warehouses.iter().enumerate() {
            let remaining = warehouses.len() - done;
            self.metrics.remaining.set(i64::try_from(remaining).unwrap_or(i64::MAX));
            if recording.has(&Target::warehouse(warehouse.clone())) {
                // By a push, since a replica lives again.
                walk.pass(warehouse);
                continue;
            }
            let refreshed = async {
                self.turn(&mut turns).await;
                let goes_on = !self.readiness.is_draining() && self.leadership.is_due(&due);
                if goes_on {
                    self.metrics.refreshes.inc();
                    walk.step(warehouse).await;
                }
                goes_on
            };
            let goes_on = stop.run_until_cancelled(refreshed).await == Some(true);
            if let Some(at) = walk.position() {
                self.leadership.caught_up_to(&due, &at.to_string());
            }
            if !goes_on {
                tracing::info!(%since, done, remaining, "catch-up interrupted, the next leader continues it");
                return;
            }
        }
        let rest = async { self.owe(walk.come_back().await).await };
        if let Some(unfinished) = stop.run_until_cancelled(rest).await {
            self.leadership.caught_up(&due);
            tracing::info!(%since, done = warehouses.len(), unfinished, "catch-up complete");
        }
    }

    /// Keeps what could not be refreshed yet on disk, if there is one, so that it survives this process. Returns how
    /// many.
    async fn owe(&self, targets: Vec<Target>) -> usize {
        if let Some(spool) = &self.spool {
            let now = self.clock.now();
            if let Err(error) = spool.owe(&targets, now, CATCH_UP).await {
                tracing::error!(reason = error.reason(), "what the catch-up owes cannot be written: {error}");
            }
            // One that was written meanwhile has found nothing to settle.
            for target in targets.iter().filter(|target| !self.refresher.owes(target)) {
                spool.settle(target, now);
            }
        }
        targets.len()
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
