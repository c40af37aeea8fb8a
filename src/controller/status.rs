//! What the status of a configuration should say, and the smallest patch that makes it so: pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::resolve::Problem;
use super::unseen::{PUSHES_SEEN, Unseen};
use crate::api::condition::{
    self, ConfigKind, READY, RECONCILING, SERVED, SERVED_MESSAGE, SYNC_WEBHOOK_RECEIVERS_FAILED, SYNCED,
    SYNCING_MESSAGE, SYNCING_WEBHOOKS, Wanted,
};
use crate::api::{ConfigStatus, ReceiverDetails, ReceiverStatus};
use crate::domain::owner::Owner;

/// Conditions of a single receiver have this prefix and the receiver's name; only receivers that need attention have
/// one.
pub(crate) const RECEIVER_CONDITION: &str = "receiver.quayside.dev/";

/// What the last resolution found out about an owner.
#[derive(Clone, Default)]
pub struct Report {
    /// `metadata.generation` that was resolved.
    pub generation: Option<i64>,
    /// The refresh annotation that was handled.
    pub refresh: Option<String>,
    /// The served receivers, in the order of the spec.
    pub receivers: Vec<ReceiverDetails>,
    /// The kind of the first receiver; the only one of an object that is one receiver.
    pub kind: Option<&'static str>,
    /// Receivers that are not served as configured.
    pub problems: Vec<Problem>,
    /// Receivers that are served but deserve attention.
    pub warnings: Vec<Problem>,
    /// Pushes that Kargo does not come across, as known when the status is written.
    pub(super) unseen: Option<Unseen>,
}

/// The smallest patch that brings the status of an object up to date; `None` when it is already. `current` is the
/// text of the status; one that does not decode is replaced as if it were empty.
#[must_use]
pub fn patch(owner: &Owner, report: &Report, current: &str, now: Timestamp) -> Option<Value> {
    let kind = match owner {
        Owner::ProjectConfig(_) => ConfigKind::Project,
        Owner::ClusterConfig => ConfigKind::Cluster,
        Owner::Receiver(_) | Owner::ClusterReceiver(_) => {
            let current: ReceiverStatus = decoded(current);
            return merge_patch(&current, &desired_of_receiver(report, &current, now));
        }
    };
    let current: ConfigStatus = decoded(current);
    merge_patch(&current, &desired(kind, report, &current, now))
}

fn decoded<S: DeserializeOwned + Default>(status: &str) -> S {
    let status: Option<S> = serde_json::from_str(status).unwrap_or_default();
    status.unwrap_or_default()
}

/// What the status of a `ProjectConfig` or `ClusterConfig` should become.
fn desired(kind: ConfigKind, report: &Report, current: &ConfigStatus, now: Timestamp) -> ConfigStatus {
    let mut status = current.clone();
    status.webhook_receivers.clone_from(&report.receivers);
    if report.refresh.is_some() {
        status.last_handled_refresh.clone_from(&report.refresh);
    }
    let mut set = |type_: Cow<'static, str>, holds, reason, message| {
        let observed_generation = report.generation;
        let wanted = Wanted { type_, status: holds, reason, message, observed_generation };
        condition::set(&mut status.conditions, wanted, now);
    };
    if report.problems.is_empty() {
        set(READY.into(), true, SYNCED, kind.synced_message().to_owned());
    } else {
        let errors: Vec<String> = report
            .problems
            .iter()
            .map(|problem| condition::receiver_error(&problem.receiver, &problem.cause))
            .collect();
        set(READY.into(), false, SYNC_WEBHOOK_RECEIVERS_FAILED, kind.failed_message(&errors));
        set(RECONCILING.into(), true, SYNCING_WEBHOOKS, SYNCING_MESSAGE.to_owned());
    }
    let mut noted = BTreeSet::new();
    for problem in report.problems.iter().chain(&report.warnings) {
        let type_ = format!("{RECEIVER_CONDITION}{}", problem.receiver);
        if noted.insert(type_.clone()) {
            set(type_.into(), problem.served, problem.reason.as_str(), problem.cause.clone());
        }
    }
    status.conditions.retain(|c| !c.type_.starts_with(RECEIVER_CONDITION) || noted.contains(&c.type_));
    if report.problems.is_empty() {
        condition::remove(&mut status.conditions, RECONCILING);
        // As Kargo does: only a generation without errors counts as observed.
        status.observed_generation = report.generation;
    }
    set_unseen(&mut status.conditions, report, now);
    status
}

