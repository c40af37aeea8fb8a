//! What one Warehouse subscribes to.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;
use smallvec::smallvec;

use crate::domain::criterion::{Criterion, Index, Labels, Unmet};
use crate::domain::go_regex::PatternBudget;
use crate::domain::scope::ObjectKey;
use crate::domain::subscription::{self, Subscription, SubscriptionError, Subscriptions};

/// What one Warehouse subscribes to.
pub struct Warehouse {
    /// Namespace and name.
    pub key: ObjectKey,
    /// Its subscriptions.
    pub subscriptions: Subscriptions,
    labels: Labels,
    /// `metadata.generation`, which changes with the spec only.
    generation: Option<i64>,
}

impl Warehouse {
    /// Decodes the text of a Warehouse's `spec`. It never fails: what cannot be understood is an entry that says so.
    #[must_use]
    pub fn decode(key: ObjectKey, spec: &str) -> Self {
        let mut budget = PatternBudget::new(&key.namespace);
        let mut subscriptions = match serde_json::from_str::<Value>(spec) {
            Ok(spec) => subscription::subscriptions(&spec, &mut budget),
            Err(_) => smallvec![Err(SubscriptionError::too_deep())],
        };
        subscriptions.shrink_to_fit();
        Self { key, subscriptions, labels: Labels::new(), generation: None }
    }

    /// The same Warehouse with what its metadata say.
    pub(super) fn with_metadata(self, generation: Option<i64>, labels: Labels) -> Self {
        // For one whose patterns found no room, every event is an occasion to try again.
        let is_whole = !self.selector_errors().any(|error| error.is_lack_of_room());
        Self { generation: generation.filter(|_| is_whole), labels, ..self }
    }

    /// Whether this is what a Warehouse of that generation and those labels is decoded to.
    pub(super) fn is_of(&self, generation: i64, labels: &Labels) -> bool {
        self.generation == Some(generation) && self.labels == *labels
    }

    /// The first requirement of a criterion for Warehouses that this one does not meet.
    #[must_use]
    pub fn unmet<'a>(&self, criterion: &'a Criterion) -> Option<Unmet<'a>> {
        criterion.unmet(&self.key.name, &self.labels, |index, value| {
            let mut subscriptions = self.subscriptions.iter().flatten();
            index == Index::SubscribedUrls && subscriptions.any(|subscription| *subscription.repository == *value)
        })
    }

    /// What is wrong with subscriptions, with their positions.
    pub(super) fn problems(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        self.subscriptions.iter().enumerate().filter_map(|(index, subscription)| match subscription {
            Ok(Subscription { selector: Ok(_), .. }) => None,
            Ok(Subscription { selector: Err(error), .. }) => Some((index, error.to_string())),
            Err(error) => Some((index, error.to_string())),
        })
    }

    fn selector_errors(&self) -> impl Iterator<Item = &crate::domain::selector::SelectorError> {
        self.subscriptions.iter().flatten().filter_map(|subscription| subscription.selector.as_ref().err())
    }
}

/// A Warehouse in a set that is ordered by namespace and name.
pub(super) struct Keyed(pub(super) Arc<Warehouse>);

impl Borrow<ObjectKey> for Keyed {
    fn borrow(&self) -> &ObjectKey {
        &self.0.key
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Keyed {}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key.cmp(&other.0.key)
    }
}
