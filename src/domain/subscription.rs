//! The subscriptions of a Warehouse.
//!
//! Owns the decoding of `spec.subscriptions` into what an event is compared with: the kind, the normalised repository
//! URL and the compiled selector. The contract's sources are Kargo's `WarehouseSpec.UnmarshalJSON`, Go's
//! `encoding/json`, the index `WarehousesBySubscribedURLs` and the constructors of the selectors. Deliberate
//! difference: an element that does not decode, or whose selector is wrong, stands alone; where Kargo fails the whole
//! Warehouse or request, its neighbours keep working here.
//!
//! `expressionFilter` is not looked at: Kargo compiles it for an event, but does not evaluate it either.

mod build;
mod fields;
mod oci_reference;
mod repositories;

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

use self::fields::Fields;
pub use self::repositories::Repositories;
use super::selector::{Judgement, Reason, Selector, SelectorError};

/// What a subscription subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SubscriptionKind {
    /// A Git repository.
    Git,
    /// An image repository.
    Image,
    /// A chart repository.
    Chart,
}

impl SubscriptionKind {
    /// The name of the kind, which is the key it has in a Warehouse.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Image => "image",
            Self::Chart => "chart",
        }
    }
}

impl fmt::Display for SubscriptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One subscription of a Warehouse.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// What it subscribes to.
    pub kind: SubscriptionKind,
    /// The normalised URL under which it is looked up.
    pub repository: String,
    /// What all spellings of a Git repository have in common; see [`git_identity`](super::repo::git_identity).
    pub identity: Option<Box<str>>,
    /// What qualifies for it, unless it has a mistake.
    pub selector: Result<Selector, SelectorError>,
}

impl Subscription {
    /// Whether an event about this repository concerns the subscription; see [`Selector::matches`]. With a mistake in
    /// the subscription, only an event that names no qualifier does, as that one is not looked at any closer.
    #[must_use]
    pub fn matches(&self, qualifiers: &[String], changed_files: &[String], default_branch: Option<&str>) -> bool {
        match &self.selector {
            Ok(selector) => selector.matches(qualifiers, changed_files, default_branch),
            Err(_) => qualifiers.is_empty(),
        }
    }

    /// As [`Self::matches`], with the reason.
    pub fn judge<'a>(
        &'a self,
        qualifiers: &'a [String],
        changed_files: &'a [String],
        default_branch: Option<&'a str>,
    ) -> Judgement<'a> {
        match &self.selector {
            Ok(selector) => selector.judge(qualifiers, changed_files, default_branch),
            Err(_) if qualifiers.is_empty() => Judgement { matched: true, reason: Reason::NoQualifier },
            Err(error) => Judgement { matched: false, reason: Reason::Unusable { error } },
        }
    }
}

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

/// Decodes one element of `spec.subscriptions`. `None` stands for what no webhook can concern: a kind other than Git,
/// image and chart, or an empty URL.
///
/// # Errors
/// When Kargo could not decode the element. A mistake in a subscription that decodes is in its `selector`.
pub fn decode(element: &Value) -> Result<Option<Subscription>, SubscriptionError> {
    let element = object(element, "a subscription")?;
    if let Some(name) = element.get("name").filter(|name| !name.is_string() && !name.is_null()) {
        return Err(wrong_type("name", "a text", name).into());
    }
    // Unlike in the rest of the document, the case of these keys counts.
    let mut kinds = element.iter().filter(|(key, _)| *key != "name");
    let (Some((kind, value)), None) = (kinds.next(), kinds.next()) else {
        let count = element.keys().filter(|key| *key != "name").count();
        return Err(SubscriptionProblem::Kinds { count }.into());
    };
    let empty = Map::new();
    let fields = Fields::new(kind, if value.is_null() { &empty } else { object(value, kind)? });
    let decoded = match kind.as_str() {
        "git" => build::git(&fields)?,
        "image" => build::image(&fields)?,
        "chart" => build::chart(&fields)?,
        _ => {
            fields.text("name")?;
            fields.integer("discoveryLimit")?;
            None
        }
    };
    Ok(decoded)
}

/// Decodes `spec.subscriptions` of a Warehouse, given its `spec`. The order is that of the list, which is also the
/// order of Kargo's index.
#[must_use]
pub fn subscriptions(spec: &Value) -> Vec<Result<Subscription, SubscriptionError>> {
    let empty = Map::new();
    let spec = match object(spec, "spec") {
        Ok(spec) => spec,
        Err(_) if spec.is_null() => &empty,
        Err(problem) => return vec![Err(problem.into())],
    };
    match Fields::new("spec", spec).get("subscriptions") {
        None => Vec::new(),
        Some(Value::Array(elements)) => elements
            .iter()
            .enumerate()
            .filter_map(|(index, element)| {
                let at_index = |error: SubscriptionError| SubscriptionError { index: Some(index), ..error };
                decode(element).map_err(at_index).transpose()
            })
            .collect(),
        Some(other) => vec![Err(wrong_type("spec.subscriptions", "a list", other).into())],
    }
}

fn object<'v>(value: &'v Value, field: &str) -> Result<&'v Map<String, Value>, SubscriptionProblem> {
    value.as_object().ok_or_else(|| wrong_type(field, "an object", value))
}

fn wrong_type(field: impl Into<String>, expected: &'static str, found: &Value) -> SubscriptionProblem {
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

#[cfg(test)]
mod tests;