/// Says which pushes Kargo does not come across, or nothing of it.
fn set_unseen(conditions: &mut Vec<Condition>, report: &Report, now: Timestamp) {
    let Some(Unseen { reason, message }) = report.unseen.clone() else {
        return condition::remove(conditions, PUSHES_SEEN);
    };
    let observed_generation = report.generation;
    let wanted = Wanted { type_: PUSHES_SEEN.into(), status: false, reason, message, observed_generation };
    condition::set(conditions, wanted, now);
}

/// What the status of a `Receiver` or `ClusterReceiver` should become.
fn desired_of_receiver(report: &Report, current: &ReceiverStatus, now: Timestamp) -> ReceiverStatus {
    let mut status = current.clone();
    let served = report.receivers.first();
    status.path = served.and_then(|details| details.path.clone());
    status.url = served.and_then(|details| details.url.clone());
    status.kind = report.kind.map(str::to_owned);
    status.observed_generation = report.generation;
    let remarks: Vec<&Problem> = report.problems.iter().chain(&report.warnings).collect();
    let (reason, message) = match remarks.as_slice() {
        [] => (SERVED, SERVED_MESSAGE.to_owned()),
        [first, ..] => {
            (first.reason.as_str(), remarks.iter().map(|remark| remark.cause.as_str()).collect::<Vec<_>>().join("; "))
        }
    };
    let observed_generation = report.generation;
    let ready = Wanted { type_: READY.into(), status: served.is_some(), reason, message, observed_generation };
    condition::set(&mut status.conditions, ready, now);
    set_unseen(&mut status.conditions, report, now);
    status
}

