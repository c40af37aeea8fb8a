//! Settings of the `generic` receiver: what to do with a request of any sender. The contract is Kargo's CRD, widened by
//! the `Promotion` targets that Kargo's documentation and code know and its CRD leaves out.
//!
//! Values that Kargo leaves open (expressions, operators, templates) are open here too; `resolve` and the receiver
//! judge them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::secret_ref::SecretRef;

/// The most actions of a receiver, and the most criteria of an action: the CEL rule needs a bound to have a bounded
/// cost.
const MAX_ITEMS: u32 = 32;

/// Settings of the `generic` kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenericConfig {
    /// The Secret that holds the receiver's secret. Required.
    pub secret_ref: SecretRef,

    /// The actions to run for a request, in this order and independently of one another. Between 1 and 32. Default:
    /// none; requests are accepted and nothing happens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = MAX_ITEMS))]
    pub actions: Vec<GenericAction>,
}

/// One action, and when to run it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenericAction {
    /// What to do with the selected objects. `Refresh`, the only action, asks Kargo to reconcile them now.
    #[schemars(extend("enum" = ["Refresh"]))]
    pub action: String,

    /// An expr-lang expression over `request` and `params`. The action runs when it is true. Default: empty; the action
    /// runs for every request. Example: `request.header('X-Event') == 'push'`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_expression: Option<String>,

    /// Constants that the expressions of this action can use as `params`. Default: none. Example: `{"tier": "prod"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,

    /// Which objects to act on. An object is selected when it meets one of the criteria. Between 1 and 32. Default:
    /// none; nothing is selected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = MAX_ITEMS))]
    pub target_selection_criteria: Vec<TargetSelectionCriteria>,
}

/// Selects objects of one kind by name, labels or index. Set at least one of the three; an object must meet all that
/// are set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = criteria_rules()))]
pub struct TargetSelectionCriteria {
    /// The kind of the objects: `Warehouse` or `Promotion`.
    #[schemars(extend("enum" = ["Warehouse", "Promotion"]))]
    pub kind: String,

    /// The name of the object. It may contain expressions in `${{ }}`. Default: empty, any name. Example:
    /// `${{ request.body.service }}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// The labels of the objects. Default: none, any labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,

    /// The values by which the objects must be indexed. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_selector: Option<IndexSelector>,
}

/// Selects objects by their labels. An object must meet all labels and all expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct LabelSelector {
    /// The labels that an object must have, with their values. Values may contain expressions in `${{ }}`. Default:
    /// none. Example: `{"team": "web"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,

    /// Conditions on labels. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<LabelRequirement>,
}

/// A condition on one label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelRequirement {
    /// The key of the label.
    pub key: String,

    /// How the label is compared: `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,

    /// The values to compare with; at least one for `In` and `NotIn`, none for the others. Values may contain
    /// expressions in `${{ }}`. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub values: Vec<String>,
}

/// Selects objects by the values they are indexed by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexSelector {
    /// Conditions on indexes. An object must meet all of them. At least one; default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1))]
    pub match_indices: Vec<IndexRequirement>,
}

/// A condition on one index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IndexRequirement {
    /// The index: `subscribedURLs` (the repositories a Warehouse subscribes to), `pullRequestURL` (the pull request a
    /// running Promotion waits for) or `receiverPaths`, which Kargo's CRD allows and which selects nothing.
    #[schemars(extend("enum" = ["subscribedURLs", "receiverPaths", "pullRequestURL"]))]
    pub key: String,

    /// How the value is compared: `Equals` or `NotEquals`.
    pub operator: String,

    /// The value to compare with. It may contain expressions in `${{ }}`. Example:
    /// `${{ normalizeGit(request.body.repository.clone_url) }}`.
    pub value: String,
}

/// What Kargo's admission webhook checks on one criterion.
fn criteria_rules() -> Value {
    json!([{
        "rule": "(has(self.name) && size(self.name) > 0) \
                 || (has(self.labelSelector) && has(self.labelSelector.matchLabels) && size(self.labelSelector.matchLabels) > 0) \
                 || (has(self.labelSelector) && has(self.labelSelector.matchExpressions) && size(self.labelSelector.matchExpressions) > 0) \
                 || (has(self.indexSelector) && has(self.indexSelector.matchIndices) && size(self.indexSelector.matchIndices) > 0)",
        "message": "set at least one of name, labelSelector and indexSelector, \
                    otherwise every object of the kind would be selected",
    }])
}
