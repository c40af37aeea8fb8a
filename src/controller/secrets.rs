//! The Secrets that receivers reference: watched by metadata, fetched by name, held only while referenced.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::domain::owner::Owner;
use crate::domain::scope::ObjectKey;
use crate::domain::secret::Secret;
use crate::domain::small_map::SmallMap;

/// A GET that takes longer counts as failed.
const GET_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for the first one of a Secret. An API server that keeps silent about Secrets must not hold up the start:
/// the tables are filled once each was tried, and until one is read its URL takes requests in.
const FIRST_GET_TIMEOUT: Duration = Duration::from_secs(2);
/// Secrets of one owner that are read at a time.
const READS: usize = 16;

/// The data of a Secret by key.
pub type SecretData = SmallMap<Secret>;

/// What is known about a Secret.
#[derive(Clone)]
pub enum SecretState {
    /// It exists.
    Found(Arc<SecretData>),
    /// It certainly does not exist.
    Missing,
    /// It could not be read; the text says why.
    Unavailable(String),
    /// The API server does not let this process read it; the text says so.
    Forbidden(String),
}

/// Reads Secrets and remembers those that are referenced by an `H`: the owner of a receiver, or a registration.
pub struct SecretCache<H = Owner> {
    client: Client,
    /// Told when the referenced Secrets have become others.
    changed: Notify,
    state: Mutex<State<H>>,
}

struct State<H> {
    /// Mostly one each way, so lists take the least.
    referenced_by: HashMap<ObjectKey, Vec<H>>,
    references: HashMap<H, Box<[ObjectKey]>>,
    known: HashMap<ObjectKey, Known>,
}

impl<H> Default for State<H> {
    fn default() -> Self {
        Self { referenced_by: HashMap::new(), references: HashMap::new(), known: HashMap::new() }
    }
}

struct Known {
    state: Option<SecretState>,
    resource_version: Option<String>,
    /// Counts the changes that the watch reported, so that an answer which was on its way meanwhile is not kept.
    changes: u64,
    stale: bool,
}

impl<H: Clone + Eq + Hash> SecretCache<H> {
    /// An empty cache.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, changed: Notify::new(), state: Mutex::default() }
    }

    /// Declares which Secrets an owner references from now on; others are forgotten when no owner needs them.
    pub fn reference(&self, owner: &H, secrets: HashSet<ObjectKey>) {
        if self.state.lock().reference(owner, secrets) {
            self.changed.notify_one();
        }
    }

    /// Returns when the referenced Secrets may have become others since the last call.
    pub(super) async fn references_changed(&self) {
        self.changed.notified().await;
    }

    /// Secrets as they are now.
    pub async fn get_all(&self, keys: HashSet<ObjectKey>) -> HashMap<ObjectKey, SecretState> {
        let reads = stream::iter(keys).map(async |key| {
            let found = self.get(&key).await;
            (key, found)
        });
        reads.buffer_unordered(READS).collect().await
    }

    /// The Secret as it is now: from memory while the watch reports no change, else from the API server.
    pub async fn get(&self, key: &ObjectKey) -> SecretState {
        let Unread { changes, is_first } = match self.state.lock().look_up(key) {
            Ok(known) => return known,
            Err(unread) => unread,
        };
        let limit = if is_first { FIRST_GET_TIMEOUT } else { GET_TIMEOUT };
        let (found, resource_version) = self.fetch(key, limit).await;
        self.state.lock().fetched(key, changes, found.clone(), resource_version);
        found
    }

    async fn fetch(&self, key: &ObjectKey, limit: Duration) -> (SecretState, Option<String>) {
        let api: Api<KubeSecret> = Api::namespaced(self.client.clone(), &key.namespace);
        match timeout(limit, api.get_opt(&key.name)).await {
            Ok(Ok(Some(secret))) => {
                let resource_version = secret.resource_version();
                let data = secret.data.unwrap_or_default();
                let data = data.into_iter().map(|(key, value)| (key.into(), Secret::new(value.0))).collect();
                (SecretState::Found(Arc::new(data)), resource_version)
            }
            Ok(Ok(None)) => (SecretState::Missing, None),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                (SecretState::Forbidden(status.message.clone()), None)
            }
            Ok(Err(kube::Error::Api(status))) => (SecretState::Unavailable(status.message.clone()), None),
            Ok(Err(_)) => (SecretState::Unavailable("the API server cannot be reached".to_owned()), None),
            Err(_) => (SecretState::Unavailable("the API server did not answer in time".to_owned()), None),
        }
    }

    /// The watch saw the Secret in this version (`None`: gone). Returns the owners that have to look again.
    pub(super) fn seen(&self, key: &ObjectKey, resource_version: Option<&str>) -> Vec<H> {
        self.state.lock().seen(key, resource_version)
    }

    /// Every Secret that some owner references.
    pub(super) fn referenced(&self) -> HashSet<ObjectKey> {
        self.state.lock().referenced_by.keys().cloned().collect()
    }
}

