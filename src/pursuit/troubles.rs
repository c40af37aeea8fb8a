//! Warehouses whose pushes Kargo does not come across, for the objects that declare the receivers: whoever set one up
//! looks at its status first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Sighting;
use crate::domain::scope::ObjectKey;

/// Warehouses that are kept. When Kargo is down it is all of them, and a status names a handful.
const MAX: usize = 1024;
/// How long a push that Kargo does not list is worth a remark: it may be right, and nothing shows when it ends.
const NOT_LISTED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Why Kargo does not come across what was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It does not take the refresh up.
    Unhandled,
    /// It took the refresh up and cannot ask the repositories.
    Failing,
    /// It has looked, and does not list what was pushed.
    Unlisted,
}

/// What is wrong with one Warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why Kargo does not come across what was pushed.
    pub why: Why,
    /// Since when.
    pub since: Timestamp,
    /// Kargo's message about it, fit to be shown; empty when there is none.
    pub message: String,
    /// When Kargo had looked last: once it has looked again, the trouble is over.
    pub discovered: Option<i64>,
}

/// The Warehouses that are in trouble.
#[derive(Default)]
pub struct Troubles {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    warehouses: BTreeMap<ObjectKey, Trouble>,
    /// Projects in which something has changed since that was asked last.
    changed: BTreeSet<Arc<str>>,
}

impl Troubles {
    /// A Warehouse is in trouble. The same trouble goes on from when it began.
    pub(super) fn begin(&self, key: &ObjectKey, mut trouble: Trouble) {
        let mut state = self.state.lock();
        let known = state.warehouses.get(key);
        if known.is_none() && state.warehouses.len() >= MAX {
            return;
        }
        if let Some(known) = known.filter(|known| known.why == trouble.why) {
            trouble.since = trouble.since.min(known.since);
        }
        state.warehouses.insert(key.clone(), trouble);
        self.note(&mut state, key);
    }

    /// The watch shows a Warehouse.
    pub(super) fn observe(&self, key: &ObjectKey, sighting: &Sighting<'_>) {
        self.end_if(key, |trouble| match trouble.why {
            Why::Unhandled => sighting.handled == sighting.annotation,
            Why::Failing => sighting.discovered != trouble.discovered,
            Why::Unlisted => false,
        });
    }

    /// Kargo lists what was pushed to a Warehouse.
    pub(super) fn seen(&self, key: &ObjectKey) {
        self.end_if(key, |trouble| trouble.why == Why::Unlisted);
    }

    /// A Warehouse was deleted.
    pub(super) fn gone(&self, key: &ObjectKey) {
        self.end_if(key, |_| true);
    }

    /// Time has passed.
    pub(super) fn tick(&self, now: Timestamp) {
        let mut state = self.state.lock();
        let is_over =
            |trouble: &Trouble| trouble.why == Why::Unlisted && now.duration_since(trouble.since) >= NOT_LISTED_FOR;
        let over: Vec<ObjectKey> =
            state.warehouses.extract_if(.., |_, trouble| is_over(trouble)).map(|(key, _)| key).collect();
        over.iter().for_each(|key| self.note(&mut state, key));
    }

    fn end_if(&self, key: &ObjectKey, is_over: impl FnOnce(&Trouble) -> bool) {
        let mut state = self.state.lock();
        if state.warehouses.get(key).is_some_and(is_over) {
            state.warehouses.remove(key);
            self.note(&mut state, key);
        }
    }

    fn note(&self, state: &mut State, key: &ObjectKey) {
        state.changed.insert(Arc::clone(&key.namespace));
        self.changed.notify_one();
    }

    /// Returns the projects in which something has changed since the last call, once there is one.
    pub async fn changed(&self) -> BTreeSet<Arc<str>> {
        loop {
            let changed = std::mem::take(&mut self.state.lock().changed);
            if !changed.is_empty() {
                return changed;
            }
            self.changed.notified().await;
        }
    }

    /// The Warehouses in trouble whose project is covered, by namespace and name.
    #[must_use]
    pub fn within(&self, covers: impl Fn(&str) -> bool) -> Vec<(ObjectKey, Trouble)> {
        let state = self.state.lock();
        let within = state.warehouses.iter().filter(|(key, _)| covers(&key.namespace));
        within.map(|(key, trouble)| (key.clone(), trouble.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn trouble(why: Why, second: i64) -> Trouble {
        Trouble { why, since: at(second), message: String::new(), discovered: Some(7) }
    }

    fn sighting(handled: &'static str, discovered: i64) -> Sighting<'static> {
        Sighting { annotation: Some("b"), handled: Some(handled), discovered: Some(discovered), ..Sighting::default() }
    }

    #[test]
    fn a_trouble_lasts_until_what_was_missing_has_happened() {
        fn key() -> ObjectKey {
            ObjectKey::new("northwind", "storefront")
        }
        let lasts = |why, end: &dyn Fn(&Troubles)| {
            let troubles = Troubles::default();
            troubles.begin(&key(), trouble(why, 5));
            end(&troubles);
            troubles.within(|_| true).len() == 1
        };
        let show =
            |handled, discovered| move |troubles: &Troubles| troubles.observe(&key(), &sighting(handled, discovered));
        assert!(lasts(Why::Unhandled, &show("a", 7)) && !lasts(Why::Unhandled, &show("b", 7)));
        assert!(lasts(Why::Failing, &show("b", 7)) && !lasts(Why::Failing, &show("b", 8)));
        assert!(lasts(Why::Unlisted, &show("b", 8)) && !lasts(Why::Unlisted, &|troubles| troubles.seen(&key())));
        assert!(lasts(Why::Failing, &|troubles| troubles.seen(&key())));
        assert!(lasts(Why::Unlisted, &|troubles| troubles.tick(at(3_604))));
        assert!(!lasts(Why::Unlisted, &|troubles| troubles.tick(at(3_605))));
        assert!(!lasts(Why::Failing, &|troubles| troubles.gone(&key())));
    }

    #[test]
    fn each_change_names_its_project_once_and_a_trouble_that_goes_on_keeps_its_beginning() {
        let (troubles, key) = (Troubles::default(), ObjectKey::new("northwind", "storefront"));
        troubles.begin(&key, trouble(Why::Failing, 5));
        troubles.begin(&key, trouble(Why::Failing, 9));
        assert_eq!(troubles.changed().now_or_never().unwrap().len(), 1);
        assert!(troubles.changed().now_or_never().is_none());
        assert_eq!(troubles.within(|namespace| namespace == "northwind")[0].1.since, at(5));
        assert!(troubles.within(|namespace| namespace == "contoso").is_empty());
        troubles.begin(&key, trouble(Why::Unhandled, 9));
        assert_eq!(troubles.within(|_| true)[0].1.since, at(9));
        (0..2 * MAX).for_each(|n| troubles.begin(&ObjectKey::new("p", &n.to_string()), trouble(Why::Unhandled, 1)));
        assert_eq!(troubles.within(|_| true).len(), MAX);
    }
}
