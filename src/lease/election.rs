//! Who leads: the pure state machine behind the Lease. Time is passed in, nothing is sent from here.
//!
//! ```text
//!              read: free, or expired                 written
//!   Read ────────────────────────────▶ Write ───────────────────▶ leads: Write again after RENEW_EVERY
//!    ▲  └─ held by another: Read again   │                              │
//!    └───────────────────────────────────┴── conflict, failure ◀────────┘
//! ```
//!
//! Why there is never more than one leader, whatever the clocks say and however long messages take:
//!
//! * Every write names the version it replaces, so of two writers one fails.
//! * A leader trusts itself for [`CLAIM`] from *before* it sent a renewal that succeeded. No other replica takes over
//!   until the recorded duration has passed *after* they first saw that renewal. Each measures a span with its own
//!   clock; no time of another machine is ever compared with it. The difference of the two spans is for clocks that run
//!   at different speeds.
//! * A renewal always changes the holder or the time of renewal, so it cannot pass unseen. Notes of other replicas,
//!   which change the object too, are no renewal.
//!
//! The Lease also records when a replica last lived and whether it owes, for the catch-up (see [`Missed`] and
//! [`members`](super::members)). The first is a comparison with another machine's clock; a wrong one costs a needless
//! catch-up or spares one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::members::{Members, Notes};
use super::record::{Downtime, Missed, Record, microseconds};

/// For how long after a renewal no other replica may take over: long enough for two renewals to fail and the third to
/// succeed.
pub const DURATION: Duration = Duration::from_secs(15);
/// How long a leader trusts a renewal. The rest of [`DURATION`] is for clocks whose speeds differ, by up to a tenth,
/// and for what a leader has sent in its last moment.
pub const CLAIM: Duration = Duration::from_secs(12);
/// How often a leader renews: two failures in a row do not end a claim.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Pause before whatever did not succeed is tried again, and between the looks of those who wait. It bounds the time
/// that a released Lease is without a leader.
pub const RETRY_AFTER: Duration = Duration::from_secs(2);
/// The duration that a released Lease has; the shortest that Kubernetes knows.
const RELEASED: Duration = Duration::from_secs(1);

/// A moment on both clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The steady clock, by which spans are measured.
    pub steady: Instant,
    /// The wall clock, which others read. It also ends a claim that the steady clock, which may stand still while the
    /// machine is suspended, does not.
    pub wall: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing for so long.
    Wait(Duration),
    /// Read the Lease.
    Read,
    /// Write this, on condition that the Lease still has the version in it, or does not exist.
    Write(Record),
    /// The same, but only this replica's note is new.
    Note(Record),
}

/// One replica's view of the Lease.
pub struct Election {
    identity: Arc<str>,
    started: Timestamp,
    catch_up_after: Duration,
    seen: Option<Sighting>,
    next: Next,
    claim: Option<Claim>,
    /// Whether the last write that succeeded was ours, as far as is known.
    holding: bool,
    term: u64,
    /// While holding: what remains to be caught up.
    catch_up: Option<Missed>,
    /// While holding: what is not enough for a catch-up yet.
    downtime: Option<Downtime>,
    /// Counts the catch-ups that became due in this process.
    round: u64,
    members: Members,
    /// The last write met a newer version.
    has_met_another: bool,
    /// What was seen last is what a write would replace, as far as is known.
    is_current: bool,
}

/// The Lease as last seen; without a record there was none.
struct Sighting {
    record: Option<Record>,
    /// From when on it may be taken over.
    free_at: Instant,
    /// Whether nothing has changed since this process looked for the first time.
    first: bool,
}

#[derive(Clone, Copy)]
struct Next {
    what: What,
    at: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Read,
    Write,
}

#[derive(Clone, Copy)]
struct Claim {
    until: Moment,
}

