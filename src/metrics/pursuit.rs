//! What is counted about the pursuit of pushes.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::OutcomeLabel;

/// From an undisturbed look to the end of the longest pursuit.
const SECONDS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// The metrics of the pursuit; clones count into the same metrics.
#[derive(Clone)]
pub struct PursuitMetrics {
    handled: Histogram,
    looked: Histogram,
    seen: Histogram,
    outcomes: Family<OutcomeLabel, Counter>,
    nudges: Counter,
    unhandled: Counter,
    objects: Gauge,
    oldest: Gauge,
}

impl Default for PursuitMetrics {
    fn default() -> Self {
        Self {
            handled: Histogram::new(SECONDS),
            looked: Histogram::new(SECONDS),
            seen: Histogram::new(SECONDS),
            outcomes: Family::default(),
            nudges: Counter::default(),
            unhandled: Counter::default(),
            objects: Gauge::default(),
            oldest: Gauge::default(),
        }
    }
}

impl PursuitMetrics {
    /// Puts all of them, named `pursuit_…`, into the registry.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("pursuit");
        r.register_with_unit("handled", "Time from a push until Kargo took it up", Unit::Seconds, self.handled.clone());
        r.register_with_unit("looked", "Time from a push until Kargo had looked", Unit::Seconds, self.looked.clone());
        r.register_with_unit("seen", "Time from a push until Kargo listed it", Unit::Seconds, self.seen.clone());
        r.register("outcomes", "Pushes by how their pursuit ended", self.outcomes.clone());
        r.register("nudges", "Refreshes asked for again", self.nudges.clone());
        r.register("unhandled", "Refreshes that Kargo did not take up within a minute", self.unhandled.clone());
        r.register("objects", "Warehouses and Promotions that are being pursued", self.objects.clone());
        r.register_with_unit(
            "oldest",
            "Age of the oldest push that is being pursued",
            Unit::Seconds,
            self.oldest.clone(),
        );
    }

    /// Makes the counter of an outcome appear with 0, so that an increase can be seen from the first one on.
    pub fn begin(&self, outcome: &'static str) {
        drop(self.outcomes.get_or_create(&OutcomeLabel { outcome }));
    }

    /// Kargo took a push up.
    pub fn handled(&self, after: Duration) {
        self.handled.observe(after.as_secs_f64());
    }

    /// Kargo has looked after a push.
    pub fn looked(&self, after: Duration) {
        self.looked.observe(after.as_secs_f64());
    }

    /// The pursuit of a push ended.
    pub fn ended(&self, outcome: &'static str, after: Duration) {
        self.outcomes.get_or_create(&OutcomeLabel { outcome }).inc();
        if outcome == "seen" {
            self.seen.observe(after.as_secs_f64());
        }
    }

    /// Kargo is asked again.
    pub fn nudged(&self) {
        self.nudges.inc();
    }

    /// Kargo does not take a refresh up.
    pub fn unhandled(&self) {
        self.unhandled.inc();
    }

    /// So many objects are pursued, the oldest for so long.
    pub fn pursues(&self, objects: usize, oldest: Option<Duration>) {
        self.objects.set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.oldest.set(i64::try_from(oldest.unwrap_or_default().as_secs()).unwrap_or(i64::MAX));
    }
}
