//! Feeds the watch on Secret metadata into the cache and sends affected owners back to work.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;

use super::watch::Sink;
use crate::controller::queue::Queue;
use crate::controller::secrets::SecretCache;
use crate::domain::owner::Owner;
use crate::domain::scope::ObjectKey;

/// The feed.
pub struct SecretFeed {
    cache: Arc<SecretCache>,
    work: Arc<Queue<Owner>>,
}

impl SecretFeed {
    pub(in crate::controller) const fn new(cache: Arc<SecretCache>, work: Arc<Queue<Owner>>) -> Self {
        Self { cache, work }
    }

    fn report(&self, key: &ObjectKey, resource_version: Option<&str>) {
        self.cache.seen(key, resource_version).into_iter().for_each(|owner| self.work.add(owner));
    }
}

impl Sink<PartialObjectMeta<Secret>> for SecretFeed {
    type Key = ObjectKey;

    fn key(&self, secret: &PartialObjectMeta<Secret>) -> Option<ObjectKey> {
        Some(ObjectKey::new(secret.namespace().as_deref().unwrap_or_default(), &secret.name_any()))
    }

    /// Those that are referenced; the others are nobody's concern.
    fn keys(&self) -> HashSet<ObjectKey> {
        self.cache.referenced()
    }

    fn apply(&mut self, key: ObjectKey, secret: PartialObjectMeta<Secret>) {
        self.report(&key, secret.resource_version().as_deref());
    }

    fn remove(&mut self, key: ObjectKey) {
        self.report(&key, None);
    }

    fn synced(&mut self) {}
}
