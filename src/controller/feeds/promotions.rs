//! Feeds the watch on Promotions into their index.

use std::collections::HashSet;
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
    type Key = ObjectKey;

    fn key(&self, promotion: &WatchedPromotion) -> Option<ObjectKey> {
        Some(ObjectKey::new(promotion.namespace().as_deref().unwrap_or_default(), &promotion.name_any()))
    }

    fn keys(&self) -> HashSet<ObjectKey> {
        self.index.keys().into_iter().collect()
    }

    fn apply(&mut self, key: ObjectKey, promotion: WatchedPromotion) {
        self.index.apply(&key, promotion.criterion_labels(), promotion.spec(), promotion.status());
    }

    fn remove(&mut self, key: ObjectKey) {
        self.index.remove(&key);
    }

    fn synced(&mut self) {
        self.readiness.open(Gate::Promotions);
    }

    /// Without Kargo there are no Promotions, and nothing waits for a pull request.
    fn is_optional(&self) -> bool {
        true
    }
}
