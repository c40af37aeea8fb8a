//! The closed list of receiver kinds: those of Kargo's `ProjectConfig`, and those that only our own `Receiver` declares.

use std::fmt;

/// The type of a receiver, which decides how a request is authenticated and read.
///
/// The order of Kargo's variants is its registration order: where a configuration sets several kinds, the first wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReceiverKind {
    /// JFrog Artifactory.
    Artifactory,
    /// Azure Container Registry and Azure DevOps.
    Azure,
    /// Bitbucket Cloud and Data Center.
    Bitbucket,
    /// Docker Hub.
    DockerHub,
    /// Any JSON sender, read by expressions.
    Generic,
    /// Gitea and Forgejo.
    Gitea,
    /// GitHub and its package registry.
    GitHub,
    /// GitLab.
    GitLab,
    /// Harbor.
    Harbor,
    /// Quay.io and self-hosted Quay.
    Quay,
    /// Mirantis Secure Registry 2 and 3 (Docker Trusted Registry).
    Msr,
    /// CNCF Distribution, and whatever sends its notifications.
    Distribution,
    /// Zot.
    Zot,
    /// Sonatype Nexus Repository.
    Nexus,
    /// Amazon ECR through `EventBridge`.
    Ecr,
    /// Google Artifact Registry through Pub/Sub.
    ArtifactRegistry,
}

impl ReceiverKind {
    /// Every kind: Kargo's in its registration order, then our own.
    pub const ALL: [Self; 16] = [
        Self::Artifactory,
        Self::Azure,
        Self::Bitbucket,
        Self::DockerHub,
        Self::Generic,
        Self::Gitea,
        Self::GitHub,
        Self::GitLab,
        Self::Harbor,
        Self::Quay,
        Self::Msr,
        Self::Distribution,
        Self::Zot,
        Self::Nexus,
        Self::Ecr,
        Self::ArtifactRegistry,
    ];

    /// Whether Kargo's configurations know the kind; the others are declared in a `Receiver` or `ClusterReceiver`.
    #[must_use]
    pub const fn is_kargos(self) -> bool {
        match self {
            Self::Artifactory
            | Self::Azure
            | Self::Bitbucket
            | Self::DockerHub
            | Self::Generic
            | Self::Gitea
            | Self::GitHub
            | Self::GitLab
            | Self::Harbor
            | Self::Quay => true,
            Self::Msr | Self::Distribution | Self::Zot | Self::Nexus | Self::Ecr | Self::ArtifactRegistry => false,
        }
    }

    /// The kind's name: its key in `spec.webhookReceivers[]`, its segment in the URL and its metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Artifactory => "artifactory",
            Self::Azure => "azure",
            Self::Bitbucket => "bitbucket",
            Self::DockerHub => "dockerhub",
            Self::Generic => "generic",
            Self::Gitea => "gitea",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Harbor => "harbor",
            Self::Quay => "quay",
            Self::Msr => "msr",
            Self::Distribution => "distribution",
            Self::Zot => "zot",
            Self::Nexus => "nexus",
            Self::Ecr => "ecr",
            Self::ArtifactRegistry => "artifactregistry",
        }
    }

    /// The kind of that exact name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The key of the referenced Secret's data whose bytes go into the receiver's path.
    #[must_use]
    pub const fn secret_key(self) -> &'static str {
        match self {
            Self::Artifactory | Self::GitLab => "secret-token",
            Self::Harbor => "auth-header",
            Self::Azure
            | Self::Bitbucket
            | Self::DockerHub
            | Self::Generic
            | Self::Gitea
            | Self::GitHub
            | Self::Quay
            | Self::Msr
            | Self::Distribution
            | Self::Zot
            | Self::Nexus
            | Self::Ecr
            | Self::ArtifactRegistry => "secret",
        }
    }

    /// What is wrong with a Secret that lacks [`Self::secret_key`], in Kargo's words, which differ by kind.
    #[must_use]
    pub const fn missing_key_message(self) -> &'static str {
        match self {
            Self::Artifactory => "secret data is not valid for a Artifactory WebhookReceiver",
            Self::Azure => r#"missing data key "secret" for Azure WebhookReceiver"#,
            Self::Bitbucket => r#"missing data key "secret" for Bitbucket WebhookReceiver"#,
            Self::DockerHub => r#"missing data key "secret" for DockerHub WebhookReceiver"#,
            Self::Generic => "secret data is not valid for a Generic WebhookReceiver",
            Self::Gitea => "secret data is not valid for a Gitea WebhookReceiver",
            Self::GitHub => r#"missing "secret" data key for GitHub WebhookReceiver"#,
            Self::GitLab => r#"missing data key "secret-token" for GitLab WebhookReceiver"#,
            Self::Harbor => r#"missing data key "auth-header" for Harbor WebhookReceiver"#,
            Self::Quay => r#"missing "secret" data key for Quay.io WebhookReceiver"#,
            Self::Msr | Self::Distribution | Self::Zot | Self::Nexus | Self::Ecr | Self::ArtifactRegistry => {
                r#"missing data key "secret""#
            }
        }
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
}
