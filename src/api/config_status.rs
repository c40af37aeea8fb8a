//! The status that `ProjectConfig` and `ClusterConfig` share. The contract is Kargo's: its UI and command line read the
//! URL of a receiver, the conditions and `lastHandledRefresh` from here.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition;

/// The operator's latest report about the object. It does not decide what is served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ConfigStatus {
    /// The state of the object. `Ready` is True while every receiver is served; otherwise its message names the
    /// receivers that are not, and why. `Reconciling` is present while some receiver is not served yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::list_schema")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that was last handled without an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The value of the annotation `kargo.akuity.io/refresh` that was last handled. Setting the annotation to a new
    /// value asks for the object to be reconciled again; the request is done when both are equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,

    /// The receivers that are served, in the order of the spec. A receiver with a problem is absent, and the `Ready`
    /// condition says why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhook_receivers: Vec<ReceiverDetails>,

    /// Everything else in the status, kept as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: Map<String, Value>,
}

/// Where one receiver listens.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ReceiverDetails {
    /// The name of the receiver, as in `spec.webhookReceivers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// The path of the receiver's URL. It is derived from the project, the receiver's name and the secret, so it
    /// changes when one of them changes. Treat it as a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,

    /// The URL to register with the sender. Treat it as a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Shows the name only: path and URL are credentials.
impl std::fmt::Debug for ReceiverDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiverDetails").field("name", &self.name).finish_non_exhaustive()
    }
}
