//! The connections of a port, and which of them leaves when a new one comes and every place is taken.
//!
//! A connection waits for its client (a handshake, a request head, a body, the next request) or works on an answer.
//! When the port is full, a newcomer gets the place of the connection that has waited for its client longest; newcomers
//! are served in the order in which they came. So neither silent nor slow connections, however many, can lock others
//! out, and a request that is complete is never given up. If all are at work, the newcomer waits for the first to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// All connections of a port. Only one task may [`Self::admit`].
pub(super) struct Crowd {
    places: usize,
    state: Mutex<State>,
    /// Notified when something happened that the newcomer may wait for.
    changed: Notify,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// Asked to leave and not gone yet.
    leaving: usize,
    /// Whether a newcomer waits.
    newcomer: bool,
    turns: u64,
    /// The connections that wait for their client, the longest first.
    waiting: BTreeMap<u64, Arc<Notify>>,
}

/// The place of one connection, from [`Crowd::admit`] until it is dropped.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    /// The number under which it waits; [`WORKING`] while it does not. A number that no longer waits belongs to a
    /// connection that was asked to leave. Changes only under the crowd's lock.
    turn: AtomicU64,
    call: Arc<Notify>,
}

const WORKING: u64 = 0;

impl Crowd {
    /// An empty one with that many places.
    #[must_use]
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, state: Mutex::default(), changed: Notify::new() })
    }

    /// A place, once there is one. `on_call` is called whenever a connection is asked to leave.
    pub(super) async fn admit(self: &Arc<Self>, on_call: impl Fn()) -> Place {
        loop {
            {
                let mut state = self.state.lock();
                state.newcomer = state.taken >= self.places;
                if !state.newcomer {
                    state.taken += 1;
                    break;
                }
                if state.leaving == 0
                    && let Some((_, call)) = state.waiting.pop_first()
                {
                    state.leaving += 1;
                    call.notify_one();
                    on_call();
                }
            }
            self.changed.notified().await;
        }
        let place = Place { crowd: Arc::clone(self), turn: AtomicU64::new(WORKING), call: Arc::default() };
        place.waits();
        place
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        if state.newcomer {
            self.changed.notify_one();
        }
        result
    }
}

impl State {
    /// A connection that was asked to leave but became busy again no longer counts as leaving.
    fn stop_waiting(&mut self, turn: u64) {
        if turn != WORKING && self.waiting.remove(&turn).is_none() {
            self.leaving -= 1;
        }
    }
}

impl Place {
    /// From now on it is the client's turn.
    pub(super) fn waits(&self) {
        self.crowd.change(|state| {
            state.stop_waiting(self.turn.load(Ordering::Relaxed));
            state.turns += 1;
            state.waiting.insert(state.turns, Arc::clone(&self.call));
            self.turn.store(state.turns, Ordering::Relaxed);
        });
    }

    /// From now on it is our turn.
    pub(super) fn works(&self) {
        self.crowd.change(|state| {
            state.stop_waiting(self.turn.swap(WORKING, Ordering::Relaxed));
        });
    }

    /// Completes when the connection is asked to leave. One that has become busy or begun to wait again since then
    /// stays.
    pub(super) async fn called(&self) {
        loop {
            self.call.notified().await;
            let turn = self.turn.load(Ordering::Relaxed);
            if turn != WORKING && !self.crowd.state.lock().waiting.contains_key(&turn) {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.change(|state| {
            state.stop_waiting(self.turn.load(Ordering::Relaxed));
            state.taken -= 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn admit(crowd: &Arc<Crowd>) -> Place {
        match poll(crowd.admit(|| ())) {
            Poll::Ready(place) => place,
            Poll::Pending => panic!("no place"),
        }
    }

    fn is_called(place: &Place) -> bool {
        poll(place.called()).is_ready()
    }

    #[test]
    fn a_newcomer_gets_the_place_of_whom_we_waited_for_longest() {
        let crowd = Crowd::new(3);
        let (first, second, third) = (admit(&crowd), admit(&crowd), admit(&crowd));
        first.works();
        first.waits();
        let mut newcomer = pin!(crowd.admit(|| ()));
        assert!(poll(newcomer.as_mut()).is_pending());
        assert_eq!((is_called(&first), is_called(&second), is_called(&third)), (false, true, false));
        assert!(poll(newcomer.as_mut()).is_pending(), "one is enough");
        assert!(!is_called(&third));
        drop(second);
        assert!(poll(newcomer.as_mut()).is_ready());
    }

    #[test]
    fn nobody_who_works_has_to_go() {
        let crowd = Crowd::new(2);
        let (first, second) = (admit(&crowd), admit(&crowd));
        first.works();
        second.works();
        let mut newcomer = pin!(crowd.admit(|| ()));
        assert!(poll(newcomer.as_mut()).is_pending());
        assert!(!is_called(&first) && !is_called(&second));
        // It has answered, and its client may take its time: the newcomer does not.
        first.waits();
        assert!(poll(newcomer.as_mut()).is_pending());
        assert!(is_called(&first));
        drop(first);
        assert!(poll(newcomer.as_mut()).is_ready());
    }

    #[test]
    fn a_request_that_comes_at_the_last_moment_is_served_and_somebody_else_has_to_go() {
        let crowd = Crowd::new(2);
        let (first, second) = (admit(&crowd), admit(&crowd));
        let mut newcomer = pin!(crowd.admit(|| ()));
        assert!(poll(newcomer.as_mut()).is_pending());
        first.works();
        assert!(!is_called(&first), "it works now");
        assert!(poll(newcomer.as_mut()).is_pending());
        assert!(is_called(&second));
        drop(second);
        assert!(poll(newcomer.as_mut()).is_ready());
        assert_eq!(crowd.state.lock().leaving, 0);
    }

    #[test]
    fn a_place_that_becomes_free_is_taken_and_everything_is_counted_back() {
        let crowd = Crowd::new(1);
        for _ in 0..3 {
            let only = admit(&crowd);
            only.works();
            let mut newcomer = pin!(crowd.admit(|| ()));
            assert!(poll(newcomer.as_mut()).is_pending());
            drop(only);
            let Poll::Ready(newcomer) = poll(newcomer.as_mut()) else { panic!("the place is free") };
            drop(newcomer);
        }
        let state = crowd.state.lock();
        assert_eq!((state.taken, state.leaving, state.waiting.len()), (0, 0, 0));
    }
}
