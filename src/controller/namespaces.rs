//! The labels of namespaces: they say which projects a narrowed receiver reaches.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;

use crate::domain::criterion::Labels;

/// The labels of every namespace. Written by the watch, read when a configuration is resolved.
#[derive(Default)]
pub struct Namespaces(Mutex<Known>);

#[derive(Default)]
struct Known {
    labels: BTreeMap<Box<str>, Labels>,
    is_listed: bool,
}

impl Namespaces {
    /// The labels as they are now.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<Box<str>, Labels> {
        self.0.lock().labels.clone()
    }

    /// Whether every namespace has been listed once, so that a namespace without labels here has none.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.0.lock().is_listed
    }

    pub(super) fn names(&self) -> HashSet<Box<str>> {
        self.0.lock().labels.keys().cloned().collect()
    }

    /// A namespace has these labels. Returns whether that is news.
    pub(super) fn apply(&self, name: Box<str>, labels: Labels) -> bool {
        let mut known = self.0.lock();
        if known.labels.get(&name) == Some(&labels) {
            return false;
        }
        known.labels.insert(name, labels);
        true
    }

    /// A namespace is gone. Returns whether it was known.
    pub(super) fn remove(&self, name: &str) -> bool {
        self.0.lock().labels.remove(name).is_some()
    }

    /// Every namespace has been listed.
    pub(super) fn listed(&self) {
        self.0.lock().is_listed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_news() {
        let (namespaces, labels) = (Namespaces::default(), Labels::from([("team".into(), "web".into())]));
        assert!(namespaces.apply("a".into(), labels.clone()));
        assert!(!namespaces.apply("a".into(), labels.clone()));
        assert!(namespaces.apply("a".into(), Labels::new()) && namespaces.apply("b".into(), Labels::new()));
        assert!(namespaces.remove("a") && !namespaces.remove("a"));
        assert_eq!(namespaces.names(), HashSet::from(["b".into()]));
    }
}