impl Claim {
    fn from(sent: Moment) -> Self {
        let wall = sent.wall.saturating_add(CLAIM).unwrap_or(Timestamp::MAX);
        Self { until: Moment { steady: sent.steady + CLAIM, wall } }
    }

    fn holds(&self, now: Moment) -> bool {
        now.steady < self.until.steady && now.wall < self.until.wall
    }
}

impl Election {
    /// A replica that has not looked at the Lease yet. The identity must be unique. No replica having lived for
    /// longer than `catch_up_after` before `started` asks for a catch-up; zero turns that off.
    #[must_use]
    pub fn new(identity: Arc<str>, started: Timestamp, catch_up_after: Duration) -> Self {
        let next = Next { what: What::Read, at: None };
        Self {
            identity,
            started,
            catch_up_after,
            seen: None,
            next,
            claim: None,
            holding: false,
            term: 0,
            catch_up: None,
            downtime: None,
            round: 0,
            members: Members::default(),
            has_met_another: false,
            is_current: false,
        }
    }

    /// The same, with a note in the Lease under the name of its spool.
    #[must_use]
    pub fn with_spool(self, id: Arc<str>) -> Self {
        Self { members: Members::new(Some(id)), ..self }
    }

    /// Whether this replica owes what it has acknowledged. To be told before each step.
    pub const fn owes(&mut self, owes: bool) {
        self.members.owes(owes);
    }

    /// Who this replica is.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether this replica leads.
    #[must_use]
    pub fn leads(&self, now: Moment) -> bool {
        self.claim.is_some_and(|claim| claim.holds(now))
    }

    /// Counts how often this replica became leader; 0 is never.
    #[must_use]
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// The leader as far as is known, if it is another replica.
    #[must_use]
    pub fn other_holder(&self) -> Option<Arc<str>> {
        let holder = self.seen.as_ref()?.record.as_ref()?.holder.clone();
        holder.filter(|holder| *holder != self.identity)
    }

    /// What this replica, as leader, has to catch up.
    #[must_use]
    pub const fn catch_up(&self) -> Option<&Missed> {
        self.catch_up.as_ref()
    }

