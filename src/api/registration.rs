//! `Registration` and `ClusterRegistration`: which repositories of a registry or Git host notify a receiver. The
//! contract is our own. The two objects differ only in their scope and in the receivers that they name.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::condition;

/// Where the notifications go, where they are registered, and for which repositories.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "quayside.dev",
    version = "v1alpha1",
    kind = "Registration",
    plural = "registrations",
    singular = "registration",
    namespaced,
    status = "RegistrationStatus",
    doc = "Registration keeps the notifications of a Quay or Gitea up to date that call a receiver of this Project: it creates one in \
           each repository, follows the receiver's URL when the secret changes, switches on again what Quay has switched off, and \
           removes what it created when it is deleted. Its token is in a Secret in this namespace.",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Registered", "type": "integer", "jsonPath": ".status.registered"}"#,
    printcolumn = r#"{"name": "Failing", "type": "integer", "jsonPath": ".status.failing"}"#,
    printcolumn = r#"{"name": "Disabled", "type": "integer", "jsonPath": ".status.disabled"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name": "Receiver", "type": "string", "jsonPath": ".spec.receiver.name", "priority": 1}"#,
    printcolumn = r#"{"name": "Token", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"TokenValid\")].status", "priority": 1}"#,
    printcolumn = r#"{"name": "Reachable", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Reachable\")].status", "priority": 1}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules("ProjectConfig", "Receiver")))]
pub struct RegistrationSpec {
    /// The receiver that the notifications call. Its kind must be `quay` with `spec.quay`, and `gitea` with
    /// `spec.gitea`.
    pub receiver: ReceiverRef,

    /// Registers the notifications in a Quay: quay.io or one of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quay: Option<SenderConfig>,

    /// Registers the notifications in a Gitea.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitea: Option<SenderConfig>,

    /// The repositories, as `NAMESPACE/NAME`; `NAMESPACE/*` stands for all of that namespace. At most 1000. Default:
    /// the repositories that Warehouses within reach of the receiver subscribe to under the host of the endpoint, or
    /// under an alias of it. Example: `[northwind/storefront, northwind/*]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), extend("items" = repository_schema()))]
    pub repositories: Vec<String>,

    /// The events of Quay that are notified: `repo_push` (a push) and `repo_mirror_sync_success` (a mirrored repository
    /// was synchronised). Default: `[repo_push]`. Gitea always notifies pushes, branches, tags and pull requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), extend("items" = event_schema()))]
    pub events: Vec<String>,

    /// Whether to switch on again what Quay has switched off after three failures, and then to refresh the Warehouses
    /// that may have missed a push. Each time leaves a line in Quay's audit log. Default: `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heal: Option<bool>,

    /// What becomes of the notifications when the object is deleted: `Delete` removes them, `Keep` leaves them.
    /// Default: `Delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Delete", "Keep"]))]
    pub deletion_policy: Option<String>,
}

/// A receiver by the object that declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverRef {
    /// The kind of the object that declares the receiver. In a Registration `ProjectConfig` (the default) or
    /// `Receiver`; in a ClusterRegistration `ClusterConfig` (the default) or `ClusterReceiver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["ProjectConfig", "Receiver", "ClusterConfig", "ClusterReceiver"]))]
    pub kind: Option<String>,

    /// The receiver's name in `spec.webhookReceivers`, or the name of the Receiver or ClusterReceiver. Required.
    /// Example: `quay`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The API of a registry or Git host, and the token for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SenderConfig {
    /// The address of the web interface, with its path if it has one. It cannot be changed, because the notifications
    /// at the old address would stay behind. Required. Example: `https://quay.example.com`.
    #[schemars(length(min = 1, max = 1024), extend("x-kubernetes-validations" = endpoint_rules()))]
    pub endpoint: String,

    /// Certificates of the authorities that signed the endpoint's certificate, as PEM text. They are trusted instead of
    /// the public ones. Default: the key `ca.crt` of the token's Secret, if there is one, else the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536), extend("x-kubernetes-validations" = bundle_rules()))]
    pub ca_bundle: Option<String>,

    /// The Secret that holds the token of the API. Required.
    pub token_secret_ref: TokenSecretRef,
}

/// A key of a Secret in the namespace of the object, or in the system resources namespace for a ClusterRegistration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct TokenSecretRef {
    /// The name of the Secret. Required. Example: `quay-api`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key that holds the token. Default: `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: Option<String>,
}

