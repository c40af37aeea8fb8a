//! From the configuration of a `generic` receiver to compiled actions: pure.

use std::sync::Arc;

use crate::api::generic_config::GenericConfig;
use crate::receiver::kinds::generic::{Action, CompileBudget};

/// The most mistakes reported at a time, because a condition has limited room.
const REPORTED: usize = 8;

/// Compiles the actions of a receiver.
pub(super) fn actions(config: &GenericConfig, budget: &mut CompileBudget) -> Arc<[Action]> {
    config.actions.iter().map(|action| Action::compile(action, budget)).collect()
}

/// The mistakes in these actions, in one text for a person; `None` when there are none.
pub(super) fn mistakes(actions: &[Action]) -> Option<String> {
    let of_action = |(index, action): (usize, &Action)| {
        action.mistakes().map(|mistake| format!("actions[{index}].{mistake}")).collect::<Vec<_>>()
    };
    let all: Vec<String> = actions.iter().enumerate().flat_map(of_action).collect();
    let mut text = all.iter().take(REPORTED).map(String::as_str).collect::<Vec<_>>().join("; ");
    if all.len() > REPORTED {
        text += &format!("; and {} more", all.len() - REPORTED);
    }
    (!all.is_empty()).then_some(text)
}
