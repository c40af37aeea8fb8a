//! Feeds the watch on Namespaces, of which only the labels count: they say which projects a narrowed receiver reaches.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::core::PartialObjectMeta;
use parking_lot::Mutex;

use super::configs::Configs;
use super::feeds::watch::Sink;
use crate::domain::criterion::Labels;
use crate::process::readiness::{Gate, Readiness};

/// The labels of every namespace. Written by the watch, read when a configuration is resolved.
#[derive(Default)]
pub struct Namespaces(Mutex<BTreeMap<Box<str>, Labels>>);

impl Namespaces {
    /// The labels as they are now.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<Box<str>, Labels> {
        self.0.lock().clone()
    }
}

/// The feed.
pub struct NamespaceFeed {
    configs: Arc<Configs>,
    readiness: Arc<Readiness>,
    /// The namespaces that a running list has not named yet.
    unseen: HashSet<Box<str>>,
}

impl NamespaceFeed {
    /// A feed into the controller's table.
    #[must_use]
    pub fn new(configs: Arc<Configs>, readiness: Arc<Readiness>) -> Self {
        Self { configs, readiness, unseen: HashSet::new() }
    }

    fn remove(&self, name: &str) {
        if self.configs.namespaces.0.lock().remove(name).is_some() {
            self.configs.namespaces_changed();
        }
    }
}

impl Sink<PartialObjectMeta<Namespace>> for NamespaceFeed {
    fn restart(&mut self) {
        self.unseen = self.configs.namespaces.0.lock().keys().cloned().collect();
    }

    fn apply(&mut self, namespace: PartialObjectMeta<Namespace>) {
        let name: Box<str> = namespace.name_any().into();
        self.unseen.remove(&name);
        let labels = namespace.labels().iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
        let labels: Labels = labels.collect();
        let before = self.configs.namespaces.0.lock().insert(name, labels.clone());
        if before != Some(labels) {
            self.configs.namespaces_changed();
        }
    }

    fn delete(&mut self, namespace: PartialObjectMeta<Namespace>) {
        self.remove(&namespace.name_any());
    }

    fn synced(&mut self) {
        std::mem::take(&mut self.unseen).iter().for_each(|name| self.remove(name));
        self.readiness.open(Gate::Namespaces);
    }
}
