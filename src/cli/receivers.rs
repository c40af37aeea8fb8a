//! The flags of `run` and `explain` that decide what becomes of receivers.

use clap::Args;

use crate::controller::resolve::Defaults;

#[derive(Debug, Args)]
pub(super) struct Receivers {
    /// The namespace of the Secrets that a ClusterConfig or ClusterReceiver references.
    #[arg(
        long,
        env = "SYSTEM_RESOURCES_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "kargo-system-resources"
    )]
    pub(super) system_namespace: String,

    /// Accept signatures made with SHA-1 from senders that can do better.
    ///
    /// A Receiver or ClusterReceiver can say otherwise for itself.
    #[arg(long, env = "QUAYSIDE_ALLOW_SHA1_SIGNATURES")]
    allow_sha1_signatures: bool,
}

impl Receivers {
    pub(super) const fn defaults(&self) -> Defaults {
        Defaults { allow_sha1: self.allow_sha1_signatures }
    }
}
