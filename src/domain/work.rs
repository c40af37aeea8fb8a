//! How much work one request may cause: counted, so that the same request always comes to the same answer.

/// Steps that a request may take, each a few nanoseconds. Ordinary requests need some thousands; this many end within
/// a quarter of a second on a slow machine.
const REQUEST: u64 = 20_000_000;

/// The steps that are left. What qualifiers, files, patterns and subscriptions cost is taken from the same number, so
/// that no combination of them multiplies.
#[derive(Debug)]
pub struct Work(u64);

/// Nothing is left to find out the answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Default for Work {
    fn default() -> Self {
        Self(REQUEST)
    }
}

impl Work {
    /// That many steps.
    #[must_use]
    pub const fn of(steps: u64) -> Self {
        Self(steps)
    }

    /// Takes steps.
    ///
    /// # Errors
    /// [`Exhausted`] when fewer are left; none is left then.
    pub fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Exhausted)
    }

    /// Takes the steps for reading that many bytes once.
    ///
    /// # Errors
    /// As for [`Self::spend`].
    pub fn read(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(1 + bytes as u64 / 8)
    }

    /// Takes half of what is left, so that one subscription leaves something to the others whatever it wants.
    #[must_use]
    pub const fn take_half(&mut self) -> Self {
        let half = self.0 / 2;
        self.0 -= half;
        Self(half)
    }

    /// Adds what was not needed of another one.
    pub const fn give_back(&mut self, rest: &Self) {
        self.0 += rest.0;
    }

    /// The steps that are left.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.0
    }
}
