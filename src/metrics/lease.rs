//! What is counted about the election.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of the election; clones count into the same metrics.
#[derive(Clone, Default)]
pub struct LeaseMetrics {
    leader: Gauge,
    errors: Counter,
}

impl LeaseMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        r.register("leader", "Whether this replica writes statuses", self.leader.clone());
        r.register("lease_errors", "Failed reads and writes of the Lease", self.errors.clone());
    }

    /// Reports whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Counts a failed call about the Lease; a lost race does not count.
    pub fn failed(&self) {
        self.errors.inc();
    }
}
