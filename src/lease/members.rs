//! Which replicas have acknowledged what they still owe, and which of them are lost: pure, with time passed in.
//!
//! Each replica with a spool keeps a note in the Lease: that it lives, and whether it owes. A disk may be lost with its
//! node, so the leader makes good what a replica owed that stopped renewing its note, and what one may have
//! acknowledged that vanished while the API server was away, because then its note could not say so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// How often a note is renewed, unless what it says has changed.
pub(super) const BEAT: Duration = Duration::from_secs(10);
/// A replica whose note was not renewed for so long, while the API server was there, is lost: four beats in a row.
pub(super) const LOST_AFTER: Duration = Duration::from_secs(45);

/// What a replica says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// When it said so, by its own clock.
    pub at: Timestamp,
    /// Whether it has acknowledged pushes whose refreshes are not written.
    pub owes: bool,
}

/// By the spool that a replica has, so that the next process on the same disk goes on with its note.
pub type Notes = BTreeMap<Arc<str>, Note>;

/// The notes as one replica sees them.
#[derive(Default)]
pub(super) struct Members {
    /// This replica's own, if it has a spool.
    own: Option<Arc<str>>,
    owes: bool,
    /// What the own note says, and since when.
    noted: Option<(bool, Instant)>,
    others: HashMap<Arc<str>, Sighting>,
    /// Their notes are to be removed.
    gone: BTreeSet<Arc<str>>,
    /// The last call failed.
    is_cut_off: bool,
}

struct Sighting {
    note: Note,
    since: Instant,
    /// The API server was away since, and the note was not renewed after that.
    was_away: bool,
}

impl Members {
    pub(super) fn new(own: Option<Arc<str>>) -> Self {
        Self { own, ..Self::default() }
    }

    pub(super) const fn owes(&mut self, owes: bool) {
        self.owes = owes;
    }

    /// A call about the Lease failed.
    pub(super) const fn failed(&mut self) {
        self.is_cut_off = true;
    }

    /// These are the notes in the Lease.
    pub(super) fn observe(&mut self, now: Instant, notes: &Notes) {
        // None could renew its note while the API server was away; and a note that is new by now may be from before.
        let was_away = std::mem::take(&mut self.is_cut_off);
        if was_away {
            for sighting in self.others.values_mut() {
                (sighting.since, sighting.was_away) = (now, true);
            }
        }
        self.others.retain(|id, _| notes.contains_key(id));
        self.gone.retain(|id| notes.contains_key(id));
        for (id, note) in notes.iter().filter(|(id, _)| self.own.as_ref() != Some(*id)) {
            let fresh = || Sighting { note: *note, since: now, was_away };
            let sighting = self.others.entry(Arc::clone(id)).or_insert_with(fresh);
            if sighting.note != *note {
                *sighting = fresh();
                self.gone.remove(id);
            }
        }
    }

    /// The replicas that were lost since the last look. Returns since when a refresh may be missing, if one may be.
    pub(super) fn lost(&mut self, now: Instant) -> Option<Timestamp> {
        let is_lost = |sighting: &Sighting| now.saturating_duration_since(sighting.since) >= LOST_AFTER;
        let lost = self.others.iter().filter(|(id, sighting)| is_lost(sighting) && !self.gone.contains(*id));
        let lost: Vec<_> = lost.map(|(id, sighting)| (Arc::clone(id), sighting.note, sighting.was_away)).collect();
        self.gone.extend(lost.iter().map(|(id, ..)| Arc::clone(id)));
        lost.iter().filter(|(_, note, was_away)| note.owes || *was_away).map(|(_, note, _)| note.at).min()
    }

