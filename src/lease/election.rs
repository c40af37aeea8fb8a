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
//! * A renewal always changes the object, so it cannot pass unseen.
//!
//! The Lease also records when a replica last lived, for the catch-up (see [`Missed`]). That is a comparison with
//! another machine's clock; a wrong one costs a needless catch-up or spares one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::record::{Missed, Record, microseconds};

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
    pub const fn new(identity: Arc<str>, started: Timestamp, catch_up_after: Duration) -> Self {
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
        }
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

    /// The catch-up has come so far. It is recorded with the next renewal.
    pub fn caught_up_to(&mut self, at: Arc<str>) {
        if let Some(catch_up) = &mut self.catch_up {
            catch_up.at = Some(at);
        }
    }

    /// Nothing remains to be caught up. To be recorded at once.
    pub fn caught_up(&mut self) {
        self.catch_up = None;
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
        if let Some(wait) = self.next.at.map(|at| at.saturating_duration_since(now.steady))
            && !wait.is_zero()
        {
            return Step::Wait(wait);
        }
        match self.next.what {
            What::Read => Step::Read,
            What::Write => Step::Write(self.claimed(now)),
        }
    }

    /// The Lease was read, and this is it.
    pub fn read(&mut self, now: Moment, found: Option<Record>) {
        let before = self.seen.take();
        let version = |record: &Option<Record>| record.as_ref().map(|record| record.version.clone());
        let seen = match before {
            Some(seen) if version(&seen.record) == version(&found) => seen,
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
        if !self.holding {
            self.holding = true;
            self.catch_up.clone_from(&record.catch_up);
        }
        self.seen = Some(Sighting { record: Some(record), free_at: sent.steady, first: false });
        self.next = Next { what: What::Write, at: Some(sent.steady + RENEW_EVERY) };
        let gained = !led && claim.holds(now);
        self.term += u64::from(gained);
        gained
    }

    /// A read or write failed, or met a newer version: the Lease has to be read, after a pause.
    pub fn failed(&mut self, now: Moment) {
        self.next = Next { what: What::Read, at: Some(now.steady + RETRY_AFTER) };
    }

    /// Stops leading. Returns what is to be written so that another replica can take over at once.
    pub fn release(&mut self, now: Moment) -> Option<Record> {
        self.claim = None;
        let record = self.seen.as_ref()?.record.as_ref().filter(|record| self.is_mine(Some(record)))?;
        let catch_up = if self.holding { self.catch_up.clone() } else { record.catch_up.clone() };
        let renewed = Some(later(now.wall, record.renewed));
        Some(Record { holder: None, duration: RELEASED, renewed, catch_up, ..record.clone() })
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
        Record {
            version: known.and_then(|record| record.version.clone()),
            holder: Some(Arc::clone(&self.identity)),
            duration: DURATION,
            acquired: Some(acquired),
            renewed: Some(renewed),
            transitions: known.map_or(0, |record| record.transitions.saturating_add(i32::from(!mine))),
            catch_up: if self.holding { self.catch_up.clone() } else { self.due(known) },
        }
    }

    /// What a replica that takes over has to catch up: what its predecessor left, and the time before it started,
    /// unless another has led since.
    fn due(&self, known: Option<&Record>) -> Option<Missed> {
        let known = known.filter(|_| !self.catch_up_after.is_zero())?;
        let left = known.catch_up.clone();
        if self.gap().is_some_and(|gap| gap > self.catch_up_after) {
            // Whatever was refreshed before is missing again.
            let since = left.map(|left| left.since).or(known.renewed)?;
            return Some(Missed { since, at: None });
        }
        left
    }
}

/// Now, but never exactly the time that is recorded: the API server takes a write that changes nothing for no write.
fn later(now: Timestamp, recorded: Option<Timestamp>) -> Timestamp {
    let now = microseconds(now);
    if recorded == Some(now) { now.saturating_add(Duration::from_micros(1)).unwrap_or(now) } else { now }
}

#[cfg(test)]
mod tests;
