//! Feeds the watch on Warehouses into the subscription index.

use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::watch::Sink;
use super::watched::WatchedWarehouse;
use crate::domain::scope::ObjectKey;
use crate::process::readiness::{Gate, Readiness};
use crate::tables::warehouses::SubscriptionIndex;

/// The feed.
pub struct WarehouseFeed {
    index: Arc<SubscriptionIndex>,
    readiness: Arc<Readiness>,
}

impl WarehouseFeed {
    /// A feed into this index.
    #[must_use]
    pub const fn new(index: Arc<SubscriptionIndex>, readiness: Arc<Readiness>) -> Self {
        Self { index, readiness }
    }
}

impl Sink<WatchedWarehouse> for WarehouseFeed {
    fn restart(&mut self) {
        self.index.begin_list();
    }

    fn apply(&mut self, warehouse: WatchedWarehouse) {
        let (generation, labels) = (warehouse.meta().generation, warehouse.criterion_labels());
        self.index.apply(&key_of(&warehouse), generation, labels, warehouse.spec());
    }

    fn delete(&mut self, warehouse: WatchedWarehouse) {
        self.index.remove(&key_of(&warehouse));
    }

    fn synced(&mut self) {
        self.index.end_list();
        self.readiness.open(Gate::Warehouses);
    }
}

fn key_of(warehouse: &WatchedWarehouse) -> ObjectKey {
    ObjectKey::new(warehouse.namespace().as_deref().unwrap_or_default(), &warehouse.name_any())
}