    /// Whether the own note should be written although nothing else is to be.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_fresh = |(owes, since): (bool, Instant)| owes == self.owes && now < since + BEAT;
        self.own.is_some() && !self.noted.is_some_and(is_fresh)
    }

    /// The notes of all replicas but this one.
    pub(super) fn of_others(&self, notes: &Notes) -> Notes {
        notes
            .iter()
            .filter(|(id, _)| self.own.as_ref() != Some(*id))
            .map(|(id, note)| (Arc::clone(id), *note))
            .collect()
    }

    /// The notes as this replica writes them.
    pub(super) fn write(&self, at: Timestamp, mut notes: Notes) -> Notes {
        notes.retain(|id, _| !self.gone.contains(id));
        if let Some(own) = &self.own {
            notes.insert(Arc::clone(own), Note { at, owes: self.owes });
        }
        notes
    }

    /// They were written.
    pub(super) fn written(&mut self, sent: Instant, notes: &Notes) {
        self.noted = self.own.as_ref().and_then(|own| notes.get(own)).map(|note| (note.owes, sent));
    }

    /// The notes as a replica leaves them that ends: its own stays only if it owes, until its disk is used again.
    pub(super) fn farewell(&self, at: Timestamp, notes: Notes) -> Notes {
        let mut notes = self.write(at, notes);
        if let Some(own) = self.own.as_ref().filter(|_| !self.owes) {
            notes.remove(own);
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(second: i64, owes: bool) -> Note {
        Note { at: Timestamp::from_second(second).unwrap(), owes }
    }

    fn notes(all: &[(&str, Note)]) -> Notes {
        all.iter().map(|(id, note)| (Arc::from(*id), *note)).collect()
    }

    /// What is made good of a replica that stops after a note.
    fn lost(last: Note, is_cut_off: bool) -> Option<i64> {
        let (mut members, start) = (Members::new(Some(Arc::from("own"))), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let found = notes(&[("own", note(0, true)), ("other", last)]);
        members.observe(at(0), &found);
        if is_cut_off {
            members.failed();
            members.observe(at(100), &found);
            assert_eq!(members.lost(at(144)), None, "it could not renew its note while the API server was away");
        }
        assert_eq!(members.lost(at(44)), None);
        let since = members.lost(at(145));
        assert_eq!(members.lost(at(200)), None, "once");
        let left = members.write(Timestamp::UNIX_EPOCH, found);
        assert_eq!(left.keys().map(|id| &**id).collect::<Vec<_>>(), ["own"]);
        since.map(Timestamp::as_second)
    }

    #[test]
    fn a_replica_is_made_good_that_owed_or_vanished_while_the_api_server_was_away_and_no_other() {
        assert_eq!(lost(note(7, true), false), Some(7));
        assert_eq!(lost(note(7, false), false), None);
        assert_eq!(lost(note(7, false), true), Some(7));
    }

    #[test]
    fn a_replica_that_renews_its_note_lives_also_after_an_outage() {
        let (mut members, start) = (Members::default(), Instant::now());
        for beat in 0..100 {
            let now = start + BEAT * beat;
            members.observe(now, &notes(&[("other", note(beat.into(), true))]));
            if beat == 50 {
                members.failed();
            }
            assert_eq!(members.lost(now), None);
        }
    }

    #[test]
    fn a_note_is_due_when_there_is_none_when_it_is_old_and_when_it_is_wrong() {
        let (mut members, now) = (Members::new(Some(Arc::from("own"))), Instant::now());
        assert!(members.is_due(now) && !Members::default().is_due(now));
        let written = members.write(Timestamp::UNIX_EPOCH, Notes::new());
        members.written(now, &written);
        assert!(!members.is_due(now) && members.is_due(now + BEAT));
        members.owes(true);
        assert!(members.is_due(now));
        assert!(members.write(Timestamp::UNIX_EPOCH, written.clone()).values().all(|note| note.owes));
        assert_eq!(members.farewell(Timestamp::UNIX_EPOCH, written.clone()).len(), 1, "what it owes is not done");
        members.owes(false);
        assert_eq!(members.farewell(Timestamp::UNIX_EPOCH, written).len(), 0);
    }
}
