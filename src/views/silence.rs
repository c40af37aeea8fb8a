//! Receivers that their senders no longer call: when that is remarkable, and the Events about it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::domain::owner::Owner;
use crate::events::{About, Events, Note};
use crate::journal::words::clock;
use crate::journal::{Journal, Url};
use crate::lease::Leadership;
use crate::process::clock::Clock;
use crate::tables::Tables;
use crate::tables::routes::Standing;

/// Calls of a receiver from which its usual pace is known.
const ENOUGH: usize = 5;
/// Silence is remarkable when it lasts so many times the longest pause before.
const REMARKABLE: i32 = 3;
/// A pause that is shorter counts as this long.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);
/// How often it is looked.
const EVERY: Duration = Duration::from_mins(1);

/// Since when a receiver with these calls, oldest first, has been silent for longer than usual; `None` if it has not.
pub(super) fn since(calls: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let last = *calls.last().filter(|_| calls.len() >= ENOUGH)?;
    let pauses = calls.windows(2).map(|pair| pair[1].duration_since(pair[0]));
    let longest = pauses.max().unwrap_or_default().max(SHORTEST);
    (now.duration_since(last) > longest.saturating_mul(REMARKABLE)).then_some(last)
}

/// A receiver: the object that declares it, and its name.
type Key = (Owner, Arc<str>);

/// Says in Events which receivers have gone silent and which are called again, while this replica leads. It knows of
/// its own requests only, and says so.
pub async fn watch(journal: Journal, tables: Tables, leadership: Leadership, events: Events, stop: CancellationToken) {
    let all = async {
        let (clock, mut silent) = (Clock::system(), HashSet::new());
        loop {
            tokio::time::sleep(EVERY).await;
            let served = tables.routes.served();
            let current = served.iter().filter(|route| route.standing == Standing::Current);
            let receivers = current.map(|route| {
                let key = (route.owner.clone(), Arc::clone(&route.receiver));
                let calls = journal.times(&(key.0.clone(), Arc::clone(&key.1), Url::Served));
                (key, calls)
            });
            let notes = look(&mut silent, receivers, clock.now());
            // Those that do not lead know what was said already, should they lead one day.
            if leadership.is_leader() {
                notes.into_iter().for_each(|note| events.send(note));
            }
        }
    };
    stop.run_until_cancelled(all).await;
}

/// What has changed about these receivers and their calls.
fn look(
    silent: &mut HashSet<Key>,
    receivers: impl Iterator<Item = (Key, Vec<Timestamp>)>,
    now: Timestamp,
) -> Vec<Note> {
    let (mut notes, before) = (Vec::new(), std::mem::take(silent));
    for (key, calls) in receivers {
        match since(&calls, now) {
            Some(last) => {
                if !before.contains(&key) {
                    let what = format!(
                        "no request since {}, longer than usual, as far as this replica knows; look in the sender \
                         whether the webhook is still enabled, quayside check asks all replicas",
                        clock(last)
                    );
                    notes.push(note(&key, true, "ReceiverSilent", &what));
                }
                silent.insert(key);
            }
            None if before.contains(&key) => notes.push(note(&key, false, "ReceiverCalled", "it is called again")),
            None => {}
        }
    }
    notes
}

fn note((owner, receiver): &Key, is_warning: bool, reason: &'static str, what: &str) -> Note {
    Note {
        about: About::Owner(owner.clone()),
        part: owner.is_kargos().then(|| receiver.to_string()),
        is_warning,
        reason: reason.into(),
        action: "Receive",
        text: format!("receiver {receiver}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: &[i64]) -> Vec<Timestamp> {
        minutes.iter().map(|minute| Timestamp::from_second(minute * 60).unwrap()).collect()
    }

    fn minute(minute: i64) -> Timestamp {
        minutes(&[minute])[0]
    }

    #[test]
    fn silence_is_remarkable_after_three_times_the_longest_pause_and_half_an_hour() {
        let often = minutes(&[1, 2, 3, 4, 5]);
        assert_eq!(since(&often, minute(35)), None);
        assert_eq!(since(&often, minute(36)), Some(minute(5)));
        let seldom = minutes(&[0, 60, 120, 180, 240]);
        assert_eq!(since(&seldom, minute(420)), None);
        assert_eq!(since(&seldom, minute(421)), Some(minute(240)));
        assert_eq!(since(&often[..4], minute(10_000)), None, "its pace is not known");
        assert_eq!(since(&[], minute(1)), None);
    }

    #[test]
    fn an_event_is_about_a_silence_that_begins_or_ends_and_not_about_one_that_lasts() {
        let key = |name: &str| (Owner::ProjectConfig("northwind".into()), Arc::from(name));
        let often = minutes(&[1, 2, 3, 4, 5]);
        let again = minutes(&[1, 2, 3, 4, 5, 50]);
        let mut silent = HashSet::new();
        let mut told = |receivers: &[(&str, &Vec<Timestamp>)], now| {
            let receivers = receivers.iter().map(|(name, calls)| (key(name), (*calls).clone()));
            let notes = look(&mut silent, receivers, minute(now));
            notes.into_iter().map(|note| (note.is_warning, note.reason.into_owned())).collect::<Vec<_>>()
        };
        let (went, came) = ((true, "ReceiverSilent".to_owned()), (false, "ReceiverCalled".to_owned()));
        assert_eq!(told(&[("quay", &often), ("hub", &often)], 30), []);
        assert_eq!(told(&[("quay", &often), ("hub", &again)], 40), std::slice::from_ref(&went));
        assert_eq!(told(&[("quay", &often)], 41), []);
        assert_eq!(told(&[("quay", &again)], 51), [came]);
        assert_eq!(told(&[("quay", &again)], 1_000), [went]);
        assert_eq!(told(&[], 1_001), [], "a receiver that is no longer declared is forgotten");
        let note = look(&mut HashSet::new(), [(key("quay"), often)].into_iter(), minute(40)).remove(0);
        assert!(note.text.starts_with("receiver quay: no request since 1970-01-01 00:05:00 UTC"), "{}", note.text);
    }
}
