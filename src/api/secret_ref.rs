//! How a receiver names its Secret.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Secret by name, in the namespace of the object, or in the system resources namespace for a cluster-scoped object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretRef {
    /// The name of the Secret. Default: empty, which names no Secret, so the receiver is not served. Example:
    /// `quay-webhook`.
    #[serde(default)]
    pub name: String,
}
