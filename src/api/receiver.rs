//! `Receiver` and `ClusterReceiver`: one webhook receiver of any kind, with all its settings. The contract is our own.
//!
//! Kargo's objects have neither the kinds that Kargo lacks nor settings beside the Secret, and nothing may be added to
//! them. The two objects here differ only in their scope.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::condition;
use super::kinds::{HOST_PATTERN, KargoKinds, OwnKinds, which_are_set};
use super::secret_ref::SecretRef;
use crate::domain::kind::ReceiverKind;

/// One webhook receiver: exactly one of the fields that have a `secretRef`, which is its kind, and settings that apply
/// to every kind. Example: `{"msr": {"secretRef": {"name": "msr-webhook"}}, "registryHost": "msr.example.com"}`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "quayside.dev",
    version = "v1alpha1",
    kind = "Receiver",
    plural = "receivers",
    singular = "receiver",
    namespaced,
    status = "ReceiverStatus",
    doc = "Receiver is one webhook receiver of a Project, which is the namespace it lives in. It gets a URL of its own, shown \
           in its status, and refreshes only Warehouses of this Project. Its Secret is in this namespace.",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Kind", "type": "string", "jsonPath": ".status.kind"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = kind_rules()))]
pub struct ReceiverSpec {
    /// A kind that Kargo has as well.
    #[serde(flatten)]
    pub kargo: KargoKinds,

    /// A kind that Kargo lacks.
    #[serde(flatten)]
    pub own: OwnKinds,

    /// The registry's host as Warehouses name it, with its port if it has one. Mirantis Secure Registry, Gitea, Nexus
    /// and Zot may not name their own host; for Artifactory, Distribution and ECR it replaces the host in the event.
    /// Default: none. Example: `registry.example.com:8443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 260), regex(pattern = HOST_PATTERN))]
    pub registry_host: Option<String>,

    /// Other names of the registry: an event for `pushed` also matches subscriptions to `pulled`. At most 32; default:
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub host_aliases: Vec<HostAlias>,

    /// Whether to accept signatures made with SHA-1 from senders that support SHA-256. Default: the operator's flag
    /// `--allow-sha1-signatures`, which is off unless it is set.
    #[serde(default, rename = "allowSHA1Signatures", skip_serializing_if = "Option::is_none")]
    pub allow_sha1_signatures: Option<bool>,

    /// How the sender proves its identity, besides knowing the URL and signing requests. Each setting names a key of
    /// the Secret. A key with the default name takes effect even when it is not mentioned here. Default: only the keys
    /// with default names that the Secret contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// A registry's name in the sender's events, and its name in Warehouses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostAlias {
    /// The host in the sender's events, with its port if it has one, optionally followed by the beginning of the path.
    /// Example: `registry.internal:5000`.
    #[schemars(length(min = 1, max = 260), regex(pattern = PLACE_PATTERN))]
    pub pushed: String,

    /// The host in Warehouses, with its port if it has one, optionally followed by the beginning of the path. Example:
    /// `registry.example.com/mirror`.
    #[schemars(length(min = 1, max = 260), regex(pattern = PLACE_PATTERN))]
    pub pulled: String,
}

/// A host, perhaps a port, and perhaps folders.
const PLACE_PATTERN: &str = r"^([-._a-zA-Z0-9]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[-._a-zA-Z0-9]+)*$";

/// What a sender must present. A key that is mentioned here must be in the Secret; otherwise the receiver is not
/// served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// User and password of HTTP basic authentication, as `user:password`. A sender that takes them from the URL, such
    /// as Quay, needs `user:password@` in front of the host. Default key: `basic-auth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<KeyRef>,

    /// A token in the body, for Quay with a POST template of the form `{"event": …, "token": …, "data": …}`. Default
    /// key: `body-token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_token: Option<KeyRef>,

    /// The client certificates that are accepted. Default key: `client-certificate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<KeyRef>,

    /// The whole value of the header `Authorization`, for a sender that lets you set it. Default key: `auth-header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_header: Option<KeyRef>,
}

/// A key of the receiver's Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// The key. Default: the default key in the description of the setting. Example: `quay-basic-auth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// The receiver of a `ClusterReceiver` is that of a [`Receiver`].
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "quayside.dev",
    version = "v1alpha1",
    kind = "ClusterReceiver",
    plural = "clusterreceivers",
    singular = "clusterreceiver",
    status = "ReceiverStatus",
    doc = "ClusterReceiver is one webhook receiver of the whole cluster. It gets a URL of its own, shown in its status, and \
           refreshes Warehouses of every Project. Its Secret is in the system resources namespace that the operator is \
           configured with.",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Kind", "type": "string", "jsonPath": ".status.kind"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
pub struct ClusterReceiverSpec(pub ReceiverSpec);

/// The operator's latest report about the object. It does not decide what is served.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct ReceiverStatus {
    /// The state of the object. `Ready` is True while requests to the URL are accepted; otherwise its message says why
    /// they are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::list_schema")]
    pub conditions: Vec<Condition>,

    /// The kind of the receiver, for example `quay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,

    /// The `metadata.generation` that the status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The path of the receiver's URL; absent while the receiver is not served. It is derived from the namespace, the
    /// object's name and the secret, so it changes when one of them changes. Treat it as a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,

    /// The URL to register with the sender; absent while the receiver is not served. Treat it as a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// Everything else in the status, kept as it is.
    #[serde(flatten)]
    #[schemars(skip)]
    pub other: Map<String, Value>,
}

/// Leaves out path and URL: they are credentials.
impl std::fmt::Debug for ReceiverStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiverStatus").field("conditions", &self.conditions).finish_non_exhaustive()
    }
}

impl ReceiverSpec {
    /// Each kind that is set and the Secret it names, in the order of [`ReceiverKind::ALL`]. A valid receiver has
    /// exactly one.
    pub fn secrets(&self) -> impl Iterator<Item = (ReceiverKind, &SecretRef)> {
        self.kargo.secrets().chain(self.own.secrets())
    }

    /// The registry's host, where the receiver names it.
    #[must_use]
    pub fn registry_host(&self) -> Option<&str> {
        self.own.registry_host().or(self.registry_host.as_deref())
    }
}

/// Exactly one kind.
fn kind_rules() -> Value {
    let kinds = ReceiverKind::list(&ReceiverKind::ALL);
    json!([
        {
            "rule": format!("{}.exists(set, set)", which_are_set(&ReceiverKind::ALL)),
            "message": format!("the receiver has no kind; set one of {kinds}"),
        },
        {
            "rule": format!("{}.filter(set, set).size() < 2", which_are_set(&ReceiverKind::ALL)),
            "message": format!("the receiver has more than one kind; set only one of {kinds}, \
                                and declare another receiver for each other kind"),
        },
    ])
}
