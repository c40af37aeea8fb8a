//! The times, each with its reason. All are multiples of one, so that a test can compress them together.

use std::time::Duration;

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How often each repository is looked at. Quay attempts every 40 s and switches off after three failures; what
    /// then waits is thrown away within 40 s of the last failure.
    pub beat: Duration,
}

impl Rules {
    /// How often after an outage of our own, when notifications are likely to be switched off.
    #[must_use]
    pub fn hurry(&self) -> Duration {
        self.beat / 3
    }

    /// How long after it: five attempts take 160 s.
    #[must_use]
    pub fn hurry_for(&self) -> Duration {
        self.beat * 6
    }

    /// How long a notification with a former URL stays beside the new one: 160 s, in which Quay has attempted all that
    /// waits for it; deleting it throws away the rest.
    #[must_use]
    pub fn overlap(&self) -> Duration {
        self.beat * 16 / 3
    }

    /// How long a new notification has to be without a failure after its test, until the test counts as arrived
    /// although this replica has not seen it: two attempts of Quay, which may have reached another replica.
    #[must_use]
    pub fn proof(&self) -> Duration {
        self.beat * 8 / 3
    }

    /// The first pause for a repository that is refused; doubled up to [`Self::longest_refusal`].
    #[must_use]
    pub fn refusal(&self) -> Duration {
        self.beat * 2
    }

    /// The longest pause for a repository that is refused.
    #[must_use]
    pub fn longest_refusal(&self) -> Duration {
        self.beat * 20
    }

    /// The first pause of a whole registration whose sender is away; doubled up to the beat.
    #[must_use]
    pub fn away(&self) -> Duration {
        self.beat / 15
    }

    /// How long a deleted registration waits while its sender lets no notification be removed.
    #[must_use]
    pub fn farewell(&self) -> Duration {
        self.beat * 4
    }

    /// How long it waits at most, also for a sender that is slow.
    #[must_use]
    pub fn longest_farewell(&self) -> Duration {
        self.beat * 40
    }

    /// How often the repositories of a namespace are listed again.
    #[must_use]
    pub fn relist(&self) -> Duration {
        self.beat * 20
    }
}

/// Resets of one notification that did not help before only a probe is reset: as many as Quay has attempts, so that
/// what waits arrives if the receiver is back within them.
pub const RESETS: u8 = 5;

/// Failures after which Quay switches a notification off.
pub const SWITCHED_OFF: u32 = 3;
