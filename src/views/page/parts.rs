//! What several pages show alike.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use crate::journal::record::{Names, Record, State};

/// The path of a Warehouse's page.
pub(super) fn warehouse_path(namespace: &str, name: &str) -> String {
    let part = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("/warehouses/{}/{}", part(namespace), part(name))
}

pub(super) fn warehouse(namespace: &str, name: &str) -> Markup {
    html! { a href=(warehouse_path(namespace, name)) { (namespace) "/" (name) } }
}

pub(super) fn delivery(record: &Record) -> Markup {
    html! { a href={ "/deliveries/" (record.id) } { (record.id) } }
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

pub(super) const fn state(state: State) -> &'static str {
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

/// The receiver of a record, as people write it.
pub(super) fn receiver(project: &str, name: &str) -> String {
    if project.is_empty() { format!("{name} (cluster)") } else { format!("{project}/{name}") }
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
    html! { time datetime=(at) title=(at.strftime("%F %T UTC")) { (ago(at, now)) } }
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).max(SignedDuration::ZERO).as_secs();
    match seconds {
        0..2 => "just now".to_owned(),
        2..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

pub(super) fn clock(at: Timestamp) -> String {
    at.strftime("%F %T UTC").to_string()
}