/// The spec of a `ClusterRegistration` is that of a [`Registration`].
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "quayside.dev",
    version = "v1alpha1",
    kind = "ClusterRegistration",
    plural = "clusterregistrations",
    singular = "clusterregistration",
    status = "RegistrationStatus",
    doc = "ClusterRegistration does what a Registration does for a receiver of the whole cluster. Its token is in a Secret in the \
           system resources namespace that the operator is configured with.",
    derive = "Default",
    derive = "PartialEq",
    printcolumn = r#"{"name": "Registered", "type": "integer", "jsonPath": ".status.registered"}"#,
    printcolumn = r#"{"name": "Failing", "type": "integer", "jsonPath": ".status.failing"}"#,
    printcolumn = r#"{"name": "Disabled", "type": "integer", "jsonPath": ".status.disabled"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message"}"#,
    printcolumn = r#"{"name": "Receiver", "type": "string", "jsonPath": ".spec.receiver.name", "priority": 1}"#,
    printcolumn = r#"{"name": "Token", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"TokenValid\")].status", "priority": 1}"#,
    printcolumn = r#"{"name": "Reachable", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Reachable\")].status", "priority": 1}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(transparent)]
#[schemars(extend("x-kubernetes-validations" = rules("ClusterConfig", "ClusterReceiver")))]
pub struct ClusterRegistrationSpec(pub RegistrationSpec);

/// The operator's latest report about the notifications.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistrationStatus {
    /// The state of the object. `Ready` is True while every repository has its notification and none is switched off;
    /// `TokenValid` is False while the registry refuses the token; `Reachable` is False while the registry does not
    /// answer as it should.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "condition::list_schema")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that the status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// How many repositories have their notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered: Option<i64>,

    /// How many of them have not failed since their last delivery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<i64>,

    /// How many of them have failed, and are still switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<i64>,

    /// How many of them are switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<i64>,

    /// How many times a notification was switched on again, counted since the operator's present leader began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healed: Option<i64>,

    /// The repositories, those in trouble first; at most 200.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<RepositoryStatus>,
}

/// What is known about one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryStatus {
    /// The repository, as `NAMESPACE/NAME`.
    pub repository: String,

    /// `Pending`, `Healthy`, `Failing`, `Disabled`, `Rotating`, `Leaving` or `Refused`.
    pub state: String,

    /// How often its notification has failed in a row.
    pub failures: i64,

    /// When the registry was last asked about it. It is brought up to date together with something else, or every ten
    /// minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checked: Option<String>,

    /// When its notification was last switched on again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_healed: Option<String>,

    /// What is wrong and what to do about it; empty when nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl RegistrationSpec {
    /// The API that is used, whichever it is.
    #[must_use]
    pub fn sender(&self) -> Option<&SenderConfig> {
        self.quay.as_ref().or(self.gitea.as_ref())
    }

    /// Whether switched off notifications are to be switched on again.
    #[must_use]
    pub fn heals(&self) -> bool {
        self.heal.unwrap_or(true)
    }

    /// Whether the notifications are removed with the object.
    #[must_use]
    pub fn is_removing(&self) -> bool {
        self.deletion_policy.as_deref() != Some("Keep")
    }
}

/// What the schema cannot say about the spec; the default kind of receiver, and the other one.
fn rules(first: &str, second: &str) -> Value {
    json!([
        {
            "rule": "has(self.quay) || has(self.gitea)",
            "message": "the registration has no sender; set quay or gitea",
        },
        {
            "rule": "!(has(self.quay) && has(self.gitea))",
            "message": "the registration has two senders; set only one of quay and gitea, and declare another registration for \
                        the other one",
        },
        {
            "rule": format!("!has(self.receiver.kind) || self.receiver.kind in ['{first}', '{second}']"),
            "message": format!("receiver.kind is {first} or {second} here"),
        },
        {
            "rule": "!has(self.events) || size(self.events) == 0 || has(self.quay)",
            "message": "events can be chosen for quay only; leave them out",
        },
        {
            "rule": "has(self.quay) == has(oldSelf.quay)",
            "message": "a registration keeps its sender; declare another one, and delete this one so that its notifications are \
                        removed",
        },
    ])
}

fn endpoint_rules() -> Value {
    json!([
        {
            "rule": "self.matches('^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$')",
            "message": "the endpoint is the address of the web interface, such as https://quay.example.com, without a user name, \
                        query or fragment",
        },
        {
            "rule": "self == oldSelf",
            "message": "the endpoint cannot be changed; declare another registration, and delete this one so that its \
                        notifications are removed",
        },
    ])
}

fn bundle_rules() -> Value {
    json!([{
        "rule": "self.contains('-----BEGIN CERTIFICATE-----')",
        "message": "caBundle is PEM text, with at least one -----BEGIN CERTIFICATE-----",
    }])
}

fn repository_schema() -> Value {
    json!({
        "type": "string",
        "maxLength": 255,
        "x-kubernetes-validations": [{
            "rule": r"self.matches('^[-_.a-zA-Z0-9]+(/[-_.a-zA-Z0-9]+)+$') || self.matches('^[-_.a-zA-Z0-9]+/[*]$')",
            "message": "a repository is NAMESPACE/NAME or NAMESPACE/*, without the host, such as northwind/storefront",
        }],
    })
}

fn event_schema() -> Value {
    json!({"type": "string", "enum": ["repo_push", "repo_mirror_sync_success"]})
}
