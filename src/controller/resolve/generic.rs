//! From the configuration of a `generic` receiver to compiled actions: pure.

use std::sync::Arc;

use crate::api::generic_config::{GenericAction, GenericConfig, TargetSelectionCriteria};
use crate::receiver::kinds::generic::{Action, ActionParts, CompileBudget, CriterionParts, IndexParts, LabelParts};

/// The most mistakes that are told at a time; a condition has limited room.
const TOLD: usize = 8;

/// Compiles the actions of a receiver.
pub(super) fn actions(config: &GenericConfig, budget: &mut CompileBudget) -> Arc<[Action]> {
    config.actions.iter().map(|action| Action::compile(&parts(action), budget)).collect()
}

/// What can never work in these actions, in one text for a person; `None` when nothing is wrong.
pub(super) fn mistakes(actions: &[Action]) -> Option<String> {
    let of_action = |(index, action): (usize, &Action)| {
        action.mistakes().map(|mistake| format!("actions[{index}].{mistake}")).collect::<Vec<_>>()
    };
    let all: Vec<String> = actions.iter().enumerate().flat_map(of_action).collect();
    let mut text = all.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    if all.len() > TOLD {
        text += &format!("; and {} more", all.len() - TOLD);
    }
    (!all.is_empty()).then_some(text)
}

fn parts(action: &GenericAction) -> ActionParts<'_> {
    ActionParts {
        action: &action.action,
        when_expression: action.when_expression.as_deref().unwrap_or_default(),
        parameters: action.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        criteria: action.target_selection_criteria.iter().map(criterion_parts).collect(),
    }
}

fn criterion_parts(criterion: &TargetSelectionCriteria) -> CriterionParts<'_> {
    let labels = criterion.label_selector.iter();
    let indices = criterion.index_selector.iter().flat_map(|selector| &selector.match_indices);
    CriterionParts {
        kind: &criterion.kind,
        name: criterion.name.as_deref().unwrap_or_default(),
        match_labels: labels
            .clone()
            .flat_map(|selector| &selector.match_labels)
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect(),
        match_expressions: labels
            .flat_map(|selector| &selector.match_expressions)
            .map(|r| LabelParts { key: &r.key, operator: &r.operator, values: &r.values })
            .collect(),
        match_indices: indices.map(|r| IndexParts { key: &r.key, operator: &r.operator, value: &r.value }).collect(),
    }
}
