//! The JSON body of an answer.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ending::Ending;
use crate::delivery::JudgedAction;
use crate::domain::event::ActionResult;

/// The JSON body; members that do not apply are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) msg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivery_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) results: Option<Vec<ActionReport>>,
}

impl Body {
    /// What it says in words, whether good or bad; empty where it says nothing.
    pub(in crate::http) fn message(&self) -> &str {
        self.msg.as_deref().or(self.error.as_deref()).unwrap_or_default()
    }
}

/// How many objects were looked at and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subscribed: Option<usize>,
    pub(super) matched: usize,
    pub(super) refreshed: usize,
    /// Why subscriptions did not match, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) not_matched: BTreeMap<&'static str, usize>,
}

/// What became of one action of a `generic` receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActionReport {
    action: String,
    #[serde(rename = "matchedWhenExpression")]
    matched: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ActionOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    /// The class of the error, when an expression could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    selected: usize,
    refreshed: usize,
}

/// Kargo's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum ActionOutcome {
    Success,
    PartialSuccess,
    Failure,
    Error,
    NotApplicable,
}

impl ActionReport {
    pub(super) fn of(action: &JudgedAction, ending: Ending<'_>) -> Self {
        let selected = action.targets.len();
        let refreshed = match ending {
            Ending::DryRun => 0,
            Ending::Written => selected,
            Ending::Unfinished(unfinished) | Ending::Queued { unfinished, .. } => {
                action.targets.iter().filter(|target| unfinished.binary_search(target).is_err()).count()
            }
        };
        let report = Self {
            action: action.verdict.action.clone(),
            matched: true,
            result: None,
            summary: None,
            error: None,
            selected,
            refreshed,
        };
        match &action.verdict.result {
            ActionResult::Failed { matched, summary, class, detail: _ } => Self {
                matched: *matched,
                result: Some(ActionOutcome::Error),
                summary: Some((*summary).to_owned()),
                error: Some(*class),
                ..report
            },
            ActionResult::NotApplicable => Self {
                matched: false,
                result: Some(ActionOutcome::NotApplicable),
                summary: Some("Request did not match whenExpression".to_owned()),
                ..report
            },
            ActionResult::Refresh(_) if matches!(ending, Ending::DryRun) => Self {
                result: Some(ActionOutcome::Success),
                summary: Some(format!("Would refresh {selected} selected resources")),
                ..report
            },
            ActionResult::Refresh(_) => Self {
                result: Some(match refreshed {
                    _ if refreshed == selected => ActionOutcome::Success,
                    0 => ActionOutcome::Failure,
                    _ => ActionOutcome::PartialSuccess,
                }),
                summary: Some(format!("Refreshed {refreshed} of {selected} selected resources")),
                ..report
            },
            ActionResult::Unknown => report,
        }
    }
}
