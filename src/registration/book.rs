//! All repositories of one registration, and whose turn it is: pure, time is passed in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::plan::{Moment, Repository, Seen, State, Step, Wish};
use super::rules::Rules;
use crate::hooks::Refusal;

/// A repository's name, as the sender has it.
pub type Name = Arc<str>;

/// The repositories of a registration.
pub struct Book {
    rules: Rules,
    repositories: BTreeMap<Name, Entry>,
    /// When each repository that is not being looked at is due.
    order: BTreeSet<(Instant, Name)>,
    /// While the sender as a whole is in trouble.
    trouble: Option<Trouble>,
    /// Faults of the sender in a row, whichever repository they were about.
    faults: u8,
    /// Until when repositories are looked at more often.
    hurry_until: Instant,
    /// When one may be switched on again as a probe.
    probe_at: Instant,
    /// Notifications that were switched on again.
    healed: u64,
}

struct Entry {
    repository: Repository,
    refusal: Option<(Refusal, u8)>,
    /// `None`: it is being looked at.
    due: Option<Instant>,
    /// It is to be looked at again as soon as the running look has ended.
    again: bool,
}

/// What keeps a whole registration from its work.
struct Trouble {
    refusal: Refusal,
    until: Instant,
    pause: Duration,
    /// A call is out to find out whether it is over.
    is_probed: bool,
}

/// Whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// This repository is to be looked at now.
    Look(Name),
    /// Somebody's at this time.
    At(Instant),
    /// Nobody's, until something changes.
    Idle,
}

/// What is known of one repository.
pub struct Page<'a> {
    /// Its name.
    pub name: &'a Name,
    /// What is remembered of it.
    pub repository: &'a Repository,
    /// How it stands.
    pub state: State,
    /// Why the sender refuses it.
    pub refusal: Option<&'a Refusal>,
}

/// Faults of different calls in a row after which the sender as a whole counts as away.
const FAULTS: u8 = 3;

impl Book {
    /// A book without repositories, of a leader that has just begun: nobody watched before.
    #[must_use]
    pub fn new(rules: Rules, now: Instant) -> Self {
        Self {
            rules,
            repositories: BTreeMap::new(),
            order: BTreeSet::new(),
            trouble: None,
            faults: 0,
            hurry_until: now + rules.hurry_for(),
            probe_at: now,
            healed: 0,
        }
    }

    /// These are wanted from now on; all others lose their notifications.
    pub fn want(&mut self, wanted: &BTreeSet<Name>, now: Instant) {
        for (name, entry) in &mut self.repositories {
            let is_wanted = wanted.contains(name);
            if entry.repository.is_wanted != is_wanted {
                entry.repository.is_wanted = is_wanted;
                entry.refusal = None;
                hurry(&mut self.order, name, entry, now);
            }
        }
        for name in wanted {
            if !self.repositories.contains_key(name) {
                self.insert(name, true, now);
            }
        }
    }

    /// This one may have notifications of ours from before, and is wanted no longer.
    pub fn leave(&mut self, name: &Name, now: Instant) {
        if !self.repositories.contains_key(name) {
            self.insert(name, false, now);
        }
    }

    fn insert(&mut self, name: &Name, is_wanted: bool, now: Instant) {
        let mut repository = Repository::new();
        repository.is_wanted = is_wanted;
        self.order.insert((now, Arc::clone(name)));
        let entry = Entry { repository, refusal: None, due: Some(now), again: false };
        self.repositories.insert(Arc::clone(name), entry);
    }

    /// Everything is to be looked at now: the URL, the token or the spec has changed.
    pub fn look_at_all(&mut self, now: Instant) {
        self.trouble = None;
        for (name, entry) in &mut self.repositories {
            entry.refusal = None;
            hurry(&mut self.order, name, entry, now);
        }
    }

    /// Whose turn it is at this time. Whoever gets it has to end it.
    pub fn next(&mut self, now: Instant) -> Turn {
        if let Some(trouble) = &mut self.trouble {
            if now < trouble.until {
                return if self.order.is_empty() { Turn::Idle } else { Turn::At(trouble.until) };
            }
            // One call finds out whether it is over.
            trouble.until = now + self.rules.beat;
            trouble.is_probed = true;
        }
        match self.order.first() {
            Some((due, _)) if *due <= now => {}
            Some((due, _)) => return Turn::At(*due),
            None => return Turn::Idle,
        }
        let Some((_, name)) = self.order.pop_first() else { return Turn::Idle };
        if let Some(entry) = self.repositories.get_mut(&name) {
            entry.due = None;
        }
        Turn::Look(name)
    }

