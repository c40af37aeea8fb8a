//! An action, compiled when the configuration changes and judged for every request.

use super::criterion::Plan;
use super::mistake::Mistake;
use crate::api::generic_config::{GenericAction, TargetSelectionCriteria};
use crate::domain::event::ActionResult;
use crate::expr::{Budget, CompileBudget, Env, Program};

/// The only action there is.
const REFRESH: &str = "Refresh";

/// The field of the condition.
const WHEN: &str = "whenExpression";

/// A compiled action.
#[derive(Debug)]
pub struct Action {
    name: String,
    /// Nothing when it applies to every request.
    condition: Option<Result<Program, Mistake>>,
    parameters: Vec<(String, String)>,
    criteria: Vec<Result<Plan, Mistake>>,
}

impl Action {
    /// Compiles an action. A mistake in it makes it fail at every request; [`mistakes`](Self::mistakes) reports it.
    #[must_use]
    pub fn compile(action: &GenericAction, budget: &mut CompileBudget) -> Self {
        let GenericAction { action: name, when_expression, parameters, target_selection_criteria } = action;
        let when = when_expression.as_deref().filter(|when| !when.is_empty());
        let condition =
            when.map(|when| Program::compile(when, budget).map_err(|error| Mistake::from(&error).within(WHEN)));
        let criterion = |(index, criteria): (usize, &TargetSelectionCriteria)| {
            Plan::compile(criteria, budget).map_err(|mistake| mistake.within(&criterion_place(index)))
        };
        Self {
            name: name.clone(),
            condition,
            parameters: parameters.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            criteria: target_selection_criteria.iter().enumerate().map(criterion).collect(),
        }
    }

    /// What the action does, as it stands in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the action can never do anything, field by field, in words for a person.
    pub fn mistakes(&self) -> impl Iterator<Item = String> + '_ {
        let unknown = (self.name != REFRESH).then(|| format!("action: the only action is {REFRESH}"));
        let condition = self.condition.iter().filter_map(|condition| condition.as_ref().err());
        let criteria = self.criteria.iter().filter_map(|criterion| criterion.as_ref().err());
        unknown.into_iter().chain(condition.chain(criteria).map(ToString::to_string))
    }

    /// What the action asks for. An action that exceeds the budget fails, like any other that cannot be evaluated.
    pub(super) fn judge(&self, env: &Env, budget: &mut Budget) -> ActionResult {
        let env = env.with_params(self.parameters.iter().map(|(key, value)| (key, value)));
        match self.applies(&env, budget) {
            Err(mistake) => return ActionResult::condition_failed(mistake.class, mistake.to_string()),
            Ok(false) => return ActionResult::NotApplicable,
            Ok(true) if self.name != REFRESH => return ActionResult::Unknown,
            Ok(true) => {}
        }
        let criterion = |(index, plan): (usize, &Result<Plan, Mistake>)| match plan {
            Ok(plan) => plan.evaluate(&env, budget).map_err(|mistake| mistake.within(&criterion_place(index))),
            Err(mistake) => Err(mistake.clone()),
        };
        match self.criteria.iter().enumerate().map(criterion).collect() {
            Ok(criteria) => ActionResult::Refresh(criteria),
            Err(mistake) => ActionResult::criteria_failed(mistake.class, mistake.to_string()),
        }
    }

    fn applies(&self, env: &Env, budget: &mut Budget) -> Result<bool, Mistake> {
        let program = match &self.condition {
            None => return Ok(true),
            Some(Ok(program)) => program,
            Some(Err(mistake)) => return Err(mistake.clone()),
        };
        let value = program.run(env, budget).map_err(|error| Mistake::from(error).within(WHEN))?;
        value.as_bool().ok_or_else(|| Mistake::wrong_type("the result is neither true nor false").within(WHEN))
    }
}

fn criterion_place(index: usize) -> String {
    format!("targetSelectionCriteria[{index}]")
}
