//! The subcommands that ask a running Quayside: `deliveries`, `delivery`, `why`, `check`, `ui`.

pub(super) mod check;
pub(super) mod deliveries;
pub(super) mod delivery;
mod replicas;
pub(super) mod table;
pub(super) mod ui;
pub(super) mod why;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};

use super::note;
use crate::journal::record::{Record, State};
use crate::views::model::Receiver;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    Table,
    /// For people with a wide terminal.
    Wide,
    /// For scripts.
    Json,
}

/// Says which replicas did not answer.
fn note_all(problems: &[String]) {
    for problem in problems {
        note(&format!("{problem}; the rest comes from the other replicas"));
    }
}

/// `PROJECT/NAME`, or the bare name of a receiver of the cluster.
fn receiver(record: &Record) -> String {
    if record.project.is_empty() { record.receiver.clone() } else { format!("{}/{}", record.project, record.receiver) }
}

/// What was delivered, in short.
fn what(record: &Record) -> String {
    let first = |names: &crate::journal::record::Names| match (names.first.first(), names.total) {
        (None, _) => String::new(),
        (Some(name), 1) => name.clone(),
        (Some(name), total) => format!("{name} (+{})", total - 1),
    };
    let (repository, qualifier) = (first(&record.repositories), first(&record.qualifiers));
    match (repository.is_empty(), qualifier.is_empty()) {
        (true, _) => qualifier,
        (_, true) => repository,
        (false, false) => format!("{repository}:{qualifier}"),
    }
}

/// How far its refreshes have come: of several, the one that lags most.
fn result(record: &Record) -> String {
    match record.refreshes.iter().map(|refresh| refresh.state).min_by_key(|state| rank(*state)) {
        None => String::new(),
        Some(state) if record.matched > 1 => format!("{} ({})", word(state), record.matched),
        Some(state) => word(state).to_owned(),
    }
}

/// Troubles before the steps of an ordinary refresh.
const fn rank(state: State) -> u8 {
    match state {
        State::NotHandled => 0,
        State::NotLooked => 1,
        State::LookedNotListed => 2,
        State::Owed => 3,
        State::Written => 4,
        State::Handled => 5,
        State::Looked => 6,
        State::Seen => 7,
    }
}

const fn word(state: State) -> &'static str {
    match state {
        State::Owed => "owed",
        State::Written => "written",
        State::Handled => "handled",
        State::Looked => "looked",
        State::Seen => "seen",
        State::LookedNotListed => "looked, not listed",
        State::NotLooked => "not looked",
        State::NotHandled => "not handled",
    }
}

/// A time as people read it.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How long ago, in its largest unit.
fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Brings together what several replicas say about receivers.
fn merge_receivers(all: impl IntoIterator<Item = Receiver>) -> Vec<Receiver> {
    let mut merged: Vec<Receiver> = Vec::new();
    for mut receiver in all {
        let same = |other: &&mut Receiver| {
            (&other.project, &other.name, &other.declared_in)
                == (&receiver.project, &receiver.name, &receiver.declared_in)
        };
        match merged.iter_mut().find(same) {
            Some(known) => {
                known.last = known.last.max(receiver.last);
                known.past.append(&mut receiver.past);
                known.past.sort_by_key(|past| past.time);
            }
            None => merged.push(receiver),
        }
    }
    merged
}
