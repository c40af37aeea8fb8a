//! The table of subscriptions: repository → Warehouses with compiled selectors.
//!
//! Written by the Warehouse watch, read by every delivery. Selectors are compiled here, when a Warehouse changes, never
//! while a sender waits. One broken subscription excludes itself only.

mod selection;
mod warehouse;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;

use self::selection::{Entries, Entry, Selecting};
pub use self::selection::{Pushes, Refusal, Selection};
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

#[derive(Default)]
struct Subscribers {
    /// In order, so that those of a project stand together.
    warehouses: BTreeMap<ObjectKey, Arc<Warehouse>>,
    /// By normalised URL. Images, charts and Git repositories share one space, as in Kargo: what was pushed to
    /// `quay.io/a/b` concerns whoever subscribes to that string in whatever role. Git repositories are found by their
    /// identity as well; whoever is found is asked again what it subscribes to.
    by_repository: HashMap<Arc<str>, Entries>,
    totals: BTreeMap<&'static str, usize>,
    rejected: usize,
    /// Counts the changes.
    version: u64,
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
        let warehouse = Warehouse::decode(key.clone(), spec);
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
        tables.warehouses.get(key).is_some_and(|known| known.is_of(generation, labels))
    }

    /// Removes a Warehouse.
    pub fn remove(&self, key: &ObjectKey) {
        let removed = self.tables.write().remove(key);
        drop(removed);
    }

    /// Every Warehouse, by namespace and name.
    #[must_use]
    pub fn keys(&self) -> HashSet<ObjectKey> {
        self.tables.read().warehouses.keys().cloned().collect()
    }

    /// The Warehouses within reach that one of the events concerns. What that takes is paid for from the work of the
    /// request.
    #[must_use]
    pub fn select(&self, scope: &Scope, events: &[PushEvent], work: &mut Work) -> Selection {
        let mut selecting = Selecting::new(scope, work);
        for event in events {
            let about = Repositories::new(&event.repositories);
            selecting.add(event, &about, &self.found(about.keys()));
        }
        selecting.finish()
    }

    fn found<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Vec<Entries> {
        let tables = self.tables.read();
        keys.filter_map(|key| tables.by_repository.get(key).cloned()).collect()
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
                tables.warehouses.get(&ObjectKey::new(project, name)).into_iter().cloned().collect()
            }
            (Some(repository), _, _) => {
                let entries = tables.by_repository.get(repository).cloned();
                drop(tables);
                let entries = entries.iter().flat_map(|entries| entries.iter());
                entries.map(|entry| Arc::clone(&entry.warehouse)).take(most.saturating_add(1)).collect()
            }
            (None, _, _) => {
                let within = within_reach(&tables.warehouses, scope).map(|(_, warehouse)| Arc::clone(warehouse));
                within.take(most.saturating_add(1)).collect()
            }
        }
    }

    /// The Warehouse of this name, if there is one.
    #[must_use]
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Warehouse>> {
        self.tables.read().warehouses.get(key).cloned()
    }

    /// How many Warehouses are within reach.
    #[must_use]
    pub fn within(&self, scope: &Scope) -> usize {
        within_reach(&self.tables.read().warehouses, scope).count()
    }

    /// The Warehouses within reach, by namespace and name.
    #[must_use]
    pub fn reached(&self, scope: &Scope) -> Vec<Arc<Warehouse>> {
        within_reach(&self.tables.read().warehouses, scope).map(|(_, warehouse)| Arc::clone(warehouse)).collect()
    }

    /// Another number after every change of what a Warehouse subscribes to.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.tables.read().version
    }

    /// Every Warehouse, by namespace and name.
    #[must_use]
    pub fn warehouses(&self) -> Vec<Arc<Warehouse>> {
        self.tables.read().warehouses.values().cloned().collect()
    }

    /// What is in the index.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let tables = self.tables.read();
        Totals { warehouses: tables.warehouses.len(), by_kind: tables.totals.clone(), rejected: tables.rejected }
    }
}

impl Subscribers {
    fn insert(&mut self, warehouse: Arc<Warehouse>) {
        self.version += 1;
        for (key, position) in warehouse.keys() {
            let entry = Entry { warehouse: Arc::clone(&warehouse), position };
            match self.by_repository.get_mut(key) {
                Some(entries) => Arc::make_mut(entries).push(entry),
                None => {
                    self.by_repository.insert(Arc::from(key), Arc::new(vec![entry]));
                }
            }
        }
        self.count(&warehouse, 1);
        self.warehouses.insert(warehouse.key.clone(), warehouse);
    }

    fn remove(&mut self, key: &ObjectKey) -> Option<Arc<Warehouse>> {
        let warehouse = self.warehouses.remove(key)?;
        self.version += 1;
        self.count(&warehouse, -1);
        for (found_by, _) in warehouse.keys() {
            // The first of several subscriptions to a repository takes the others along.
            if let Some(entries) = self.by_repository.get_mut(found_by) {
                if !entries.iter().all(|entry| Arc::ptr_eq(&entry.warehouse, &warehouse)) {
                    Arc::make_mut(entries).retain(|entry| !Arc::ptr_eq(&entry.warehouse, &warehouse));
                } else {
                    self.by_repository.remove(found_by);
                }
            }
        }
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
