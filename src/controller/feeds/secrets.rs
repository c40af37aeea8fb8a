//! Feeds what the API server says about Secrets, by their metadata alone, into the cache, and sends affected owners
//! back to work.
//!
//! Where Secrets may be listed in the whole cluster, one watch is enough. Where they may not, each one that a receiver
//! names is watched on its own, in the namespaces that grant it. The process finds out which it is.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::panic::resume_unwind;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::watch::{Sink, drive};
use crate::controller::queue::Queue;
use crate::controller::secrets::SecretCache;
use crate::domain::owner::Owner;
use crate::domain::scope::ObjectKey;
use crate::metrics::controller::ControllerMetrics;
use crate::process::readiness::Readiness;

const RESOURCE: &str = "secrets";

/// The feed.
pub struct SecretFeed<H = Owner> {
    cache: Arc<SecretCache<H>>,
    /// Whoever references a Secret that has changed is added to it.
    work: Arc<Queue<H>>,
    /// The only Secret that it is about; `None`: it is about all of the cluster.
    only: Option<ObjectKey>,
}

impl<H> Clone for SecretFeed<H> {
    fn clone(&self) -> Self {
        Self { cache: Arc::clone(&self.cache), work: Arc::clone(&self.work), only: self.only.clone() }
    }
}

impl<H: Clone + Eq + Hash + Send + Sync + 'static> SecretFeed<H> {
    /// A feed into this cache.
    #[must_use]
    pub const fn new(cache: Arc<SecretCache<H>>, work: Arc<Queue<H>>) -> Self {
        Self { cache, work, only: None }
    }

    /// Watches until `stop` is cancelled. `fields` leaves out Secrets that nothing served here can name.
    pub async fn run(
        self,
        client: Client,
        fields: Option<String>,
        metrics: ControllerMetrics,
        readiness: Arc<Readiness>,
        stop: CancellationToken,
    ) {
        let api = Api::<PartialObjectMeta<Secret>>::all(client.clone());
        drive(api, fields.as_deref(), RESOURCE, self.clone(), &metrics, &readiness, stop.clone()).await;
        if !stop.is_cancelled() {
            tracing::info!("Secrets may not be listed in the whole cluster: each one that a receiver names is watched");
            self.run_by_name(client, metrics, readiness, stop).await;
        }
    }

    /// Watches each referenced Secret by its name until `stop` is cancelled.
    pub async fn run_by_name(
        self,
        client: Client,
        metrics: ControllerMetrics,
        readiness: Arc<Readiness>,
        stop: CancellationToken,
    ) {
        let (mut watched, mut running) = (HashMap::<ObjectKey, CancellationToken>::new(), JoinSet::new());
        loop {
            let wanted = self.cache.referenced();
            watched.retain(|key, watch| {
                let stays = wanted.contains(key);
                if !stays {
                    watch.cancel();
                }
                stays
            });
            for key in wanted.into_iter().filter(|key| !watched.contains_key(key)).collect::<Vec<_>>() {
                let ends = stop.child_token();
                watched.insert(key.clone(), ends.clone());
                let api = Api::<PartialObjectMeta<Secret>>::namespaced(client.clone(), &key.namespace);
                let (metrics, readiness) = (metrics.clone(), Arc::clone(&readiness));
                let feed = Self { only: Some(key.clone()), ..self.clone() };
                running.spawn(async move {
                    let fields = format!("metadata.name={}", key.name);
                    drive(api, Some(&fields), RESOURCE, feed, &metrics, &readiness, ends).await;
                });
            }
            tokio::select! {
                () = self.cache.references_changed() => {}
                Some(ended) = running.join_next() => {
                    if let Some(Ok(panic)) = ended.err().map(JoinError::try_into_panic) {
                        resume_unwind(panic);
                    }
                }
                () = stop.cancelled() => break,
            }
        }
        while running.join_next().await.is_some() {}
    }

    fn report(&self, key: &ObjectKey, resource_version: Option<&str>) {
        self.cache.seen(key, resource_version).into_iter().for_each(|owner| self.work.add(owner));
    }
}

impl<H: Clone + Eq + Hash + Send + Sync + 'static> Sink<PartialObjectMeta<Secret>> for SecretFeed<H> {
    type Key = ObjectKey;

    fn key(&self, secret: &PartialObjectMeta<Secret>) -> Option<ObjectKey> {
        Some(ObjectKey::new(secret.namespace().as_deref().unwrap_or_default(), &secret.name_any()))
    }

    /// Those that are referenced; the others are of no concern.
    fn keys(&self) -> HashSet<ObjectKey> {
        self.only.as_ref().map_or_else(|| self.cache.referenced(), |only| HashSet::from([only.clone()]))
    }

    fn apply(&mut self, key: ObjectKey, secret: PartialObjectMeta<Secret>) {
        self.report(&key, secret.resource_version().as_deref());
    }

    fn remove(&mut self, key: ObjectKey) {
        self.report(&key, None);
    }

    fn synced(&mut self) {}

    /// The watch on the whole cluster does; a namespace may grant the right later.
    fn gives_up_forbidden(&self) -> bool {
        self.only.is_none()
    }
}
