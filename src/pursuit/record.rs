//! What is known about one object while a refresh of it has not been followed by a look.
//!
//! Owns the step from *written* over *handled* to *looked*. Values of the annotation are numbered in the order in which
//! the watch shows them, so "our token or a later one" compares numbers, never clocks. A look is proven by
//! `discoveredAt` moving after the token was handled.

mod overdue;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

pub(super) use self::overdue::Due;
use super::skew::{Followed, Skew};
use super::token::{Mark, time_of};
use super::want::{Early, Outcome, Push, Want};
use super::{At, Moment, Origin, Report, Rules, Sighting, Why};
use crate::domain::artifact::Listing;
use crate::domain::event::PushEvent;
use crate::domain::target::TargetKind;

/// Kargo takes up only values that were there when it read the object, so a handful would do.
const MAX_TOKENS: usize = 32;

/// Says whether Kargo lists what was pushed, by the artifacts of the sighting at hand.
pub(super) type Lists<'a> = &'a mut dyn FnMut(&[PushEvent]) -> Listing;

/// One object.
#[derive(Debug)]
pub(super) struct Record {
    kind: TargetKind,
    /// Values of the annotation, the last of which is on the object; the first has the number `first`.
    tokens: VecDeque<Mark>,
    first: u32,
    /// The newest token of Quayside that no look has followed yet.
    debt: Option<Debt>,
    /// Whether this process wrote it, and therefore asks again.
    mine: bool,
    taken: Option<Taken>,
    /// The newest value that a look has followed.
    looked: Option<u32>,
    discovered: Option<i64>,
    sighted: bool,
    looking: bool,
    /// Kargo's message about the last failure since the debt began.
    failure: Option<Box<str>>,
    /// When the debt was first seen.
    since: Moment,
    /// Whether it was reported that Kargo does not take the token up.
    reported: bool,
    /// The trouble that was reported last, while it goes on.
    troubled: Option<Why>,
    attempt: usize,
    /// Whether a nudge was asked for and is not written yet.
    nudged: bool,
    /// Found by a list, so that it is not known how long it has been pursued.
    resumed: bool,
    /// Whether that list showed Kargo looking.
    amid_look: bool,
    /// Written tokens that the watch has not shown yet, and since when.
    writes: Vec<Write>,
    wants: Vec<Want>,
}

/// A token that this process wrote.
#[derive(Clone, Copy, Debug)]
struct Write {
    mark: Mark,
    begun: Timestamp,
    since: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Debt {
    number: u32,
    time: Timestamp,
    seen: Moment,
}

/// The newest value that Kargo has taken up.
#[derive(Clone, Copy, Debug)]
struct Taken {
    number: u32,
    at: Moment,
    /// Since when it has not been looking.
    idle: Option<Moment>,
    /// Whether the look failed.
    failed: bool,
    /// Whether the watch was interrupted since, so that a look may have ended unnoticed.
    interrupted: bool,
    /// Whether a look may have ended unnoticed because another one ended in the same second.
    same_second: bool,
}

impl Record {
    pub(super) fn new(kind: TargetKind, now: Moment) -> Self {
        Self {
            kind,
            tokens: VecDeque::new(),
            first: 0,
            debt: None,
            mine: false,
            taken: None,
            looked: None,
            discovered: None,
            sighted: false,
            looking: false,
            failure: None,
            since: now,
            reported: false,
            troubled: None,
            attempt: 0,
            nudged: false,
            resumed: false,
            amid_look: false,
            writes: Vec::new(),
            wants: Vec::new(),
        }
    }

    /// A record of a refresh that was taken up before this process saw it, and perhaps not followed by a look.
    pub(super) fn resume(kind: TargetKind, token: Timestamp, amid_look: bool, now: Moment) -> Self {
        let debt = Debt { number: 0, time: token, seen: now };
        Self { debt: Some(debt), resumed: true, amid_look, ..Self::new(kind, now) }
    }

    /// A push asks for a refresh. It is not written yet.
    pub(super) fn want(&mut self, push: Push, at: At) {
        self.wants.push(Want::new(push, at.now, at.wall));
    }

