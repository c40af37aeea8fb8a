//! One entry of `spec.webhookReceivers`: its name, its kind and that kind's settings. The contract is Kargo's CRD for the
//! fields and Kargo's admission webhook for what it refuses.
//!
//! Owns the schema of an entry and of the list; `decode` owns how a stored list is read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::generic_config::GenericConfig;

/// Every kind of receiver, in the order in which they are tried when an entry sets more than one.
pub const KINDS: [&str; 10] =
    ["artifactory", "azure", "bitbucket", "dockerhub", "generic", "gitea", "github", "gitlab", "harbor", "quay"];

/// The most receivers one object may list. Go's types have no limit; the CEL rules need one to have a bounded cost.
const MAX_RECEIVERS: u32 = 256;

/// One webhook receiver: a name and exactly one kind, `artifactory`, `azure`, `bitbucket`, `dockerhub`, `generic`, `gitea`,
/// `github`, `gitlab`, `harbor` or `quay`. Example: `{"name": "quay", "quay": {"secretRef": {"name": "quay-webhook"}}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true, "x-kubernetes-validations" = entry_rules()))]
pub struct ReceiverConfig {
    /// The name of the receiver, unique in this list. It is part of what the URL is derived from, so renaming a receiver
    /// changes its URL. Lower-case letters, digits, `-` and `.`, starting and ending with a letter or digit, at most 253
    /// characters; example: `quay`.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub name: String,

    /// Its kind and that kind's settings.
    #[serde(flatten)]
    pub kinds: KargoKinds,
}

/// The kinds of receivers that Kargo has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KargoKinds {
    /// Receives pushes of images and charts from JFrog Artifactory. The Secret's key `secret-token` holds the token that
    /// is set as the secret of the webhook in Artifactory, which signs each request with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifactory: Option<ArtifactoryConfig>,

    /// Receives pushes from Azure Container Registry and Azure DevOps. The Secret's key `secret` holds a value that the
    /// URL is derived from; it is not entered anywhere in Azure. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<SecretConfig>,

    /// Receives pushes and merged pull requests from Bitbucket Cloud and Bitbucket Data Center. The Secret's key `secret`
    /// holds the secret that is set on the webhook in Bitbucket, which signs each request with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitbucket: Option<SecretConfig>,

    /// Receives pushes from Docker Hub. The Secret's key `secret` holds a value that the URL is derived from; it is not
    /// entered anywhere in Docker Hub. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerhub: Option<SecretConfig>,

    /// Receives requests of any sender and does what its actions say. The Secret's key `secret` holds a value that the
    /// URL is derived from; the sender does not need to know it. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generic: Option<GenericConfig>,

    /// Receives pushes and merged pull requests from Gitea. The Secret's key `secret` holds the secret that is set on the
    /// webhook in Gitea, which signs each request with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitea: Option<SecretConfig>,

    /// Receives pushes, packages and merged pull requests from GitHub. The Secret's key `secret` holds the secret that is
    /// set on the webhook or App in GitHub, which signs each request with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<SecretConfig>,

    /// Receives pushes, tags and merge requests from GitLab. The Secret's key `secret-token` holds the secret token that
    /// is set on the webhook in GitLab, which sends it with each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gitlab: Option<SecretConfig>,

    /// Receives pushes of images and charts from Harbor. The Secret's key `auth-header` holds the whole value that is set
    /// as the auth header of the webhook in Harbor, which sends it with each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harbor: Option<SecretConfig>,

    /// Receives repository pushes from Quay (quay.io or Red Hat Quay). The Secret's key `secret` holds a value that the
    /// URL is derived from; it is not entered anywhere in Quay. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quay: Option<SecretConfig>,
}

/// Settings of a kind that needs nothing but its secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct SecretConfig {
    /// The Secret that holds the receiver's secret. Required.
    pub secret_ref: SecretRef,
}

/// Settings of the `artifactory` kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactoryConfig {
    /// The Secret that holds the receiver's secret. Required.
    pub secret_ref: SecretRef,

    /// The virtual repository through which Warehouses subscribe. Artifactory reports the local repository that was pushed
    /// to; when this is set, its name is replaced by this one, so that subscriptions to the virtual repository match. Use
    /// one receiver for each virtual repository. Default: none, the local repository's name is used. Example:
    /// `docker-virtual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_repo_name: Option<String>,
}

/// A Secret by name, in the namespace of the object, or in the system resources namespace for an object of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretRef {
    /// The name of the Secret. Default: empty, which names no Secret, so the receiver is not served. Example:
    /// `quay-webhook`.
    #[serde(default)]
    pub name: String,
}

impl KargoKinds {
    /// Each kind that is set and the Secret it names, in the order of [`KINDS`].
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretRef)> {
        let Self { artifactory, azure, bitbucket, dockerhub, generic, gitea, github, gitlab, harbor, quay } = self;
        let secrets = [
            artifactory.as_ref().map(|c| &c.secret_ref),
            plain(azure),
            plain(bitbucket),
            plain(dockerhub),
            generic.as_ref().map(|c| &c.secret_ref),
            plain(gitea),
            plain(github),
            plain(gitlab),
            plain(harbor),
            plain(quay),
        ];
        KINDS.into_iter().zip(secrets).filter_map(|(kind, secret)| Some((kind, secret?)))
    }
}

/// The Secret of a kind without further settings.
pub(super) fn plain(config: &Option<SecretConfig>) -> Option<&SecretRef> {
    config.as_ref().map(|c| &c.secret_ref)
}

/// Schema of the list: plain and atomic as Kargo's, with names that differ. (To name the two in the message would cost the
/// API server more than it allows.)
pub(super) fn list_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_RECEIVERS,
        "items": generator.subschema_for::<ReceiverConfig>(),
        "x-kubernetes-validations": [{
            "rule": "self.all(a, self.exists_one(b, b.name == a.name))",
            "message": "two webhook receivers have the same name; give each receiver a name of its own",
        }],
    })
}

/// What Kargo's admission webhook checks on one entry.
fn entry_rules() -> Value {
    let kinds = KINDS.join(", ");
    json!([
        {
            "rule": format!("{}.exists(set, set)", which_are_set(KINDS)),
            "message": format!("the webhook receiver has no kind; set one of {kinds}"),
        },
        {
            "rule": format!("{}.filter(set, set).size() < 2", which_are_set(KINDS)),
            "message": format!("the webhook receiver has more than one kind; set only one of {kinds}, \
                                and list another receiver with a name of its own for each other kind"),
        },
    ])
}

/// In CEL, for each of these members whether it is set.
pub(super) fn which_are_set<const N: usize>(members: [&str; N]) -> String {
    format!("[{}]", members.map(|member| format!("has(self.{member})")).join(", "))
}
