//! Maps. They are kept sorted, so that everything that Go leaves to chance has one outcome here, and in one piece, as
//! bodies may consist of little else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::data::{Inner, Key, Map, MapKind, Value};
use super::text::Text;

impl MapKind {
    pub(in crate::expr) const fn go_type(self) -> &'static str {
        match self {
            Self::TextAny => "map[string]interface {}",
            Self::AnyAny => "map[interface {}]interface {}",
            Self::AnyList => "map[interface {}][]interface {}",
            Self::IntSet => "map[int]struct {}",
            Self::TextSet => "map[string]struct {}",
        }
    }
}

impl Map {
    pub(in crate::expr) fn new(kind: MapKind, entries: BTreeMap<Key, Value>) -> Self {
        Self(Arc::new(Inner { kind, entries: entries.into_iter().collect() }))
    }

    /// A map with string keys. Of equal keys the last one counts.
    pub(in crate::expr) fn of_members(members: impl IntoIterator<Item = (Text, Value)>) -> Self {
        let mut entries: Vec<(Key, Value)> = members.into_iter().map(|(key, value)| (Key::Text(key), value)).collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries.dedup_by(|(later, value), (earlier, kept)| {
            let is_same = later == earlier;
            if is_same {
                std::mem::swap(value, kept);
            }
            is_same
        });
        Self(Arc::new(Inner { kind: MapKind::TextAny, entries: entries.into() }))
    }

    pub(in crate::expr) fn kind(&self) -> MapKind {
        self.0.kind
    }

    /// The entries by key.
    pub(in crate::expr) fn entries(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.0.entries.iter().map(|(key, value)| (key, value))
    }

    /// The value of a key.
    pub(in crate::expr) fn at(&self, key: &Key) -> Option<&Value> {
        let found = self.0.entries.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        Some(&self.0.entries[found].1)
    }

    /// Steps for finding a key, which may be long.
    pub(in crate::expr) fn cost_of(&self, key: &Key) -> u64 {
        let length = if let Key::Text(text) = key { text.len() } else { 0 };
        u64::from(self.len().max(1).ilog2()) * (1 + length as u64 / 32) + length as u64 / 32
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The value of a member of a map with string keys.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.at(&Key::Text(Text::from(key)))
    }

    /// Whether both are the same map, not merely equal ones.
    pub(in crate::expr) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
