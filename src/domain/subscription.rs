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
mod entry;
mod error;
mod fields;
mod oci_reference;
mod repositories;

use serde_json::{Map, Value};
use smallvec::{SmallVec, smallvec};

pub use self::entry::{Subscription, SubscriptionKind};
use self::error::wrong_type;
pub use self::error::{SubscriptionError, SubscriptionProblem};
use self::fields::Fields;
pub use self::repositories::Repositories;
use super::go_regex::PatternBudget;

/// What a Warehouse subscribes to, in the order of its spec; an entry that cannot be understood says why. The only one
/// stands inside: most pushes find a Warehouse that is in no cache of the processor, where each step aside counts.
pub type Subscriptions = SmallVec<[Result<Subscription, SubscriptionError>; 1]>;

/// Decodes one element of `spec.subscriptions`. `None` stands for what no webhook can concern: a kind other than Git,
/// image and chart, or an empty URL.
///
/// # Errors
/// When Kargo could not decode the element. A mistake in a subscription that decodes is in its `selector`.
fn decode(element: &Value, budget: &mut PatternBudget) -> Result<Option<Subscription>, SubscriptionError> {
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
        "git" => build::git(&fields, budget)?,
        "image" => build::image(&fields, budget)?,
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
/// order of Kargo's index. Compiling patterns is paid for from the budget.
#[must_use]
pub fn subscriptions(spec: &Value, budget: &mut PatternBudget) -> Subscriptions {
    let empty = Map::new();
    let spec = match object(spec, "spec") {
        Ok(spec) => spec,
        Err(_) if spec.is_null() => &empty,
        Err(problem) => return smallvec![Err(problem.into())],
    };
    match Fields::new("spec", spec).get("subscriptions") {
        None => Subscriptions::new(),
        Some(Value::Array(elements)) => elements
            .iter()
            .enumerate()
            .filter_map(|(index, element)| {
                let at_index = |error: SubscriptionError| SubscriptionError { index: Some(index), ..error };
                decode(element, budget).map_err(at_index).transpose()
            })
            .collect(),
        Some(other) => smallvec![Err(wrong_type("spec.subscriptions", "a list", other).into())],
    }
}

fn object<'v>(value: &'v Value, field: &str) -> Result<&'v Map<String, Value>, SubscriptionProblem> {
    value.as_object().ok_or_else(|| wrong_type(field, "an object", value))
}

#[cfg(test)]
mod tests;
