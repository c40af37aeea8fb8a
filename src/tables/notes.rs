//! What some part of the process says about its objects, for whoever asks this process.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

/// The notes about every object that has any.
pub struct Notes<K, T>(RwLock<BTreeMap<K, Arc<[T]>>>);

impl<K, T> Default for Notes<K, T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Clone + Ord, T> Notes<K, T> {
    /// Replaces the notes about one object.
    pub fn replace(&self, object: &K, notes: Vec<T>) {
        let mut table = self.0.write();
        if notes.is_empty() {
            table.remove(object);
        } else {
            table.insert(object.clone(), notes.into());
        }
    }

    /// All notes, by object.
    #[must_use]
    pub fn all(&self) -> Vec<(K, Arc<[T]>)> {
        self.0.read().iter().map(|(object, notes)| (object.clone(), Arc::clone(notes))).collect()
    }
}
