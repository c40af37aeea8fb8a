//! How often a host is called: a token bucket, shared by all clients of the endpoint in this process.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A rate of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    /// The pause that one call is worth.
    every: Duration,
    /// Calls that may come at once.
    burst: u32,
}

/// quay.io allows 5 a second with a burst of 25 for one address; others share ours, so we stay below.
const SHARED: Rate = Rate { every: Duration::from_millis(250), burst: 10 };
/// A Quay of one's own has no limit by default; a Gitea neither. Enough to look at 1,000 repositories in 30 s.
const OWN: Rate = Rate { every: Duration::from_millis(25), burst: 40 };
/// How long nothing is called after the host has said that it was too much and not for how long.
const PAUSE: Duration = Duration::from_secs(10);
/// A host may ask for a longer pause, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The pace of calls to one endpoint.
pub(super) struct Pace(Mutex<Bucket>);

impl Pace {
    /// The pace that suits a host.
    pub(super) fn of(host: &str) -> Self {
        let is_shared = host == "quay.io" || host.ends_with(".quay.io");
        Self(Mutex::new(Bucket::new(if is_shared { SHARED } else { OWN })))
    }

    /// Waits until the next call may be made.
    pub(super) async fn turn(&self) {
        let now = Instant::now();
        let turn = self.0.lock().take(now);
        // The timer counts in milliseconds, and a call that need not wait should not.
        if turn > now {
            tokio::time::sleep_until(turn.into()).await;
        }
    }

    /// The host has answered that it was too much.
    pub(super) fn throttled(&self, retry_after: Option<Duration>) {
        self.0.lock().throttled(Instant::now(), retry_after);
    }
}

/// The bucket. Pure; time is passed in.
struct Bucket {
    rate: Rate,
    /// Until when the calls so far last at that rate.
    spent: Option<Instant>,
    /// Nothing before this.
    paused: Option<Instant>,
}

impl Bucket {
    const fn new(rate: Rate) -> Self {
        Self { rate, spent: None, paused: None }
    }

    /// When the next call may be made, which is then spent.
    fn take(&mut self, now: Instant) -> Instant {
        let start = self.paused.map_or(now, |paused| paused.max(now));
        let spent = self.spent.map_or(start, |spent| spent.max(start));
        self.spent = Some(spent + self.rate.every);
        let turn = spent.checked_sub(self.rate.every * (self.rate.burst - 1)).unwrap_or(start);
        turn.max(start)
    }

    /// From now on at the rate that suits a host with a limit, after a pause and without a burst.
    fn throttled(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.rate = SHARED;
        let until = now + retry_after.unwrap_or(PAUSE).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        let until = self.paused.map_or(until, |paused| paused.max(until));
        self.paused = Some(until);
        self.spent = Some(until + SHARED.every * (SHARED.burst - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turns of calls that are all asked for at one time, in milliseconds from then.
    fn turns(bucket: &mut Bucket, now: Instant, count: usize) -> Vec<u128> {
        (0..count).map(|_| bucket.take(now).duration_since(now).as_millis()).collect()
    }

    fn start() -> Instant {
        // Far enough from the start of the clock that a burst before it can be expressed.
        Instant::now() + Duration::from_hours(1)
    }

    #[test]
    fn ten_at_once_and_then_four_a_second() {
        let (mut bucket, now) = (Bucket::new(SHARED), start());
        let found = turns(&mut bucket, now, 14);
        assert_eq!(found[..10], [0; 10]);
        assert_eq!(found[10..], [250, 500, 750, 1000]);
        // A rest of a second earns what a second is worth.
        assert_eq!(turns(&mut bucket, now + Duration::from_secs(2), 5), [0, 0, 0, 0, 250]);
        assert_eq!(turns(&mut bucket, now + Duration::from_hours(1), 11)[9..], [0, 250]);
    }

    #[test]
    fn quay_io_never_finds_it_too_much() {
        let (mut bucket, now) = (Bucket::new(SHARED), start());
        // Its proxy counts calls, lets 5 a second drain away, and refuses what goes beyond 25.
        let (mut level, mut last) = (0.0_f64, 0);
        for at in turns(&mut bucket, now, 400) {
            level = (level - f64::from(u32::try_from(at - last).unwrap()) * 0.005).max(0.0) + 1.0;
            last = at;
            assert!(level <= 25.0, "{level} at {at} ms");
        }
    }

    #[test]
    fn too_much_means_a_pause_and_the_slow_rate_without_a_burst() {
        let (mut bucket, now) = (Bucket::new(OWN), start());
        assert_eq!(turns(&mut bucket, now, 40), [0; 40]);
        bucket.throttled(now, None);
        assert_eq!(turns(&mut bucket, now, 3), [10_000, 10_250, 10_500]);
        bucket.throttled(now, Some(Duration::from_secs(60)));
        bucket.throttled(now, Some(Duration::from_secs(2)));
        assert_eq!(turns(&mut bucket, now, 2), [60_000, 60_250], "a shorter pause does not end a longer one");
        bucket.throttled(now, Some(Duration::from_hours(24)));
        assert_eq!(turns(&mut bucket, now, 1), [300_000]);
    }

    #[test]
    fn only_quay_io_is_shared() {
        for (host, rate) in [("quay.io", SHARED), ("cdn.quay.io", SHARED), ("notquay.io", OWN), ("quay.example", OWN)] {
            assert_eq!(Pace::of(host).0.lock().rate, rate, "{host}");
        }
    }
}
