//! The pauses and bounds of a pursuit, each with its reason.

use std::time::Duration;

/// What a pursuit goes by. All pauses are multiples of one unit, so that tests can shorten them together.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The first pause, 5 s as shipped: a registry that restarts is back by then.
    unit: Duration,
    /// How long a push is followed up; `None`: nothing is written again, outcomes are still observed.
    follow_up_for: Option<Duration>,
    /// Whether no other replica can be pursuing what this process finds at its start.
    alone: bool,
}

impl Rules {
    /// The default of `--follow-up-for`.
    pub const FOLLOW_UP_FOR: Duration = Duration::from_secs(3600);
    /// Two looks within one second of Kargo's clock bear the same date. The second of them begins and ends within it;
    /// the rest is for the messages.
    pub(super) const SAME_SECOND: Duration = Duration::from_millis(1500);
    /// 5 s, 15 s, 45 s, 2 min, then every 5 min: most failures are short, and a registry that is down for long is not
    /// hammered.
    const PAUSES: [u32; 5] = [1, 3, 9, 24, 60];
    /// 5 s and 30 s: caches in front of registries expire within seconds.
    const LATE: [u32; 2] = [1, 6];
    /// A minute: a controller that lives takes a token up within a second.
    const NOT_HANDLED: u32 = 12;
    /// The leader takes over what another replica should have asked again this long ago.
    const GRACE: u32 = 6;

    /// The rules.
    #[must_use]
    pub const fn new(unit: Duration, follow_up_for: Option<Duration>, alone: bool) -> Self {
        Self { unit, follow_up_for, alone }
    }

    /// Whether Kargo is asked again at all.
    #[must_use]
    pub const fn follows_up(&self) -> bool {
        self.follow_up_for.is_some()
    }

    /// How long a push is pursued.
    pub(super) fn bound(&self) -> Duration {
        self.follow_up_for.unwrap_or(Self::FOLLOW_UP_FOR)
    }

    pub(super) fn pause(&self, attempt: usize) -> Duration {
        self.unit * Self::PAUSES.get(attempt).or(Self::PAUSES.last()).copied().unwrap_or(1)
    }

    /// The pause before Kargo is asked again for a push that it did not list; `None` once that was asked often enough.
    pub(super) fn late_pause(&self, step: usize) -> Option<Duration> {
        Self::LATE.get(step).filter(|_| self.follows_up()).map(|units| self.unit * *units)
    }

    pub(super) fn not_handled_after(&self) -> Duration {
        self.unit * Self::NOT_HANDLED
    }

    /// How much later than the writer of a token the leader asks again.
    pub(super) fn grace(&self, resumed: bool) -> Duration {
        let longest = Self::PAUSES.last().copied().unwrap_or(1);
        match (resumed, self.alone) {
            // How long the writer has been pausing is unknown, so it gets the longest pause.
            (true, false) => self.unit * (longest + Self::GRACE),
            (true, true) => Duration::ZERO,
            (false, _) => self.unit * Self::GRACE,
        }
    }

    /// How long the clocks may remain unknown before one Warehouse is asked just to learn them.
    pub(super) fn unsure_for(&self) -> Duration {
        self.unit * Self::NOT_HANDLED
    }
}
