//! What is counted about annotation PATCHes.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::OutcomeLabel;

/// From a fast API server to the timeout of a PATCH.
const PATCH_SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 30.0];

/// The metrics of the refresher; clones count into the same metrics.
#[derive(Clone)]
pub struct RefreshMetrics {
    /// Refreshes asked of the refresher.
    pub requests: Counter,
    patches: Family<OutcomeLabel, Counter>,
    patch_duration: Histogram,
    /// Warehouses and Promotions that owe a refresh.
    pub owed: Gauge,
}

impl Default for RefreshMetrics {
    fn default() -> Self {
        Self {
            requests: Counter::default(),
            patches: Family::default(),
            patch_duration: Histogram::new(PATCH_SECONDS),
            owed: Gauge::default(),
        }
    }
}

impl RefreshMetrics {
    /// Puts all of them, named `refresh_…`, into the registry.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("refresh");
        r.register("requests", "Refreshes asked for, before coalescing", self.requests.clone());
        // There from the start, because an alert watches it, and Prometheus sees no increase in a first appearance.
        drop(self.patches.get_or_create(&OutcomeLabel { outcome: "refused" }));
        r.register("patches", "Annotation PATCHes by outcome", self.patches.clone());
        r.register_with_unit(
            "patch_duration",
            "Duration of annotation PATCHes",
            Unit::Seconds,
            self.patch_duration.clone(),
        );
        r.register("owed", "Warehouses and Promotions that owe a refresh", self.owed.clone());
    }

    /// Counts a PATCH.
    pub fn patched(&self, outcome: &'static str, took: Duration) {
        self.patches.get_or_create(&OutcomeLabel { outcome }).inc();
        self.patch_duration.observe(took.as_secs_f64());
    }
}
