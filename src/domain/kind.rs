//! The one table of receiver kinds: those of Kargo's `ProjectConfig`, and those that only our own `Receiver` declares.
//!
//! [`ReceiverKind`], the settings in `api` with their descriptions, and the implementations in `receiver` are all made
//! from it. `tests/kinds.rs` names what else a kind needs.

use std::fmt;

/// Hands the table to the macro `$then`.
///
/// A line of `kargo` says: variant, name, settings in `api`, key of the Secret, and Kargo's words for a Secret without
/// that key. The lines stand in Kargo's order of registration: where a configuration sets several kinds, the first
/// wins. A line of `own` says: variant, name, settings. Its Secret's key is `secret`. The comment on a line is what
/// `kubectl explain` shows.
macro_rules! kinds {
    ($then:ident) => {
        $then! {
            kargo {
                /// Receives pushes and promotions of images and charts from JFrog Artifactory. The Secret's key
                /// `secret-token` holds the secret of the webhook in Artifactory, which signs each request with it.
                Artifactory artifactory ArtifactoryConfig "secret-token"
                    "secret data is not valid for a Artifactory WebhookReceiver";
                /// Receives pushes from Azure Container Registry, and pushes and closed pull requests from Azure
                /// DevOps. The URL is derived from the value of the Secret's key `secret`, which is never entered in
                /// Azure. Anyone who knows the URL can send requests, so keep it secret.
                Azure azure SecretConfig "secret" r#"missing data key "secret" for Azure WebhookReceiver"#;
                /// Receives pushes and closed pull requests from Bitbucket Cloud and Bitbucket Data Center. The
                /// Secret's key `secret` holds the secret of the webhook in Bitbucket, which signs each request with
                /// it.
                Bitbucket bitbucket SecretConfig "secret" r#"missing data key "secret" for Bitbucket WebhookReceiver"#;
                /// Receives pushes from Docker Hub. The URL is derived from the value of the Secret's key `secret`,
                /// which is never entered in Docker Hub. Anyone who knows the URL can send requests, so keep it secret.
                DockerHub dockerhub SecretConfig "secret" r#"missing data key "secret" for DockerHub WebhookReceiver"#;
                /// Receives requests from any sender and runs the configured actions. The URL is derived from the value
                /// of the Secret's key `secret`, which the sender does not need. Anyone who knows the URL can send
                /// requests, so keep it secret.
                Generic generic GenericConfig "secret" "secret data is not valid for a Generic WebhookReceiver";
                /// Receives pushes, packages and closed pull requests from Gitea. The Secret's key `secret` holds the
                /// secret of the webhook in Gitea, which signs each request with it.
                Gitea gitea SecretConfig "secret" "secret data is not valid for a Gitea WebhookReceiver";
                /// Receives pushes, packages and closed pull requests from GitHub. The Secret's key `secret` holds the
                /// secret of the webhook or App in GitHub, which signs each request with it.
                GitHub github SecretConfig "secret" r#"missing "secret" data key for GitHub WebhookReceiver"#;
                /// Receives pushes, tags and closed merge requests from GitLab. The Secret's key `secret-token` holds
                /// the secret token of the webhook in GitLab, which sends it with each request.
                GitLab gitlab SecretConfig "secret-token" r#"missing data key "secret-token" for GitLab WebhookReceiver"#;
                /// Receives pushes of images and charts from Harbor. The Secret's key `auth-header` holds the whole
                /// value of the auth header of the webhook in Harbor, which sends it with each request.
                Harbor harbor SecretConfig "auth-header" r#"missing data key "auth-header" for Harbor WebhookReceiver"#;
                /// Receives repository pushes from Quay (quay.io or Red Hat Quay). The URL is derived from the value of
                /// the Secret's key `secret`, which is never entered in Quay. Anyone who knows the URL can send
                /// requests, so keep it secret.
                Quay quay SecretConfig "secret" r#"missing "secret" data key for Quay.io WebhookReceiver"#;
            }
            own {
                /// Receives pushes, promotions and mirrored images from Mirantis Secure Registry 2 and 3; use `harbor`
                /// for version 4. The URL is derived from the value of the Secret's key `secret`, which is never
                /// entered in the registry. Anyone who knows the URL can send requests, so keep it secret.
                Msr msr RegistryConfig;
                /// Receives the notifications of CNCF Distribution, and of registries that send the same. The URL is
                /// derived from the value of the Secret's key `secret`, which is never entered in the registry. Anyone
                /// who knows the URL can send requests, so keep it secret.
                Distribution distribution RegistryConfig;
                /// Receives the events of Zot. The URL is derived from the value of the Secret's key `secret`, which is
                /// never entered in Zot. Anyone who knows the URL can send requests, so keep it secret.
                Zot zot RegistryConfig;
                /// Receives the events of repositories in Sonatype Nexus. The Secret's key `secret` holds the secret
                /// key of the webhook in Nexus, which signs each request with it.
                Nexus nexus RegistryConfig;
                /// Receives the events of Amazon ECR through an EventBridge API destination. The URL is derived from
                /// the value of the Secret's key `secret`, which is never entered in AWS. Anyone who knows the URL can
                /// send requests, so keep it secret.
                Ecr ecr SecretConfig;
                /// Receives the events of Google Artifact Registry through a Pub/Sub push subscription. The URL is
                /// derived from the value of the Secret's key `secret`, which is never entered in Google Cloud. Anyone
                /// who knows the URL can send requests, so keep it secret.
                ArtifactRegistry artifactregistry SecretConfig;
            }
        }
    };
}
pub(crate) use kinds;

