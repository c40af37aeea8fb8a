//! The memory of large request bodies, shared by all receivers so that none of them can take it all.
//!
//! A body that outgrows [`SMALL_BODY_BYTES`](super::limits::SMALL_BODY_BYTES) needs a turn for the bytes that it still
//! may have. Turns are granted in order within a receiver, and to the receiver that holds least among several; one
//! receiver holds at most half of the pool. A sender that waits for longer than [`PATIENCE`] may take the turn of
//! another:
//!
//! * of one that trickles, so that it would not complete its body in time anyway;
//! * of a receiver that holds more than its fair share, if its own receiver would not.
//!
//! The sender that loses its turn is answered 408, as it would be at the end of its time. Nobody loses a turn that is
//! not waited for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::limits::{BODY_TIMEOUT, PATIENCE};

/// A receiver, or all senders together whose receiver is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Party(u64);

impl Party {
    /// Those whose receiver is not known yet.
    pub(super) const STRANGERS: Self = Self(0);
}

/// The memory. Its turns are returned when they are dropped.
pub(super) struct Pool {
    capacity: usize,
    parties: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: usize,
    next: u64,
    turns: BTreeMap<u64, Held>,
    /// In the order in which they came.
    waiting: BTreeMap<u64, Waiting>,
}

struct Held {
    party: Party,
    bytes: usize,
    received: usize,
    since: Instant,
    /// Set when the turn is to be given back.
    is_revoked: bool,
    revoked: Arc<Notify>,
}

struct Waiting {
    party: Party,
    bytes: usize,
    granted: oneshot::Sender<Turn>,
}

/// The right to hold that many bytes, until it is dropped.
pub(super) struct Turn {
    pool: Arc<Pool>,
    number: u64,
    revoked: Arc<Notify>,
}

/// A place in the queue, given up when it is dropped.
struct Queued<'a> {
    pool: &'a Arc<Pool>,
    number: u64,
}

impl Pool {
    /// A pool of that many bytes.
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { capacity, parties: RandomState::new(), state: Mutex::default() })
    }

    /// Names a receiver.
    pub(super) fn party(&self, receiver: impl Hash) -> Party {
        Party(self.parties.hash_one(receiver).max(1))
    }

    /// A turn, once there is one. No turn is for more than half of the pool.
    pub(super) async fn turn(self: &Arc<Self>, party: Party, bytes: usize) -> Turn {
        let (granted, mut grant) = oneshot::channel();
        let bytes = bytes.min(self.capacity / 2);
        let number = {
            let mut state = self.state.lock();
            state.next += 1;
            let number = state.next;
            state.waiting.insert(number, Waiting { party, bytes, granted });
            number
        };
        let queued = Queued { pool: self, number };
        self.grant();
        loop {
            match tokio::time::timeout(PATIENCE, &mut grant).await {
                Ok(Ok(turn)) => return turn,
                // It is never dropped without a turn: `queued` alone removes it.
                Ok(Err(_)) => std::future::pending().await,
                Err(_) => self.state.lock().press(queued.number, self.capacity, Instant::now()),
            }
        }
    }

    /// Grants every turn that can be.
    fn grant(self: &Arc<Self>) {
        while let Some((granted, turn)) = self.grant_one() {
            // One that is no longer waited for gives its turn back here, without the lock.
            drop(granted.send(turn));
        }
    }

    fn grant_one(self: &Arc<Self>) -> Option<(oneshot::Sender<Turn>, Turn)> {
        let mut state = self.state.lock();
        let number = state.next_to_grant(self.capacity)?;
        let Waiting { party, bytes, granted } = state.waiting.remove(&number)?;
        let revoked = Arc::<Notify>::default();
        state.used += bytes;
        let (since, is_revoked) = (Instant::now(), false);
        let held = Held { party, bytes, received: 0, since, is_revoked, revoked: Arc::clone(&revoked) };
        state.turns.insert(number, held);
        Some((granted, Turn { pool: Arc::clone(self), number, revoked }))
    }

    /// How many bytes there are.
    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many bytes are granted.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.state.lock().used
    }

    /// How many senders wait for a turn.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }
}

