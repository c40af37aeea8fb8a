//! Conditions: the words and how a list of them changes.
//!
//! Types, reasons and messages of `ProjectConfig` and `ClusterConfig` are Kargo's, so that whatever waits for or shows
//! them keeps working. One thing is deliberately better: `lastTransitionTime` follows the status, while Kargo never
//! moves it.

use std::borrow::Cow;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};

/// Condition type: every receiver of the object is served.
pub const READY: &str = "Ready";
/// Condition type, present only while some receiver is not served yet.
pub const RECONCILING: &str = "Reconciling";
/// Reason of `Ready=True`.
pub const SYNCED: &str = "Synced";
/// Reason of `Ready=False` when some receiver cannot be served.
pub const SYNC_WEBHOOK_RECEIVERS_FAILED: &str = "SyncWebhookReceiversFailed";
/// Reason of `Reconciling=True`, and of `Ready=False` before the first result.
pub const SYNCING_WEBHOOKS: &str = "SyncingWebhooks";
/// Message that goes with [`SYNCING_WEBHOOKS`].
pub const SYNCING_MESSAGE: &str = "Syncing WebhookReceivers";

/// Reason of `Ready=True` of a `Receiver` or `ClusterReceiver`.
pub const SERVED: &str = "Served";
/// Message that goes with [`SERVED`].
pub const SERVED_MESSAGE: &str = "requests to the URL are accepted";

/// Status of a condition that holds.
pub const TRUE: &str = "True";
/// Status of a condition that does not hold.
pub const FALSE: &str = "False";

/// The longest message the API accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 32_768;
const TRUNCATED: &str = " ... (truncated)";

/// Which of the two objects a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigKind {
    /// `ProjectConfig`
    Project,
    /// `ClusterConfig`
    Cluster,
}

impl ConfigKind {
    /// Message of `Ready=True`.
    #[must_use]
    pub const fn synced_message(self) -> &'static str {
        match self {
            Self::Project => "ProjectConfig is synced and ready for use",
            Self::Cluster => "ClusterConfig is synced and ready for use",
        }
    }

    /// Message of `Ready=False` because of `errors`, each already in the form of [`receiver_error`]. Repeated errors
    /// are listed once; several are put in brackets.
    #[must_use]
    pub fn failed_message(self, errors: &[String]) -> String {
        let prefix = match self {
            Self::Project => "Failed to sync WebhookReceivers: ",
            Self::Cluster => "Failed to sync webhook receivers: ",
        };
        let mut unique: Vec<&str> = Vec::with_capacity(errors.len());
        for error in errors {
            if !unique.contains(&error.as_str()) {
                unique.push(error);
            }
        }
        match unique.as_slice() {
            [one] => format!("{prefix}{one}"),
            several => format!("{prefix}[{}]", several.join(", ")),
        }
    }
}

/// How the failure of one receiver reads inside [`ConfigKind::failed_message`].
#[must_use]
pub fn receiver_error(name: &str, cause: &str) -> String {
    format!("error syncing WebhookReceiver {name:?}: {cause}")
}

/// The condition of type `type_`, if there is one.
#[cfg(test)]
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// What a condition should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The condition type, for example [`READY`].
    pub type_: Cow<'static, str>,
    /// Whether the condition holds.
    pub status: bool,
    /// The reason, for example [`SYNCED`].
    pub reason: &'static str,
    /// The message; cut to [`MAX_MESSAGE_BYTES`] when it is set.
    pub message: String,
    /// The `metadata.generation` the condition is about.
    pub observed_generation: Option<i64>,
}

/// Sets one condition and leaves all others, also those of other controllers, as they are.
///
/// `lastTransitionTime` becomes `now` (whole seconds) only when the condition is new or its status changes, so setting
/// the same again changes nothing.
pub fn set(conditions: &mut Vec<Condition>, wanted: Wanted, now: Timestamp) {
    let Wanted { type_, status, reason, message, observed_generation } = wanted;
    let mut next = Condition {
        type_: type_.into_owned(),
        status: if status { TRUE } else { FALSE }.to_owned(),
        reason: reason.to_owned(),
        message: truncate(message),
        observed_generation,
        last_transition_time: Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
    };
    match conditions.iter_mut().find(|c| c.type_ == next.type_) {
        Some(current) => {
            if current.status == next.status {
                next.last_transition_time = current.last_transition_time.clone();
            }
            *current = next;
        }
        None => conditions.push(next),
    }
}

