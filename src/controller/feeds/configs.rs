//! Feeds the watches on everything that declares receivers into the controller.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::sync::Arc;

use kube::{Resource, ResourceExt};

use super::watch::Sink;
use super::watched::WatchedConfig;
use crate::api::{CLUSTER_CONFIG_NAME, ClusterConfig, ClusterReceiver, ProjectConfig, Receiver};
use crate::controller::configs::Configs;
use crate::controller::memory::Seen;
use crate::domain::owner::Owner;
use crate::domain::scope::ObjectKey;
use crate::process::readiness::Gate;

/// The differences between the kinds of configuration.
pub trait Config: Resource<DynamicType = ()> + Send + Sync + 'static {
    /// The gate that opens when all objects of this kind are resolved.
    const GATE: Gate;
    /// Whether a cluster without this kind is one without such objects. (Without ProjectConfigs there is nothing to
    /// serve, so their list is waited for.)
    const IS_OPTIONAL: bool = true;
    /// The object as an owner; `None` for one that counts for nothing.
    fn owner(namespace: Option<&str>, name: &str) -> Option<Owner>;
}

impl Config for ProjectConfig {
    const GATE: Gate = Gate::ProjectConfigs;
    const IS_OPTIONAL: bool = false;

    /// A project has one configuration, of its own name.
    fn owner(namespace: Option<&str>, name: &str) -> Option<Owner> {
        namespace.filter(|namespace| *namespace == name).map(|namespace| Owner::ProjectConfig(Arc::from(namespace)))
    }
}

impl Config for ClusterConfig {
    const GATE: Gate = Gate::ClusterConfigs;

    fn owner(_: Option<&str>, name: &str) -> Option<Owner> {
        (name == CLUSTER_CONFIG_NAME).then_some(Owner::ClusterConfig)
    }
}

impl Config for Receiver {
    const GATE: Gate = Gate::Receivers;

    fn owner(namespace: Option<&str>, name: &str) -> Option<Owner> {
        namespace.map(|namespace| Owner::Receiver(ObjectKey::new(namespace, name)))
    }
}

impl Config for ClusterReceiver {
    const GATE: Gate = Gate::ClusterReceivers;

    fn owner(_: Option<&str>, name: &str) -> Option<Owner> {
        Some(Owner::ClusterReceiver(Arc::from(name)))
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
    type Key = Owner;

    fn key(&self, object: &WatchedConfig<K>) -> Option<Owner> {
        let namespace = object.namespace();
        if !self.configs.shard().serves_object(namespace.as_deref()) {
            return None;
        }
        let owner = K::owner(namespace.as_deref(), &object.name_any());
        if owner.is_none() {
            tracing::warn!(
                kind = %K::kind(&()), namespace, name = object.name_any(),
                "object ignored: a ProjectConfig must be named like its namespace, the ClusterConfig must be named cluster"
            );
        }
        owner
    }

    fn keys(&self) -> HashSet<Owner> {
        self.configs.owners_behind(K::GATE)
    }

    fn apply(&mut self, owner: Owner, object: WatchedConfig<K>) {
        let seen = Seen {
            generation: object.meta().generation,
            refresh: object.refresh_annotation(),
            filter: object.project_filter(),
            spec: object.spec(),
            status: object.status(),
        };
        self.configs.apply(owner, seen);
    }

    fn remove(&mut self, owner: Owner) {
        self.configs.remove(owner);
    }

    fn synced(&mut self) {
        self.configs.listed(K::GATE);
    }

    fn is_optional(&self) -> bool {
        K::IS_OPTIONAL
    }
}
