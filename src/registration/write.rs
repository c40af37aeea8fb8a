//! What is written about a registration: its finalizer, its status, and an Event when notifications are left behind.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use super::FINALIZER;
use super::objects::{Object, WatchedRegistration};
use crate::api::{OWN_GROUP, VERSION};
use crate::domain::scope::ObjectKey;
use crate::refresh::patch::FIELD_MANAGER;

/// A write that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a write failed.
pub enum WriteError {
    /// What the API server said.
    Kube(kube::Error),
    /// It said nothing.
    Late,
}

/// Why a write failed, without anything that the API server quotes.
pub fn reason(error: &WriteError) -> String {
    match error {
        WriteError::Kube(kube::Error::Api(status)) => format!("{} {}", status.code, status.reason),
        WriteError::Kube(_) => "the API server cannot be reached".to_owned(),
        WriteError::Late => "the API server did not answer in time".to_owned(),
    }
}

/// The resource of registrations in namespaces, or of those of the cluster.
#[must_use]
pub fn resource(is_namespaced: bool) -> ApiResource {
    let kind = if is_namespaced { "Registration" } else { "ClusterRegistration" };
    ApiResource::from_gvk(&GroupVersionKind::gvk(OWN_GROUP, VERSION, kind))
}

fn api(client: &Client, key: &ObjectKey) -> Api<WatchedRegistration> {
    if key.namespace.is_empty() {
        return Api::all_with(client.clone(), &resource(false));
    }
    Api::namespaced_with(client.clone(), &key.namespace, &resource(true))
}

async fn in_time<T>(write: impl Future<Output = kube::Result<T>>) -> Result<(), WriteError> {
    match timeout(PATIENCE, write).await {
        // An object that is gone needs nothing any more.
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(()),
        Ok(result) => result.map(drop).map_err(WriteError::Kube),
        Err(_) => Err(WriteError::Late),
    }
}

/// Sets or removes the finalizer, and leaves those of others.
pub async fn hold(client: &Client, object: &Object, is_held: bool) -> Result<(), WriteError> {
    let mut finalizers: Vec<&str> = object.finalizers.iter().map(String::as_str).collect();
    finalizers.retain(|finalizer| *finalizer != FINALIZER);
    if is_held {
        finalizers.push(FINALIZER);
    }
    let metadata = json!({"finalizers": finalizers, "resourceVersion": object.version});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"metadata": metadata}));
    in_time(api(client, &object.key).patch(&object.key.name, &params, &patch)).await
}

/// Writes the status.
pub async fn status(client: &Client, object: &Object, patch: Value) -> Result<(), WriteError> {
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    in_time(api(client, &object.key).patch_status(&object.key.name, &params, &Patch::Merge(patch))).await
}

/// Says in an Event that notifications are left behind. In a namespace that is being deleted there is no place for it.
pub async fn left_behind(client: &Client, object: &Object, count: usize, why: &str) {
    let recorder = Recorder::new(client.clone(), Reporter { controller: "quayside".to_owned(), instance: None });
    let note = format!("the notifications of {count} repositories could not be removed and are left behind: {why}");
    let event = Event {
        type_: EventType::Warning,
        reason: "NotificationsLeft".to_owned(),
        note: Some(note),
        action: "Remove".to_owned(),
        secondary: None,
    };
    let is_namespaced = !object.key.namespace.is_empty();
    let reference = ObjectReference {
        api_version: Some(format!("{OWN_GROUP}/{VERSION}")),
        kind: Some(resource(is_namespaced).kind),
        namespace: is_namespaced.then(|| object.key.namespace.to_string()),
        name: Some(object.key.name.to_string()),
        uid: Some(object.uid.clone()),
        ..ObjectReference::default()
    };
    if let Err(error) = in_time(recorder.publish(&event, &reference)).await {
        tracing::warn!(registration = %object.key, reason = reason(&error), "the Event about it cannot be written");
    }
}
