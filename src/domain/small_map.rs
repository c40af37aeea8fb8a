//! Maps of a few entries.

use std::collections::BTreeMap;

/// A map by name that is written once and takes what its entries take. There are as many as objects in a cluster, and
/// a [`BTreeMap`] has half a kilobyte for its first entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmallMap<V>(Box<[(Box<str>, V)]>);

impl<V> SmallMap<V> {
    /// Without an entry.
    #[must_use]
    pub fn new() -> Self {
        Self(Box::new([]))
    }

    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        let at = self.0.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Whether there is a value under a name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

impl<V> Default for SmallMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// Of two values under one name, the later one counts.
impl<V> FromIterator<(Box<str>, V)> for SmallMap<V> {
    fn from_iter<I: IntoIterator<Item = (Box<str>, V)>>(entries: I) -> Self {
        Self(BTreeMap::from_iter(entries).into_iter().collect())
    }
}

impl<V, const N: usize> From<[(Box<str>, V); N]> for SmallMap<V> {
    fn from(entries: [(Box<str>, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_last_value() {
        let map = SmallMap::from([("b".into(), 1), ("a".into(), 2), ("b".into(), 3)]);
        assert_eq!([map.get("a"), map.get("b"), map.get("c")], [Some(&2), Some(&3), None]);
        assert!(map.contains_key("a") && !map.contains_key(""));
        assert_eq!(map, SmallMap::from([("a".into(), 2), ("b".into(), 3)]));
    }
}
