//! What follows from time alone: what is asked again, what is reported, what is over.

use std::sync::Arc;

use super::{Debt, Record, covered};
use crate::domain::artifact::Listing;
use crate::domain::event::PushEvent;
use crate::domain::target::TargetKind;
use crate::pursuit::skew::{Followed, Skew};
use crate::pursuit::want::{Outcome, Push, Want};
use crate::pursuit::{At, Moment, Report, Rules, Why};

/// Whether Kargo is to be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pursuit) enum Due {
    No,
    Nudge,
    /// Only to learn how far the clocks are apart; one such question at a time is enough.
    Probe,
}

impl Record {
    /// Time has passed. Says whether Kargo is to be asked again.
    pub(in crate::pursuit) fn tick(
        &mut self,
        at: At,
        leads: bool,
        rules: &Rules,
        skew: &Skew,
        out: &mut Vec<Report>,
    ) -> Due {
        self.end_what_is_over(at, rules, skew, out);
        self.report_unhandled(at, rules, out);
        self.report_trouble(at, rules, skew, out);
        if let Some(taken) = self.taken.filter(|taken| taken.same_second)
            && let Some(idle) = taken.idle.filter(|idle| at.now >= *idle + rules.pause(0))
        {
            let found: Vec<_> = self.wants.iter().map(|want| (Arc::clone(&want.push.events), want.listed)).collect();
            let mut lists = |events: &[PushEvent]| {
                let same = found.iter().find(|(about, _)| std::ptr::eq(&raw const **about, &raw const *events));
                same.map_or(Listing::Unknown, |(_, listing)| *listing)
            };
            self.settle(taken.number, idle, rules, &mut lists, out);
        }
        self.due(at, leads, rules, skew)
    }

    fn due(&self, at: At, leads: bool, rules: &Rules, skew: &Skew) -> Due {
        let is_pending = self.debt.is_some_and(|debt| !self.has_taken(debt.number));
        if self.nudged || is_pending || !rules.follows_up() || self.kind == TargetKind::Promotion {
            return Due::No;
        }
        if self.wants.iter().any(|want| want.late_due.is_some_and(|due| at.now >= due)) {
            return Due::Nudge;
        }
        let Some(debt) = self.debt else {
            return if self.is_left_behind(at.now, rules) { Due::Nudge } else { Due::No };
        };
        let Some((taken, idle)) = self.taken.and_then(|taken| Some((taken, taken.idle?))) else { return Due::No };
        // Where nobody waits here, another look for what this replica may have missed is not worth its while.
        let is_doubt = taken.interrupted && !self.wants.iter().any(|want| covered(want, debt.number));
        let grace = match (self.mine, leads) {
            (true, _) => Moment::ZERO,
            (false, true) => rules.grace(self.resumed),
            (false, false) if is_doubt => return Due::No,
            // Both may have missed what this replica saw, or have seen the look that this one missed.
            (false, false) => rules.grace(self.resumed) + rules.grace(false),
        };
        let is_unsure = self.resumed && self.followed(debt, skew, at) == Followed::Unsure;
        let pause = rules.pause(self.attempt) + grace;
        if is_unsure && at.now >= idle + pause.max(rules.unsure_for()) {
            Due::Probe
        } else if !is_unsure && at.now >= idle + pause {
            Due::Nudge
        } else {
            Due::No
        }
    }

    /// Whether the last look that Kargo dates came after a token that was found by a list.
    fn followed(&self, debt: Debt, skew: &Skew, at: At) -> Followed {
        // The look before the one that the list shows may have begun before the token and ended after it.
        if self.amid_look { Followed::No } else { skew.followed(debt.time, self.discovered, at.wall) }
    }

