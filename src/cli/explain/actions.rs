//! What became of the actions of a `generic` receiver, in words for a person.

use serde_json::{Value, json};

use crate::delivery::JudgedAction;
use crate::domain::criterion::Criterion;
use crate::domain::event::ActionResult;
use crate::domain::target::{Target, TargetKind};
use crate::tables::warehouses::Warehouse;

/// The actions, in their order.
pub(super) fn outcomes(actions: &[JudgedAction]) -> Vec<Value> {
    let outcome = |action: &JudgedAction| {
        let outcome = match &action.verdict.result {
            ActionResult::Refresh(_) => format!("selects {} object(s)", action.targets.len()),
            other => without_selection(other),
        };
        json!({"action": action.verdict.action, "outcome": outcome})
    };
    actions.iter().map(outcome).collect()
}

/// Whether a Warehouse is selected, and by which actions or why by none.
pub(super) fn fate(actions: &[JudgedAction], warehouse: &Warehouse) -> (bool, String) {
    let target = Target::warehouse(warehouse.key.clone());
    let selects = |action: &JudgedAction| action.targets.binary_search(&target).is_ok();
    let selecting: Vec<_> = (0..actions.len()).filter(|index| selects(&actions[*index])).map(name).collect();
    if !selecting.is_empty() {
        return (true, format!("selected by {}", selecting.join(" and ")));
    }
    let refusal = |(index, action): (usize, &JudgedAction)| {
        let why = match &action.verdict.result {
            ActionResult::Refresh(criteria) => not_selected(criteria, warehouse),
            other => without_selection(other),
        };
        format!("{} {why}", name(index))
    };
    let refusals: Vec<_> = actions.iter().enumerate().map(refusal).collect();
    match refusals.is_empty() {
        true => (false, "the receiver has no actions".to_owned()),
        false => (false, refusals.join("; ")),
    }
}

fn not_selected(criteria: &[Criterion], warehouse: &Warehouse) -> String {
    let unmet = |criterion: &Criterion| match criterion.kind {
        TargetKind::Warehouse => warehouse.unmet(criterion).map(|unmet| unmet.to_string()),
        TargetKind::Promotion => Some("it is not a Promotion".to_owned()),
    };
    let reasons: Vec<_> = criteria.iter().filter_map(unmet).collect();
    if reasons.is_empty() {
        return "selects nothing, as it has no criteria".to_owned();
    }
    format!("does not select it: {}", reasons.join(", "))
}

fn name(index: usize) -> String {
    format!("actions[{index}]")
}

fn without_selection(result: &ActionResult) -> String {
    match result {
        ActionResult::Failed { detail, .. } => format!("fails: {detail}"),
        ActionResult::NotApplicable => "does not apply: its whenExpression is false".to_owned(),
        ActionResult::Unknown => "does nothing: the only action is Refresh".to_owned(),
        ActionResult::Refresh(_) => String::new(),
    }
}
