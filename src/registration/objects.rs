//! The objects that declare registrations, as the watches show them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::{Resource, ResourceExt};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::FINALIZER;
use crate::api::RegistrationSpec;
use crate::controller::feeds::watch::Sink;
use crate::domain::scope::ObjectKey;
use crate::domain::shard::Shard;

/// A Registration or ClusterRegistration as it comes from the API server. What does not decode is reported on its own.
#[derive(Clone, Deserialize)]
pub struct WatchedRegistration {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<Box<RawValue>>,
    #[serde(default)]
    status: Option<Box<RawValue>>,
}

/// One type for both kinds, which differ in their scope alone.
impl Resource for WatchedRegistration {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }
    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }
    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }
    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl fmt::Debug for WatchedRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registration({:?}/{:?})", self.namespace(), self.name_any())
    }
}

/// What is known of one object.
pub struct Object {
    /// Namespace and name; no namespace: a ClusterRegistration.
    pub key: ObjectKey,
    /// `metadata.uid`, which another object of the same name does not share.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// For writes that must not overwrite anything.
    pub version: Option<String>,
    /// All finalizers.
    pub finalizers: Vec<String>,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// The spec, or why it does not decode.
    pub spec: Result<RegistrationSpec, String>,
    /// The text of the status; `null` when there is none.
    pub status: Box<str>,
}

impl Object {
    fn new(key: ObjectKey, object: WatchedRegistration) -> Self {
        let spec = object.spec.as_deref().map_or("null", RawValue::get);
        let status = object.status.as_deref().map_or("null", RawValue::get).into();
        let ObjectMeta { uid, generation, resource_version, finalizers, deletion_timestamp, .. } = object.metadata;
        Self {
            key,
            uid: uid.unwrap_or_default(),
            generation,
            version: resource_version,
            finalizers: finalizers.unwrap_or_default(),
            is_deleting: deletion_timestamp.is_some(),
            spec: serde_json::from_str(spec).map_err(|error| error.to_string()),
            status,
        }
    }

    /// Whether it stays until we let it go.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
    }
}

/// All objects.
#[derive(Default)]
pub struct Objects(Mutex<BTreeMap<ObjectKey, Arc<Object>>>);

impl Objects {
    /// The object of this name.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.0.lock().get(key).cloned()
    }

    /// Namespace and name of every object.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.0.lock().keys().cloned().collect()
    }
}

/// Feeds the watch of one of the kinds.
pub struct Feed {
    pub(super) objects: Arc<Objects>,
    pub(super) is_namespaced: bool,
    pub(super) shard: Arc<Shard>,
}

impl Sink<WatchedRegistration> for Feed {
    type Key = ObjectKey;

    fn key(&self, object: &WatchedRegistration) -> Option<ObjectKey> {
        let namespace = object.namespace();
        let is_served = self.shard.serves_object(namespace.as_deref());
        is_served.then(|| ObjectKey::new(namespace.as_deref().unwrap_or_default(), &object.name_any()))
    }

    fn keys(&self) -> HashSet<ObjectKey> {
        let objects = self.objects.0.lock();
        objects.keys().filter(|key| key.namespace.is_empty() != self.is_namespaced).cloned().collect()
    }

    fn apply(&mut self, key: ObjectKey, object: WatchedRegistration) {
        let object = Arc::new(Object::new(key.clone(), object));
        self.objects.0.lock().insert(key, object);
    }

    fn remove(&mut self, key: ObjectKey) {
        self.objects.0.lock().remove(&key);
    }

    fn synced(&mut self) {}

    fn is_optional(&self) -> bool {
        true
    }
}