    /// This process wrote a token by a PATCH that began at `begun`.
    pub(super) fn written(&mut self, token: &str, begun: Timestamp, at: At, rules: &Rules, out: &mut Vec<Report>) {
        let mark = Mark::of(token);
        let mut stands_for = 0;
        for want in &mut self.wants {
            stands_for += usize::from(want.is_written_by(mark, begun, at.now));
        }
        if stands_for == 0 && !self.nudged {
            let mut want = Want::new(Push::default(), at.now, begun);
            want.is_written_by(mark, begun, at.now);
            self.wants.push(want);
        }
        self.nudged = false;
        let Some(number) = self.number_of(mark) else {
            self.writes.push(Write { mark, begun, since: at.now });
            return;
        };
        self.shown(Write { mark, begun, since: at.now }, number, at);
        // Kargo can be quicker than the answer to the PATCH.
        let looked = self.looked;
        self.wants.retain_mut(|want| {
            let early = want.early.filter(|early| covered(want, early.number));
            let is_nobodys = want.push.events.is_empty() && looked.is_some_and(|looked| covered(want, looked));
            let found = early.map(|early| (early.listing, early.at));
            let found = found.or_else(|| is_nobodys.then_some((Listing::Unknown, at.now)));
            found.is_none_or(|(listing, when)| want.look(true, listing, when, rules, out))
        });
    }

    /// The watch shows the object.
    pub(super) fn observe(
        &mut self,
        sighting: &Sighting<'_>,
        (at, origin): (At, Origin),
        (skew, rules): (&mut Skew, &Rules),
        lists: Lists<'_>,
        out: &mut Vec<Report>,
    ) {
        let live = matches!(origin, Origin::Live);
        self.note_token(sighting, at, origin, rules);
        let newly = self.note_handled(sighting, at, rules, out);
        let moved = self.sighted && sighting.discovered.is_some() && sighting.discovered != self.discovered;
        (self.discovered, self.sighted, self.looking) = (sighting.discovered, true, sighting.looking);
        if let Some(failure) = sighting.failure.filter(|failure| self.failure.as_deref() != Some(failure)) {
            self.failure = Some(failure.into());
            if self.wants.iter().any(|want| want.handled) {
                out.push(Report::Failing { message: failure.into() });
            }
        }
        let Some(taken) = self.taken else { return };
        if self.kind == TargetKind::Promotion {
            self.settle(taken.number, at.now, rules, lists, out);
            return;
        }
        self.settle_shown(at.now, rules, lists, out);
        // Between two lists, the look may have ended before the token was taken up.
        let follows = |debt: Debt| skew.followed(debt.time, sighting.discovered, at.wall) == Followed::Yes;
        if moved && (live || !newly || self.debt.is_some_and(follows)) {
            if let (Some(debt), Some(discovered), true) = (self.debt, sighting.discovered, live)
                && debt.number == taken.number
            {
                skew.learn(discovered, debt.time, at.wall);
            }
            self.settle(taken.number, at.now, rules, lists, out);
            return;
        }
        self.note_idle(sighting, at, live, skew);
        self.note_listed(lists);
    }

    fn note_token(&mut self, sighting: &Sighting<'_>, at: At, origin: Origin, rules: &Rules) {
        let token = sighting.annotation.unwrap_or_default();
        let mark = Mark::of(token);
        if self.tokens.back() != Some(&mark) {
            let is_first = self.tokens.is_empty();
            self.tokens.push_back(mark);
            let number = self.newest();
            let is_news = !is_first || sighting.handled != sighting.annotation;
            // Before this process looked, a token of anybody may have replaced one of ours.
            let may_hide_ours = is_first && matches!(origin, Origin::Listed { .. });
            let time = time_of(token).or_else(|| may_hide_ours.then(|| token.parse().unwrap_or(at.wall)));
            if let Some(time) = time.filter(|_| is_news && !token.is_empty()) {
                self.owe(Debt { number, time, seen: at.now }, at, rules);
            }
            if self.tokens.len() > MAX_TOKENS {
                self.tokens.pop_front();
                self.first += 1;
            }
        }
        let newest = self.newest();
        // What was overwritten while the watch was interrupted is never shown.
        let is_shown = |write: &&Write| {
            write.mark == mark
                || match origin {
                    Origin::Listed { began } => write.since < began,
                    Origin::Live => write.since + rules.not_handled_after() < at.now,
                }
        };
        let shown: Vec<Write> = self.writes.iter().filter(is_shown).copied().collect();
        shown.into_iter().for_each(|write| self.shown(write, newest, at));
    }

