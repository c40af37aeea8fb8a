//! A work queue of keys: a key is worked on by one worker at a time, and one that is added while it waits or is worked on
//! is worked on once more, not many times.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The queue. Bounded by the number of distinct keys.
pub struct Queue<K> {
    state: Mutex<State<K>>,
    added: Notify,
}

struct State<K> {
    waiting: VecDeque<K>,
    /// The keys in `waiting`.
    queued: HashSet<K>,
    running: HashSet<K>,
    /// Keys that were added while they were worked on.
    again: HashSet<K>,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        let state =
            State { waiting: VecDeque::new(), queued: HashSet::new(), running: HashSet::new(), again: HashSet::new() };
        Self { state: Mutex::new(state), added: Notify::new() }
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Queue<K> {
    /// Adds a key, unless it waits already.
    pub fn add(&self, key: K) {
        let mut state = self.state.lock();
        if state.running.contains(&key) {
            state.again.insert(key);
        } else if state.queued.insert(key.clone()) {
            state.waiting.push_back(key);
            drop(state);
            self.added.notify_one();
        }
    }

    /// Adds a key after a while.
    pub fn add_after(self: &Arc<Self>, key: K, delay: Duration) {
        let queue = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            queue.add(key);
        });
    }

    /// Works on the keys with so many workers until `stop` is cancelled; work that has begun is finished.
    pub async fn run<F, W>(self: Arc<Self>, workers: usize, stop: CancellationToken, work: F)
    where
        F: Fn(K) -> W + Clone + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let tracker = TaskTracker::new();
        for _ in 0..workers {
            let (queue, stop, work) = (Arc::clone(&self), stop.clone(), work.clone());
            tracker.spawn(async move {
                while let Some(key) = stop.run_until_cancelled(queue.next()).await {
                    work(key.clone()).await;
                    queue.done(key);
                }
            });
        }
        tracker.close();
        tracker.wait().await;
    }

    async fn next(&self) -> K {
        loop {
            // Registered before the look, so that a key added in between is not missed.
            let added = self.added.notified();
            if let Some(key) = self.take() {
                return key;
            }
            added.await;
        }
    }

    fn take(&self) -> Option<K> {
        let mut state = self.state.lock();
        let key = state.waiting.pop_front()?;
        state.queued.remove(&key);
        state.running.insert(key.clone());
        if !state.waiting.is_empty() {
            // One permit may have stood for several keys.
            self.added.notify_one();
        }
        Some(key)
    }

    fn done(&self, key: K) {
        let mut state = self.state.lock();
        state.running.remove(&key);
        let again = state.again.remove(&key);
        drop(state);
        if again {
            self.add(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_added_while_it_is_worked_on_is_worked_on_once_more() {
        let queue: Arc<Queue<u32>> = Arc::default();
        queue.add(1);
        queue.add(1);
        assert_eq!(queue.next().await, 1);
        queue.add(1);
        queue.add(1);
        assert!(queue.take().is_none());
        queue.done(1);
        assert_eq!(queue.next().await, 1);
        queue.done(1);
        assert!(queue.take().is_none());
    }

    #[tokio::test]
    async fn every_key_is_worked_on_and_running_ends_with_the_token() {
        let (queue, stop) = (Arc::<Queue<u32>>::default(), CancellationToken::new());
        (0..100).for_each(|key| queue.add(key));
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let (record, ending) = (Arc::clone(&seen), stop.clone());
        let work = move |key| {
            let (record, ending) = (Arc::clone(&record), ending.clone());
            async move {
                let mut seen = record.lock();
                seen.insert(key);
                if seen.len() == 100 {
                    ending.cancel();
                }
            }
        };
        queue.run(4, stop, work).await;
        assert_eq!(seen.lock().len(), 100);
    }
}
