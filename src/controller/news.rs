//! What is new in a status, as Events on its object: pure.
//!
//! What the status said before it was written is compared with what it says now. So an Event is about a change, however
//! often an object is looked at and whichever replica led before, and only the replica that wrote the status has any.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Deserialize;
use serde_json::Value;

use super::status::RECEIVER_CONDITION;
use crate::api::condition::{READY, SERVED};
use crate::domain::owner::Owner;
use crate::events::{About, Note};

/// What Quayside does with a receiver.
const ACTION: &str = "Serve";
/// Reason when a receiver deserves no attention any more.
const RECOVERED: &str = "ReceiverRecovered";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conditions {
    conditions: Vec<Condition>,
}

/// The Events about a status that said `before` and got this patch.
pub(super) fn of(owner: &Owner, before: &str, patch: &Value) -> Vec<Note> {
    let Ok(Conditions { conditions: after }) = Conditions::deserialize(&patch["status"]) else {
        return Vec::new();
    };
    if after.is_empty() {
        // They are as before.
        return Vec::new();
    }
    let before: Option<Conditions> = serde_json::from_str(before).unwrap_or_default();
    let before = before.unwrap_or_default().conditions;
    let find = |conditions: &[Condition], type_: &str| conditions.iter().find(|c| c.type_ == type_).cloned();
    let mut notes = Vec::new();
    for now in after.iter().filter(|condition| is_told(owner, condition)) {
        let then = find(&before, &now.type_);
        let is_same = then.as_ref().is_some_and(|then| (&then.reason, &then.message) == (&now.reason, &now.message));
        if !is_same {
            notes.push(note(owner, now, now.reason.clone(), true));
        }
    }
    for then in before.iter().filter(|condition| is_told(owner, condition)) {
        if find(&after, &then.type_).is_none_or(|now| !is_told(owner, &now)) {
            notes.push(note(owner, then, RECOVERED.to_owned(), false));
        }
    }
    notes
}

/// Whether a condition says that something is wrong with a receiver.
fn is_told(owner: &Owner, condition: &Condition) -> bool {
    if owner.is_kargos() {
        condition.type_.starts_with(RECEIVER_CONDITION)
    } else {
        condition.type_ == READY && condition.reason != SERVED
    }
}

fn note(owner: &Owner, condition: &Condition, reason: String, is_warning: bool) -> Note {
    let part = condition.type_.strip_prefix(RECEIVER_CONDITION).map(str::to_owned);
    let what =
        if is_warning { condition.message.clone() } else { format!("{} is no longer the case", condition.reason) };
    let text = match &part {
        Some(receiver) => format!("receiver {receiver}: {what}"),
        None => what,
    };
    Note { about: About::Owner(owner.clone()), part, is_warning, reason: reason.into(), action: ACTION, text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::scope::ObjectKey;

    fn condition(type_: &str, reason: &str, message: &str) -> Value {
        json!({
            "type": type_, "status": "False", "reason": reason, "message": message,
            "lastTransitionTime": "2026-08-21T17:51:41Z",
        })
    }

    fn status(conditions: &[Value]) -> Value {
        json!({"conditions": conditions})
    }

    /// Type, reason and text of each Event.
    fn told(owner: &Owner, before: &Value, after: &Value) -> Vec<(bool, String, String)> {
        let notes = of(owner, &before.to_string(), &json!({"status": after}));
        notes.into_iter().map(|note| (note.is_warning, note.reason.into_owned(), note.text)).collect()
    }

    fn event(is_warning: bool, reason: &str, text: &str) -> (bool, String, String) {
        (is_warning, reason.to_owned(), text.to_owned())
    }

    #[test]
    fn an_event_is_about_a_problem_that_appears_changes_or_is_gone_and_about_nothing_else() {
        let owner = Owner::ProjectConfig("northwind".into());
        let (ready, failed) =
            (condition("Ready", "Synced", ""), condition("Ready", "SyncWebhookReceiversFailed", "no"));
        let quay = condition("receiver.quayside.dev/quay", "SecretKeyMissing", "missing key");
        let hub = condition("receiver.quayside.dev/hub", "WeakSecret", "weak");
        let seen = condition("quayside.dev/PushesSeen", "DiscoveryFailed", "503");
        let (healthy, broken) =
            (status(std::slice::from_ref(&ready)), status(&[failed.clone(), quay.clone(), hub.clone()]));
        let quay_told = event(true, "SecretKeyMissing", "receiver quay: missing key");
        let hub_told = event(true, "WeakSecret", "receiver hub: weak");
        assert_eq!(told(&owner, &Value::Null, &broken), [quay_told.clone(), hub_told]);
        assert_eq!(told(&owner, &broken, &json!({"observedGeneration": 4})), [], "the conditions are as they were");
        assert_eq!(told(&owner, &broken, &status(&[failed.clone(), quay.clone(), hub.clone(), seen])), []);
        let other = condition("receiver.quayside.dev/quay", "SecretKeyMissing", "another key");
        assert_eq!(
            told(&owner, &broken, &status(&[failed, other, hub])),
            [event(true, "SecretKeyMissing", "receiver quay: another key")]
        );
        let gone = |receiver, reason| {
            event(false, "ReceiverRecovered", &format!("receiver {receiver}: {reason} is no longer the case"))
        };
        assert_eq!(told(&owner, &broken, &healthy), [gone("quay", "SecretKeyMissing"), gone("hub", "WeakSecret")]);
        assert_eq!(told(&owner, &healthy, &status(std::slice::from_ref(&ready))), []);
        assert_eq!(told(&owner, &json!("text"), &broken)[0], quay_told);
    }

    #[test]
    fn a_receiver_of_our_own_has_one_condition_that_says_all() {
        let owner = Owner::Receiver(ObjectKey::new("northwind", "quay"));
        let served = status(&[condition("Ready", "Served", "requests to the URL are accepted")]);
        let clash = status(&[condition("Ready", "PathConflict", "another has the same path")]);
        assert_eq!(told(&owner, &Value::Null, &served), []);
        assert_eq!(told(&owner, &served, &clash), [event(true, "PathConflict", "another has the same path")]);
        assert_eq!(told(&owner, &clash, &clash), []);
        assert_eq!(
            told(&owner, &clash, &served),
            [event(false, "ReceiverRecovered", "PathConflict is no longer the case")]
        );
    }
}
