//! What to do about the notifications of one repository: pure, time is passed in.
//!
//! A plan is made from a fresh list, never from memory, so nothing is created twice. Memory only knows what a list does
//! not say: how long a rotation has lasted, and which resets did not help.

use std::time::Instant;

use jiff::Timestamp;

use super::rules::{RESETS, Rules, SWITCHED_OFF};

/// A time, by the steady clock for pauses and by the wall clock for people.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For pauses.
    pub steady: Instant,
    /// For people.
    pub wall: Timestamp,
}

/// Whose a notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Ours, with the URL that the receiver has.
    Current,
    /// Ours, with a URL that the receiver had.
    Former,
    /// Another's, and never touched.
    Other,
}

/// A notification, as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its id.
    pub id: &'a str,
    /// The event that it is about.
    pub event: &'a str,
    /// How often it has failed in a row.
    pub failures: u32,
    /// Whether it is switched on.
    pub is_active: bool,
    /// Whose it is.
    pub whose: Whose,
}

impl Seen<'_> {
    fn is_off(&self) -> bool {
        !self.is_active || self.failures >= SWITCHED_OFF
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask whether the repository is there and may be administrated: an empty list does not say.
    Inspect,
    /// Create a notification of this event, and have it tested if it takes another's place.
    Create {
        /// The event.
        event: Box<str>,
        /// Whether to have it tested.
        test: bool,
    },
    /// Have a notification tested.
    Test(Box<str>),
    /// Switch a notification on again.
    Enable(Box<str>),
    /// Delete one of ours.
    Delete(Box<str>),
}

/// What is wanted of a repository.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The events to be notified.
    pub events: &'a [&'static str],
    /// Whether to switch on again what was switched off.
    pub heals: bool,
    /// Whether the sender switches notifications off, so that new URLs have to be tested and old ones outlive them.
    pub queues: bool,
    /// Whether one may be switched on again that was in vain for so often that only a probe still is.
    pub is_probe: bool,
}

/// How a repository stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Refused by the sender.
    Refused,
    /// Its notification is switched off.
    Disabled,
    /// Its notification has failed.
    Failing,
    /// Its notification with the new URL is not proven yet.
    Rotating,
    /// Its notification is being removed.
    Leaving,
    /// Not looked at yet.
    Pending,
    /// All is well.
    Healthy,
}

impl State {
    /// Every state, the worst first.
    pub const ALL: [Self; 7] =
        [Self::Refused, Self::Disabled, Self::Failing, Self::Rotating, Self::Leaving, Self::Pending, Self::Healthy];

    /// Its name in the status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "Refused",
            Self::Disabled => "Disabled",
            Self::Failing => "Failing",
            Self::Rotating => "Rotating",
            Self::Leaving => "Leaving",
            Self::Pending => "Pending",
            Self::Healthy => "Healthy",
        }
    }
}

/// A URL that takes the place of another.
#[derive(Clone, Copy, Debug)]
struct Rotation {
    /// Since when the new notification is there.
    since: Instant,
    /// When a test of it was last asked for.
    tested: Instant,
    /// Whether a call came to the new URL.
    arrived: bool,
}

/// What is remembered of a repository.
#[derive(Debug)]
pub struct Repository {
    /// Whether it is to have notifications.
    pub(super) is_wanted: bool,
    /// How it stood when it was last looked at.
    pub(super) state: State,
    /// The most failures of a notification then.
    pub(super) failures: u32,
    /// Since when its notification was seen switched off.
    pub(super) disabled: Option<Timestamp>,
    /// When it was last looked at.
    pub(super) checked: Option<Timestamp>,
    /// When its notification was last switched on again.
    pub(super) healed: Option<Timestamp>,
    /// Resets since it was last seen without a failure.
    pub(super) resets: u8,
    rotation: Option<Box<Rotation>>,
}

impl Repository {
    pub(super) const fn new() -> Self {
        Self {
            is_wanted: true,
            state: State::Pending,
            failures: 0,
            disabled: None,
            checked: None,
            healed: None,
            resets: 0,
            rotation: None,
        }
    }

