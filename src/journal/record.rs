//! What is kept of a delivery. The JSON form is a contract: see `docs/views.md`.
//!
//! A record names what was read out of a request and what came of it. It never holds a path, a header, a body, a secret
//! or a client certificate, and every list and text in it is bounded, because a sender decides how long they are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::target::{Target, TargetKind};

/// Bytes of one name or text that a record keeps.
const LONGEST_TEXT: usize = 256;

/// One delivery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// The delivery id, as the answer gave it to the sender.
    pub id: String,
    /// The replica that answered.
    pub replica: String,
    /// When the request had arrived.
    pub time: Timestamp,
    /// The receiver's kind, such as `quay`.
    pub kind: String,
    /// The kind of object that declares the receiver, such as `ProjectConfig`.
    pub declared_in: String,
    /// The project; empty for a receiver of the cluster.
    pub project: String,
    /// The receiver's name.
    pub receiver: String,
    /// The request came to the URL of a secret before the current one; with the outcome `unknown_path` when that is no
    /// longer served.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub previous_url: bool,
    /// The sender's name for the event; empty where it has none or the request was refused.
    pub event: String,
    /// The normalised repositories that the event names.
    pub repositories: Names,
    /// The tags, versions or refs that were pushed.
    pub qualifiers: Names,
    /// The HTTP status of the answer.
    pub status: u16,
    /// How the request ended, as in the metric `quayside_deliveries`.
    pub outcome: String,
    /// The message of the answer.
    pub message: String,
    /// From the last byte of the request to the answer, in milliseconds; absent when the body was never read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// Warehouses within reach that subscribe to a repository of the event.
    pub subscribed: usize,
    /// Objects that the event concerns.
    pub matched: usize,
    /// What became of them; at most 16 are named.
    pub refreshes: Vec<Refresh>,
    /// Subscriptions to the repositories that do not accept the event; at most 16 are named.
    pub not_refreshed: Vec<NotRefreshed>,
}

/// Names of which only the first are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// The first ones, each cut to 256 bytes.
    pub first: Vec<String>,
    /// How many there were.
    pub total: usize,
}

/// An object that a delivery refreshes, and how far that has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Refresh {
    /// `Warehouse` or `Promotion`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How far it has come.
    pub state: State,
    /// When a PATCH that began after the delivery had succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
    /// When Kargo was seen to have taken the refresh up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handled: Option<Timestamp>,
    /// When Kargo was seen to have asked the repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked: Option<Timestamp>,
    /// When what was pushed was seen among the discovered artifacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// How often the refresh was repeated because Kargo had not looked.
    #[serde(skip_serializing_if = "is_zero")]
    pub nudges: u32,
    /// Why it stands where it stands, such as the message with which Kargo's discovery failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub because: String,
}

/// How far a refresh has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The annotation is not written yet, and will be.
    #[default]
    Owed,
    /// The annotation is written.
    Written,
    /// Kargo has taken it up.
    Handled,
    /// Kargo has asked the repositories since.
    Looked,
    /// What was pushed is among the discovered artifacts.
    Seen,
    /// Kargo has asked the repositories, and what was pushed is not among the artifacts. Final.
    LookedNotListed,
    /// Kargo has taken the refresh up, and its discovery failed. Final.
    NotLooked,
    /// Kargo has not taken the refresh up.
    NotHandled,
}

/// A subscription to the repository of an event that does not accept it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NotRefreshed {
    /// The namespace of the Warehouse.
    pub namespace: String,
    /// The name of the Warehouse.
    pub name: String,
    /// The subscribed repository, normalised.
    pub repository: String,
    /// Why not, in words for a person.
    pub reason: String,
}

/// What becomes of a refresh after the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An attempt to write the annotation failed, and why.
    Delayed(String),
    /// The annotation was written.
    Written,
    /// Kargo has taken it up.
    Handled,
    /// Kargo has asked the repositories.
    Looked,
    /// The refresh was repeated.
    Nudged,
    /// Kargo's discovery failed, with its message; it is asked again.
    Failing(String),
    /// It is done, one way or another, with what there is to say about it.
    Ended(State, String),
}

impl<'a> FromIterator<&'a String> for Names {
    fn from_iter<I: IntoIterator<Item = &'a String>>(names: I) -> Self {
        let (mut first, mut total) = (Vec::new(), 0);
        for name in names {
            total += 1;
            if first.len() < Record::MOST_NAMES {
                first.push(cut(name));
            }
        }
        Self { first, total }
    }
}

impl Names {
    /// The first of these names.
    #[must_use]
    pub fn of<S: AsRef<str>>(names: &[S]) -> Self {
        let first = names.iter().take(Record::MOST_NAMES).map(|name| cut(name.as_ref())).collect();
        Self { first, total: names.len() }
    }

    fn bytes(&self) -> usize {
        self.first.iter().map(|name| name.len() + size_of::<String>()).sum()
    }
}

