//! What an action selects, with its templates compiled.

use super::mistake::Mistake;
use crate::api::generic_config::{self as config, TargetSelectionCriteria};
use crate::domain::criterion::{Criterion, Index, IndexRequirement, LabelRequirement};
use crate::domain::label;
use crate::domain::target::TargetKind;
use crate::expr::{Budget, CompileBudget, Env, Template};

/// A compiled criterion.
#[derive(Debug)]
pub(super) struct Plan {
    kind: TargetKind,
    name: Option<Template>,
    labels: Vec<LabelPlan>,
    indices: Vec<IndexPlan>,
}

#[derive(Debug)]
struct LabelPlan {
    key: String,
    operator: Operator,
    values: Vec<Template>,
    place: String,
}

/// The operators of Kubernetes' label selectors.
#[derive(Clone, Copy, Debug)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

#[derive(Debug)]
struct IndexPlan {
    index: Index,
    must_be_there: bool,
    value: Template,
}

impl Plan {
    /// Compiles a criterion, unless it can never select anything.
    pub(super) fn compile(criteria: &TargetSelectionCriteria, budget: &mut CompileBudget) -> Result<Self, Mistake> {
        let TargetSelectionCriteria { kind, name, label_selector, index_selector } = criteria;
        let kind = match kind.as_str() {
            "Warehouse" => TargetKind::Warehouse,
            "Promotion" => TargetKind::Promotion,
            _ => return Err(Mistake::in_selector("kind", "the kind is neither Warehouse nor Promotion")),
        };
        let name = name.as_deref().filter(|name| !name.is_empty());
        let name = name.map(|name| template(name, "name", budget)).transpose()?;
        let mut labels = Vec::new();
        for (key, value) in label_selector.iter().flat_map(|selector| &selector.match_labels) {
            let place = format!("labelSelector.matchLabels.{key}");
            labels.push(LabelPlan::compile(key, Operator::In, std::slice::from_ref(value), place, budget)?);
        }
        let expressions = label_selector.iter().flat_map(|selector| &selector.match_expressions);
        for (index, config::LabelRequirement { key, operator, values }) in expressions.enumerate() {
            let place = format!("labelSelector.matchExpressions[{index}]");
            let operator = match operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => {
                    let what = "the operator is none of In, NotIn, Exists and DoesNotExist";
                    return Err(Mistake::in_selector(place, what));
                }
            };
            labels.push(LabelPlan::compile(key, operator, values, place, budget)?);
        }
        let mut indices = Vec::new();
        for (index, requirement) in index_selector.iter().flat_map(|selector| &selector.match_indices).enumerate() {
            let plan = IndexPlan::compile(kind, requirement, budget);
            indices.push(plan.map_err(|mistake| mistake.within(&index_place(index)))?);
        }
        Ok(Self { kind, name, labels, indices })
    }

    /// Evaluates the templates for a request.
    pub(super) fn evaluate(&self, env: &Env, budget: &mut Budget) -> Result<Criterion, Mistake> {
        let name = self.name.as_ref().map(|name| render(name, "name", env, budget)).transpose()?;
        let labels = self.labels.iter().map(|label| label.evaluate(env, budget)).collect::<Result<_, _>>()?;
        let mut indices = Vec::new();
        for (index, IndexPlan { index: key, must_be_there, value }) in self.indices.iter().enumerate() {
            let value = render(value, "value", env, budget).map_err(|mistake| mistake.within(&index_place(index)))?;
            indices.push(IndexRequirement { index: *key, must_be_there: *must_be_there, value });
        }
        Ok(Criterion { kind: self.kind, name, labels, indices })
    }
}

impl LabelPlan {
    fn compile(
        key: &str,
        operator: Operator,
        values: &[String],
        place: String,
        budget: &mut CompileBudget,
    ) -> Result<Self, Mistake> {
        let refuse = |place: &str, what| Err(Mistake::in_selector(place, what));
        if !label::is_key(key) {
            return refuse(&place, "the key is none that a label can have");
        }
        let compares = matches!(operator, Operator::In | Operator::NotIn);
        if compares == values.is_empty() {
            let what = if compares { "values are missing" } else { "the operator takes no values" };
            return refuse(&place, what);
        }
        let mut templates = Vec::new();
        for value in values {
            let template = template(value, &place, budget)?;
            if template.constant().is_some_and(|value| !label::is_value(value)) {
                return refuse(&place, INVALID_VALUE);
            }
            templates.push(template);
        }
        Ok(Self { key: key.to_owned(), operator, values: templates, place })
    }

    fn evaluate(&self, env: &Env, budget: &mut Budget) -> Result<LabelRequirement, Mistake> {
        let value = |template| {
            let value = render(template, &self.place, env, budget)?;
            if label::is_value(&value) { Ok(value) } else { Err(Mistake::in_selector(&*self.place, INVALID_VALUE)) }
        };
        let values = self.values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let key = self.key.clone();
        Ok(match self.operator {
            Operator::In => LabelRequirement::In(key, values),
            Operator::NotIn => LabelRequirement::NotIn(key, values),
            Operator::Exists => LabelRequirement::Exists(key),
            Operator::DoesNotExist => LabelRequirement::DoesNotExist(key),
        })
    }
}

const INVALID_VALUE: &str = "a value is none that a label can have";

impl IndexPlan {
    fn compile(
        kind: TargetKind,
        requirement: &config::IndexRequirement,
        budget: &mut CompileBudget,
    ) -> Result<Self, Mistake> {
        let config::IndexRequirement { key, operator, value } = requirement;
        let index = match (kind, key.as_str()) {
            (TargetKind::Warehouse, "subscribedURLs") => Index::SubscribedUrls,
            (TargetKind::Promotion, "pullRequestURL") => Index::PullRequestUrl,
            (TargetKind::Warehouse, _) => {
                return Err(Mistake::in_selector("key", "the index of a Warehouse is subscribedURLs"));
            }
            (TargetKind::Promotion, _) => {
                return Err(Mistake::in_selector("key", "the index of a Promotion is pullRequestURL"));
            }
        };
        let must_be_there = match operator.as_str() {
            "Equals" => true,
            "NotEquals" => false,
            _ => return Err(Mistake::in_selector("operator", "the operator is neither Equals nor NotEquals")),
        };
        Ok(Self { index, must_be_there, value: template(value, "value", budget)? })
    }
}

fn index_place(index: usize) -> String {
    format!("indexSelector.matchIndices[{index}]")
}

/// A template that can be rendered, as far as is known.
fn template(text: &str, place: &str, budget: &mut CompileBudget) -> Result<Template, Mistake> {
    let parsed = Template::parse(text, budget).and_then(|template| match template.first_error() {
        Some(error) => Err(error),
        None => Ok(template),
    });
    parsed.map_err(|error| Mistake::from(error).within(place))
}

fn render(template: &Template, place: &str, env: &Env, budget: &mut Budget) -> Result<String, Mistake> {
    template.render_text(env, budget).map_err(|error| Mistake::from(error).within(place))
}
