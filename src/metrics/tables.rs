//! What is counted about the tables; set at each scrape.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::KindLabel;

/// The metrics of the tables; clones count into the same metrics.
#[derive(Clone, Default)]
pub struct TableMetrics {
    routes: Family<KindLabel, Gauge>,
    subscriptions: Family<KindLabel, Gauge>,
    /// Objects with a receiver whose path is not known, because its Secret cannot be read.
    pub unresolved_owners: Gauge,
    /// Subscriptions that cannot be evaluated.
    pub rejected_subscriptions: Gauge,
    /// Warehouses in the index.
    pub warehouses: Gauge,
    /// Promotions in the index.
    pub promotions: Gauge,
}

impl TableMetrics {
    /// Puts all of them into the registry.
    pub fn register(&self, r: &mut Registry) {
        r.register("routes", "Served receivers by kind", self.routes.clone());
        r.register(
            "unresolved_owners",
            "Objects with a receiver whose path is not known, because its Secret cannot be read for the moment",
            self.unresolved_owners.clone(),
        );
        r.register("subscriptions", "Indexed subscriptions by kind", self.subscriptions.clone());
        r.register(
            "rejected_subscriptions",
            "Subscriptions that cannot be evaluated and therefore accept no tag",
            self.rejected_subscriptions.clone(),
        );
        r.register("warehouses", "Warehouses in the index", self.warehouses.clone());
        r.register("promotions", "Promotions in the index", self.promotions.clone());
    }

    /// Served receivers of a kind.
    pub fn routes(&self, kind: &'static str, count: i64) {
        self.routes.get_or_create(&KindLabel { kind }).set(count);
    }

    /// Indexed subscriptions of a kind.
    pub fn subscriptions(&self, kind: &'static str, count: i64) {
        self.subscriptions.get_or_create(&KindLabel { kind }).set(count);
    }
}
