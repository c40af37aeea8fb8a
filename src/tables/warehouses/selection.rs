//! Which of the Warehouses that were found an event concerns.
//!
//! Works on a snapshot, so that nobody waits for the comparison, however long it takes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::finder::{Entries, Entry};
use super::warehouse::Warehouse;
use crate::domain::event::PushEvent;
use crate::domain::scope::{ObjectKey, Scope};
use crate::domain::selector::Reason;
use crate::domain::subscription::{Repositories, Subscription};
use crate::domain::work::Work;

/// Steps for finding a subscription and putting it in order.
const FOUND: u64 = 12;
/// Reasons that are put into words for one request: a help for people, whose price must not depend on the request.
const MOST_REFUSALS: usize = 16;

/// A subscription to a repository of the events that none of them concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its Warehouse, which no other subscription of it speaks for either.
    pub warehouse: ObjectKey,
    /// The subscribed repository, normalised.
    pub repository: String,
    /// Why not, in words for a person.
    pub reason: String,
}

/// The Warehouses that an event concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// To be refreshed; sorted and distinct.
    pub warehouses: Vec<ObjectKey>,
    /// How many Warehouses within reach subscribe to one of the repositories.
    pub subscribed: usize,
    /// Why subscriptions to the repositories did not match, by reason.
    pub not_matched: BTreeMap<&'static str, usize>,
    /// The first of those, with their reasons in full.
    pub refusals: Vec<Refusal>,
    /// How many subscriptions match because the work did not suffice to compare them.
    pub undecided: usize,
}

/// A selection in the making.
pub(super) struct Selecting<'s> {
    scope: &'s Scope,
    work: &'s mut Work,
    /// Those that subscribe to one of the repositories, and whether one of the events concerns them.
    found: HashMap<*const Warehouse, (Arc<Warehouse>, bool)>,
    /// What was added without a comparison.
    unseen: HashSet<(*const (), u32)>,
    not_matched: BTreeMap<&'static str, usize>,
    /// Warehouse, position of its subscription, and reason.
    refusals: Vec<(Arc<Warehouse>, u32, String)>,
    undecided: usize,
}

impl<'s> Selecting<'s> {
    pub(super) fn new(scope: &'s Scope, work: &'s mut Work) -> Self {
        Self {
            scope,
            work,
            found: HashMap::new(),
            unseen: HashSet::new(),
            not_matched: BTreeMap::new(),
            refusals: Vec::new(),
            undecided: 0,
        }
    }

    /// Adds the Warehouses with a subscription that accepts the event; notes why the others do not. `found` is what the
    /// index has under the keys of the event's repositories.
    pub(super) fn add(&mut self, event: &PushEvent, about: &Repositories<'_>, found: &[Entries]) {
        let count: usize = found.iter().map(|entries| entries.as_slice().len()).sum();
        if self.work.spend(count as u64 * FOUND).is_err() {
            self.add_unseen(about, found);
            return;
        }
        let within_reach = |entry: &&Entry| self.scope.covers(&entry.warehouse.key.namespace);
        let mut entries: Vec<&Entry> =
            found.iter().flat_map(|entries| entries.as_slice()).filter(within_reach).collect();
        entries.sort_unstable_by(|a, b| (&a.warehouse.key, a.position).cmp(&(&b.warehouse.key, b.position)));
        entries.dedup_by(|a, b| Arc::ptr_eq(&a.warehouse, &b.warehouse) && a.position == b.position);
        for entry in entries {
            let Some(subscription) = entry.subscription().filter(|subscription| about.include(subscription)) else {
                continue;
            };
            let mut share = self.work.take_half();
            let PushEvent { qualifiers, changed_files, default_branch, .. } = event;
            let judgement = subscription.judge(qualifiers, changed_files, default_branch.as_deref(), &mut share);
            self.work.give_back(&share);
            if matches!(judgement.reason, Reason::Undecided) {
                self.undecided += 1;
            }
            if !judgement.matched {
                *self.not_matched.entry(judgement.reason.code()).or_default() += 1;
            }
            self.note(entry, judgement.matched);
            if !judgement.matched && self.may_refuse(entry) {
                let reason = subscription.explained(&judgement);
                self.refusals.push((Arc::clone(&entry.warehouse), entry.position, reason));
            }
        }
    }