/// Removes the condition of type `type_`, if there is one.
pub fn remove(conditions: &mut Vec<Condition>, type_: &str) {
    conditions.retain(|c| c.type_ != type_);
}

/// Cuts a message that the API would refuse, on a character boundary, and says so.
#[must_use]
pub fn truncate(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let mut end = MAX_MESSAGE_BYTES - TRUNCATED.len();
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push_str(TRUNCATED);
    }
    message
}

/// Schema of a list of conditions: one entry per type, each of the shape all Kubernetes objects use.
pub(super) fn list_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the object's state.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "Which aspect this is about, for example `Ready`.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
                "status": {
                    "description": "Whether the condition holds: True, False or Unknown.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "description": "A word for programs that says why the condition has this status, for example `Synced`.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "A sentence for people that says why the condition has this status. It may be empty.",
                    "type": "string",
                    "maxLength": MAX_MESSAGE_BYTES,
                },
                "observedGeneration": {
                    "description": "The `metadata.generation` that the condition is about; it is out of date when the object's is higher.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string",
                    "format": "date-time",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wanted(status: bool, message: &str) -> Wanted {
        Wanted {
            type_: READY.into(),
            status,
            reason: SYNCED,
            message: message.to_owned(),
            observed_generation: Some(3),
        }
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut list = Vec::new();
        set(&mut list, wanted(true, "one"), at(100));
        set(&mut list, wanted(true, "two"), at(200));
        assert_eq!((list[0].message.as_str(), list[0].last_transition_time.0), ("two", at(100)));
        set(&mut list, wanted(false, "two"), at(300));
        assert_eq!((list[0].status.as_str(), list[0].last_transition_time.0), (FALSE, at(300)));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn the_transition_time_is_written_in_whole_seconds() {
        let mut list = Vec::new();
        set(&mut list, wanted(true, ""), Timestamp::new(1_700_000_000, 987_654_321).unwrap());
        let json = serde_json::to_value(&list[0]).unwrap();
        assert_eq!(json["lastTransitionTime"], "2023-11-14T22:13:20Z");
    }

    #[test]
    fn conditions_of_others_stay_where_they_are() {
        let foreign = |type_: &str| Condition {
            type_: type_.to_owned(),
            status: "Unknown".to_owned(),
            reason: "Theirs".to_owned(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(at(1)),
        };
        let mut list = vec![foreign("A"), foreign("Z")];
        set(&mut list, wanted(true, "ok"), at(5));
        set(&mut list, Wanted { type_: RECONCILING.into(), ..wanted(true, "") }, at(5));
        remove(&mut list, RECONCILING);
        assert_eq!(list[..2], [foreign("A"), foreign("Z")]);
        assert_eq!(find(&list, READY).map(|c| c.message.as_str()), Some("ok"));
        assert_eq!((list.len(), find(&list, RECONCILING)), (3, None));
    }

    #[test]
    fn failures_read_as_kargo_writes_them() {
        let a = receiver_error("a", "no");
        let b = receiver_error("b", "no");
        assert_eq!(a, "error syncing WebhookReceiver \"a\": no");
        assert_eq!(
            ConfigKind::Project.failed_message(std::slice::from_ref(&a)),
            format!("Failed to sync WebhookReceivers: {a}")
        );
        assert_eq!(
            ConfigKind::Cluster.failed_message(&[a.clone(), b.clone(), a.clone()]),
            format!("Failed to sync webhook receivers: [{a}, {b}]")
        );
    }

    #[test]
    fn long_messages_are_cut_on_a_character() {
        let fits = "x".repeat(MAX_MESSAGE_BYTES);
        assert_eq!(truncate(fits.clone()), fits);
        let cut = truncate("é".repeat(MAX_MESSAGE_BYTES));
        assert!(cut.ends_with("é ... (truncated)"), "{}", &cut[cut.len() - 40..]);
        assert!(cut.len() <= MAX_MESSAGE_BYTES && cut.len() > MAX_MESSAGE_BYTES - 4);
    }
}
