//! The object that declares a receiver.

use std::fmt;
use std::sync::Arc;

use super::scope::{ObjectKey, Scope};

/// An object that declares receivers: one of Kargo's two kinds, or one of our own two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// The `ProjectConfig` of a project, which has the project's name.
    ProjectConfig(Arc<str>),
    /// A `Receiver` in a project.
    Receiver(ObjectKey),
    /// A `ClusterReceiver`, by name.
    ClusterReceiver(Arc<str>),
    /// The one `ClusterConfig`.
    ClusterConfig,
}

impl Owner {
    /// Whom its receivers speak for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self {
            Self::ProjectConfig(project) => Scope::Project(Arc::clone(project)),
            Self::Receiver(key) => Scope::Project(Arc::clone(&key.namespace)),
            Self::ClusterConfig | Self::ClusterReceiver(_) => Scope::Cluster,
        }
    }

    /// The project's name; empty at cluster scope.
    #[must_use]
    pub fn project(&self) -> &str {
        match self {
            Self::ProjectConfig(project) => project,
            Self::Receiver(key) => &key.namespace,
            Self::ClusterConfig | Self::ClusterReceiver(_) => "",
        }
    }

    /// The namespace of the Secrets it references; those of the cluster live in the system namespace.
    #[must_use]
    pub fn secret_namespace<'a>(&'a self, system_namespace: &'a str) -> &'a str {
        match self {
            Self::ProjectConfig(project) => project,
            Self::Receiver(key) => &key.namespace,
            Self::ClusterConfig | Self::ClusterReceiver(_) => system_namespace,
        }
    }

    /// The object's kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ProjectConfig(_) => "ProjectConfig",
            Self::Receiver(_) => "Receiver",
            Self::ClusterReceiver(_) => "ClusterReceiver",
            Self::ClusterConfig => "ClusterConfig",
        }
    }

    /// Whether Kargo knows objects of this kind.
    #[must_use]
    pub const fn is_kargos(&self) -> bool {
        match self {
            Self::ProjectConfig(_) | Self::ClusterConfig => true,
            Self::Receiver(_) | Self::ClusterReceiver(_) => false,
        }
    }
}

/// Kind and name, as a person would say them.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::ProjectConfig(name) | Self::ClusterReceiver(name) => write!(f, " {name}"),
            Self::Receiver(key) => write!(f, " {key}"),
            Self::ClusterConfig => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_speaks_for_its_project_or_for_the_cluster() {
        let receiver = Owner::Receiver(ObjectKey::new("northwind", "msr"));
        let config = Owner::ProjectConfig(Arc::from("northwind"));
        assert_eq!((receiver.scope(), receiver.project()), (config.scope(), config.project()));
        assert_eq!(receiver.to_string(), "Receiver northwind/msr");
        assert_eq!(receiver.secret_namespace("system"), "northwind");
        let cluster = Owner::ClusterReceiver(Arc::from("hub"));
        assert_eq!((cluster.scope(), cluster.project()), (Scope::Cluster, ""));
        assert_eq!(cluster.to_string(), "ClusterReceiver hub");
        assert_eq!(cluster.secret_namespace("system"), "system");
        assert_eq!(Owner::ClusterConfig.to_string(), "ClusterConfig");
    }
}