/// A Secret that has to be read.
#[derive(Debug)]
struct Unread {
    /// How many changes there have been, for [`State::fetched`].
    changes: u64,
    /// Whether it was never tried.
    is_first: bool,
}

impl Known {
    const fn unread() -> Self {
        Self { state: None, resource_version: None, changes: 0, stale: true }
    }
}

impl<H: Clone + Eq + Hash> State<H> {
    /// Returns whether the owner references others than before.
    fn reference(&mut self, owner: &H, secrets: HashSet<ObjectKey>) -> bool {
        let before: HashSet<ObjectKey> = self.references.remove(owner).unwrap_or_default().into_iter().collect();
        let changed = before != secrets;
        for key in before.difference(&secrets) {
            self.release(key, owner);
        }
        for key in secrets.difference(&before) {
            self.referenced_by.entry(key.clone()).or_insert_with(|| Vec::with_capacity(1)).push(owner.clone());
        }
        if !secrets.is_empty() {
            self.references.insert(owner.clone(), secrets.into_iter().collect());
        }
        changed
    }

    /// What is known and has not changed since.
    fn look_up(&mut self, key: &ObjectKey) -> Result<SecretState, Unread> {
        let known = self.known.entry(key.clone()).or_insert_with(Known::unread);
        match &known.state {
            Some(found) if !known.stale => Ok(found.clone()),
            state => Err(Unread { changes: known.changes, is_first: state.is_none() }),
        }
    }

    /// A GET that began after so many changes has ended. When there were more meanwhile, its answer may be older than
    /// they are, so it does not count as current.
    fn fetched(&mut self, key: &ObjectKey, changes: u64, found: SecretState, resource_version: Option<String>) {
        if !self.referenced_by.contains_key(key) {
            self.known.remove(key);
        } else if let Some(known) = self.known.get_mut(key) {
            let is_answer = matches!(found, SecretState::Found(_) | SecretState::Missing);
            known.stale = known.changes != changes || !is_answer;
            known.state = Some(found);
            known.resource_version = resource_version;
        }
    }

    fn seen(&mut self, key: &ObjectKey, resource_version: Option<&str>) -> Vec<H> {
        let Some(owners) = self.referenced_by.get(key).cloned() else {
            return Vec::new();
        };
        let known = self.known.entry(key.clone()).or_insert_with(Known::unread);
        let unchanged = match &known.state {
            Some(SecretState::Found(_)) => {
                resource_version.is_some() && known.resource_version.as_deref() == resource_version
            }
            Some(SecretState::Missing) => resource_version.is_none(),
            Some(SecretState::Unavailable(_) | SecretState::Forbidden(_)) | None => false,
        };
        if unchanged && !known.stale {
            return Vec::new();
        }
        known.changes += 1;
        known.stale = true;
        owners
    }