    /// Counts the catch-ups that became due while this replica led.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.round
    }

    /// The catch-up has come so far. It is recorded with the next renewal.
    pub fn caught_up_to(&mut self, at: Arc<str>) {
        if let Some(catch_up) = &mut self.catch_up {
            catch_up.at = Some(at);
        }
    }

    /// Nothing remains to be caught up. To be recorded at once.
    pub fn caught_up(&mut self) {
        (self.catch_up, self.downtime) = (None, None);
        self.hurry();
    }

    /// What has changed is to be recorded at once.
    fn hurry(&mut self) {
        if self.next.what == What::Write {
            self.next.at = None;
        }
    }

    /// For how long no replica had lived when this one started, by what it first read, as long as the Lease still says
    /// that. `None` when there was no Lease. Zero when the other machine's clock is ahead.
    #[must_use]
    pub fn gap(&self) -> Option<Duration> {
        let seen = self.seen.as_ref().filter(|seen| seen.first)?;
        let lived = seen.record.as_ref()?.renewed?;
        Some(Duration::try_from(self.started.duration_since(lived)).unwrap_or_default())
    }

    /// What to do now. The result of a read or write must be reported before the next call.
    #[must_use]
    pub fn step(&self, now: Moment) -> Step {
        let wait = self.next.at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now.steady));
        if !wait.is_zero() {
            return self.note(now).map_or(Step::Wait(wait), Step::Note);
        }
        match self.next.what {
            What::Read => Step::Read,
            What::Write => Step::Write(self.claimed(now)),
        }
    }

    /// The Lease was read, and this is it.
    pub fn read(&mut self, now: Moment, found: Option<Record>) {
        let before = self.seen.take();
        let seen = match before {
            Some(seen) if is_same(seen.record.as_ref(), found.as_ref()) => {
                // A note that was renewed meanwhile means that a replica lives.
                let notes = |record: Option<&Record>| record.map(|record| self.members.of_others(&record.notes));
                let first = seen.first && notes(seen.record.as_ref()) == notes(found.as_ref());
                Sighting { record: found, first, ..seen }
            }
            before => {
                let occupied = match &found {
                    Some(record) if record.holder.is_none() || self.is_mine(Some(record)) => Duration::ZERO,
                    Some(record) => record.duration.max(RELEASED),
                    // It was deleted. Its holder may not know yet, unless that is this replica.
                    None if before.is_some() && !self.leads(now) => DURATION,
                    None => Duration::ZERO,
                };
                Sighting { record: found, free_at: now.steady + occupied, first: before.is_none() }
            }
        };
        if seen.record.as_ref().is_some_and(|record| !self.is_mine(Some(record))) {
            (self.claim, self.holding) = (None, false);
        }
        self.is_current = true;
        self.look_after_members(now, seen.record.as_ref());
        self.next = if now.steady >= seen.free_at {
            Next { what: What::Write, at: None }
        } else {
            Next { what: What::Read, at: Some(seen.free_at.min(now.steady + RETRY_AFTER)) }
        };
        self.seen = Some(seen);
    }

    /// A write that began at `sent` succeeded, and this is the Lease now. Returns whether this replica became leader.
    pub fn written(&mut self, sent: Moment, now: Moment, record: Record) -> bool {
        let led = self.leads(now);
        let claim = Claim::from(sent);
        self.claim = Some(claim);
        self.members.written(sent.steady, &record.notes);
        if !self.holding {
            self.holding = true;
            self.catch_up.clone_from(&record.catch_up);
            self.downtime = record.downtime;
        }
        self.has_met_another = false;
        self.look_after_members(now, Some(&record));
        self.seen = Some(Sighting { record: Some(record), free_at: sent.steady, first: false });
        self.next = Next { what: What::Write, at: Some(sent.steady + RENEW_EVERY) };
        let gained = !led && claim.holds(now);
        self.term += u64::from(gained);
        self.round += u64::from(gained && self.catch_up.is_some());
        gained
    }

    /// A note that was to be written at `sent` was, and this is the Lease now.
    pub fn noted(&mut self, sent: Moment, now: Moment, record: Record) {
        self.members.written(sent.steady, &record.notes);
        self.has_met_another = false;
        self.read(now, Some(record));
    }

    /// A write met a newer version: the Lease has to be read, at once unless that has just happened.
    pub fn conflicted(&mut self, now: Moment) {
        self.is_current = false;
        let at = std::mem::replace(&mut self.has_met_another, true).then_some(now.steady + RETRY_AFTER);
        self.next = Next { what: What::Read, at };
    }

    /// A read or write failed: the Lease has to be read, after a pause.
    pub fn failed(&mut self, now: Moment) {
        self.members.failed();
        self.is_current = false;
        self.next = Next { what: What::Read, at: Some(now.steady + RETRY_AFTER) };
    }

    /// Stops leading. Returns what is to be written so that another replica can take over at once, and so that nobody
    /// waits for this one's note.
    pub fn release(&mut self, now: Moment) -> Option<Record> {
        self.claim = None;
        let record = self.seen.as_ref()?.record.as_ref()?;
        let notes = self.members.farewell(microseconds(now.wall), record.notes.clone());
        if !self.is_mine(Some(record)) {
            return (notes != record.notes).then(|| Record { notes, ..record.clone() });
        }
        let catch_up = if self.holding { self.catch_up.clone() } else { record.catch_up.clone() };
        let downtime = if self.holding { self.downtime } else { record.downtime };
        let renewed = Some(later(now.wall, record.renewed));
        Some(Record { holder: None, duration: RELEASED, renewed, catch_up, downtime, notes, ..record.clone() })
    }

    /// Looks which replicas are lost. What they may have owed is made good by the leader.
    fn look_after_members(&mut self, now: Moment, record: Option<&Record>) {
        self.members.observe(now.steady, record.map_or(&Notes::new(), |record| &record.notes));
        if !self.holding || self.catch_up_after.is_zero() {
            return;
        }
        if let Some(lost) = self.members.lost(now.steady) {
            let since = self.catch_up.as_ref().map_or(lost, |missed| missed.since.min(lost));
            self.catch_up = Some(Missed { since, at: None });
            self.round += 1;
        }
    }

    /// The Lease with this replica's note, when another holds it and the note is due.
    fn note(&self, now: Moment) -> Option<Record> {
        let record = self.seen.as_ref()?.record.as_ref()?;
        let is_due = self.is_current && !self.is_mine(Some(record)) && self.members.is_due(now.steady);
        let notes = self.members.write(microseconds(now.wall), record.notes.clone());
        is_due.then(|| Record { notes, ..record.clone() })
    }

    fn is_mine(&self, record: Option<&Record>) -> bool {
        record.is_some_and(|record| record.holder.as_ref() == Some(&self.identity))
    }

    /// The Lease with this replica as its holder.
    fn claimed(&self, now: Moment) -> Record {
        let known = self.seen.as_ref().and_then(|seen| seen.record.as_ref());
        let mine = self.is_mine(known);
        let renewed = later(now.wall, known.and_then(|record| record.renewed));
        let acquired = known.and_then(|record| record.acquired).filter(|_| mine).unwrap_or(renewed);
        let (catch_up, downtime) = if self.holding { (self.catch_up.clone(), self.downtime) } else { self.due(known) };
        let notes = known.map(|record| record.notes.clone()).unwrap_or_default();
        Record {
            version: known.and_then(|record| record.version.clone()),
            holder: Some(Arc::clone(&self.identity)),
            duration: DURATION,
            acquired: Some(acquired),
            renewed: Some(renewed),
            transitions: known.map_or(0, |record| record.transitions.saturating_add(i32::from(!mine))),
            catch_up,
            downtime,
            notes: self.members.write(microseconds(now.wall), notes),
        }
    }

    /// What a replica that takes over has to catch up: what its predecessor left, and the times without a replica once
    /// they are long enough together.
    fn due(&self, known: Option<&Record>) -> (Option<Missed>, Option<Downtime>) {
        let Some(known) = known.filter(|_| !self.catch_up_after.is_zero()) else {
            return (None, None);
        };
        let left = known.catch_up.clone();
        let Some((gap, lived)) = self.gap().filter(|gap| !gap.is_zero()).zip(known.renewed) else {
            return (left, known.downtime);
        };
        let before = known.downtime.unwrap_or(Downtime { since: lived, total: Duration::ZERO });
        let downtime = Downtime { total: before.total.saturating_add(gap), ..before };
        if downtime.total > self.catch_up_after {
            // Whatever was refreshed before is missing again.
            let since = left.map_or(downtime.since, |left| left.since);
            return (Some(Missed { since, at: None }), None);
        }
        (left, Some(downtime))
    }
}

/// Whether nobody has renewed the Lease since it was seen: it has the same version, or only notes have changed.
fn is_same(seen: Option<&Record>, found: Option<&Record>) -> bool {
    let (Some(seen), Some(found)) = (seen, found) else {
        return seen.is_none() && found.is_none();
    };
    let renewal = |record: &Record| (record.holder.clone(), record.renewed, record.acquired, record.transitions);
    seen.version == found.version || (renewal(seen) == renewal(found) && seen.notes != found.notes)
}

/// Now, but never exactly the time that is recorded: the API server takes a write that changes nothing for no write.
fn later(now: Timestamp, recorded: Option<Timestamp>) -> Timestamp {
    let now = microseconds(now);
    if recorded == Some(now) { now.saturating_add(Duration::from_micros(1)).unwrap_or(now) } else { now }
}

#[cfg(test)]
mod tests;
