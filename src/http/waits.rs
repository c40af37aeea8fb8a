//! How many requests of each receiver wait for their refreshes to be written, and for how many of these.
//!
//! Each holds a connection, and a request that is complete is never given up; and for each refresh it holds some
//! memory. So a flood of one receiver must not hold all of either: beyond its share, a request is answered as soon as
//! the disk has what is owed.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::pool::Party;

/// The requests that wait.
pub(super) struct Waits {
    /// Requests of one receiver.
    most: usize,
    /// Refreshes of all receivers; one of them may wait for half.
    most_refreshes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    parties: HashMap<Party, Count>,
    refreshes: usize,
}

#[derive(Clone, Copy, Default)]
struct Count {
    requests: usize,
    refreshes: usize,
}

/// One request that waits, until it is dropped.
pub(super) struct Wait<'a> {
    waits: &'a Waits,
    party: Party,
    refreshes: usize,
    /// Whether its receiver has its share without it.
    pub(super) is_beyond_share: bool,
}

impl Waits {
    /// At most that many requests for one receiver, and that many refreshes for all.
    pub(super) fn new(most: usize, most_refreshes: usize) -> Self {
        Self { most, most_refreshes, state: Mutex::default() }
    }

    #[cfg(test)]
    pub(super) fn refreshes(&self) -> usize {
        self.most_refreshes
    }

    /// Counts a request that may wait for so many refreshes.
    pub(super) fn begin(&self, party: Party, refreshes: usize) -> Wait<'_> {
        let mut state = self.state.lock();
        let State { parties, refreshes: all } = &mut *state;
        let count = parties.entry(party).or_default();
        let is_flood = count.requests >= self.most || count.refreshes + refreshes > self.most_refreshes / 2;
        let is_beyond_share = is_flood || *all + refreshes > self.most_refreshes;
        // One that does not wait holds nothing.
        let refreshes = if is_beyond_share { 0 } else { refreshes };
        count.requests += 1;
        count.refreshes += refreshes;
        *all += refreshes;
        Wait { waits: self, party, refreshes, is_beyond_share }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut state = self.waits.state.lock();
        state.refreshes -= self.refreshes;
        if let Some(count) = state.parties.get_mut(&self.party) {
            count.requests -= 1;
            count.refreshes -= self.refreshes;
            if count.requests == 0 {
                state.parties.remove(&self.party);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pool::Pool;
    use super::*;

    #[test]
    fn a_flood_of_one_receiver_is_beyond_its_share_and_no_other_is() {
        let (pool, waits) = (Pool::new(0), Waits::new(2, 100));
        let (flooded, other) = (pool.party("flooded"), pool.party("other"));
        let mut held: Vec<_> = (0..3).map(|_| waits.begin(flooded, 1)).collect();
        assert_eq!(held.iter().map(|wait| wait.is_beyond_share).collect::<Vec<_>>(), [false, false, true]);
        assert!(!waits.begin(other, 1).is_beyond_share);
        held.truncate(1);
        assert!(!waits.begin(flooded, 1).is_beyond_share);
        drop(held);
        assert!(waits.state.lock().parties.is_empty());
    }

    #[test]
    fn one_receiver_waits_for_half_of_the_refreshes_at_most_and_all_together_for_all() {
        let (pool, waits) = (Pool::new(0), Waits::new(10, 100));
        let [a, b, c] = ["a", "b", "c"].map(|name| pool.party(name));
        let wait = |party, refreshes| waits.begin(party, refreshes);
        assert!(wait(a, 51).is_beyond_share && !wait(a, 50).is_beyond_share);
        let held = [wait(a, 50), wait(b, 49)];
        assert!(wait(a, 1).is_beyond_share && !wait(c, 1).is_beyond_share && wait(c, 2).is_beyond_share);
        drop(held);
        assert!(!wait(c, 50).is_beyond_share);
        assert_eq!(waits.state.lock().refreshes, 0);
    }
}
