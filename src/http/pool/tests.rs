use std::pin::pin;
use std::task::{Context, Poll, Waker};

use std::time::Duration;

use super::*;

const UNIT: usize = 100;

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn granted(pool: &Arc<Pool>, receiver: &str) -> Turn {
    match poll(pin!(pool.turn(pool.party(receiver), UNIT))) {
        Poll::Ready(turn) => turn,
        Poll::Pending => panic!("there is no room for {receiver}"),
    }
}

fn is_revoked(turn: &Turn) -> bool {
    turn.pool.state.lock().turns[&turn.number].is_revoked
}

/// Waits for as long as a sender is patient, and lets `waiting` notice it.
async fn lose_patience<T>(mut waiting: std::pin::Pin<&mut impl Future<Output = T>>) {
    assert!(poll(waiting.as_mut()).is_pending());
    tokio::time::advance(PATIENCE + Duration::from_millis(1)).await;
    assert!(poll(waiting.as_mut()).is_pending());
}

#[tokio::test(start_paused = true)]
async fn no_receiver_takes_more_than_half() {
    let pool = Pool::new(8 * UNIT);
    let held: Vec<_> = (0..4).map(|_| granted(&pool, "flooded")).collect();
    let mut fifth = pin!(pool.turn(pool.party("flooded"), UNIT));
    assert!(poll(fifth.as_mut()).is_pending());
    let other = granted(&pool, "other");
    drop(held);
    assert!(poll(fifth.as_mut()).is_ready());
    drop(other);
    assert_eq!((pool.used(), pool.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_turn_goes_to_the_receiver_that_holds_least() {
    let pool = Pool::new(4 * UNIT);
    let (a1, a2, b1, b2) = (granted(&pool, "a"), granted(&pool, "a"), granted(&pool, "b"), granted(&pool, "b"));
    let mut again = pin!(pool.turn(pool.party("a"), UNIT));
    let mut first = pin!(pool.turn(pool.party("c"), UNIT));
    assert!(poll(again.as_mut()).is_pending() && poll(first.as_mut()).is_pending());
    drop(a1);
    assert!(poll(again.as_mut()).is_pending());
    let Poll::Ready(_first) = poll(first.as_mut()) else { panic!("it holds least") };
    drop((a2, b1, b2));
    assert!(poll(again.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_trickles_loses_its_turn_to_one_that_waits_and_a_steady_one_does_not() {
    let pool = Pool::new(4 * UNIT);
    let (steady, trickles) = (granted(&pool, "a"), granted(&pool, "a"));
    steady.received(UNIT / 2);
    trickles.received(1);
    let mut next = pin!(pool.turn(pool.party("a"), UNIT));
    lose_patience(next.as_mut()).await;
    assert!(is_revoked(&trickles) && !is_revoked(&steady));
    trickles.revoked().await;
    drop(trickles);
    assert!(poll(next.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn nobody_loses_a_turn_that_is_not_waited_for() {
    let pool = Pool::new(4 * UNIT);
    let trickles = granted(&pool, "a");
    tokio::time::advance(BODY_TIMEOUT).await;
    let _other = granted(&pool, "a");
    assert!(!is_revoked(&trickles));
}

#[tokio::test(start_paused = true)]
async fn whatever_two_receivers_do_a_third_gets_its_share() {
    let pool = Pool::new(4 * UNIT);
    let parties = ["a", "a", "b", "b"];
    let turns: Vec<_> = parties.iter().map(|party| granted(&pool, party)).collect();
    // None of them trickles: each completes just in time.
    for turn in &turns {
        turn.received(UNIT - 1);
    }
    let mut third = pin!(pool.turn(pool.party("c"), UNIT));
    lose_patience(third.as_mut()).await;
    assert_eq!(turns.iter().filter(|turn| is_revoked(turn)).count(), 1, "one is enough");
    // A receiver that has its share already waits.
    let mut more = pin!(pool.turn(pool.party("b"), UNIT));
    lose_patience(more.as_mut()).await;
    assert_eq!(turns.iter().filter(|turn| is_revoked(turn)).count(), 1);
    drop(turns.into_iter().filter(is_revoked).collect::<Vec<_>>());
    assert!(poll(third.as_mut()).is_ready());
}

#[tokio::test(start_paused = true)]
async fn whatever_stops_waiting_is_counted_back() {
    let pool = Pool::new(2 * UNIT);
    let first = granted(&pool, "a");
    {
        let mut gives_up = pin!(pool.turn(pool.party("a"), UNIT));
        assert!(poll(gives_up.as_mut()).is_pending());
        // It is granted a turn that it never takes.
        drop(first);
        assert_eq!(pool.used(), UNIT);
    }
    assert_eq!((pool.used(), pool.waiting()), (0, 0));
}
