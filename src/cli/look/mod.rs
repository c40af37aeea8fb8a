//! The subcommands that ask a running Quayside: `deliveries`, `delivery`, `why`, `check`, `ui`.

pub(super) mod check;
pub(super) mod deliveries;
pub(super) mod delivery;
mod replicas;
pub(super) mod table;
pub(super) mod ui;
pub(super) mod why;

use clap::ValueEnum;

use super::note;
use crate::journal::record::Record;
use crate::views::model::{Receiver, Receivers};

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

/// How far its refreshes have come.
fn result(record: &Record) -> String {
    match record.progress() {
        None => String::new(),
        Some(state) if record.matched > 1 => format!("{} ({})", state.word(), record.matched),
        Some(state) => state.word().to_owned(),
    }
}

/// Brings together what several replicas say about receivers.
fn merge_receivers(answers: Vec<Receivers>) -> Receivers {
    let mut merged = Receivers {
        since: answers.iter().map(|answer| answer.since).min().unwrap_or_default(),
        ..Receivers::default()
    };
    for answer in answers {
        for remark in answer.remarks {
            if !merged.remarks.contains(&remark) {
                merged.remarks.push(remark);
            }
        }
        merged.notifications.extend(answer.notifications);
        for mut receiver in answer.receivers {
            let same = |other: &&mut Receiver| {
                (&other.project, &other.name, &other.declared_in)
                    == (&receiver.project, &receiver.name, &receiver.declared_in)
            };
            match merged.receivers.iter_mut().find(same) {
                Some(known) => {
                    known.last = known.last.max(receiver.last);
                    known.past.append(&mut receiver.past);
                    known.past.sort_by_key(|past| past.time);
                }
                None => merged.receivers.push(receiver),
            }
        }
    }
    merged
}
