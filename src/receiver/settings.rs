//! What a receiver is configured with.

use std::sync::Arc;

use super::kinds::generic;
use super::proof::credentials::Credentials;
use super::proof::oidc::Oidc;
use crate::domain::alias::HostAliases;
use crate::domain::secret::Secret;

/// What a receiver is configured with, besides its kind, name and scope.
#[derive(Clone)]
pub struct Settings {
    /// The secret that the path was derived from, and with which senders that can do so sign.
    pub secret: Secret,
    /// Artifactory's virtual repository, which stands in for the local one that was pushed to.
    pub virtual_repo_name: Option<String>,
    /// The registry's host, with its port if it has one, for senders that do not name it.
    pub registry_host: Option<String>,
    /// Other names of registries, for this receiver only.
    pub aliases: Arc<HostAliases>,
    /// What a `generic` receiver does, compiled.
    pub actions: Arc<[generic::Action]>,
    /// Whether signatures made with SHA-1 are accepted from senders that can do better.
    pub allow_sha1: bool,
    /// What is demanded of senders besides.
    pub credentials: Credentials,
    /// What the token of a Pub/Sub subscription has to be; looked at by `artifactregistry` only.
    pub oidc: Option<Oidc>,
}

impl Settings {
    /// Nothing but the secret.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            virtual_repo_name: None,
            registry_host: None,
            aliases: Arc::default(),
            actions: Arc::from([]),
            allow_sha1: false,
            credentials: Credentials::default(),
            oidc: None,
        }
    }
}
