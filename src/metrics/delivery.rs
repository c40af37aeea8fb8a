//! What is counted about requests on the webhook port.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{KindLabel, OutcomeLabel};
use crate::domain::kind::ReceiverKind;
use crate::domain::target::{Target, TargetKind};

/// From a quick refusal to the acknowledgement deadline and beyond.
const DELIVERY_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0, 10.0];

/// Kind and outcome of a delivery.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DeliveryLabels {
    /// The receiver kind, or `none` for a request that reached no receiver.
    kind: &'static str,
    /// See [`crate::http::answer::Outcome`].
    outcome: &'static str,
}

/// The metrics of deliveries; clones count into the same metrics.
#[derive(Clone)]
pub struct DeliveryMetrics {
    deliveries: Family<DeliveryLabels, Counter>,
    duration: Family<KindLabel, Histogram, fn() -> Histogram>,
    warehouses_matched: Counter,
    promotions_matched: Counter,
    intake_runs: Family<OutcomeLabel, Counter>,
    previous_secret_deliveries: Family<KindLabel, Counter>,
    previous_secret_last_used: Family<KindLabel, Gauge>,
}

impl Default for DeliveryMetrics {
    fn default() -> Self {
        Self {
            deliveries: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DELIVERY_SECONDS)),
            warehouses_matched: Counter::default(),
            promotions_matched: Counter::default(),
            intake_runs: Family::default(),
            previous_secret_deliveries: Family::default(),
            previous_secret_last_used: Family::default(),
        }
    }
}

impl DeliveryMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        // There from the start, because an alert watches it, and Prometheus sees no increase in a first appearance.
        for kind in ReceiverKind::ALL {
            let labels = DeliveryLabels { kind: kind.as_str(), outcome: "unfinished" };
            drop(self.deliveries.get_or_create(&labels));
        }
        r.register("deliveries", "Webhook requests by receiver kind and outcome", self.deliveries.clone());
        r.register_with_unit(
            "delivery_duration",
            "Time from the last byte of a request to its answer",
            Unit::Seconds,
            self.duration.clone(),
        );
        r.register("warehouses_matched", "Warehouses selected by deliveries", self.warehouses_matched.clone());
        r.register("promotions_matched", "Promotions selected by deliveries", self.promotions_matched.clone());
        r.register(
            "intake_runs",
            "Requests run that were taken in before the tables were filled",
            self.intake_runs.clone(),
        );
        r.register(
            "previous_secret_deliveries",
            "Requests to the URL of a previous secret",
            self.previous_secret_deliveries.clone(),
        );
        r.register(
            "previous_secret_last_used_timestamp_seconds",
            "When the URL of a previous secret was last used, in seconds since 1970",
            self.previous_secret_last_used.clone(),
        );
    }

    /// Counts an answered request.
    pub fn delivered(&self, kind: &'static str, outcome: &'static str, took: Option<Duration>) {
        self.deliveries.get_or_create(&DeliveryLabels { kind, outcome }).inc();
        if let Some(took) = took {
            self.duration.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
        }
    }

    /// Counts what a delivery selects.
    pub fn matched(&self, targets: &[Target]) {
        for target in targets {
            match target.kind {
                TargetKind::Warehouse => self.warehouses_matched.inc(),
                TargetKind::Promotion => self.promotions_matched.inc(),
            };
        }
    }

    /// Notes that a URL of a previous secret was used.
    pub fn previous_secret_used(&self, kind: &'static str, now: Timestamp) {
        self.previous_secret_deliveries.get_or_create(&KindLabel { kind }).inc();
        self.previous_secret_last_used.get_or_create(&KindLabel { kind }).set(now.as_second());
    }

    /// Counts a request that was taken in and has been run.
    pub fn ran_from_intake(&self, outcome: &'static str) {
        self.intake_runs.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