/// The merge patch from `current` to `desired`, or `None` when they are equal. Lists are replaced as a whole, a list
/// that became empty is removed, members that are not ours are not mentioned.
pub(crate) fn merge_patch(current: &impl Serialize, desired: &impl Serialize) -> Option<Value> {
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) =
        (serde_json::to_value(current), serde_json::to_value(desired))
    else {
        return None;
    };
    let mut changes = Map::new();
    for (key, value) in &after {
        if before.get(key) != Some(value) {
            changes.insert(key.clone(), value.clone());
        }
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        changes.insert(key.clone(), Value::Null);
    }
    (!changes.is_empty()).then(|| json!({"status": changes}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::resolve::Reason;

    fn now() -> Timestamp {
        "2026-08-21T17:51:41Z".parse().unwrap()
    }

    fn report(problems: Vec<Problem>) -> Report {
        let receivers = vec![ReceiverDetails {
            name: Some("quay".to_owned()),
            path: Some("/quay/x".to_owned()),
            url: Some("https://h/quay/x".to_owned()),
        }];
        let refresh = Some("t1".to_owned());
        Report { generation: Some(3), refresh, receivers, kind: Some("quay"), problems, warnings: vec![], unseen: None }
    }

    fn problem(receiver: &str) -> Problem {
        Problem { receiver: receiver.to_owned(), reason: Reason::SecretNotFound, cause: "no".to_owned(), served: false }
    }

    #[test]
    fn a_synced_configuration_has_exactly_one_condition_in_kargos_words() {
        let status = desired(ConfigKind::Project, &report(vec![]), &ConfigStatus::default(), now());
        let [ready] = status.conditions.as_slice() else { panic!("{:?}", status.conditions) };
        assert_eq!((&*ready.type_, &*ready.status, &*ready.reason), ("Ready", "True", "Synced"));
        assert_eq!(ready.message, "ProjectConfig is synced and ready for use");
        assert_eq!(status.observed_generation, Some(3));
        assert_eq!(status.last_handled_refresh.as_deref(), Some("t1"));
        assert!(merge_patch(&status, &desired(ConfigKind::Project, &report(vec![]), &status, now())).is_none());
    }

    #[test]
    fn a_problem_is_told_in_ready_and_in_a_condition_of_its_receiver_and_goes_away_with_it() {
        let failed = desired(ConfigKind::Project, &report(vec![problem("hub")]), &ConfigStatus::default(), now());
        let types: Vec<_> = failed.conditions.iter().map(|c| (&*c.type_, &*c.status)).collect();
        assert_eq!(types, [("Ready", "False"), ("Reconciling", "True"), ("receiver.quayside.dev/hub", "False")]);
        let ready = condition::find(&failed.conditions, READY).unwrap();
        assert_eq!(ready.message, r#"Failed to sync WebhookReceivers: error syncing WebhookReceiver "hub": no"#);
        assert_eq!(failed.observed_generation, None);
        let healed = desired(ConfigKind::Project, &report(vec![]), &failed, now());
        assert_eq!(healed.conditions.len(), 1);
    }

    #[test]
    fn pushes_that_kargo_does_not_come_across_have_a_condition_of_their_own_while_that_lasts() {
        let unseen = Some(Unseen { reason: "DiscoveryFailed", message: "503".to_owned() });
        let troubled = Report { unseen, ..report(vec![]) };
        for owner in [Owner::ProjectConfig("p".into()), Owner::ClusterReceiver("hub".into())] {
            let written = |report: &Report, current: &Value| patch(&owner, report, &current.to_string(), now());
            let healthy = written(&report(vec![]), &Value::Null).unwrap()["status"].clone();
            let status = written(&troubled, &healthy).unwrap()["status"].clone();
            assert_eq!(status["conditions"][0], healthy["conditions"][0], "it says nothing about the receivers");
            let condition = &status["conditions"][1];
            assert_eq!(condition["type"], "quayside.dev/PushesSeen");
            assert_eq!((&condition["status"], &condition["reason"]), (&json!("False"), &json!("DiscoveryFailed")));
            let mut whole = healthy.clone();
            whole["conditions"] = status["conditions"].clone();
            assert!(written(&troubled, &whole).is_none());
            assert_eq!(written(&report(vec![]), &whole).unwrap()["status"]["conditions"], healthy["conditions"]);
        }
    }

    #[test]
    fn the_patch_mentions_only_what_changes_and_removes_an_emptied_list() {
        let before = desired(ConfigKind::Cluster, &report(vec![]), &ConfigStatus::default(), now());
        let empty = Report { receivers: vec![], ..report(vec![]) };
        let after = desired(ConfigKind::Cluster, &empty, &before, now());
        assert_eq!(merge_patch(&before, &after).unwrap(), json!({"status": {"webhookReceivers": null}}));
    }

    #[test]
    fn a_receiver_of_our_own_is_ready_when_it_is_served_and_says_otherwise_why_not() {
        let owner = Owner::ClusterReceiver("hub".into());
        let patched = |report: &Report, current: &Value| patch(&owner, report, &current.to_string(), now());
        let served = patched(&report(vec![]), &Value::Null).unwrap()["status"].clone();
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Served", "message": "requests to the URL are accepted",
            "observedGeneration": 3, "lastTransitionTime": "2026-08-21T17:51:41Z",
        });
        let url = "https://h/quay/x";
        assert_eq!(
            served,
            json!({"kind": "quay", "path": "/quay/x", "url": url, "observedGeneration": 3, "conditions": [ready]})
        );
        assert!(patched(&report(vec![]), &served).is_none());

        let warning = Problem { served: true, ..problem("hub") };
        let weak = patched(&Report { warnings: vec![warning], ..report(vec![]) }, &served).unwrap();
        let ready = &weak["status"]["conditions"][0];
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("True"), &json!("SecretNotFound")));

        let failed = Report { receivers: vec![], ..report(vec![problem("hub")]) };
        let failed = patched(&failed, &served).unwrap()["status"].clone();
        assert_eq!((&failed["path"], &failed["url"]), (&Value::Null, &Value::Null));
        assert_eq!(
            (&failed["conditions"][0]["status"], &failed["conditions"][0]["message"]),
            (&json!("False"), &json!("no"))
        );
    }
}
