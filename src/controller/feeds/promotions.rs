//! Feeds the watch on Promotions into their index and the pursuit of pushes.

use std::collections::HashSet;
use std::sync::Arc;

use kube::ResourceExt;

use super::discovery::{self, Series};
use super::watch::Sink;
use super::watched::WatchedPromotion;
use crate::domain::scope::ObjectKey;
use crate::domain::shard::Shard;
use crate::domain::target::Target;
use crate::process::readiness::{Gate, Readiness};
use crate::pursuit::Pursuit;
use crate::tables::Tables;
use crate::tables::promotions::PromotionIndex;

/// The feed.
pub struct PromotionFeed {
    index: Arc<PromotionIndex>,
    readiness: Arc<Readiness>,
    pursuit: Pursuit,
    shard: Arc<Shard>,
    series: Series,
}

impl PromotionFeed {
    /// A feed into the index of these tables and this pursuit.
    #[must_use]
    pub fn new(tables: &Tables, readiness: Arc<Readiness>, pursuit: Pursuit) -> Self {
        let (index, shard) = (Arc::clone(&tables.promotions), Arc::clone(&tables.shard));
        Self { index, readiness, pursuit, shard, series: Series::default() }
    }
}

impl Sink<WatchedPromotion> for PromotionFeed {
    type Key = ObjectKey;

    fn key(&self, promotion: &WatchedPromotion) -> Option<ObjectKey> {
        let namespace = promotion.namespace().filter(|namespace| self.shard.serves(namespace))?;
        Some(ObjectKey::new(&namespace, &promotion.name_any()))
    }

    fn keys(&self) -> HashSet<ObjectKey> {
        self.index.keys().into_iter().collect()
    }

    fn apply(&mut self, key: ObjectKey, promotion: WatchedPromotion) {
        self.index.apply(&key, promotion.criterion_labels(), promotion.spec(), promotion.status());
        let target = Target::promotion(key);
        if self.pursuit.pursues(&target) {
            let (annotation, status) = (promotion.refresh_annotation(), promotion.status());
            discovery::show(&self.pursuit, &target, annotation, status, self.series.origin());
        }
    }

    fn remove(&mut self, key: ObjectKey) {
        self.index.remove(&key);
        self.pursuit.gone(&Target::promotion(key));
    }

    fn listing(&mut self) {
        self.series.begin(&self.pursuit);
    }

    fn synced(&mut self) {
        self.series.end();
        self.readiness.open(Gate::Promotions);
    }

    /// Without Kargo there are no Promotions, and nothing waits for a pull request.
    fn is_optional(&self) -> bool {
        true
    }
}
