//! Feeds the watches on `ProjectConfig` and `ClusterConfig` into the controller.

use std::marker::PhantomData;
use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::configs::Configs;
use super::watch::Sink;
use super::watched::WatchedConfig;
use crate::api::{CLUSTER_CONFIG_NAME, ClusterConfig, ProjectConfig};
use crate::domain::scope::Scope;
use crate::readiness::Gate;

/// What tells the two kinds of configuration apart.
pub trait Config: Resource<DynamicType = ()> + Send + Sync + 'static {
    /// The gate that opens when all objects of this kind are resolved.
    const GATE: Gate;
    /// The scope of an object; `None` for one that counts for nothing.
    fn scope(namespace: Option<&str>, name: &str) -> Option<Scope>;
}

impl Config for ProjectConfig {
    const GATE: Gate = Gate::ProjectConfigs;

    /// A project has one configuration, of its own name.
    fn scope(namespace: Option<&str>, name: &str) -> Option<Scope> {
        namespace.filter(|namespace| *namespace == name).map(|namespace| Scope::Project(Arc::from(namespace)))
    }
}

impl Config for ClusterConfig {
    const GATE: Gate = Gate::ClusterConfigs;

    fn scope(_: Option<&str>, name: &str) -> Option<Scope> {
        (name == CLUSTER_CONFIG_NAME).then_some(Scope::Cluster)
    }
}

/// Feeds a watch on one kind of configuration into the controller.
pub struct ConfigFeed<K> {
    configs: Arc<Configs>,
    kind: PhantomData<fn() -> K>,
}

impl<K> ConfigFeed<K> {
    /// A feed into this controller.
    #[must_use]
    pub const fn new(configs: Arc<Configs>) -> Self {
        Self { configs, kind: PhantomData }
    }
}

impl<K: Config> Sink<WatchedConfig<K>> for ConfigFeed<K>
where
    WatchedConfig<K>: Resource<DynamicType = ()>,
{
    fn restart(&mut self) {
        self.configs.begin_list(K::GATE);
    }

    fn apply(&mut self, object: WatchedConfig<K>) {
        let Some(scope) = K::scope(object.namespace().as_deref(), &object.name_any()) else {
            tracing::warn!(
                kind = %K::kind(&()), namespace = object.namespace(), name = object.name_any(),
                "configuration ignored: a ProjectConfig is named like its namespace, the ClusterConfig is named cluster"
            );
            return;
        };
        self.configs.apply(
            scope,
            object.meta().generation,
            object.refresh_annotation(),
            object.spec(),
            object.status(),
        );
    }

    fn delete(&mut self, object: WatchedConfig<K>) {
        if let Some(scope) = K::scope(object.namespace().as_deref(), &object.name_any()) {
            self.configs.delete(scope);
        }
    }

    fn synced(&mut self) {
        self.configs.end_list(K::GATE);
    }

    fn absent(&mut self) {
        // Without its CRD there is no ClusterConfig. Without ProjectConfigs there is nothing to serve, so that gate waits.
        if K::GATE == Gate::ClusterConfigs {
            self.restart();
            self.synced();
        }
    }
}
