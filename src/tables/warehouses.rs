//! The table of subscriptions: repository → Warehouses with compiled selectors.
//!
//! Written by the Warehouse watch, read by every delivery. Selectors are compiled here, when a Warehouse changes, never
//! while a sender waits. One broken subscription excludes itself only.

mod finder;
mod selection;
mod warehouse;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use parking_lot::RwLock;

use self::finder::{Entries, Finder};
use self::selection::Selecting;
pub use self::selection::{Pushes, Refusal, Selection};
use self::warehouse::Keyed;
pub use self::warehouse::Warehouse;
use crate::domain::criterion::{Criterion, Index, Labels, Looks, TooManyLooks};
use crate::domain::event::PushEvent;
use crate::domain::scope::{ObjectKey, Scope, within_reach};
use crate::domain::subscription::Repositories;
use crate::domain::work::Work;

/// The index. Readers take the lock for a look-up and compare without it; nobody holds it across an await.
#[derive(Default)]
pub struct SubscriptionIndex {
    tables: RwLock<Subscribers>,
}

struct Subscribers {
    /// In order, so that those of a project stand together.
    warehouses: BTreeSet<Keyed>,
    /// Images, charts and Git repositories share one space, as in Kargo: what was pushed to `quay.io/a/b` concerns
    /// whoever subscribes to that string in whatever role. Whoever is found is asked again what it subscribes to.
    by_repository: Finder,
    /// Git repositories in all their spellings.
    by_identity: Finder,
    totals: BTreeMap<&'static str, usize>,
    rejected: usize,
    /// Counts the changes.
    version: u64,
}

impl Default for Subscribers {
    fn default() -> Self {
        Self {
            warehouses: BTreeSet::new(),
            by_repository: Finder::by(|subscription| Some(&subscription.repository)),
            by_identity: Finder::by(|subscription| subscription.identity.as_deref()),
            totals: BTreeMap::new(),
            rejected: 0,
            version: 0,
        }
    }
}

/// What is in the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Warehouses.
    pub warehouses: usize,
    /// Subscriptions by kind.
    pub by_kind: BTreeMap<&'static str, usize>,
    /// Subscriptions that accept no tag because they cannot be understood.
    pub rejected: usize,
}

impl SubscriptionIndex {
    /// Adds a Warehouse or replaces what was known about it. Broken subscriptions are logged.
    ///
    /// Most changes of a Warehouse are its status and our own annotation; with a `generation` and labels that are known
    /// already nothing is decoded.
    pub fn apply(&self, key: &ObjectKey, generation: Option<i64>, labels: Labels, spec: &str) {
        if generation.is_some_and(|generation| self.is_known(key, generation, &labels)) {
            return;
        }
        // Decoded outside the lock: compiling may take a while.
        let warehouse = Warehouse::decode(self.tables.read().sharing(key), spec);
        for (subscription, problem) in warehouse.problems() {
            tracing::warn!(warehouse = %key, subscription, problem, "subscription cannot be evaluated, it accepts no tag");
        }
        let warehouse = Arc::new(warehouse.with_metadata(generation, labels));
        let mut tables = self.tables.write();
        let replaced = tables.remove(key);
        tables.insert(warehouse);
        drop(tables);
        // What it held is given back without the lock.
        drop(replaced);
    }

    fn is_known(&self, key: &ObjectKey, generation: i64, labels: &Labels) -> bool {
        let tables = self.tables.read();
        tables.warehouses.get(key).is_some_and(|known| known.0.is_of(generation, labels))
    }

    /// Removes a Warehouse.
    pub fn remove(&self, key: &ObjectKey) {
        let removed = self.tables.write().remove(key);
        drop(removed);
    }

    /// Every Warehouse, by namespace and name.
    #[must_use]
    pub fn keys(&self) -> HashSet<ObjectKey> {
        self.tables.read().warehouses.iter().map(|known| known.0.key.clone()).collect()
    }

    /// The Warehouses within reach that one of the events concerns. What that takes is paid for from the work of the
    /// request.
    #[must_use]
    pub fn select(&self, scope: &Scope, events: &[PushEvent], work: &mut Work) -> Selection {
        let mut selecting = Selecting::new(scope, work);
        for event in events {
            let about = Repositories::new(&event.repositories);
            selecting.add(event, &about, &self.found(&about));
        }
        selecting.finish()
    }

    fn found(&self, about: &Repositories<'_>) -> Vec<Entries> {
        let tables = self.tables.read();
        let by_url = about.urls().filter_map(|url| tables.by_repository.get(url));
        by_url.chain(about.identities().filter_map(|identity| tables.by_identity.get(identity))).cloned().collect()
    }