impl State {
    /// What each receiver holds.
    fn holdings(&self) -> HashMap<Party, usize> {
        let mut holdings = HashMap::new();
        for turn in self.turns.values() {
            *holdings.entry(turn.party).or_default() += turn.bytes;
        }
        holdings
    }

    /// The oldest that waits of the receiver that holds least. If there is no room for it, there is none for others, or
    /// small bodies would keep large ones waiting for ever.
    fn next_to_grant(&self, capacity: usize) -> Option<u64> {
        let (holdings, mut seen) = (self.holdings(), BTreeSet::new());
        let held = |party: Party| holdings.get(&party).copied().unwrap_or_default();
        let oldest = self.waiting.iter().filter(|(_, waiting)| seen.insert(waiting.party));
        let within_share = oldest.filter(|(_, waiting)| held(waiting.party) + waiting.bytes <= capacity / 2);
        let (number, waiting) = within_share.min_by_key(|(_, waiting)| held(waiting.party))?;
        (self.used + waiting.bytes <= capacity).then_some(*number)
    }

    /// One that waits has lost its patience: the turns that it may take are revoked, the slowest first.
    fn press(&mut self, number: u64, capacity: usize, now: Instant) {
        let Some(waiting) = self.waiting.get(&number) else { return };
        let (party, bytes, holdings) = (waiting.party, waiting.bytes, self.holdings());
        let held = |party: Party| holdings.get(&party).copied().unwrap_or_default();
        let active = holdings.keys().copied().chain(self.waiting.values().map(|waiting| waiting.party));
        let fair = capacity / active.collect::<BTreeSet<_>>().len().max(1);
        let is_full_itself = held(party) + bytes > capacity / 2;
        let is_entitled = held(party) + bytes <= fair;
        let returning = self.turns.values().filter(|turn| turn.is_revoked);
        let mut room = if is_full_itself {
            (capacity / 2).saturating_sub(held(party))
                + returning.filter(|turn| turn.party == party).map(|turn| turn.bytes).sum::<usize>()
        } else {
            capacity - self.used + returning.map(|turn| turn.bytes).sum::<usize>()
        };
        while room < bytes {
            let candidates = self.turns.values_mut().filter(|turn| {
                !turn.is_revoked
                    && now - turn.since >= PATIENCE
                    && (turn.party == party || !is_full_itself)
                    && (turn.trickles(now) || is_entitled && turn.party != party && held(turn.party) > fair)
            });
            let Some(slowest) = candidates.min_by_key(|turn| turn.pace(now)) else { return };
            slowest.is_revoked = true;
            slowest.revoked.notify_one();
            room += slowest.bytes;
        }
    }
}

impl Held {
    /// Bytes a second.
    fn pace(&self, now: Instant) -> u128 {
        self.received as u128 * 1_000_000 / (now - self.since).as_micros().max(1)
    }

    /// Whether it would need longer than a body may take, at its pace so far.
    fn trickles(&self, now: Instant) -> bool {
        self.pace(now) * BODY_TIMEOUT.as_secs() as u128 <= self.bytes as u128 && self.received < self.bytes
    }
}

impl Turn {
    /// Notes that so many more bytes have arrived.
    pub(super) fn received(&self, bytes: usize) {
        if let Some(held) = self.pool.state.lock().turns.get_mut(&self.number) {
            held.received += bytes;
        }
    }

    /// Completes when the turn is to be given back.
    pub(super) async fn revoked(&self) {
        self.revoked.notified().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.pool.state.lock();
            if let Some(held) = state.turns.remove(&self.number) {
                state.used -= held.bytes;
            }
        }
        self.pool.grant();
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if self.pool.state.lock().waiting.remove(&self.number).is_some() {
            // It may have been in the way of those behind it.
            self.pool.grant();
        }
    }
}

#[cfg(test)]
mod tests;
