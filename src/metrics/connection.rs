//! What is counted about the connections of one port.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::ReasonLabel;

/// What happens to the connections of one port.
#[derive(Clone, Default)]
pub struct ConnectionMetrics {
    /// Open connections.
    pub open: Gauge,
    closed: Family<ReasonLabel, Counter>,
}

impl ConnectionMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        r.register("connections", "Open connections on the webhook port", self.open.clone());
        r.register(
            "connections_closed",
            "Connections on the webhook port that were not closed by their client",
            self.closed.clone(),
        );
    }

    /// Counts a connection that was not closed by its client.
    pub fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }
}
