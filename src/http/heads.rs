//! Request heads that outgrow the usual buffer.
//!
//! Few senders have such heads, so there is memory for few. Beyond it, the connection that has been at its head or body
//! longest is closed for the new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The connections that have a large head.
pub(super) struct Heads {
    limit: usize,
    state: Mutex<(u64, BTreeMap<u64, Arc<Notify>>)>,
}

impl Heads {
    /// At most that many.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default() })
    }

    /// How many there may be.
    #[cfg(test)]
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    /// Adds one, which is called when it has to go.
    pub(super) fn add(&self, call: Arc<Notify>) -> u64 {
        let mut state = self.state.lock();
        let (next, heads) = &mut *state;
        *next += 1;
        heads.insert(*next, call);
        if heads.len() > self.limit
            && let Some((_, oldest)) = heads.pop_first()
        {
            oldest.notify_one();
        }
        *next
    }

    /// Removes one that is complete, or gone.
    pub(super) fn remove(&self, number: u64) {
        self.state.lock().1.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_one_that_is_complete_does_not() {
        let heads = Heads::new(2);
        let calls: Vec<Arc<Notify>> = (0..4).map(|_| Arc::default()).collect();
        let is_called = |call: &Arc<Notify>| {
            let mut notified = std::pin::pin!(call.notified());
            notified.as_mut().enable()
        };
        let first = heads.add(Arc::clone(&calls[0]));
        heads.add(Arc::clone(&calls[1]));
        heads.remove(first);
        heads.add(Arc::clone(&calls[2]));
        assert!(!calls.iter().any(is_called));
        heads.add(Arc::clone(&calls[3]));
        assert_eq!(calls.iter().map(is_called).collect::<Vec<_>>(), [false, true, false, false]);
    }
}