    /// What to do about a repository, given its notifications. `wish` says what is wanted of all.
    pub fn plan(&mut self, name: &str, seen: &[Seen<'_>], wish: &Wish<'_>, now: Moment) -> Vec<Step> {
        self.well(now.steady);
        let Some(entry) = self.repositories.get_mut(name) else { return Vec::new() };
        let was_in_vain = entry.repository.is_in_vain();
        let is_probe = now.steady >= self.probe_at;
        let steps = entry.repository.plan(seen, &Wish { is_probe, ..*wish }, &self.rules, now);
        if was_in_vain && !entry.repository.is_in_vain() {
            // It was switched on again, and has not failed since.
            self.proven(now.steady);
        } else if was_in_vain && steps.iter().any(|step| matches!(step, Step::Enable(_))) {
            self.probe_at = now.steady + self.rules.beat;
        }
        steps
    }

    /// The receiver is reached again: whatever was in vain is worth another attempt at once.
    pub fn proven(&mut self, now: Instant) {
        for (name, entry) in &mut self.repositories {
            if entry.repository.is_in_vain() {
                entry.repository.resets = 0;
                hurry(&mut self.order, name, entry, now);
            }
        }
    }

    /// Whether there is one whose resets were in vain.
    #[must_use]
    pub fn is_in_vain(&self) -> bool {
        self.repositories.values().any(|entry| entry.repository.is_in_vain())
    }

    /// A notification was switched on again.
    pub fn enabled(&mut self, name: &str, now: Moment) {
        self.healed += 1;
        if let Some(entry) = self.repositories.get_mut(name) {
            entry.repository.enabled(now);
        }
    }

    /// The sender has answered as it should. If it was away, its calls may not have come through either.
    fn well(&mut self, now: Instant) {
        self.faults = 0;
        if self.trouble.take().is_some() {
            self.hurry_until = now + self.rules.hurry_for();
            for (name, entry) in &mut self.repositories {
                hurry(&mut self.order, name, entry, now);
            }
        }
    }

    /// A look has ended; with a refusal, if there was one.
    pub fn end(&mut self, name: &str, ended: Result<(), Refusal>, now: Instant) {
        let Some((name, mut entry)) = self.repositories.remove_entry(name) else { return };
        let pause = match ended {
            Ok(()) => {
                entry.refusal = None;
                if entry.repository.state == State::Leaving && !entry.repository.is_wanted {
                    // Everything of ours is removed.
                    return;
                }
                if now < self.hurry_until { self.rules.hurry() } else { self.rules.beat }
            }
            Err(Refusal::HookGone) => self.rules.hurry(),
            // The next call waits anyway.
            Err(Refusal::Throttled) => self.rules.beat,
            Err(refusal) => {
                let is_leaving = !entry.repository.is_wanted;
                if is_leaving && matches!(refusal, Refusal::RepositoryGone | Refusal::BadName) {
                    return;
                }
                let count = entry.refusal.as_ref().map_or(0, |(_, count)| count.saturating_add(1));
                let pause = if self.is_away(&refusal, now) {
                    // It is not this repository's fault.
                    self.rules.away()
                } else {
                    doubled(self.rules.refusal(), count, self.rules.longest_refusal())
                };
                entry.refusal = Some((refusal, count));
                pause
            }
        };
        let due = if entry.again { now } else { now + pause };
        (entry.due, entry.again) = (Some(due), false);
        self.order.insert((due, Arc::clone(&name)));
        self.repositories.insert(name, entry);
    }

    /// Notes a refusal that concerns the whole sender. Returns whether it does.
    fn is_away(&mut self, refusal: &Refusal, now: Instant) -> bool {
        let is_fault =
            matches!(refusal, Refusal::HostFault { .. } | Refusal::NotTheApi { .. } | Refusal::Redirected { .. });
        if is_fault {
            self.faults = self.faults.saturating_add(1);
        }
        // One that can be read can be watched, whether or not it can be written.
        let is_away = (refusal.concerns_all() && *refusal != Refusal::ReadOnly) || (is_fault && self.faults >= FAULTS);
        // Of several calls that were out when it began, the first counts.
        if is_away && self.trouble.as_ref().is_none_or(|trouble| trouble.is_probed) {
            let longest = match refusal {
                // It does not become good by waiting.
                Refusal::TokenUnusable => self.rules.longest_refusal(),
                _ => self.rules.beat,
            };
            let pause =
                self.trouble.as_ref().map_or_else(|| self.rules.away(), |trouble| (trouble.pause * 2).min(longest));
            self.trouble = Some(Trouble { refusal: refusal.clone(), until: now + pause, pause, is_probed: false });
        }
        is_away
    }

    /// What keeps the whole registration from its work.
    #[must_use]
    pub fn trouble(&self) -> Option<&Refusal> {
        self.trouble.as_ref().map(|trouble| &trouble.refusal)
    }

    /// How often notifications were switched on again.
    #[must_use]
    pub const fn healed(&self) -> u64 {
        self.healed
    }

    /// Every repository, in their order.
    pub fn pages(&self) -> impl Iterator<Item = Page<'_>> {
        self.repositories.iter().map(|(name, entry)| {
            let refusal = entry.refusal.as_ref().map(|(refusal, _)| refusal);
            let state = refusal.map_or(entry.repository.state, |_| State::Refused);
            Page { name, repository: &entry.repository, state, refusal }
        })
    }

    /// Whether a repository was looked at.
    #[must_use]
    pub fn has_looked(&self) -> bool {
        self.repositories.values().any(|entry| entry.repository.checked.is_some())
    }

    /// How many repositories there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.repositories.len()
    }

    /// The repositories whose new URL is not proven yet, and since when a call counts as its proof.
    #[must_use]
    pub fn awaiting(&self) -> Vec<(Name, Instant)> {
        let awaiting = self.repositories.iter();
        awaiting.filter_map(|(name, entry)| Some((Arc::clone(name), entry.repository.awaits()?))).collect()
    }

    /// A call for the repository came to the receiver's present URL.
    pub fn arrived(&mut self, name: &str) {
        if let Some(entry) = self.repositories.get_mut(name) {
            entry.repository.arrived();
        }
    }
}

/// Makes a repository due now.
fn hurry(order: &mut BTreeSet<(Instant, Name)>, name: &Name, entry: &mut Entry, now: Instant) {
    match entry.due {
        None => entry.again = true,
        Some(due) if due <= now => {}
        Some(due) => {
            order.remove(&(due, Arc::clone(name)));
            order.insert((now, Arc::clone(name)));
            entry.due = Some(now);
        }
    }
}

/// A pause that was doubled so often, up to the longest.
fn doubled(first: Duration, count: u8, longest: Duration) -> Duration {
    first.saturating_mul(1 << count.min(16)).min(longest)
}

#[cfg(test)]
mod tests;
