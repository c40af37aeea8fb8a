//! Kubernetes Events on Warehouses whose pushes are given up.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::domain::target::{Target, TargetKind};

/// Events that wait to be written. More are left out: the metric and the log have every push.
pub(super) const WAITING: usize = 64;

/// A push that is not pursued any longer although Kargo has not come across it.
#[derive(Debug)]
pub struct GivenUp {
    pub(super) target: Target,
    pub(super) outcome: Outcome,
    /// Kargo's message, fit to be shown; empty when there was none.
    pub(super) reason: String,
}

impl GivenUp {
    fn event(&self) -> Event {
        let (reason, note) = match self.outcome {
            Outcome::NotLooked if self.reason.is_empty() => {
                ("PushNotLookedFor", "Kargo handled a refresh without looking")
            }
            Outcome::NotLooked => ("PushNotLookedFor", "Kargo cannot discover what was pushed: "),
            Outcome::NotHandled => {
                ("RefreshNotHandled", "Kargo does not take a refresh up; is its controller for this shard running?")
            }
            _ => (
                "PushNotListed",
                "Kargo has looked and does not list what was pushed; discoveryLimit, platform or expressionFilter may leave it out",
            ),
        };
        Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(format!("{note}{}", self.reason)),
            action: "Refresh".to_owned(),
            secondary: None,
        }
    }

    fn object(&self) -> ObjectReference {
        let kind = match self.target.kind {
            TargetKind::Warehouse => "Warehouse",
            TargetKind::Promotion => "Promotion",
        };
        ObjectReference {
            api_version: Some("kargo.akuity.io/v1alpha1".to_owned()),
            kind: Some(kind.to_owned()),
            namespace: Some(self.target.key.namespace.to_string()),
            name: Some(self.target.key.name.to_string()),
            ..ObjectReference::default()
        }
    }
}

/// Writes the Events, one after the other, until `stop` is cancelled. Without the right to it nothing else suffers.
pub async fn write(client: Client, replica: String, mut given_up: Receiver<GivenUp>, stop: CancellationToken) {
    let reporter = Reporter { controller: "quayside".to_owned(), instance: Some(replica) };
    let recorder = Recorder::new(client, reporter);
    while let Some(Some(given_up)) = stop.run_until_cancelled(given_up.recv()).await {
        if let Err(error) = recorder.publish(&given_up.event(), &given_up.object()).await {
            tracing::warn!(object = %given_up.target, "an Event cannot be written: {}", super::message::presentable(&error.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::ObjectKey;

    #[test]
    fn an_event_names_the_object_and_what_is_wrong() {
        let target = Target::warehouse(ObjectKey::new("northwind", "storefront"));
        let given_up = GivenUp { target, outcome: Outcome::NotLooked, reason: "503".to_owned() };
        let (event, object) = (given_up.event(), given_up.object());
        assert_eq!(event.note.as_deref(), Some("Kargo cannot discover what was pushed: 503"));
        assert_eq!((event.reason.as_str(), object.name.as_deref()), ("PushNotLookedFor", Some("storefront")));
        assert_eq!(object.namespace.as_deref(), Some("northwind"));
    }
}