macro_rules! receiver_kind {
    (
        kargo { $($(#[$kargo_doc:meta])* $kargo:ident $kargo_name:ident $_ks:ident $key:literal $missing:literal;)* }
        own { $($(#[$own_doc:meta])* $own:ident $own_name:ident $_os:ident;)* }
    ) => {
        /// The type of a receiver, which decides how a request is authenticated and read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ReceiverKind {
            $($(#[$kargo_doc])* $kargo,)*
            $($(#[$own_doc])* $own,)*
        }

        impl ReceiverKind {
            /// The kinds that Kargo's configurations know, in its order of registration.
            pub const KARGO: [Self; [$(stringify!($kargo)),*].len()] = [$(Self::$kargo),*];

            /// Every kind: Kargo's, then the ones that only a `Receiver` or `ClusterReceiver` declares.
            pub const ALL: [Self; Self::KARGO.len() + [$(stringify!($own)),*].len()] =
                [$(Self::$kargo,)* $(Self::$own,)*];

            /// Whether Kargo's configurations know the kind.
            #[must_use]
            pub const fn is_kargos(self) -> bool {
                match self {
                    $(Self::$kargo => true,)*
                    $(Self::$own => false,)*
                }
            }

            /// The kind's name: its key in the spec, its segment in the URL and its metric label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kargo => stringify!($kargo_name),)*
                    $(Self::$own => stringify!($own_name),)*
                }
            }

            /// The key of the referenced Secret's data whose bytes go into the receiver's path.
            #[must_use]
            pub const fn secret_key(self) -> &'static str {
                match self {
                    $(Self::$kargo => $key,)*
                    $(Self::$own => "secret",)*
                }
            }

            /// What is wrong with a Secret that lacks [`Self::secret_key`], in Kargo's words, which differ by kind.
            #[must_use]
            pub const fn missing_key_message(self) -> &'static str {
                match self {
                    $(Self::$kargo => $missing,)*
                    $(Self::$own => r#"missing data key "secret""#,)*
                }
            }
        }
    };
}
kinds!(receiver_kind);

impl ReceiverKind {
    /// The kind with exactly this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The names of several kinds, for a message.
    #[must_use]
    pub fn list(kinds: &[Self]) -> String {
        kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for ReceiverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name_only() {
        for kind in ReceiverKind::ALL {
            assert_eq!(ReceiverKind::parse(kind.as_str()), Some(kind));
            assert_eq!(ReceiverKind::parse(&kind.as_str().to_uppercase()), None);
        }
        assert_eq!(ReceiverKind::parse("gogs"), None);
    }

    #[test]
    fn kargos_kinds_come_first_in_its_order() {
        let names = "artifactory, azure, bitbucket, dockerhub, generic, gitea, github, gitlab, harbor, quay";
        assert_eq!(ReceiverKind::list(&ReceiverKind::KARGO), names);
        assert!(ReceiverKind::ALL.starts_with(&ReceiverKind::KARGO));
        assert!(ReceiverKind::ALL.iter().all(|kind| kind.is_kargos() == ReceiverKind::KARGO.contains(kind)));
    }
}
