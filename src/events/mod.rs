//! Kubernetes Events: what people find under an object in `kubectl describe`, beside its conditions.
//!
//! An Event is a help. Whoever has something to say never waits for it: what finds no room is left out, because
//! conditions, log and metrics have it as well. A namespace whose objects change all the time uses up its own allowance
//! and nobody else's.

mod allowance;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::api::{CLUSTER_CONFIG_NAME, GROUP, OWN_GROUP, VERSION};
use crate::domain::message::presentable;
use crate::domain::owner::Owner;
use crate::domain::target::{Target, TargetKind};
use allowance::Allowances;

/// Events that wait to be written.
const WAITING: usize = 64;
/// The API server refuses a longer note.
const LONGEST_NOTE: usize = 1024;
/// Events are written one after the other, so none may take longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an Event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// An object that declares receivers.
    Owner(Owner),
    /// An object that is refreshed.
    Target(Target),
}

/// An Event to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The object.
    pub about: About,
    /// Which part of the object, such as one of its receivers; Events about several parts are not counted as one.
    pub part: Option<String>,
    /// Whether somebody should look.
    pub is_warning: bool,
    /// A word for programs.
    pub reason: Cow<'static, str>,
    /// What Quayside was doing.
    pub action: &'static str,
    /// A sentence for people, which never holds a credential.
    pub text: String,
}

/// Takes Events that are to be written; a clone is another handle to the same.
#[derive(Clone)]
pub struct Events(Arc<Shared>);

struct Shared {
    waiting: Sender<Note>,
    allowances: Mutex<Allowances>,
}

impl Events {
    /// Those that are to be written arrive at the receiver; see [`write()`].
    #[must_use]
    pub fn new() -> (Self, Receiver<Note>) {
        let (waiting, receiver) = mpsc::channel(WAITING);
        (Self(Arc::new(Shared { waiting, allowances: Mutex::default() })), receiver)
    }

    /// Has it written, unless too many are.
    pub fn send(&self, note: Note) {
        let is_allowed = self.0.allowances.lock().take(note.about.namespace(), Instant::now());
        if !is_allowed || self.0.waiting.try_send(note).is_err() {
            tracing::debug!("an Event is left out, because many were written");
        }
    }
}

impl About {
    /// Its namespace; empty for an object of the cluster.
    fn namespace(&self) -> &str {
        match self {
            Self::Owner(owner) => owner.project(),
            Self::Target(target) => &target.key.namespace,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Owner(Owner::ProjectConfig(name) | Owner::ClusterReceiver(name)) => name,
            Self::Owner(Owner::Receiver(key)) | Self::Target(Target { key, .. }) => &key.name,
            Self::Owner(Owner::ClusterConfig) => CLUSTER_CONFIG_NAME,
        }
    }

    fn resource(&self) -> ApiResource {
        let (group, kind) = match self {
            Self::Owner(owner) => (if owner.is_kargos() { GROUP } else { OWN_GROUP }, owner.kind()),
            Self::Target(Target { kind: TargetKind::Warehouse, .. }) => (GROUP, "Warehouse"),
            Self::Target(Target { kind: TargetKind::Promotion, .. }) => (GROUP, "Promotion"),
        };
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, VERSION, kind))
    }

    fn reference(&self, uid: Option<String>) -> ObjectReference {
        let ApiResource { api_version, kind, .. } = self.resource();
        ObjectReference {
            api_version: Some(api_version),
            kind: Some(kind),
            namespace: Some(self.namespace().to_owned()).filter(|namespace| !namespace.is_empty()),
            name: Some(self.name().to_owned()),
            uid,
            ..ObjectReference::default()
        }
    }
}

impl Note {
    fn event(&self) -> Event {
        let part = |part: &String| ObjectReference {
            kind: Some("WebhookReceiver".to_owned()),
            namespace: Some(self.about.namespace().to_owned()).filter(|namespace| !namespace.is_empty()),
            name: Some(part.clone()),
            ..ObjectReference::default()
        };
        let mut text = self.text.clone();
        text.truncate(text.floor_char_boundary(LONGEST_NOTE));
        Event {
            type_: if self.is_warning { EventType::Warning } else { EventType::Normal },
            reason: self.reason.to_string(),
            note: Some(text),
            action: self.action.to_owned(),
            secondary: self.part.as_ref().map(part),
        }
    }
}