    /// Whether the watch will never show a token that was written. It was overwritten while the watch was interrupted,
    /// or the PATCH was answered when Kargo had already looked and nobody waited for it. Nothing tells which look came
    /// after it, so another token is needed.
    fn is_left_behind(&self, now: Moment, rules: &Rules) -> bool {
        let pause = rules.not_handled_after().max(rules.pause(self.attempt));
        let newest = self.writes.iter().map(|write| write.since).max();
        newest.is_some_and(|since| now >= since + pause) && self.wants.iter().any(|want| want.late_due.is_none())
    }

    /// A nudge was asked for.
    pub(in crate::pursuit) fn nudge(&mut self, at: At, rules: &Rules) {
        self.nudged = true;
        if self.debt.is_some() || self.is_left_behind(at.now, rules) {
            self.attempt += 1;
            if self.wants.is_empty() {
                // Nobody else answers for the outcome any more.
                self.wants.push(Want::new(Push::default(), self.since, at.wall));
            }
        }
        let late = self.wants.iter_mut().filter(|want| want.late_due.is_some_and(|due| at.now >= due));
        late.for_each(|want| want.ask_again(at.wall));
    }

    fn end_what_is_over(&mut self, at: At, rules: &Rules, skew: &Skew, out: &mut Vec<Report>) {
        let over: Vec<Want> = self.wants.extract_if(.., |want| want.is_over(at.now, rules.bound())).collect();
        for want in over {
            out.push(want.end(want.outcome(), at.now, self.failure.clone()));
            match want.outcome() {
                Outcome::NotLooked => self.trouble(Why::Failing, want.arrived, at, out),
                Outcome::NotHandled => self.trouble(Why::Unhandled, want.arrived, at, out),
                _ => {}
            }
        }
        self.writes.retain(|write| at.now < write.since + rules.bound());
        let Some(debt) = self.debt.filter(|debt| self.has_taken(debt.number)) else { return };
        // One that waits to be taken up goes on waiting, at the cost of this record: Kargo may be down for hours.
        let patience = if self.mine { Moment::ZERO } else { rules.grace(true) };
        let is_over = self.wants.is_empty() && at.now >= self.since + rules.bound() + patience;
        let is_answered = self.resumed && self.followed(debt, skew, at) == Followed::Yes;
        if is_over || is_answered {
            self.debt = None;
        }
    }

    fn report_unhandled(&mut self, at: At, rules: &Rules, out: &mut Vec<Report>) {
        let is_late = |debt: Debt| !self.has_taken(debt.number) && at.now >= debt.seen + rules.not_handled_after();
        if !self.reported && !self.looking && self.mine && self.debt.is_some_and(is_late) {
            self.reported = true;
            out.push(Report::NotHandled);
        }
    }

    /// What has gone on for so long that whoever set the receiver up should know, whichever replica wrote the token.
    fn report_trouble(&mut self, at: At, rules: &Rules, skew: &Skew, out: &mut Vec<Report>) {
        let Some(debt) = self.debt.filter(|_| !self.looking) else { return };
        let is_late = |since: Moment| at.now >= since + rules.not_handled_after();
        let is_unsure = self.resumed && self.followed(debt, skew, at) == Followed::Unsure;
        let why = if !self.has_taken(debt.number) {
            is_late(debt.seen).then_some(Why::Unhandled)
        } else {
            (is_late(self.since) && !is_unsure).then_some(Why::Failing)
        };
        if let Some(why) = why.filter(|why| self.troubled != Some(*why)) {
            self.trouble(why, self.since, at, out);
        }
    }

    fn trouble(&mut self, why: Why, since: Moment, at: At, out: &mut Vec<Report>) {
        if self.kind == TargetKind::Promotion {
            return;
        }
        self.troubled = Some(why);
        // A span that leaves the calendar began at its beginning.
        let since = at.wall.checked_sub(at.now.saturating_sub(since)).unwrap_or(at.wall);
        let (message, discovered) = (self.failure.clone(), self.discovered);
        out.push(Report::Troubled { why, since, message, discovered });
    }
}
