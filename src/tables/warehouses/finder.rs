//! Subscriptions by a text of theirs. There is one for nearly every Warehouse of a cluster, and a push to one of them
//! finds everything cold, so the table keeps no copy of the text and no list for a single subscription.

use std::hash::{BuildHasher, RandomState};
use std::slice;
use std::sync::Arc;

use hashbrown::HashTable;

use super::warehouse::Warehouse;
use crate::domain::subscription::Subscription;

/// A subscription in the index: one of a Warehouse, by its position.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) warehouse: Arc<Warehouse>,
    pub(super) position: u32,
}

impl Entry {
    pub(super) fn subscription(&self) -> Option<&Subscription> {
        self.warehouse.subscriptions.get(self.position as usize)?.as_ref().ok()
    }
}

/// The subscriptions that are found under one text; never none. Readers share them and judge without the lock.
#[derive(Clone)]
pub(super) enum Entries {
    One(Entry),
    Many(Arc<Vec<Entry>>),
}

impl Entries {
    pub(super) fn as_slice(&self) -> &[Entry] {
        match self {
            Self::One(entry) => slice::from_ref(entry),
            Self::Many(entries) => entries,
        }
    }

    /// The same for the same subscriptions, as long as nothing changes.
    pub(super) fn id(&self) -> (*const (), u32) {
        match self {
            Self::One(entry) => (Arc::as_ptr(&entry.warehouse).cast(), entry.position),
            Self::Many(entries) => (Arc::as_ptr(entries).cast(), u32::MAX),
        }
    }

    fn push(&mut self, entry: Entry) {
        match self {
            Self::One(first) => *self = Self::Many(Arc::new(vec![first.clone(), entry])),
            Self::Many(entries) => Arc::make_mut(entries).push(entry),
        }
    }

    /// Takes out those of a Warehouse. Returns whether none would be left, in which case nothing is taken out.
    fn remove(&mut self, warehouse: &Arc<Warehouse>) -> bool {
        let is_other = |entry: &Entry| !Arc::ptr_eq(&entry.warehouse, warehouse);
        if !self.as_slice().iter().any(is_other) {
            return true;
        }
        if let Self::Many(entries) = self {
            Arc::make_mut(entries).retain(is_other);
            if let [last] = &***entries {
                *self = Self::One(last.clone());
            }
        }
        false
    }
}

/// What subscriptions are found by.
#[derive(Clone, Copy)]
struct Text(fn(&Subscription) -> Option<&str>);

impl Text {
    fn of_all(self, entries: &Entries) -> Option<&str> {
        entries.as_slice().first()?.subscription().and_then(self.0)
    }

    /// The positions of a Warehouse's subscriptions that have a text, with it.
    fn within(self, warehouse: &Warehouse) -> impl Iterator<Item = (u32, &str)> {
        let subscriptions = (0..).zip(&warehouse.subscriptions);
        subscriptions
            .filter_map(move |(position, subscription)| Some((position, (self.0)(subscription.as_ref().ok()?)?)))
    }
}

/// The table.
pub(super) struct Finder {
    text: Text,
    hasher: RandomState,
    table: HashTable<Entries>,
}

impl Finder {
    /// An empty one, for subscriptions that are found by this text.
    pub(super) fn by(text: fn(&Subscription) -> Option<&str>) -> Self {
        Self { text: Text(text), hasher: RandomState::new(), table: HashTable::new() }
    }

    /// The subscriptions with this text.
    pub(super) fn get(&self, text: &str) -> Option<&Entries> {
        self.table.find(self.hasher.hash_one(text), |entries| self.text.of_all(entries) == Some(text))
    }

    /// Adds the subscriptions of a Warehouse.
    pub(super) fn insert(&mut self, warehouse: &Arc<Warehouse>) {
        let Self { text: by, hasher, table } = self;
        for (position, text) in by.within(warehouse) {
            let (entry, hash) = (Entry { warehouse: Arc::clone(warehouse), position }, hasher.hash_one(text));
            match table.find_mut(hash, |entries| by.of_all(entries) == Some(text)) {
                Some(entries) => entries.push(entry),
                None => {
                    let rehash = |entries: &Entries| hasher.hash_one(by.of_all(entries).unwrap_or_default());
                    table.insert_unique(hash, Entries::One(entry), rehash);
                }
            }
        }
    }

    /// Takes the subscriptions of a Warehouse out.
    pub(super) fn remove(&mut self, warehouse: &Arc<Warehouse>) {
        let Self { text: by, hasher, table } = self;
        for (_, text) in by.within(warehouse) {
            // The first of several with one text takes the others along.
            let found = table.find_entry(hasher.hash_one(text), |entries| by.of_all(entries) == Some(text));
            if let Ok(mut found) = found
                && found.get_mut().remove(warehouse)
            {
                found.remove();
            }
        }
    }
}
