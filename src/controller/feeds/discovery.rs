//! What a status says about refreshes, read only where something follows from it.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::artifact::Artifacts;
use crate::domain::target::Target;
use crate::pursuit::{Moment, Origin, Pursuit, Sighting};

/// The part of a status that says how far a refresh has come; artifacts are skipped.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Progress<'a> {
    #[serde(borrow)]
    last_handled_refresh: Option<Cow<'a, str>>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
    discovered_artifacts: Option<Discovered>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    type_: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Discovered {
    discovered_at: Option<Timestamp>,
}

/// The artifacts alone, unread.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Found<'a> {
    #[serde(borrow)]
    discovered_artifacts: Option<&'a RawValue>,
}

impl Progress<'_> {
    fn is(&self, type_: &str, status: &str) -> Option<&Condition<'_>> {
        self.conditions.iter().flatten().find(|condition| condition.type_ == type_ && condition.status == status)
    }

    fn sighting<'a>(&'a self, annotation: Option<&'a str>) -> Sighting<'a> {
        let looking = self.is("Reconciling", "True").is_some();
        let not_ready = self.is("Ready", "False").filter(|condition| condition.reason == "DiscoveryFailure");
        // It outlives the failure until Kargo has looked, so while it is looking it says nothing.
        let unhealthy = || self.is("Healthy", "False").filter(|c| !looking && c.reason == "DiscoveryFailed");
        Sighting {
            annotation,
            handled: self.last_handled_refresh.as_deref(),
            discovered: self
                .discovered_artifacts
                .as_ref()
                .and_then(|found| found.discovered_at)
                .map(Timestamp::as_second),
            looking,
            failure: not_ready.or_else(unhealthy).map(|condition| &*condition.message),
        }
    }
}

/// Whether a watch shows a list at the moment, or change after change.
#[derive(Default)]
pub(super) struct Series {
    list_began: Option<Moment>,
}

impl Series {
    /// A list begins.
    pub(super) fn begin(&mut self, pursuit: &Pursuit) {
        self.list_began = Some(pursuit.at().now);
    }

    /// The list is complete.
    pub(super) fn end(&mut self) {
        self.list_began = None;
    }

    /// Where the next object comes from.
    pub(super) fn origin(&self) -> Origin {
        self.list_began.map_or(Origin::Live, |began| Origin::Listed { began })
    }
}

/// Lets the pursuit see an object, given the text of its status.
pub(super) fn show(pursuit: &Pursuit, target: &Target, annotation: Option<&str>, status: &str, origin: Origin) {
    // Most objects carry no token, and then nothing in the status matters.
    if annotation.is_none() && !pursuit.pursues(target) {
        return;
    }
    let Ok(progress) = serde_json::from_str::<Option<Progress<'_>>>(status) else {
        return;
    };
    let progress = progress.unwrap_or_default();
    let sighting = progress.sighting(annotation);
    pursuit.observe(target, &sighting, origin, || {
        let found: Found<'_> = serde_json::from_str(status).ok()?;
        Artifacts::decode(found.discovered_artifacts?.get())
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sighting(status: &Value, check: impl FnOnce(Sighting<'_>)) {
        let text = status.to_string();
        let progress: Progress<'_> = serde_json::from_str(&text).unwrap();
        check(progress.sighting(Some("t")));
    }

    #[test]
    fn a_look_under_way_a_success_and_a_failure_are_told_apart() {
        let condition = |type_: &str, status: &str, reason: &str| {
            json!({
                "type": type_, "status": status, "reason": reason, "message": "why", "observedGeneration": 1,
            })
        };
        let status = |conditions: Vec<Value>| {
            json!({
                "conditions": conditions, "lastHandledRefresh": "t", "lastFreightID": "x",
                "discoveredArtifacts": {"discoveredAt": "2026-08-21T17:51:41Z", "images": [{"references": [1, 2]}]},
            })
        };
        let looking = condition("Reconciling", "True", "ScheduledDiscovery");
        let unhealthy = condition("Healthy", "False", "DiscoveryFailed");
        sighting(&status(vec![condition("Ready", "True", "ArtifactsDiscovered")]), |seen| {
            assert_eq!((seen.looking, seen.failure, seen.handled), (false, None, Some("t")));
            assert_eq!(seen.discovered, Some(1_787_334_701));
        });
        let not_ready = condition("Ready", "False", "ScheduledDiscovery");
        sighting(&status(vec![looking.clone(), not_ready, unhealthy.clone()]), |seen| {
            assert_eq!((seen.looking, seen.failure), (true, None));
        });
        let failed = condition("Ready", "False", "DiscoveryFailure");
        sighting(&status(vec![looking, failed]), |seen| assert_eq!((seen.looking, seen.failure), (true, Some("why"))));
        sighting(&status(vec![unhealthy]), |seen| assert_eq!((seen.looking, seen.failure), (false, Some("why"))));
        sighting(&json!({"conditions": null, "discoveredArtifacts": null}), |seen| {
            assert_eq!(seen, Sighting { annotation: Some("t"), ..Sighting::default() });
        });
    }
}
