//! The records of each receiver under one budget: pure.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::record::{Record, Step};
use crate::domain::owner::Owner;
use crate::domain::target::Target;

/// Which receiver a record belongs to: its owner and its name. Requests to a URL that is no longer served are kept
/// apart, so that whoever has learned that URL cannot evict the records of those who call the current one.
pub type ReceiverKey = (Owner, Arc<str>, Url);

/// Whether a URL is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Url {
    /// It is.
    Served,
    /// It was until recently.
    Retired,
}

/// The bounds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Records of one receiver.
    pub per_receiver: usize,
    /// Bytes of all records.
    pub bytes: usize,
}

impl Default for Bounds {
    /// Enough for a few days of an ordinary receiver, and a small share of the memory that the chart grants.
    fn default() -> Self {
        Self { per_receiver: 200, bytes: 16 << 20 }
    }
}

struct Kept {
    number: u64,
    bytes: usize,
    record: Record,
    /// The objects of the record's refreshes, in their order.
    targets: Box<[Target]>,
}

#[derive(Default)]
struct Ring {
    kept: VecDeque<Kept>,
    bytes: usize,
}

/// A ring per receiver. When the budget is spent, the largest ring gives up its oldest record, so a noisy receiver
/// evicts its own records and never those of others.
#[derive(Default)]
pub(super) struct Rings {
    rings: HashMap<ReceiverKey, Ring>,
    /// By bytes, so that the largest is found without a search.
    by_size: BTreeSet<(usize, ReceiverKey)>,
    bytes: usize,
    /// Counts records.
    next: u64,
    /// The records that wait for a step of a refresh.
    waiting: HashMap<Target, VecDeque<(ReceiverKey, u64)>>,
}

impl Rings {
    /// Keeps a record, and forgets what the bounds no longer allow.
    pub(super) fn keep(&mut self, key: &ReceiverKey, record: Record, targets: &[Target], bounds: Bounds) {
        let (number, bytes) = (self.next, record.bytes());
        self.next += 1;
        let targets: Box<[Target]> = targets.iter().take(record.refreshes.len()).cloned().collect();
        for target in &targets {
            self.waiting.entry(target.clone()).or_default().push_back((key.clone(), number));
        }
        self.change(key, |ring| {
            ring.kept.push_back(Kept { number, bytes, record, targets });
            ring.bytes += bytes;
        });
        self.bytes += bytes;
        if self.rings.get(key).is_some_and(|ring| ring.kept.len() > bounds.per_receiver) {
            self.forget_oldest(key);
        }
        while self.bytes > bounds.bytes
            && let Some((_, largest)) = self.by_size.last().cloned()
        {
            self.forget_oldest(&largest);
        }
    }

    /// Changes a ring and its place among the others.
    fn change(&mut self, key: &ReceiverKey, change: impl FnOnce(&mut Ring)) {
        let ring = self.rings.entry(key.clone()).or_default();
        let before = (ring.bytes, key.clone());
        change(ring);
        let (bytes, is_empty) = (ring.bytes, ring.kept.is_empty());
        self.by_size.remove(&before);
        if is_empty {
            self.rings.remove(key);
        } else {
            self.by_size.insert((bytes, before.1));
        }
    }

    fn forget_oldest(&mut self, key: &ReceiverKey) {
        let mut gone = None;
        self.change(key, |ring| {
            gone = ring.kept.pop_front();
            ring.bytes -= gone.as_ref().map_or(0, |gone| gone.bytes);
        });
        let Some(gone) = gone else { return };
        self.bytes -= gone.bytes;
        for target in &gone.targets {
            if let Some(waiting) = self.waiting.get_mut(target) {
                waiting.retain(|(other, number)| *number != gone.number || other != key);
                if waiting.is_empty() {
                    self.waiting.remove(target);
                }
            }
        }
    }

    /// Notes a step of every delivery that arrived by then and waits for it. Each record that changed is shown; a copy
    /// is for those who follow only, because a hammered object has hundreds.
    pub(super) fn advance(
        &mut self,
        target: &Target,
        up_to: Timestamp,
        step: &Step,
        now: Timestamp,
        mut changed: impl FnMut(&Record),
    ) {
        let Some(waiting) = self.waiting.get_mut(target) else { return };
        let rings = &mut self.rings;
        waiting.retain(|(key, number)| {
            let Some(ring) = rings.get_mut(key) else { return false };
            let Ok(at) = ring.kept.binary_search_by_key(number, |kept| kept.number) else { return false };
            let Kept { record, targets, .. } = &mut ring.kept[at];
            if record.time > up_to {
                return true;
            }
            let Some(place) = targets.iter().position(|other| other == target) else { return false };
            let refresh = &mut record.refreshes[place];
            let (has_changed, has_ended) = (refresh.advance(step, now), refresh.has_ended());
            if has_changed {
                changed(record);
            }
            !has_ended
        });
        if waiting.is_empty() {
            self.waiting.remove(target);
        }
    }

