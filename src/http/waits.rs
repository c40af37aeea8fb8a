//! How many requests of each receiver wait for their refreshes to be written.
//!
//! Each holds a connection, and a request that is complete is never given up. So a flood of one receiver must not hold
//! all of them: beyond its share, it is answered as soon as the disk has what is owed.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::pool::Party;

/// The requests that wait.
pub(super) struct Waits {
    most: usize,
    counts: Mutex<HashMap<Party, usize>>,
}

/// One request that waits, until it is dropped.
pub(super) struct Wait<'a> {
    waits: &'a Waits,
    party: Party,
    /// Whether its receiver has its share without it.
    pub(super) is_beyond_share: bool,
}

impl Waits {
    /// At most that many for one receiver.
    pub(super) fn new(most: usize) -> Self {
        Self { most, counts: Mutex::default() }
    }

    /// Counts a request.
    pub(super) fn begin(&self, party: Party) -> Wait<'_> {
        let mut counts = self.counts.lock();
        let count = counts.entry(party).or_default();
        *count += 1;
        Wait { waits: self, party, is_beyond_share: *count > self.most }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut counts = self.waits.counts.lock();
        if let Some(count) = counts.get_mut(&self.party) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.party);
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
        let (pool, waits) = (Pool::new(0), Waits::new(2));
        let (flooded, other) = (pool.party("flooded"), pool.party("other"));
        let mut held: Vec<_> = (0..3).map(|_| waits.begin(flooded)).collect();
        assert_eq!(held.iter().map(|wait| wait.is_beyond_share).collect::<Vec<_>>(), [false, false, true]);
        assert!(!waits.begin(other).is_beyond_share);
        held.truncate(1);
        assert!(!waits.begin(flooded).is_beyond_share);
        drop(held);
        assert!(waits.counts.lock().is_empty());
    }
}
