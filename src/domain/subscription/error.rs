//! What is wrong with an element that is not a subscription.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

/// Why an element of `spec.subscriptions` is not a subscription at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct SubscriptionError {
    /// The position of the element in the list, if it was read as part of one.
    pub index: Option<usize>,
    /// What is wrong with it.
    pub problem: SubscriptionProblem,
}

impl fmt::Display for SubscriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "subscriptions[{index}]: {}", self.problem),
            None => self.problem.fmt(f),
        }
    }
}

/// What is wrong with an element of `spec.subscriptions`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SubscriptionProblem {
    /// A value is of another type than Kargo reads.
    #[error("{field} must be {expected}, but is {found}")]
    WrongType {
        /// Where the value is.
        field: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Not exactly one of `git`, `image`, `chart` or another kind.
    #[error(
        "a subscription must have exactly one field that names its kind (git, image or chart) besides an optional \
         name, but this one has {count}"
    )]
    Kinds {
        /// How many it has.
        count: usize,
    },
    /// The spec nests more than 128 levels deep.
    #[error("spec is nested too deeply to be read")]
    TooDeep,
}

impl SubscriptionError {
    /// The whole spec nests too deeply to be read.
    #[must_use]
    pub const fn too_deep() -> Self {
        Self { index: None, problem: SubscriptionProblem::TooDeep }
    }
}

impl From<SubscriptionProblem> for SubscriptionError {
    fn from(problem: SubscriptionProblem) -> Self {
        Self { index: None, problem }
    }
}

pub(super) fn wrong_type(field: impl Into<String>, expected: &'static str, found: &Value) -> SubscriptionProblem {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    SubscriptionProblem::WrongType { field: field.into(), expected, found }
}