    /// A newer token of Quayside is on the object.
    fn owe(&mut self, debt: Debt, at: At, rules: &Rules) {
        let idle = self.taken.and_then(|taken| taken.idle).filter(|_| self.debt.is_some());
        // A token that comes when a nudge is due is the nudge of the replica that pursues.
        let was_due = idle.is_some_and(|idle| at.now + rules.pause(0) / 2 >= idle + rules.pause(self.attempt));
        if was_due && !self.nudged {
            self.attempt += 1;
        }
        if self.debt.is_none() {
            (self.since, self.reported) = (at.now, false);
        }
        (self.debt, self.mine, self.resumed) = (Some(debt), false, false);
    }

    /// A token that this process wrote is on the object, or was.
    fn shown(&mut self, write: Write, number: u32, at: At) {
        self.writes.retain(|other| other.mark != write.mark);
        let wants = self.wants.iter_mut().filter(|want| want.token == Some(write.mark));
        wants.for_each(|want| want.number = Some(number));
        if self.debt.is_none() && self.looked.is_none_or(|looked| looked < number) {
            // The watch was interrupted, so nothing showed the step from the value before.
            (self.since, self.reported) = (at.now, false);
            self.debt = Some(Debt { number, time: write.begun, seen: at.now });
        }
        if self.debt.is_some_and(|debt| debt.number == number) {
            (self.mine, self.resumed) = (true, false);
        }
    }

    /// Notes which token Kargo has taken up; says whether that is news.
    fn note_handled(&mut self, sighting: &Sighting<'_>, at: At, rules: &Rules, out: &mut Vec<Report>) -> bool {
        let number = sighting.handled.and_then(|handled| self.number_of(Mark::of(handled)));
        let newly = number.filter(|number| self.taken.is_none_or(|taken| taken.number < *number));
        if let Some(number) = newly {
            self.troubled = self.troubled.filter(|why| *why != Why::Unhandled);
            if self.wants.is_empty() && at.now >= self.since + rules.bound() {
                // Kargo has been away for long, and what it takes up now deserves as much patience as ever.
                self.since = at.now;
            }
            let (failed, interrupted, same_second) = (false, false, false);
            self.taken = Some(Taken { number, at: at.now, idle: None, failed, interrupted, same_second });
        }
        let Some(taken) = self.taken else { return false };
        for want in self.wants.iter_mut().filter(|want| !want.handled && covered(want, taken.number)) {
            want.handled = true;
            out.push(Report::Handled { after: at.now.saturating_sub(want.arrived) });
        }
        newly.is_some()
    }

    fn note_idle(&mut self, sighting: &Sighting<'_>, at: At, live: bool, skew: &Skew) {
        let Some(taken) = &mut self.taken else { return };
        taken.failed |= sighting.failure.is_some();
        taken.interrupted |= !live;
        if sighting.looking && sighting.failure.is_none() {
            (taken.idle, taken.same_second) = (None, false);
        } else if taken.idle.is_none() {
            taken.idle = Some(at.now);
            let may_be_now = |discovered| skew.may_be_now(discovered, at.wall, Rules::SAME_SECOND);
            taken.same_second = at.now <= taken.at + Rules::SAME_SECOND && sighting.discovered.is_some_and(may_be_now);
        }
        taken.same_second &= !taken.failed && !taken.interrupted;
    }

    /// While nobody knows whether a look has ended, what it would have found.
    fn note_listed(&mut self, lists: Lists<'_>) {
        if self.taken.is_some_and(|taken| taken.same_second) {
            self.wants.iter_mut().for_each(|want| want.listed = lists(&want.push.events));
        }
    }

