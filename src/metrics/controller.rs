//! What is counted about the controller: watches, reconciliations, statuses, and the gates they open.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{GateLabel, OutcomeLabel, ResourceLabel};

/// The metrics of the controller; clones count into the same metrics.
#[derive(Clone, Default)]
pub struct ControllerMetrics {
    reconciles: Family<OutcomeLabel, Counter>,
    status_writes: Family<OutcomeLabel, Counter>,
    watch_restarts: Family<ResourceLabel, Counter>,
    ready: Family<GateLabel, Gauge>,
}

impl ControllerMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        r.register("reconciles", "Reconciliations of objects that declare receivers", self.reconciles.clone());
        // There from the start, because an alert watches it, and Prometheus sees no increase in a first appearance.
        drop(self.status_writes.get_or_create(&OutcomeLabel { outcome: "failed" }));
        r.register("status_writes", "Status writes by outcome", self.status_writes.clone());
        r.register("watch_restarts", "Watches that ended with an error", self.watch_restarts.clone());
        r.register("ready", "Readiness gates, 1 when open", self.ready.clone());
    }

    /// Counts a reconciliation.
    pub fn reconciled(&self, outcome: &'static str) {
        self.reconciles.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a status write.
    pub fn status_written(&self, outcome: &'static str) {
        self.status_writes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a watch that has to be resumed.
    pub fn watch_restarted(&self, resource: &'static str) {
        self.watch_restarts.get_or_create(&ResourceLabel { resource }).inc();
    }

    /// Reports whether a readiness gate is open.
    pub fn gate(&self, gate: &'static str, is_open: bool) {
        self.ready.get_or_create(&GateLabel { gate }).set(i64::from(is_open));
    }
}
