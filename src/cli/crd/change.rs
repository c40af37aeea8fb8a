//! One change of a definition.

use serde::Serialize;
use serde_json::{Map, Value};

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Part {
    Scope,
    Names,
    Conversion,
    Version,
    Column,
    Field,
    Descriptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum How {
    Added,
    Removed,
    Changed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Change {
    pub(super) part: Part,
    pub(super) how: How,
    /// Which one, with its version in front if it is of one.
    pub(super) name: String,
    pub(super) detail: String,
    /// Objects lose what they have there when they are next written.
    pub(super) drops_values: bool,
}

/// Why a change must not be made as things are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Danger {
    pub(super) message: String,
    pub(super) remedy: String,
}

pub(super) fn change(part: Part, how: How, name: impl Into<String>, detail: impl Into<String>) -> Change {
    Change { part, how, name: name.into(), detail: detail.into(), drops_values: false }
}

/// Whether the API server leaves out a member with this value.
pub(super) fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// The members that differ, with both values where those are short.
pub(super) fn difference(old: &Map<String, Value>, new: &Map<String, Value>) -> String {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let differing = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let shown: Vec<String> = differing
        .map(|key| match (short(old.get(key)), short(new.get(key))) {
            (Some(old), Some(new)) => format!("{key}: {old} -> {new}"),
            _ => key.clone(),
        })
        .collect();
    shown.join(", ")
}

fn short(value: Option<&Value>) -> Option<String> {
    match value {
        None => Some("none".to_owned()),
        Some(Value::Object(_) | Value::Array(_)) => None,
        Some(value) => Some(value.to_string()).filter(|text| text.len() <= 40),
    }
}
