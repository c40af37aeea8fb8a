//! `ClusterConfig`: the webhook receivers that serve every Project. The contract is Kargo's CRD of that name and its
//! admission rule that the one object is called `cluster`.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{EntryError, ReceiverConfig, receiver_config};

/// The settings of the cluster: webhook receivers for all Projects, and settings that only Kargo reads.
///
/// Every other field (`gitClient`, `freightLinks`, `stageLinks`, `promotionWindows`, …) is stored unchanged.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[kube(
    group = "kargo.akuity.io",
    version = "v1alpha1",
    kind = "ClusterConfig",
    plural = "clusterconfigs",
    singular = "clusterconfig",
    shortname = "clusterconfig",
    shortname = "clusterconfigs",
    status = "super::ConfigStatus",
    doc = "ClusterConfig holds the configuration of the whole cluster. There is one, called `cluster`; Quayside serves \
           the webhook receivers it lists and reports their URLs in its status.",
    derive = "Default",
    derive = "PartialEq",
    validation = Rule::new("self.metadata.name == 'cluster'")
        .message("the only allowed ClusterConfig is the one called \"cluster\": set metadata.name to cluster"),
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Status", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ClusterConfigSpec {
    /// The webhook receivers of the cluster. Each one gets a URL of its own, shown in `status.webhookReceivers`, and
    /// refreshes matching Warehouses of every Project. Their Secrets are in the system resources namespace that the
    /// operator is configured with. At most 256 receivers; default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "receiver_config::list_schema")]
    pub webhook_receivers: Option<Value>,

    /// Everything else in the spec, kept as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: Map<String, Value>,
}

impl ClusterConfigSpec {
    /// The receivers in the order of the spec, each decoded on its own.
    #[must_use]
    pub fn receivers(&self) -> Vec<Result<ReceiverConfig, EntryError>> {
        ReceiverConfig::decode_entries(self.webhook_receivers.as_ref())
    }
}

/// An object without a spec is one with an empty spec, as in Go; and no receiver, however odd, fails the object.
impl<'de> Deserialize<'de> for ClusterConfigSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut other = Option::<Map<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
        let webhook_receivers = other.remove("webhookReceivers").filter(|list| !list.is_null());
        Ok(Self { webhook_receivers, other })
    }
}
