//! Feeds the watch on Warehouses into the subscription index and the pursuit of pushes.

use std::collections::HashSet;
use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::discovery::{self, Series};
use super::watch::Sink;
use super::watched::WatchedWarehouse;
use crate::domain::scope::ObjectKey;
use crate::domain::shard::Shard;
use crate::domain::target::Target;
use crate::process::readiness::{Gate, Readiness};
use crate::pursuit::Pursuit;
use crate::tables::Tables;
use crate::tables::warehouses::SubscriptionIndex;

/// The feed.
pub struct WarehouseFeed {
    index: Arc<SubscriptionIndex>,
    readiness: Arc<Readiness>,
    pursuit: Pursuit,
    shard: Arc<Shard>,
    series: Series,
}

impl WarehouseFeed {
    /// A feed into the index of these tables and this pursuit.
    #[must_use]
    pub fn new(tables: &Tables, readiness: Arc<Readiness>, pursuit: Pursuit) -> Self {
        let (index, shard) = (Arc::clone(&tables.index), Arc::clone(&tables.shard));
        Self { index, readiness, pursuit, shard, series: Series::default() }
    }
}

impl Sink<WatchedWarehouse> for WarehouseFeed {
    type Key = ObjectKey;

    fn key(&self, warehouse: &WatchedWarehouse) -> Option<ObjectKey> {
        let namespace = warehouse.namespace().filter(|namespace| self.shard.serves(namespace))?;
        Some(ObjectKey::new(&namespace, &warehouse.name_any()))
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