    fn release(&mut self, key: &ObjectKey, owner: &H) {
        let Some(owners) = self.referenced_by.get_mut(key) else {
            return;
        };
        owners.retain(|other| other != owner);
        if owners.is_empty() {
            self.referenced_by.remove(key);
            self.known.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> Owner {
        Owner::ProjectConfig(Arc::from(name))
    }

    fn found() -> SecretState {
        SecretState::Found(Arc::default())
    }

    /// A Secret that one owner references and that was read in a version.
    fn read(version: &str) -> (State<Owner>, ObjectKey) {
        let (mut state, key) = (State::default(), ObjectKey::new("n", "s"));
        state.reference(&owner("n"), HashSet::from([key.clone()]));
        let changes = state.look_up(&key).err().unwrap().changes;
        state.fetched(&key, changes, found(), Some(version.to_owned()));
        (state, key)
    }

    #[tokio::test(start_paused = true)]
    async fn secrets_of_which_the_api_server_says_nothing_are_waited_for_together_and_briefly_at_first() {
        let silent = tower::service_fn(|_: http::Request<kube::client::Body>| {
            futures::future::pending::<Result<http::Response<kube::client::Body>, std::convert::Infallible>>()
        });
        let cache = SecretCache::new(Client::new(silent, "default"));
        let keys: HashSet<ObjectKey> = (0..40).map(|n| ObjectKey::new("n", &n.to_string())).collect();
        cache.reference(&owner("n"), keys.clone());
        for limit in [FIRST_GET_TIMEOUT, GET_TIMEOUT] {
            // The clock of the test stands still unless everything waits.
            let began = tokio::time::Instant::now();
            let found = cache.get_all(keys.clone()).await;
            assert_eq!(found.len(), 40);
            assert!(found.values().all(|state| matches!(state, SecretState::Unavailable(_))));
            assert_eq!(began.elapsed().as_secs(), (limit * 3).as_secs(), "40 of them, 16 at a time");
        }
    }

    #[test]
    fn what_was_read_is_remembered_until_the_watch_reports_another_version() {
        let (mut state, key) = read("7");
        assert!(state.look_up(&key).is_ok());
        assert!(state.seen(&key, Some("7")).is_empty(), "the version that was read");
        assert!(state.look_up(&key).is_ok());
        assert_eq!(state.seen(&key, Some("8")), [owner("n")]);
        assert!(state.look_up(&key).is_err());
    }

    #[test]
    fn an_answer_that_was_on_its_way_while_the_secret_changed_is_not_kept() {
        let (mut state, key) = read("7");
        state.seen(&key, Some("8"));
        let changes = state.look_up(&key).err().unwrap().changes;
        assert_eq!(state.seen(&key, Some("9")), [owner("n")]);
        state.fetched(&key, changes, found(), Some("8".to_owned()));
        let changes = state.look_up(&key).err().unwrap().changes;
        state.fetched(&key, changes, found(), Some("9".to_owned()));
        assert!(state.look_up(&key).is_ok());
    }

    #[test]
    fn a_secret_that_could_not_be_read_is_read_again_whatever_the_watch_reports() {
        for unread in [SecretState::Unavailable(String::new()), SecretState::Forbidden(String::new())] {
            let (mut state, key) = read("7");
            state.seen(&key, Some("8"));
            let changes = state.look_up(&key).err().unwrap().changes;
            state.fetched(&key, changes, unread, None);
            assert!(state.look_up(&key).is_err());
            assert_eq!(state.seen(&key, Some("8")), [owner("n")]);
        }
    }

    #[test]
    fn a_missing_secret_is_news_only_when_it_appears() {
        let (mut state, key) = read("7");
        state.seen(&key, None);
        let changes = state.look_up(&key).err().unwrap().changes;
        state.fetched(&key, changes, SecretState::Missing, None);
        assert!(state.seen(&key, None).is_empty());
        assert_eq!(state.seen(&key, Some("9")), [owner("n")]);
    }

    #[test]
    fn a_secret_is_held_while_some_owner_references_it_and_no_longer() {
        let (mut state, key) = read("7");
        state.reference(&owner("m"), HashSet::from([key.clone()]));
        state.reference(&owner("n"), HashSet::new());
        assert!(state.look_up(&key).is_ok());
        assert!(!state.reference(&owner("m"), HashSet::from([key.clone()])), "the same as before");
        assert!(state.reference(&owner("m"), HashSet::new()));
        assert!(state.known.is_empty() && state.referenced_by.is_empty() && state.references.is_empty());
        assert!(state.seen(&key, Some("8")).is_empty(), "of no concern to anyone");
        // A GET that ends after the last reference is gone leaves nothing behind.
        let changes = state.look_up(&key).err().unwrap().changes;
        state.fetched(&key, changes, found(), Some("8".to_owned()));
        assert!(state.known.is_empty());
    }
}
