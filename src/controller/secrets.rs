//! The Secrets that receivers reference: watched by metadata, fetched by name, held only while referenced.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use tokio::time::timeout;

use super::feeds::watch::Sink;
use super::queue::Queue;
use crate::domain::owner::Owner;
use crate::domain::scope::ObjectKey;
use crate::domain::secret::Secret;

/// A GET that takes longer counts as failed.
const GET_TIMEOUT: Duration = Duration::from_secs(10);

/// The data of a Secret by key.
pub type SecretData = BTreeMap<String, Secret>;

/// What is known about a Secret.
#[derive(Clone)]
pub enum SecretState {
    /// It exists.
    Found(Arc<SecretData>),
    /// It certainly does not exist.
    Missing,
    /// It could not be read; the text says why.
    Unavailable(String),
}

/// Reads Secrets and remembers those that are referenced.
pub struct SecretCache {
    client: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    referenced_by: HashMap<ObjectKey, HashSet<Owner>>,
    references: HashMap<Owner, HashSet<ObjectKey>>,
    known: HashMap<ObjectKey, Known>,
}

struct Known {
    state: Option<SecretState>,
    resource_version: Option<String>,
    /// Counts the changes that the watch reported, so that an answer which was on its way meanwhile is not kept.
    changes: u64,
    stale: bool,
}

impl SecretCache {
    /// An empty cache.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, state: Mutex::default() }
    }

    /// Declares which Secrets an owner references from now on; others are forgotten when nobody else needs them.
    pub fn reference(&self, owner: &Owner, secrets: HashSet<ObjectKey>) {
        let mut state = self.state.lock();
        let before = state.references.remove(owner).unwrap_or_default();
        for key in before.difference(&secrets) {
            state.release(key, owner);
        }
        for key in &secrets {
            state.referenced_by.entry(key.clone()).or_default().insert(owner.clone());
        }
        if !secrets.is_empty() {
            state.references.insert(owner.clone(), secrets);
        }
    }

    /// The Secret as it is now: from memory while the watch reports no change, else from the API server.
    pub async fn get(&self, key: &ObjectKey) -> SecretState {
        let changes = {
            let mut state = self.state.lock();
            let known = state.known.entry(key.clone()).or_insert_with(Known::unread);
            match (&known.state, known.stale) {
                (Some(found), false) => return found.clone(),
                _ => known.changes,
            }
        };
        let (found, resource_version) = self.fetch(key).await;
        let mut state = self.state.lock();
        if !state.referenced_by.contains_key(key) {
            state.known.remove(key);
        } else if let Some(known) = state.known.get_mut(key) {
            known.stale = known.changes != changes || matches!(found, SecretState::Unavailable(_));
            known.state = Some(found.clone());
            known.resource_version = resource_version;
        }
        found
    }

    async fn fetch(&self, key: &ObjectKey) -> (SecretState, Option<String>) {
        let api: Api<KubeSecret> = Api::namespaced(self.client.clone(), &key.namespace);
        match timeout(GET_TIMEOUT, api.get_opt(&key.name)).await {
            Ok(Ok(Some(secret))) => {
                let resource_version = secret.resource_version();
                let data = secret.data.unwrap_or_default();
                let data = data.into_iter().map(|(key, value)| (key, Secret::new(value.0))).collect();
                (SecretState::Found(Arc::new(data)), resource_version)
            }
            Ok(Ok(None)) => (SecretState::Missing, None),
            Ok(Err(kube::Error::Api(status))) => (SecretState::Unavailable(status.message.clone()), None),
            Ok(Err(_)) => (SecretState::Unavailable("the API server cannot be reached".to_owned()), None),
            Err(_) => (SecretState::Unavailable("the API server did not answer in time".to_owned()), None),
        }
    }

    /// The watch saw the Secret in this version (`None`: gone). Returns the owners that have to look again.
    fn seen(&self, key: &ObjectKey, resource_version: Option<&str>) -> Vec<Owner> {
        let mut state = self.state.lock();
        let Some(owners) = state.referenced_by.get(key).map(|owners| owners.iter().cloned().collect()) else {
            return Vec::new();
        };
        let known = state.known.entry(key.clone()).or_insert_with(Known::unread);
        let unchanged = match &known.state {
            Some(SecretState::Found(_)) => {
                resource_version.is_some() && known.resource_version.as_deref() == resource_version
            }
            Some(SecretState::Missing) => resource_version.is_none(),
            Some(SecretState::Unavailable(_)) | None => false,
        };
        if unchanged && !known.stale {
            return Vec::new();
        }
        known.changes += 1;
        known.stale = true;
        owners
    }

    fn referenced(&self) -> Vec<ObjectKey> {
        self.state.lock().referenced_by.keys().cloned().collect()
    }
}

impl Known {
    const fn unread() -> Self {
        Self { state: None, resource_version: None, changes: 0, stale: true }
    }
}

impl State {
    fn release(&mut self, key: &ObjectKey, owner: &Owner) {
        let Some(owners) = self.referenced_by.get_mut(key) else {
            return;
        };
        owners.remove(owner);
        if owners.is_empty() {
            self.referenced_by.remove(key);
            self.known.remove(key);
        }
    }
}

/// Feeds the watch on Secret metadata into the cache and sends affected owners back to work.
pub struct SecretFeed {
    cache: Arc<SecretCache>,
    work: Arc<Queue<Owner>>,
    /// The referenced Secrets that a running list has not named yet.
    unseen: Option<HashSet<ObjectKey>>,
}

impl SecretFeed {
    /// A feed into this cache and work queue.
    #[must_use]
    pub const fn new(cache: Arc<SecretCache>, work: Arc<Queue<Owner>>) -> Self {
        Self { cache, work, unseen: None }
    }

    fn report(&self, key: &ObjectKey, resource_version: Option<&str>) {
        self.cache.seen(key, resource_version).into_iter().for_each(|owner| self.work.add(owner));
    }
}

impl Sink<PartialObjectMeta<KubeSecret>> for SecretFeed {
    fn restart(&mut self) {
        self.unseen = Some(self.cache.referenced().into_iter().collect());
    }

    fn apply(&mut self, secret: PartialObjectMeta<KubeSecret>) {
        let key = key_of(&secret);
        if let Some(unseen) = &mut self.unseen {
            unseen.remove(&key);
        }
        self.report(&key, secret.resource_version().as_deref());
    }

    fn delete(&mut self, secret: PartialObjectMeta<KubeSecret>) {
        self.report(&key_of(&secret), None);
    }

    fn synced(&mut self) {
        for key in self.unseen.take().unwrap_or_default() {
            self.report(&key, None);
        }
    }
}

fn key_of(secret: &PartialObjectMeta<KubeSecret>) -> ObjectKey {
    ObjectKey::new(secret.namespace().as_deref().unwrap_or_default(), &secret.name_any())
}
