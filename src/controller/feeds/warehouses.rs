//! Feeds the watch on Warehouses into the subscription index.

use std::collections::HashSet;
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
    type Key = ObjectKey;

    fn key(&self, warehouse: &WatchedWarehouse) -> Option<ObjectKey> {
        Some(ObjectKey::new(warehouse.namespace().as_deref().unwrap_or_default(), &warehouse.name_any()))
    }

    fn keys(&self) -> HashSet<ObjectKey> {
        self.index.keys()
    }

    fn apply(&mut self, key: ObjectKey, warehouse: WatchedWarehouse) {
        self.index.apply(&key, warehouse.meta().generation, warehouse.criterion_labels(), warehouse.spec());
    }

    fn remove(&mut self, key: ObjectKey) {
        self.index.remove(&key);
    }

    fn synced(&mut self) {
        self.readiness.open(Gate::Warehouses);
    }
}
