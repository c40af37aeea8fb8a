//! What is counted about the connections of one port.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::ReasonLabel;

/// What happens to the connections of one port.
#[derive(Clone, Default)]
pub struct ConnectionMetrics {
    open: Gauge,
    /// Idle connections that have given their buffers back.
    pub resting: Gauge,
    closed: Family<ReasonLabel, Counter>,
    /// Requests that made the process panic.
    pub panics: Counter,
}

/// Counts a connection in a gauge until it is dropped.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ConnectionMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        r.register("connections", "Open connections on the webhook port", self.open.clone());
        r.register(
            "connections_resting",
            "Idle connections on the webhook port that have given their buffers back",
            self.resting.clone(),
        );
        r.register(
            "connections_closed",
            "Connections on the webhook port that were not closed by their client",
            self.closed.clone(),
        );
        r.register(
            "request_panics",
            "Requests whose processing panicked, which were answered 500",
            self.panics.clone(),
        );
    }

    /// Counts a connection as open.
    #[must_use]
    pub fn opened(&self) -> Counted {
        Counted::new(&self.open)
    }

    /// Counts a connection that has given its buffers back.
    #[must_use]
    pub fn rests(&self) -> Counted {
        Counted::new(&self.resting)
    }

    /// Counts a connection that was not closed by its client.
    pub fn closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }
}
