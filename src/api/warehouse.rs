//! `Warehouse`: what to watch for new artifacts. Ours is only the part we read, the subscriptions; the object belongs
//! to Kargo, whose CRD and admission webhooks say what a subscription may hold. Nothing here restricts or defaults
//! them, so a manifest written for Kargo is stored byte for byte as it was given.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The repositories that artifacts come from.
///
/// Every other field (`interval`, `freightCreationPolicy`, …) is stored unchanged.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "Warehouse",
    plural = "warehouses",
    singular = "warehouse",
    namespaced,
    status = "WarehouseStatus",
    doc = "Warehouse subscribes to repositories of images, charts and Git commits. Kargo looks for new artifacts in them; \
           Quayside asks it to look now, when a webhook reports a push that a subscription is interested in.",
    derive = "Default",
    derive = "PartialEq",
    printcolumn(name = "Shard", type_ = "string", json_path = ".spec.shard"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct WarehouseSpec {
    /// The name of the Kargo controller shard that works on this Warehouse. Default: the default shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,

    /// The repositories to watch. Each entry is an object with one kind of subscription, `git`, `image` or `chart`, for
    /// example `{"image": {"repoURL": "quay.io/example/app", "constraint": "^1.0.0"}}`. Subscriptions of other kinds
    /// are stored, but no webhook refreshes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "subscriptions_schema")]
    pub subscriptions: Vec<Value>,

    /// Everything else in the spec, kept as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: Map<String, Value>,
}

/// Kargo's latest report about the Warehouse. Quayside never writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct WarehouseStatus {
    /// The value of the annotation `kargo.akuity.io/refresh` that Kargo last handled. A refresh is done when both are
    /// equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,

    /// Everything else in the status, kept as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: Map<String, Value>,
}

/// A list of objects with anything in them.
fn subscriptions_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    })
}
