//! What every request shares.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::judging;
use super::memory::Memory;
use crate::delivery::Judgement;
use crate::domain::client_cert::ClientIdentity;
use crate::journal::Journal;
use crate::metrics::delivery::DeliveryMetrics;
use crate::process::clock::Clock;
use crate::process::readiness::Readiness;
use crate::pursuit::Pursuit;
use crate::receiver::Request;
use crate::refresh::Refresher;
use crate::spool::Spool;
use crate::tables::Tables;
use crate::tables::routes::{Route, Standing};

/// Everything a request needs.
pub struct Hooks {
    /// What a request is looked up in.
    pub tables: Tables,
    /// Writes annotations.
    pub refresher: Refresher,
    /// Follows them until Kargo has looked.
    pub pursuit: Pursuit,
    /// Whether the tables can be trusted.
    pub readiness: Arc<Readiness>,
    /// Counters.
    pub metrics: DeliveryMetrics,
    /// Names deliveries.
    pub ids: DeliveryIds,
    /// How long an answer waits for the annotations to be written.
    pub ack_deadline: Duration,
    /// Keeps what is not done by then, and what arrives before the tables are filled.
    pub spool: Option<Spool>,
    /// For bodies.
    pub memory: Memory,
    /// Remembers deliveries.
    pub journal: Journal,
    /// For arrivals.
    pub clock: Clock,
}

impl Hooks {
    /// Judges a request. `client` is what its sender proved when it connected.
    pub(super) async fn judge(&self, route: &Arc<Route>, client: &ClientIdentity, request: &Request<'_>) -> Judgement {
        let judgement = judging::judge_in_place(&self.tables, route, client, request).await;
        if matches!(route.standing, Standing::Previous { .. }) && !matches!(judgement, Judgement::Rejected(_)) {
            self.metrics.previous_secret_used(route.kind().as_str(), self.clock.now());
            let (project, receiver) = (route.scope.project(), &*route.receiver);
            tracing::info!(project, receiver, "the URL of the previous secret is still in use");
        }
        judgement
    }
}

/// Hands out delivery ids: unique within a process, and with the random half practically unique among replicas.
pub struct DeliveryIds {
    process: u32,
    count: AtomicU32,
}

impl Default for DeliveryIds {
    fn default() -> Self {
        let process = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0);
        Self { process, count: AtomicU32::new(0) }
    }
}

impl DeliveryIds {
    pub(super) fn next(&self) -> String {
        format!("{:08x}{:08x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