    /// The Warehouses within reach that a criterion selects, in no particular order.
    ///
    /// # Errors
    /// `TooManyLooks` when that takes more looks than there are.
    pub fn selected_by(
        &self,
        scope: &Scope,
        criterion: &Criterion,
        looks: &mut Looks,
    ) -> Result<Vec<ObjectKey>, TooManyLooks> {
        let candidates = self.candidates(scope, criterion, looks.left());
        let selects = |warehouse: &&Arc<Warehouse>| {
            scope.covers(&warehouse.key.namespace) && warehouse.unmet(criterion).is_none()
        };
        let weight = |warehouse: &&Arc<Warehouse>| criterion.weight(warehouse.subscriptions.len());
        let selected = looks.select(candidates.iter(), weight, selects)?;
        Ok(selected.into_iter().map(|warehouse| warehouse.key.clone()).collect())
    }

    /// A few more than `most` of the Warehouses that a criterion could select. It uses the index that narrows most:
    /// project and name, then repository, then a scan.
    fn candidates(&self, scope: &Scope, criterion: &Criterion, most: usize) -> Vec<Arc<Warehouse>> {
        let tables = self.tables.read();
        match (criterion.indexed_by(Index::SubscribedUrls), scope, &criterion.name) {
            (_, Scope::Project(project), Some(name)) => {
                tables.get(&ObjectKey::new(project, name)).into_iter().cloned().collect()
            }
            (Some(repository), _, _) => {
                let entries = tables.by_repository.get(repository).cloned();
                drop(tables);
                let entries = entries.iter().flat_map(|entries| entries.as_slice());
                entries.map(|entry| Arc::clone(&entry.warehouse)).take(most.saturating_add(1)).collect()
            }
            (None, _, _) => tables.within(scope).take(most.saturating_add(1)).cloned().collect(),
        }
    }

    /// The Warehouse of this name, if there is one.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Warehouse>> {
        self.tables.read().get(key).cloned()
    }

    /// How many Warehouses are within reach.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> usize {
        self.tables.read().within(scope).count()
    }

    /// The Warehouses within reach, by namespace and name.
    #[must_use]
    pub fn reached(&self, scope: &Scope) -> Vec<Arc<Warehouse>> {
        self.tables.read().within(scope).cloned().collect()
    }

    /// Another number after every change of what a Warehouse subscribes to.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.tables.read().version
    }

    /// Every Warehouse, by namespace and name.
    #[must_use]
    pub fn warehouses(&self) -> Vec<Arc<Warehouse>> {
        self.tables.read().warehouses.iter().map(|known| Arc::clone(&known.0)).collect()
    }

    /// What is in the index.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let tables = self.tables.read();
        Totals { warehouses: tables.warehouses.len(), by_kind: tables.totals.clone(), rejected: tables.rejected }
    }
}

impl Subscribers {
    fn get(&self, key: &ObjectKey) -> Option<&Arc<Warehouse>> {
        self.warehouses.get(key).map(|known| &known.0)
    }

    fn within<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Arc<Warehouse>> {
        within_reach(scope, |first| self.from(first..), |known| &known.0.key).map(|known| &known.0)
    }

    fn from(&self, keys: impl RangeBounds<ObjectKey>) -> impl DoubleEndedIterator<Item = &Keyed> {
        self.warehouses.range::<ObjectKey, _>(keys)
    }

    /// The same key, with the text of its namespace in common with the others of that project.
    fn sharing(&self, key: &ObjectKey) -> ObjectKey {
        let neighbours = [
            self.from((Bound::Unbounded, Bound::Excluded(key.clone()))).next_back(),
            self.from((Bound::Included(key.clone()), Bound::Unbounded)).next(),
        ];
        let mut namespaces = neighbours.into_iter().flatten().map(|known| &known.0.key.namespace);
        let namespace = namespaces.find(|namespace| **namespace == key.namespace).unwrap_or(&key.namespace);
        ObjectKey { namespace: Arc::clone(namespace), name: Arc::clone(&key.name) }
    }

    fn insert(&mut self, warehouse: Arc<Warehouse>) {
        self.version += 1;
        self.by_repository.insert(&warehouse);
        self.by_identity.insert(&warehouse);
        self.count(&warehouse, 1);
        self.warehouses.insert(Keyed(warehouse));
    }

    fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Warehouse>> {
        let Keyed(warehouse) = self.warehouses.take(key)?;
        self.version += 1;
        self.count(&warehouse, -1);
        self.by_repository.remove(&warehouse);
        self.by_identity.remove(&warehouse);
        Some(warehouse)
    }

    fn count(&mut self, warehouse: &Warehouse, sign: isize) {
        for subscription in warehouse.subscriptions.iter().flatten() {
            let total = self.totals.entry(subscription.kind.as_str()).or_default();
            *total = total.saturating_add_signed(sign);
        }
        let rejected = isize::try_from(warehouse.problems().count()).unwrap_or(isize::MAX);
        self.rejected = self.rejected.saturating_add_signed(rejected * sign);
    }
}

#[cfg(test)]
mod tests;