    /// Whether the reason against a subscription is still to be kept: for the first few, once each, and for none of a
    /// Warehouse that another subscription speaks for.
    fn may_refuse(&self, Entry { warehouse, position }: &Entry) -> bool {
        self.refusals.len() < MOST_REFUSALS
            && !self.found.get(&Arc::as_ptr(warehouse)).is_some_and(|(_, is_concerned)| *is_concerned)
            && !self.refusals.iter().any(|(other, at, _)| Arc::ptr_eq(other, warehouse) && at == position)
    }

    /// Once the work is used up, every subscriber is refreshed: a refresh too many is harmless, one too few loses a
    /// push.
    fn add_unseen(&mut self, about: &Repositories<'_>, found: &[Entries]) {
        for entries in found {
            if !self.unseen.insert(entries.id()) {
                continue;
            }
            for entry in entries.as_slice().iter().filter(|entry| self.scope.covers(&entry.warehouse.key.namespace)) {
                if entry.subscription().is_some_and(|subscription| about.include(subscription)) {
                    self.undecided += 1;
                    self.note(entry, true);
                }
            }
        }
    }

    fn note(&mut self, entry: &Entry, matched: bool) {
        let unknown = || (Arc::clone(&entry.warehouse), false);
        let (_, is_concerned) = self.found.entry(Arc::as_ptr(&entry.warehouse)).or_insert_with(unknown);
        *is_concerned |= matched;
        if matched {
            self.refusals.retain(|(other, ..)| !Arc::ptr_eq(other, &entry.warehouse));
        }
    }

    pub(super) fn finish(self) -> Selection {
        // One that was changed in between was found twice.
        let mut by_key = BTreeMap::new();
        for (warehouse, is_concerned) in self.found.values() {
            *by_key.entry(&warehouse.key).or_insert(false) |= *is_concerned;
        }
        let concerned = by_key.iter().filter(|(_, is_concerned)| **is_concerned);
        let refusal = |(warehouse, position, reason): (Arc<Warehouse>, u32, String)| {
            let entry = Entry { warehouse, position };
            if by_key.get(&entry.warehouse.key) == Some(&true) {
                return None;
            }
            let repository = entry.subscription()?.repository.to_string();
            Some(Refusal { warehouse: entry.warehouse.key.clone(), repository, reason })
        };
        Selection {
            warehouses: concerned.map(|(key, _)| (*key).clone()).collect(),
            subscribed: by_key.len(),
            not_matched: self.not_matched,
            refusals: self.refusals.into_iter().filter_map(refusal).collect(),
            undecided: self.undecided,
        }
    }
}

/// The events of a request, by the keys under which subscriptions to their repositories are found.
pub struct Pushes<'e> {
    events: Vec<(&'e PushEvent, Repositories<'e>)>,
    by_key: HashMap<String, Vec<usize>>,
}

impl<'e> Pushes<'e> {
    /// Of these events.
    #[must_use]
    pub fn new(events: &'e [PushEvent]) -> Self {
        let events: Vec<_> = events.iter().map(|event| (event, Repositories::new(&event.repositories))).collect();
        let mut by_key = HashMap::<String, Vec<usize>>::new();
        for (index, (_, about)) in events.iter().enumerate() {
            for key in about.keys() {
                by_key.entry(key.to_owned()).or_default().push(index);
            }
        }
        Self { events, by_key }
    }

    /// Whether a subscription is concerned by one of the events, and why, in words for a person. Comparing is paid for
    /// from the work, half of which it leaves to the others.
    #[must_use]
    pub fn explain(&self, subscription: &Subscription, work: &mut Work) -> (bool, String) {
        let keys = subscription.identity.as_deref().into_iter().chain([&*subscription.repository]);
        let mut found: Vec<usize> = keys.filter_map(|key| self.by_key.get(key)).flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        let mut share = work.take_half();
        let mut explanation = (false, "another repository than the one the event is about".to_owned());
        for (event, about) in found.into_iter().filter_map(|index| self.events.get(index)) {
            if !about.include(subscription) {
                continue;
            }
            let PushEvent { qualifiers, changed_files, default_branch, .. } = event;
            let judgement = subscription.judge(qualifiers, changed_files, default_branch.as_deref(), &mut share);
            explanation = (judgement.matched, subscription.explained(&judgement));
            if judgement.matched {
                break;
            }
        }
        work.give_back(&share);
        explanation
    }
}

#[cfg(test)]
mod tests;
