//! Feeds the watch on Promotions into their index.

use std::sync::Arc;

use kube::ResourceExt;

use super::watch::Sink;
use super::watched::WatchedPromotion;
use crate::domain::scope::ObjectKey;
use crate::process::readiness::{Gate, Readiness};
use crate::tables::promotions::PromotionIndex;

/// The feed.
pub struct PromotionFeed {
    index: Arc<PromotionIndex>,
    readiness: Arc<Readiness>,
}

impl PromotionFeed {
    /// A feed into this index.
    #[must_use]
    pub const fn new(index: Arc<PromotionIndex>, readiness: Arc<Readiness>) -> Self {
        Self { index, readiness }
    }
}

impl Sink<WatchedPromotion> for PromotionFeed {
    fn restart(&mut self) {
        self.index.begin_list();
    }

    fn apply(&mut self, promotion: WatchedPromotion) {
        self.index.apply(&key_of(&promotion), promotion.criterion_labels(), promotion.spec(), promotion.status());
    }

    fn delete(&mut self, promotion: WatchedPromotion) {
        self.index.remove(&key_of(&promotion));
    }

    fn synced(&mut self) {
        self.index.end_list();
        self.readiness.open(Gate::Promotions);
    }

    fn absent(&mut self) {
        // Without Kargo there are no Promotions, and nothing waits for a pull request.
        self.restart();
        self.synced();
    }
}

fn key_of(promotion: &WatchedPromotion) -> ObjectKey {
    ObjectKey::new(promotion.namespace().as_deref().unwrap_or_default(), &promotion.name_any())
}
