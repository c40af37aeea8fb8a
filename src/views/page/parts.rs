//! What several pages show alike.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::journal::record::{Names, Record, State};
use crate::journal::words::{age, clock, receiver_name};
use crate::views::model::Verdict;
use crate::views::paths;

/// A table that scrolls where it is too wide, and becomes a list of cards on a narrow screen. `named_by` is the id of
/// its heading. Each cell knows its heading, which the cards show.
pub(super) fn table(named_by: &str, headings: &[&str], rows: Vec<Vec<Markup>>) -> Markup {
    html! {
        div.scroll role="region" aria-labelledby=(named_by) tabindex="0" {
            table {
                thead { tr { @for heading in headings { th scope="col" { (heading) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (cell, heading) in row.into_iter().zip(headings) { td data-label=(heading) { div { (cell) } } } }
                    }
                }
            }
        }
    }
}

pub(super) fn warehouse(namespace: &str, name: &str) -> Markup {
    html! { a href=(paths::warehouse(namespace, name)) { (namespace) "/" (name) } }
}

pub(super) fn delivery(record: &Record) -> Markup {
    html! { a href=(paths::delivery(&record.id)) { (record.id) } }
}

/// A word with a sign and a colour; never a colour alone.
pub(super) fn pill(word: &str, tone: Tone) -> Markup {
    html! { span class={ "pill " (tone.class()) } { span aria-hidden="true" { (tone.sign()) " " } (word) } }
}

/// How good a piece of news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Neutral,
    Warning,
    Bad,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Neutral => "neutral",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Neutral => "·",
            Self::Warning => "!",
            Self::Bad => "✗",
        }
    }

    /// Of an outcome of a delivery.
    pub(super) fn of_outcome(outcome: &str) -> Self {
        match outcome {
            "refreshed" => Self::Good,
            "no_match" | "ignored" | "dry_run" => Self::Neutral,
            "queued" | "taken_in" | "evaluation_failed" => Self::Warning,
            _ => Self::Bad,
        }
    }

    /// Of a check.
    pub(super) const fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Good,
            Verdict::Skipped => Self::Neutral,
            Verdict::Warning => Self::Warning,
            Verdict::Failed => Self::Bad,
        }
    }

    /// Of the state of a refresh.
    pub(super) const fn of_state(state: State) -> Self {
        match state {
            State::Seen | State::Looked => Self::Good,
            State::Owed | State::Written | State::Handled => Self::Neutral,
            State::LookedNotListed => Self::Warning,
            State::NotLooked | State::NotHandled => Self::Bad,
        }
    }
}

/// How far a refresh has come.
pub(super) fn state(state: State) -> Markup {
    pill(state.word(), Tone::of_state(state))
}

/// The receiver of a record, as people write it.
pub(super) fn receiver(project: &str, name: &str) -> String {
    let shown = receiver_name(project, name);
    if project.is_empty() { format!("{shown} (cluster)") } else { shown }
}

pub(super) fn names(names: &Names) -> Markup {
    let left_out = names.total.saturating_sub(names.first.len());
    html! {
        @for (place, name) in names.first.iter().enumerate() {
            @if place > 0 { ", " }
            code { (name) }
        }
        @if left_out > 0 { " and " (left_out) " more" }
    }
}

/// A time, exact for machines and when pointed at, and how long ago for people.
pub(super) fn time(at: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(at) title=(clock(at)) { (age(at, now)) " ago" } }
}
