//! What is counted about the catch-up after a downtime.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The metrics of the catch-up; clones count into the same metrics.
#[derive(Clone, Default)]
pub struct CatchUpMetrics {
    /// Refreshes made good because no replica lived when their pushes may have arrived.
    pub refreshes: Counter,
    /// Warehouses that the catch-up has still to come to.
    pub remaining: Gauge,
}

impl CatchUpMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        r.register("catch_up_refreshes", "Refreshes made good after a downtime", self.refreshes.clone());
        r.register(
            "catch_up_remaining",
            "Warehouses that the catch-up after a downtime has still to come to",
            self.remaining.clone(),
        );
    }
}
