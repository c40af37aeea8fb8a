//! Every object that is being pursued. Pure: time and sightings are passed in, nudges come out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::record::{Due, Lists, Record};
use super::skew::{Followed, Skew, WIDEST};
use super::token::time_of;
use super::want::{Outcome, Push};
use super::{At, Moment, Origin, Report, Rules, Sighting};
use crate::domain::target::{Target, TargetKind};

/// Pushes in pursuit of one object. Beyond it, a push relies on the refresh that is pursued for the others.
const MAX_WANTS: usize = 256;
/// Pushes in pursuit of all objects, which bounds the memory for them.
const MAX_ALL_WANTS: usize = 50_000;

/// The state of all pursuits.
#[derive(Debug)]
pub(super) struct Machine {
    rules: Rules,
    records: HashMap<Target, Record>,
    skew: Skew,
    /// The object that is asked just to learn how far the clocks are apart, and since when.
    probe: Option<(Target, Moment)>,
    /// Pushes in pursuit, as counted last.
    wants: usize,
}

impl Machine {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, records: HashMap::new(), skew: Skew::default(), probe: None, wants: 0 }
    }

    /// A push asks for a refresh of this object, which is written later.
    pub(super) fn want(&mut self, target: &Target, push: &Push, at: At, out: &mut Vec<Report>) {
        let has_room = self.wants < MAX_ALL_WANTS;
        let record = self.record(target, at.now);
        if has_room && record.wants() < MAX_WANTS {
            record.want(push.clone(), at);
            self.wants += 1;
        } else {
            let (push, outcome) = (push.clone(), Outcome::Untracked);
            out.push(Report::Ended { push, outcome, after: Duration::ZERO, message: None });
        }
    }

    /// This process wrote a token to this object, by a PATCH that began at `begun`.
    pub(super) fn written(&mut self, target: &Target, token: &str, begun: Timestamp, at: At, out: &mut Vec<Report>) {
        let rules = self.rules;
        self.record(target, at.now).written(token, begun, at, &rules, out);
    }

    fn record(&mut self, target: &Target, now: Moment) -> &mut Record {
        self.records.entry(target.clone()).or_insert_with(|| Record::new(target.kind, now))
    }

    /// Whether there is anything to say about this object.
    pub(super) fn pursues(&self, target: &Target) -> bool {
        self.records.contains_key(target)
    }

    /// Whether the artifacts of this object matter.
    pub(super) fn needs_artifacts(&self, target: &Target) -> bool {
        self.records.get(target).is_some_and(|record| record.wants() > 0)
    }

    /// The watch shows an object.
    pub(super) fn observe(
        &mut self,
        target: &Target,
        sighting: &Sighting<'_>,
        (at, origin): (At, Origin),
        lists: Lists<'_>,
        out: &mut Vec<Report>,
    ) {
        if !self.records.contains_key(target) {
            match self.begin(target, sighting, at, origin) {
                Some(record) => self.records.insert(target.clone(), record),
                None => return,
            };
        }
        let Some(record) = self.records.get_mut(target) else { return };
        record.observe(sighting, (at, origin), (&mut self.skew, &self.rules), lists, out);
        if record.is_done() {
            self.records.remove(target);
        }
    }

    /// A record for an object that nobody here pursues yet: another replica wrote its token, or this one before it
    /// ended.
    fn begin(&self, target: &Target, sighting: &Sighting<'_>, at: At, origin: Origin) -> Option<Record> {
        let token = sighting.annotation.filter(|_| target.kind == TargetKind::Warehouse)?;
        if sighting.handled != sighting.annotation {
            let may_be_owed = time_of(token).is_some() || matches!(origin, Origin::Listed { .. });
            return may_be_owed.then(|| Record::new(target.kind, at.now));
        }
        // Nothing is known of a token that was replaced, and one of Kargo's own may have replaced ours.
        let time: Timestamp = token.parse().ok()?;
        let patience = self.rules.bound() + WIDEST;
        let is_recent = at.wall.duration_since(time) < jiff::SignedDuration::try_from(patience).unwrap_or_default();
        let is_open = matches!(origin, Origin::Listed { .. }) && is_recent;
        let looking = sighting.looking;
        let is_followed = !looking && self.skew.followed(time, sighting.discovered, at.wall) == Followed::Yes;
        (is_open && !is_followed).then(|| Record::resume(target.kind, time, looking, at.now))
    }

    /// An object was deleted.
    pub(super) fn gone(&mut self, target: &Target, at: At, out: &mut Vec<Report>) {
        if let Some(record) = self.records.remove(target) {
            record.gone(at, out);
        }
    }

    /// Lets time pass. Returns what is to be refreshed again; `leads` is whether this replica answers for those that
    /// are gone.
    pub(super) fn tick(&mut self, at: At, leads: bool, out: &mut Vec<(Target, Report)>) -> Vec<Target> {
        let is_over = |(probe, since): &(Target, Moment)| {
            !self.records.contains_key(probe) || at.now >= *since + self.rules.pause(0)
        };
        if self.probe.as_ref().is_some_and(is_over) {
            self.probe = None;
        }
        let (mut nudges, mut reports) = (Vec::new(), Vec::new());
        for (target, record) in &mut self.records {
            let due = record.tick(at, leads, &self.rules, &self.skew, &mut reports);
            out.extend(reports.drain(..).map(|report| (target.clone(), report)));
            let is_turn = match due {
                Due::No => false,
                Due::Nudge => true,
                Due::Probe => self.probe.get_or_insert_with(|| (target.clone(), at.now)).0 == *target,
            };
            if is_turn {
                nudges.push(target.clone());
            }
        }
        self.records.retain(|_, record| !record.is_done());
        self.wants = self.records.values().map(Record::wants).sum();
        nudges
    }

    /// One of the nudges that were due is being asked for.
    pub(super) fn nudged(&mut self, target: &Target, at: At) {
        let rules = self.rules;
        if let Some(record) = self.records.get_mut(target) {
            record.nudge(at, &rules);
        }
    }

    /// The newest delivery that is being pursued of this object.
    pub(super) fn delivery(&self, target: &Target) -> Option<Arc<str>> {
        self.records.get(target)?.delivery()
    }

    /// How many objects are pursued because of a push, and since when the oldest.
    pub(super) fn pursued(&self) -> (usize, Option<Moment>) {
        let since: Vec<Moment> = self.records.values().filter_map(Record::pursued_since).collect();
        (since.len(), since.into_iter().min())
    }
}
