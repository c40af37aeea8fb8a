//! Feeds the watch on Namespaces, of which only the labels count.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;

use super::watch::Sink;
use crate::controller::configs::Configs;
use crate::controller::namespaces::Namespaces;

/// The feed.
pub struct NamespaceFeed {
    namespaces: Arc<Namespaces>,
    /// Looks again at what is narrowed down.
    configs: Arc<Configs>,
}

impl NamespaceFeed {
    /// A feed into the labels that this controller looks at.
    #[must_use]
    pub fn new(configs: Arc<Configs>) -> Self {
        Self { namespaces: configs.namespaces(), configs }
    }
}

impl Sink<PartialObjectMeta<Namespace>> for NamespaceFeed {
    type Key = Box<str>;

    fn key(&self, namespace: &PartialObjectMeta<Namespace>) -> Option<Box<str>> {
        Some(namespace.name_any().into())
    }

    fn keys(&self) -> HashSet<Box<str>> {
        self.namespaces.names()
    }

    fn apply(&mut self, name: Box<str>, namespace: PartialObjectMeta<Namespace>) {
        let labels = namespace.labels().iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
        // Before the list is complete the reach is not known, and one look at its end is enough.
        if self.namespaces.apply(name, labels.collect()) && self.namespaces.is_listed() {
            self.configs.namespaces_changed();
        }
    }

    fn remove(&mut self, name: Box<str>) {
        if self.namespaces.remove(&name) && self.namespaces.is_listed() {
            self.configs.namespaces_changed();
        }
    }

    fn synced(&mut self) {
        if !self.namespaces.is_listed() {
            self.namespaces.listed();
            self.configs.namespaces_listed();
        }
    }
}