    /// Kargo has looked after it took up the token of this number.
    fn settle(&mut self, up_to: u32, when: Moment, rules: &Rules, lists: Lists<'_>, out: &mut Vec<Report>) {
        if self.debt.is_some_and(|debt| debt.number <= up_to) {
            self.debt = None;
            (self.attempt, self.failure, self.resumed) = (0, None, false);
        }
        if let Some(taken) = &mut self.taken {
            (taken.idle, taken.same_second) = (None, false);
        }
        (self.looked, self.troubled) = (self.looked.max(Some(up_to)), None);
        let is_promotion = self.kind == TargetKind::Promotion;
        let mut listings = self.listings(lists).into_iter();
        self.wants.retain_mut(|want| {
            let (is_covered, listing) = (covered(want, up_to), listings.next().unwrap_or(Listing::Unknown));
            if !is_covered && !want.looked && want.token.is_some() {
                return true;
            }
            if !is_covered && want.token.is_none() {
                want.early = Some(Early { number: up_to, at: when, listing });
            }
            if is_covered && is_promotion {
                out.push(want.end(Outcome::Handled, when, None));
                return false;
            }
            !(is_covered || want.looked) || want.look(is_covered, listing, when, rules, out)
        });
    }

    /// Pushes whose token, as it turns out only now, is one that a look has followed already.
    fn settle_shown(&mut self, when: Moment, rules: &Rules, lists: Lists<'_>, out: &mut Vec<Report>) {
        let Some(looked) = self.looked else { return };
        let is_settled = |want: &Want| covered(want, looked) && want.late_due.is_none();
        if !self.wants.iter().any(is_settled) {
            return;
        }
        let mut listings = self.listings(lists).into_iter();
        self.wants.retain_mut(|want| {
            let listing = listings.next().unwrap_or(Listing::Unknown);
            !is_settled(want) || want.look(true, listing, when, rules, out)
        });
    }

    /// What a look found for each push. A tag that was pushed again is listed with its newest digest only, which stands
    /// for the pushes before as well.
    fn listings(&self, lists: Lists<'_>) -> Vec<Listing> {
        let mut listings: Vec<Listing> = self.wants.iter().map(|want| lists(&want.push.events)).collect();
        let listed = |(want, listing): (&'_ Want, &Listing)| (*listing == Listing::Listed).then(|| want.push.clone());
        let listed: Vec<Push> = self.wants.iter().zip(&listings).filter_map(listed).collect();
        for (want, listing) in self.wants.iter().zip(&mut listings).filter(|(_, found)| **found == Listing::Missing) {
            if listed.iter().any(|push| push.is_like(&want.push)) {
                *listing = Listing::Listed;
            }
        }
        listings
    }

    /// The object was deleted.
    pub(super) fn gone(self, at: At, out: &mut Vec<Report>) {
        out.extend(self.wants.iter().map(|want| want.end(Outcome::Gone, at.now, None)));
    }

    /// Whether there is nothing left to wait for.
    pub(super) fn is_done(&self) -> bool {
        self.debt.is_none() && self.wants.is_empty() && self.writes.is_empty() && !self.nudged
    }

    /// How many pushes are in pursuit.
    pub(super) fn wants(&self) -> usize {
        self.wants.len()
    }

    /// The delivery of the newest push in pursuit that came with one.
    pub(super) fn delivery(&self) -> Option<Arc<str>> {
        self.wants.iter().rev().find_map(|want| want.push.delivery.clone())
    }

    /// Since when a push of this record has been pursued; `None` without a push.
    pub(super) fn pursued_since(&self) -> Option<Moment> {
        self.wants.iter().map(|want| want.arrived).min()
    }

    fn has_taken(&self, number: u32) -> bool {
        self.taken.is_some_and(|taken| taken.number >= number)
    }

    fn newest(&self) -> u32 {
        self.first + u32::try_from(self.tokens.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn number_of(&self, mark: Mark) -> Option<u32> {
        let place = self.tokens.iter().rposition(|token| *token == mark)?;
        Some(self.first + u32::try_from(place).ok()?)
    }
}

fn covered(want: &Want, up_to: u32) -> bool {
    want.number.is_some_and(|number| number <= up_to)
}
