//! What is counted about the spool.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::ReasonLabel;

/// From a disk with a cache of its own to a disk in trouble.
const COMMIT_SECONDS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];

/// The metrics of the spool; clones count into the same metrics.
#[derive(Clone)]
pub struct SpoolMetrics {
    errors: Family<ReasonLabel, Counter>,
    commits: Counter,
    commit_duration: Histogram,
    /// Warehouses and Promotions whose owed refresh is on disk.
    pub owed: Gauge,
    /// Requests taken in and not yet run.
    pub intake_requests: Gauge,
    /// Their size.
    pub intake_bytes: Gauge,
}

impl Default for SpoolMetrics {
    fn default() -> Self {
        Self {
            errors: Family::default(),
            commits: Counter::default(),
            commit_duration: Histogram::new(COMMIT_SECONDS),
            owed: Gauge::default(),
            intake_requests: Gauge::default(),
            intake_bytes: Gauge::default(),
        }
    }
}

impl SpoolMetrics {
    /// Puts all of them, named `spool_…`, into the registry.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("spool");
        r.register("errors", "Failures of the spool by reason", self.errors.clone());
        r.register("commits", "Transactions written to disk", self.commits.clone());
        r.register_with_unit(
            "commit_duration",
            "Duration of a transaction, until the disk has it",
            Unit::Seconds,
            self.commit_duration.clone(),
        );
        r.register("owed", "Warehouses and Promotions whose owed refresh is on disk", self.owed.clone());
        r.register("intake_requests", "Requests taken in and not yet run", self.intake_requests.clone());
        r.register_with_unit(
            "intake",
            "Size of the requests taken in and not yet run",
            Unit::Bytes,
            self.intake_bytes.clone(),
        );
    }

    /// Makes a failure visible before it happens, because an alert watches it, and Prometheus sees no increase in a
    /// first appearance.
    pub fn begin(&self, reason: &'static str) {
        drop(self.errors.get_or_create(&ReasonLabel { reason }));
    }

    /// Counts a failure.
    pub fn failed(&self, reason: &'static str) {
        self.errors.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a transaction.
    pub fn committed(&self, took: Duration) {
        self.commits.inc();
        self.commit_duration.observe(took.as_secs_f64());
    }

    /// How many transactions were written.
    #[cfg(test)]
    pub fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// How many failures for this reason were counted.
    #[cfg(test)]
    pub fn failures(&self, reason: &'static str) -> u64 {
        self.errors.get_or_create(&ReasonLabel { reason }).get()
    }
}
