//! A work queue of keys: a key is worked on by one worker at a time, and one that is added while it waits or is worked
//! on is worked on once more, not many times.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::process::supervisor::caught_async;

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

    /// Works on the keys with so many workers until `stop` is cancelled; work that has begun is finished. A key whose
    /// work panics is handed to `panicked`.
    pub async fn run<F, W, P>(self: Arc<Self>, workers: usize, stop: CancellationToken, work: F, panicked: P)
    where
        F: Fn(K) -> W + Clone + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
        P: Fn(K) + Clone + Send + Sync + 'static,
    {
        let mut running = JoinSet::new();
        for _ in 0..workers {
            let (queue, stop, work, panicked) = (Arc::clone(&self), stop.clone(), work.clone(), panicked.clone());
            running.spawn(async move {
                while let Some(key) = stop.run_until_cancelled(queue.next()).await {
                    if caught_async("an object of the controller", work(key.clone())).await.is_none() {
                        panicked(key.clone());
                    }
                    queue.done(key);
                }
            });
        }
        while let Some(ended) = running.join_next().await {
            // A panic outside the work for one key ends the queue.
            if let Some(Ok(panic)) = ended.err().map(JoinError::try_into_panic) {
                resume_unwind(panic);
            }
        }
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
        queue.run(4, stop, work, |_| {}).await;
        assert_eq!(seen.lock().len(), 100);
    }

    #[tokio::test]
    async fn a_key_whose_work_panics_costs_no_other_key_its_worker() {
        let (queue, stop) = (Arc::<Queue<u32>>::default(), CancellationToken::new());
        [13, 1, 13, 2].into_iter().for_each(|key| queue.add(key));
        let (seen, odd) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (record, ending, panicked) = (Arc::clone(&seen), stop.clone(), Arc::clone(&odd));
        let work = move |key| {
            let (record, ending) = (Arc::clone(&record), ending.clone());
            async move {
                assert_ne!(key, 13, "provoked");
                record.lock().push(key);
                if key == 2 {
                    ending.cancel();
                }
            }
        };
        queue.run(1, stop, work, move |key| panicked.lock().push(key)).await;
        assert_eq!((seen.lock().clone(), odd.lock().clone()), (vec![1, 2], vec![13]));
    }
}