    /// What to do, given all notifications that the repository has.
    pub(super) fn plan(&mut self, seen: &[Seen<'_>], wish: &Wish<'_>, rules: &Rules, now: Moment) -> Vec<Step> {
        self.checked = Some(now.wall);
        let ours = || seen.iter().filter(|hook| hook.whose != Whose::Other);
        if !self.is_wanted {
            self.state = State::Leaving;
            return ours().map(|hook| Step::Delete(hook.id.into())).collect();
        }
        let mut steps = Vec::new();
        let mut kept = Vec::new();
        let has_former = |event: &str| ours().any(|hook| hook.event == event && hook.whose == Whose::Former);
        for event in wish.events {
            // One that is switched on goes before one that is off; the id makes the choice the same every time.
            let mut current: Vec<_> =
                ours().filter(|hook| hook.event == *event && hook.whose == Whose::Current).collect();
            current.sort_by_key(|hook| (hook.is_off(), hook.failures, hook.id));
            let mut current = current.into_iter();
            match current.next() {
                Some(first) => kept.push(first),
                None => steps.push(Step::Create { event: (*event).into(), test: wish.queues && has_former(event) }),
            }
            steps.extend(current.map(|double| Step::Delete(double.id.into())));
        }
        let is_created = steps.iter().any(|step| matches!(step, Step::Create { .. }));
        if is_created {
            steps.insert(0, Step::Inspect);
        }
        let unwanted = ours().filter(|hook| !wish.events.contains(&hook.event));
        steps.extend(unwanted.map(|hook| Step::Delete(hook.id.into())));
        let former: Vec<_> =
            ours().filter(|hook| wish.events.contains(&hook.event) && hook.whose == Whose::Former).collect();
        self.judge(&kept, wish, now, &mut steps);
        self.rotate(&kept, &former, is_created, wish, rules, now, &mut steps);
        steps
    }

    /// Notes failures, and switches on again what is off.
    fn judge(&mut self, kept: &[&Seen<'_>], wish: &Wish<'_>, now: Moment, steps: &mut Vec<Step>) {
        self.failures = kept.iter().map(|hook| hook.failures).max().unwrap_or_default();
        let off: Vec<_> = kept.iter().filter(|hook| hook.is_off()).collect();
        if off.is_empty() {
            self.state = if self.failures > 0 { State::Failing } else { State::Healthy };
            if self.failures == 0 {
                self.resets = 0;
            }
            return;
        }
        if self.state != State::Disabled {
            self.disabled = Some(now.wall);
        }
        self.state = State::Disabled;
        if wish.heals && (self.resets < RESETS || wish.is_probe) {
            for hook in off {
                steps.push(Step::Enable(hook.id.into()));
                if self.resets >= RESETS {
                    steps.push(Step::Test(hook.id.into()));
                }
            }
        }
    }

    /// Keeps notifications with a former URL until the new one is proven and what waits for them has been attempted.
    #[expect(clippy::too_many_arguments, reason = "parts of one plan")]
    fn rotate(
        &mut self,
        kept: &[&Seen<'_>],
        former: &[&Seen<'_>],
        is_created: bool,
        wish: &Wish<'_>,
        rules: &Rules,
        now: Moment,
        steps: &mut Vec<Step>,
    ) {
        if former.is_empty() {
            self.rotation = None;
            return;
        }
        if !wish.queues {
            // The new one is created in front of this.
            steps.extend(former.iter().map(|hook| Step::Delete(hook.id.into())));
            return;
        }
        if self.state == State::Healthy {
            self.state = State::Rotating;
        }
        let begin = Rotation { since: now.steady, tested: now.steady, arrived: false };
        if is_created {
            self.rotation = Some(Box::new(begin));
            return;
        }
        let tests = kept.iter().map(|hook| Step::Test(hook.id.into()));
        let Some(rotation) = &mut self.rotation else {
            // Another leader has begun it.
            self.rotation = Some(Box::new(begin));
            steps.extend(tests);
            return;
        };
        let has_failed = kept.iter().any(|hook| hook.failures > 0);
        let waited = now.steady.saturating_duration_since(rotation.tested);
        if !rotation.arrived && !has_failed && waited >= rules.proof() {
            rotation.arrived = true;
        }
        if !rotation.arrived && has_failed && waited >= rules.beat {
            rotation.tested = now.steady;
            steps.extend(tests);
        }
        if rotation.arrived && now.steady.saturating_duration_since(rotation.since) >= rules.overlap() {
            steps.extend(former.iter().map(|hook| Step::Delete(hook.id.into())));
        }
    }

    /// A notification was switched on again.
    pub(super) fn enabled(&mut self, now: Moment) {
        self.resets = self.resets.saturating_add(1);
        self.healed = Some(now.wall);
    }

    /// A call for the repository came to the receiver's present URL.
    pub(super) fn arrived(&mut self) {
        if let Some(rotation) = &mut self.rotation {
            rotation.arrived = true;
        }
    }

    /// Since when calls to the new URL count as its proof; `None` when none is waited for.
    pub(super) fn awaits(&self) -> Option<Instant> {
        self.rotation.as_ref().filter(|rotation| !rotation.arrived).map(|rotation| rotation.since)
    }

    /// Whether only a probe may still be switched on again.
    pub(super) fn is_in_vain(&self) -> bool {
        self.state == State::Disabled && self.resets >= RESETS
    }
}