    /// Every record, in no particular order.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.rings.values().flat_map(|ring| ring.kept.iter().map(|kept| &kept.record))
    }

    /// The records of one receiver, oldest first.
    pub(super) fn of(&self, key: &ReceiverKey) -> impl Iterator<Item = &Record> {
        self.rings.get(key).into_iter().flat_map(|ring| ring.kept.iter().map(|kept| &kept.record))
    }

    /// What the records occupy, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::scope::ObjectKey;
    use crate::journal::record::{Refresh, State};

    fn key(receiver: &str) -> ReceiverKey {
        (Owner::ProjectConfig("northwind".into()), receiver.into(), Url::Served)
    }

    fn target(name: &str) -> Target {
        Target::warehouse(ObjectKey::new("northwind", name))
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record(time: i64, target: &Target) -> Record {
        let refreshes = vec![Refresh::owed(target)];
        Record { id: format!("{time:016}"), time: second(time), refreshes, ..Record::default() }
    }

    #[test]
    fn a_noisy_receiver_evicts_its_own_records_only() {
        let (mut rings, app) = (Rings::default(), target("app"));
        let bounds = Bounds { per_receiver: 1000, bytes: 40 * record(0, &app).bytes() };
        for time in 0..3 {
            rings.keep(&key("quiet"), record(time, &app), std::slice::from_ref(&app), bounds);
        }
        for time in 3..10_000 {
            rings.keep(&key("noisy"), record(time, &app), std::slice::from_ref(&app), bounds);
        }
        assert_eq!(rings.of(&key("quiet")).count(), 3);
        assert_eq!(rings.of(&key("noisy")).count(), 37);
        assert!(rings.bytes() <= bounds.bytes);
        assert_eq!(rings.waiting[&app].len(), 40, "a forgotten record waits for nothing");
    }

    #[test]
    fn a_step_concerns_the_deliveries_that_arrived_before_it() {
        let (mut rings, app) = (Rings::default(), target("app"));
        for time in 1..=3 {
            rings.keep(&key("quay"), record(time, &app), std::slice::from_ref(&app), Bounds::default());
        }
        let mut advance = |target: &Target, up_to, step: &Step, now| {
            let mut changed = Vec::new();
            rings.advance(target, second(up_to), step, second(now), |record| changed.push(record.id.clone()));
            changed
        };
        assert_eq!(advance(&app, 2, &Step::Written, 9), ["0000000000000001", "0000000000000002"]);
        assert!(advance(&app, 2, &Step::Written, 10).is_empty(), "nothing new");
        assert!(advance(&target("other"), 9, &Step::Written, 9).is_empty());
        advance(&app, 1, &Step::Ended(State::Seen, String::new()), 11);
        let states: Vec<State> = rings.of(&key("quay")).map(|record| record.refreshes[0].state).collect();
        assert_eq!(states, [State::Seen, State::Written, State::Owed]);
        assert_eq!(rings.waiting[&app].len(), 2);
    }

    proptest! {
        #[test]
        fn the_books_are_right_whatever_happens(
            steps in prop::collection::vec((0_u8..5, 0_u8..4, any::<bool>()), 0..200), most in 1_usize..20, bytes in 0_usize..9000,
        ) {
            let (mut rings, bounds) = (Rings::default(), Bounds { per_receiver: most, bytes });
            for (time, (receiver, warehouse, ends)) in steps.into_iter().enumerate() {
                let (time, target) = (i64::try_from(time).unwrap(), target(&warehouse.to_string()));
                rings.keep(&key(&receiver.to_string()), record(time, &target), std::slice::from_ref(&target), bounds);
                if ends {
                    let ended = Step::Ended(State::NotLooked, String::new());
                    rings.advance(&target, second(time), &ended, second(time), |_| ());
                }
                prop_assert!(rings.bytes() <= bounds.bytes);
                prop_assert_eq!(rings.bytes(), rings.records().map(Record::bytes).sum::<usize>());
                prop_assert_eq!(rings.by_size.len(), rings.rings.len());
                prop_assert_eq!(rings.by_size.iter().map(|(bytes, _)| bytes).sum::<usize>(), rings.bytes());
                prop_assert!(rings.rings.values().all(|ring| ring.kept.len() <= most));
                let open = rings.records().filter(|record| !record.refreshes[0].has_ended()).count();
                prop_assert_eq!(rings.waiting.values().map(VecDeque::len).sum::<usize>(), open);
            }
        }
    }
}
