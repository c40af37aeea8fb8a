//! The kinds of receivers that Kargo does not have, declared in a `Receiver` or `ClusterReceiver` only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::receiver_config::{KINDS, SecretConfig, SecretRef, plain};

/// Every kind that only we have, in the order in which they are tried when an object sets more than one.
pub const OWN_KINDS: [&str; 6] = ["msr", "distribution", "zot", "nexus", "ecr", "artifactregistry"];

/// Every kind of receiver: Kargo's, then our own.
pub const ALL_KINDS: [&str; KINDS.len() + OWN_KINDS.len()] = {
    let mut all = [""; KINDS.len() + OWN_KINDS.len()];
    let (kargo, own) = all.split_at_mut(KINDS.len());
    kargo.copy_from_slice(&KINDS);
    own.copy_from_slice(&OWN_KINDS);
    all
};

/// The kinds of receivers that only we have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnKinds {
    /// Receives pushes, promotions and mirrored images from Mirantis Secure Registry 2 and 3; version 4 is Harbor. The
    /// Secret's key `secret` holds a value that the URL is derived from; it is not entered anywhere in the registry. Keep the
    /// URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msr: Option<RegistryConfig>,

    /// Receives the notifications of CNCF Distribution, and of registries that send the same. The Secret's key `secret`
    /// holds a value that the URL is derived from; it is not entered anywhere in the registry. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<RegistryConfig>,

    /// Receives the events of Zot. The Secret's key `secret` holds a value that the URL is derived from; it is not entered
    /// anywhere in Zot. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zot: Option<RegistryConfig>,

    /// Receives the events of repositories in Sonatype Nexus. The Secret's key `secret` holds the secret key that is set on
    /// the webhook in Nexus, which signs each request with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nexus: Option<RegistryConfig>,

    /// Receives the events of Amazon ECR through an EventBridge API destination. The Secret's key `secret` holds a value
    /// that the URL is derived from; it is not entered anywhere in AWS. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecr: Option<SecretConfig>,

    /// Receives the events of Google Artifact Registry through a Pub/Sub push subscription. The Secret's key `secret` holds
    /// a value that the URL is derived from; it is not entered anywhere in Google Cloud. Keep the URL secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifactregistry: Option<SecretConfig>,
}

/// Settings of a registry that may not name its own host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub struct RegistryConfig {
    /// The Secret that holds the receiver's secret. Required.
    pub secret_ref: SecretRef,

    /// The same as `registryHost` beside the kind, which it goes before. Default: none. Example:
    /// `registry.example.com:8443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 260), regex(pattern = HOST_PATTERN))]
    pub registry_host: Option<String>,
}

/// A host, in IPv6 also in brackets, and perhaps a port.
pub(super) const HOST_PATTERN: &str = r"^([-._a-zA-Z0-9]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$";

impl OwnKinds {
    /// Each kind that is set and the Secret it names, in the order of [`OWN_KINDS`].
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &SecretRef)> {
        let Self { msr, distribution, zot, nexus, ecr, artifactregistry } = self;
        let [msr, distribution, zot, nexus] =
            [msr, distribution, zot, nexus].map(|config| config.as_ref().map(|config| &config.secret_ref));
        let secrets = [msr, distribution, zot, nexus, plain(ecr), plain(artifactregistry)];
        OWN_KINDS.into_iter().zip(secrets).filter_map(|(kind, secret)| Some((kind, secret?)))
    }

    /// The registry's host, where a kind says it.
    #[must_use]
    pub fn registry_host(&self) -> Option<&str> {
        let Self { msr, distribution, zot, nexus, ecr: _, artifactregistry: _ } = self;
        [msr, distribution, zot, nexus].into_iter().flatten().find_map(|config| config.registry_host.as_deref())
    }
}
