//! Who a receiver speaks for, and the key of a Warehouse.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The part of the cluster that a receiver may refresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One project, which is one namespace; declared in a `ProjectConfig`.
    Project(Arc<str>),
    /// Every project; declared in the `ClusterConfig`.
    Cluster,
    /// Some projects, to which a receiver of the cluster is narrowed down.
    Projects(Arc<BTreeSet<Box<str>>>),
}

impl Scope {
    /// The project's name as it enters the path digest; empty at cluster scope.
    #[must_use]
    pub fn project(&self) -> &str {
        match self {
            Self::Project(name) => name,
            Self::Cluster | Self::Projects(_) => "",
        }
    }

    /// Whether objects of this namespace are within reach.
    #[must_use]
    pub fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::Project(name) => &**name == namespace,
            Self::Cluster => true,
            Self::Projects(names) => names.contains(namespace),
        }
    }
}

/// The objects within reach; of a project, only its own are walked through. `from` gives the objects from a key on, in
/// order.
pub fn within_reach<'a, T: 'a, I: Iterator<Item = T> + 'a>(
    scope: &'a Scope,
    from: impl FnOnce(ObjectKey) -> I,
    key: impl Fn(&T) -> &ObjectKey + Copy + 'a,
) -> impl Iterator<Item = T> + 'a {
    // The empty name comes first.
    let first = ObjectKey::new(scope.project(), "");
    let is_project = matches!(scope, Scope::Project(_));
    from(first)
        .take_while(move |object| !is_project || scope.covers(&key(object).namespace))
        .filter(move |object| scope.covers(&key(object).namespace))
}

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The namespace; empty for a cluster-scoped object.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// A key from its two parts.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: Arc::from(namespace), name: Arc::from(name) }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_covers_its_own_namespace_and_the_cluster_covers_all() {
        let project = Scope::Project(Arc::from("northwind"));
        assert!(project.covers("northwind"));
        assert!(!project.covers("northwind-2"));
        assert!(Scope::Cluster.covers("anything"));
        assert_eq!(Scope::Cluster.project(), "");
    }
}