impl Refresh {
    /// A refresh that is owed.
    #[must_use]
    pub fn owed(target: &Target) -> Self {
        let kind = match target.kind {
            TargetKind::Warehouse => "Warehouse",
            TargetKind::Promotion => "Promotion",
        };
        let (namespace, name) = (target.key.namespace.to_string(), target.key.name.to_string());
        Self { kind: kind.to_owned(), namespace, name, ..Self::default() }
    }

    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.state, State::Seen | State::LookedNotListed | State::NotLooked)
    }

    /// Notes why it stands in this state, and says whether that is news.
    fn explain(&mut self, state: State, because: &str) -> bool {
        let because = cut(because);
        let is_news = self.state == state && self.because != because;
        if is_news {
            self.because = because;
        }
        is_news
    }

    /// Notes a step and says whether that changed anything. Nothing ever goes back, and what has ended stays as it
    /// ended.
    pub(crate) fn advance(&mut self, step: &Step, now: Timestamp) -> bool {
        if self.has_ended() {
            return false;
        }
        let (state, time) = match step {
            Step::Nudged => {
                self.nudges = self.nudges.saturating_add(1);
                return true;
            }
            Step::Delayed(because) => return self.explain(State::Owed, because),
            Step::Failing(because) => return self.explain(State::Handled, because),
            Step::Ended(state, because) => {
                self.because = cut(because);
                self.state = *state;
                self.seen = (*state == State::Seen).then_some(now);
                return true;
            }
            Step::Written => (State::Written, &mut self.written),
            Step::Handled => (State::Handled, &mut self.handled),
            Step::Looked => (State::Looked, &mut self.looked),
        };
        let is_new = time.is_none();
        time.get_or_insert(now);
        if self.state < state || self.state == State::NotHandled {
            self.state = state;
            self.because.clear();
        }
        is_new
    }
}

impl Record {
    /// Repositories, qualifiers, refreshes and reasons that a record names, each; beyond it only their number is kept.
    pub const MOST_NAMES: usize = 16;

    /// Cuts what a sender or a tenant could have made long.
    pub(super) fn bound(&mut self) {
        self.refreshes.truncate(Self::MOST_NAMES);
        self.not_refreshed.truncate(Self::MOST_NAMES);
        for text in [&mut self.event, &mut self.message] {
            shorten(text);
        }
        for entry in &mut self.not_refreshed {
            shorten(&mut entry.repository);
            shorten(&mut entry.reason);
        }
    }

    /// About what it occupies, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let texts = [
            &self.id,
            &self.replica,
            &self.kind,
            &self.declared_in,
            &self.project,
            &self.receiver,
            &self.event,
            &self.outcome,
            &self.message,
        ];
        let refreshes = self.refreshes.iter().map(|refresh| {
            // A message may still come.
            size_of::<Refresh>()
                + refresh.kind.len()
                + 2 * (refresh.namespace.len() + refresh.name.len())
                + LONGEST_TEXT
        });
        let others = self.not_refreshed.iter().map(|other| {
            size_of::<NotRefreshed>()
                + [&other.namespace, &other.name, &other.repository, &other.reason]
                    .map(String::len)
                    .iter()
                    .sum::<usize>()
        });
        size_of::<Self>()
            + texts.iter().map(|text| text.len()).sum::<usize>()
            + self.repositories.bytes()
            + self.qualifiers.bytes()
            + refreshes.sum::<usize>()
            + others.sum::<usize>()
    }

    /// Whether it concerns this Warehouse, by namespace and name.
    #[must_use]
    pub fn concerns(&self, namespace: &str, name: &str) -> bool {
        self.refreshes.iter().any(|it| it.kind == "Warehouse" && it.namespace == namespace && it.name == name)
            || self.not_refreshed.iter().any(|it| it.namespace == namespace && it.name == name)
    }
}

/// At most 256 bytes of a text, with an ellipsis where something is missing.
#[must_use]
pub fn cut(text: &str) -> String {
    let mut text = text.get(..=LONGEST_TEXT).unwrap_or(text).to_owned();
    shorten(&mut text);
    text
}

fn shorten(text: &mut String) {
    if text.len() > LONGEST_TEXT {
        let end = (0..=LONGEST_TEXT - '…'.len_utf8()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        for long in ["a".repeat(257), "é".repeat(200), "🙂".repeat(4096)] {
            let cut = cut(&long);
            assert!(cut.len() <= LONGEST_TEXT && cut.ends_with('…'), "{}", cut.len());
            assert!(long.starts_with(cut.trim_end_matches('…')));
        }
    }

    #[test]
    fn a_refresh_never_goes_back_and_keeps_its_end() {
        let now = Timestamp::UNIX_EPOCH;
        let mut refresh = Refresh::default();
        let delayed = Step::Delayed("403".to_owned());
        assert!(refresh.advance(&delayed, now) && !refresh.advance(&delayed, now), "the same again is no news");
        assert_eq!((refresh.state, &*refresh.because), (State::Owed, "403"));
        refresh.advance(&Step::Handled, now);
        assert!(!refresh.advance(&delayed, now) && refresh.because.is_empty());
        refresh.advance(&Step::Written, now);
        assert_eq!((refresh.state, refresh.written), (State::Handled, Some(now)));
        refresh.advance(&Step::Ended(State::NotHandled, "not taken up for 1m".to_owned()), now);
        refresh.advance(&Step::Looked, now);
        assert_eq!((refresh.state, &*refresh.because), (State::Looked, ""));
        refresh.advance(&Step::Nudged, now);
        refresh.advance(&Step::Ended(State::Seen, String::new()), now);
        refresh.advance(&Step::Ended(State::NotLooked, "late".to_owned()), now);
        refresh.advance(&Step::Nudged, now);
        assert_eq!((refresh.state, refresh.nudges, refresh.seen), (State::Seen, 1, Some(now)));
    }
}
