//! Which replica leads, and when a replica last lived: one Lease object for all replicas.
//!
//! Owns the election and the record of an unfinished catch-up. Leading concerns statuses and the catch-up only: every
//! replica serves its senders and refreshes what it accepted, whether or not it leads, and losing the lead changes
//! nothing for a sender.
//!
//! [`election`] decides (pure), [`elector`] talks to the API server, [`record`] knows the object's fields, and
//! [`Leadership`] is what the rest of the process asks.

pub mod election;
pub mod elector;
pub mod members;
pub mod record;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::process::clock::Clock;
use election::{Election, Moment};
use record::Missed;

/// Handle to what is known about the lead; cheap to clone.
///
/// A claim ends by time, not by a message, so a process that was suspended does not believe that it still leads.
#[derive(Clone)]
pub struct Leadership(Arc<Shared>);

struct Shared {
    /// `None`: there is no election, this process is the only one.
    election: Option<Mutex<Election>>,
    clock: Clock,
    /// Woken after each look at the Lease: this process may have become leader, or a catch-up due.
    looked: Notify,
    /// Woken when something is to be recorded at once.
    hurry: Notify,
}

/// A catch-up that this process has to do as leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The term in which it became due; it is this process's duty only while that lasts.
    pub term: u64,
    /// Its number among those of this process; a newer one takes its place.
    pub round: u64,
    /// Since when no replica had lived.
    pub since: Timestamp,
    /// The last Warehouse, in their order, that needs nothing any more.
    pub at: Option<Arc<str>>,
}

impl Leadership {
    /// Without an election: always leader, and with no record of when a replica last lived.
    #[must_use]
    pub fn alone() -> Self {
        Self::new(None, Clock::system())
    }

    /// A candidate of a fresh identity that begins with this name. It leads once an [`elector`] has won. No replica
    /// having lived for longer than `catch_up_after` makes a catch-up due; zero turns that off. A replica with a spool
    /// keeps a note under its name in the Lease.
    #[must_use]
    pub fn candidate(name: &str, catch_up_after: Duration, spool: Option<Arc<str>>, clock: Clock) -> Self {
        // Fresh, because a restarted container has the name of its predecessor.
        let identity = format!("{name}_{:016x}", RandomState::new().hash_one(std::process::id()));
        let election = Election::new(Arc::from(identity), clock.now(), catch_up_after);
        let election = match spool {
            Some(id) => election.with_spool(id),
            None => election,
        };
        Self::new(Some(Mutex::new(election)), clock)
    }

    fn new(election: Option<Mutex<Election>>, clock: Clock) -> Self {
        Self(Arc::new(Shared { election, clock, looked: Notify::new(), hurry: Notify::new() }))
    }

    fn now(&self) -> Moment {
        Moment { steady: Instant::now(), wall: self.0.clock.now() }
    }

    /// Whether this process leads at this moment.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0.election.as_ref().is_none_or(|election| election.lock().leads(self.now()))
    }

    fn term(&self) -> u64 {
        self.0.election.as_ref().map_or(1, |election| election.lock().term())
    }

    /// Returns the number of this process's latest term as leader, once that is greater than `after`; the first is 1.
    pub async fn next_term(&self, after: u64) -> u64 {
        loop {
            // Registered before the look, so that a term that begins in between is not missed.
            let changed = self.0.looked.notified();
            let term = self.term();
            if term > after {
                return term;
            }
            changed.await;
        }
    }

    /// Returns the catch-up that is due once there is one that is newer than the round `after`; the first is 1.
    pub async fn next_due(&self, after: u64) -> Due {
        loop {
            // Registered before the look, so that a change in between is not missed.
            let changed = self.0.looked.notified();
            if let Some(due) = self.catch_up_due().filter(|due| due.round > after) {
                return due;
            }
            changed.await;
        }
    }

    /// Whether this catch-up is still this process's duty.
    #[must_use]
    pub fn is_due(&self, due: &Due) -> bool {
        self.catch_up_due().is_some_and(|now| (now.term, now.round) == (due.term, due.round))
    }

    /// The catch-up of the current term, if one is due.
    fn catch_up_due(&self) -> Option<Due> {
        let election = self.0.election.as_ref()?.lock();
        let Missed { since, at } = election.catch_up().filter(|_| election.leads(self.now()))?.clone();
        Some(Due { term: election.term(), round: election.round(), since, at })
    }

    /// This catch-up is done with every Warehouse up to this one.
    pub fn caught_up_to(&self, due: &Due, at: &str) {
        self.of(due, |election| election.caught_up_to(Arc::from(at)));
    }

    /// This catch-up is complete.
    pub fn caught_up(&self, due: &Due) {
        self.of(due, Election::caught_up);
        self.0.hurry.notify_one();
    }

    fn of(&self, due: &Due, change: impl FnOnce(&mut Election)) {
        if let Some(mut election) = self.0.election.as_ref().map(Mutex::lock)
            && (election.term(), election.round()) == (due.term, due.round)
        {
            change(&mut election);
        }
    }
}
