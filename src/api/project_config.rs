//! `ProjectConfig`: the webhook receivers of one Project (a namespace). The contract is Kargo's CRD of that name.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{EntryError, ReceiverConfig, receiver_config};

/// The settings of a Project: its webhook receivers, and settings that only Kargo reads.
///
/// Every other field (`promotionPolicies`, `freightLinks`, `stageLinks`, `promotionWindows`, …) is stored unchanged.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "ProjectConfig",
    plural = "projectconfigs",
    singular = "projectconfig",
    namespaced,
    status = "super::ConfigStatus",
    doc = "ProjectConfig holds the configuration of one Project. It lives in the Project's namespace and has the same name \
           as that namespace; Quayside serves the webhook receivers it lists and reports their URLs in its status.",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Status", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ProjectConfigSpec {
    /// The webhook receivers of this Project. Each one gets a URL of its own, shown in `status.webhookReceivers`, and
    /// refreshes only Warehouses of this Project. Their Secrets are in this namespace. At most 256 receivers;
    /// default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "receiver_config::list_schema")]
    pub webhook_receivers: Option<Value>,

    /// Everything else in the spec, kept as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: Map<String, Value>,
}

impl ProjectConfigSpec {
    /// The receivers in the order of the spec, each decoded on its own.
    #[must_use]
    pub fn receivers(&self) -> Vec<Result<ReceiverConfig, EntryError>> {
        ReceiverConfig::decode_entries(self.webhook_receivers.as_ref())
    }
}

/// An object without a spec is one with an empty spec, as in Go; and no receiver, however odd, fails the object.
impl<'de> Deserialize<'de> for ProjectConfigSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut other = Option::<Map<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
        let webhook_receivers = other.remove("webhookReceivers").filter(|list| !list.is_null());
        Ok(Self { webhook_receivers, other })
    }
}
