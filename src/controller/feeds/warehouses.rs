//! Feeds the watch on Warehouses into the subscription index and the pursuit of pushes.

use std::collections::HashSet;
use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::discovery::{self, Series};
use super::watch::Sink;
use super::watched::WatchedWarehouse;
use crate::domain::scope::ObjectKey;
use crate::domain::target::Target;
use crate::process::readiness::{Gate, Readiness};
use crate::pursuit::Pursuit;
use crate::tables::warehouses::SubscriptionIndex;

/// The feed.
pub struct WarehouseFeed {
    index: Arc<SubscriptionIndex>,
    readiness: Arc<Readiness>,
    pursuit: Pursuit,
    series: Series,
}

impl WarehouseFeed {
    /// A feed into this index and this pursuit.
    #[must_use]
    pub fn new(index: Arc<SubscriptionIndex>, readiness: Arc<Readiness>, pursuit: Pursuit) -> Self {
        Self { index, readiness, pursuit, series: Series::default() }
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
        let (annotation, status) = (warehouse.refresh_annotation(), warehouse.status());
        discovery::show(&self.pursuit, &Target::warehouse(key), annotation, status, self.series.origin());
    }

    fn remove(&mut self, key: ObjectKey) {
        self.index.remove(&key);
        self.pursuit.gone(&Target::warehouse(key));
    }

    fn listing(&mut self) {
        self.series.begin(&self.pursuit);
    }

    fn synced(&mut self) {
        self.series.end();
        self.readiness.open(Gate::Warehouses);
    }
}