/// Writes the Events, one after the other, until `stop` is cancelled. Without the right to it nothing else suffers.
pub async fn write(client: Client, replica: String, mut notes: Receiver<Note>, stop: CancellationToken) {
    let reporter = Reporter { controller: "quayside".to_owned(), instance: Some(replica) };
    let recorder = Recorder::new(client.clone(), reporter);
    while let Some(Some(note)) = stop.run_until_cancelled(notes.recv()).await {
        let error = match timeout(PATIENCE, publish(&client, &recorder, &note)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => presentable(&error.to_string()),
            Err(_) => "the API server did not answer in time".to_owned(),
        };
        let (kind, namespace, name) = (note.about.resource().kind, note.about.namespace(), note.about.name());
        tracing::warn!(kind, namespace, name, "an Event cannot be written: {error}");
    }
}

/// `kubectl describe` asks for the Events of an object by its uid, which only the API server knows. One that is gone
/// has nobody who would read an Event.
async fn publish(client: &Client, recorder: &Recorder, note: &Note) -> kube::Result<()> {
    let (about, resource) = (&note.about, note.about.resource());
    let api: Api<DynamicObject> = match about.namespace() {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    // A list, because that is what Quayside has a right to; by its name it costs no more than a get.
    let by_name = ListParams::default().fields(&format!("metadata.name={}", about.name()));
    match api.list_metadata(&by_name).await?.items.pop() {
        Some(object) => recorder.publish(&note.event(), &about.reference(object.metadata.uid)).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::ObjectKey;

    fn note(about: About, text: &str) -> Note {
        let (part, text) = (Some("quay".to_owned()), text.to_owned());
        Note { about, part, is_warning: true, reason: "SecretKeyMissing".into(), action: "Serve", text }
    }

    fn project(name: &str) -> About {
        About::Owner(Owner::ProjectConfig(name.into()))
    }

    #[test]
    fn an_event_names_its_object_by_group_kind_and_uid() {
        let key = || ObjectKey::new("northwind", "storefront");
        for (about, api_version, kind, namespace, name) in [
            (project("northwind"), "kargo.akuity.io/v1alpha1", "ProjectConfig", Some("northwind"), "northwind"),
            (About::Owner(Owner::ClusterConfig), "kargo.akuity.io/v1alpha1", "ClusterConfig", None, "cluster"),
            (
                About::Owner(Owner::Receiver(key())),
                "quayside.dev/v1alpha1",
                "Receiver",
                Some("northwind"),
                "storefront",
            ),
            (
                About::Owner(Owner::ClusterReceiver("hub".into())),
                "quayside.dev/v1alpha1",
                "ClusterReceiver",
                None,
                "hub",
            ),
            (
                About::Target(Target::promotion(key())),
                "kargo.akuity.io/v1alpha1",
                "Promotion",
                Some("northwind"),
                "storefront",
            ),
        ] {
            let reference = about.reference(Some("u".to_owned()));
            assert_eq!(
                (reference.api_version.as_deref(), reference.kind.as_deref(), reference.namespace.as_deref()),
                (Some(api_version), Some(kind), namespace)
            );
            assert_eq!((reference.name.as_deref(), reference.uid.as_deref()), (Some(name), Some("u")));
        }
    }

    #[test]
    fn a_note_is_cut_where_the_api_server_would_refuse_it() {
        let event = note(project("northwind"), &"é".repeat(1_000)).event();
        assert_eq!(event.note.map(|note| note.len()), Some(1024));
        assert_eq!(event.secondary.and_then(|part| part.name).as_deref(), Some("quay"));
    }

    #[test]
    fn what_is_too_much_is_left_out_and_keeps_no_other_namespace_from_its_events() {
        let (events, mut notes) = Events::new();
        for _ in 0..1_000 {
            events.send(note(project("noisy"), ""));
        }
        events.send(note(project("quiet"), ""));
        let mut names = Vec::new();
        while let Ok(note) = notes.try_recv() {
            names.push(note.about.name().to_owned());
        }
        assert!(names.len() < WAITING, "{}", names.len());
        assert_eq!(names.last().map(String::as_str), Some("quiet"));
        for number in 0..1_000 {
            events.send(note(project(&number.to_string()), ""));
        }
        assert_eq!(notes.len(), WAITING, "nobody waits for a place");
    }
}
