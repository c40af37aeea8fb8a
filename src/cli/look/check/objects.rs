//! What the objects of the cluster say: definitions, receivers and Warehouses.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

use super::finding::{Finding, Group};
use crate::api::condition::READY;
use crate::controller::status::RECEIVER_CONDITION;
use crate::domain::scope::ObjectKey;
use crate::refresh::patch::REFRESH_ANNOTATION;
use crate::tables::warehouses::Warehouse;
use crate::views::model::Receiver;

/// Names that a list of examples holds at most.
const EXAMPLES: usize = 3;
/// A refresh that Kargo has not taken up for so long is overdue.
const OVERDUE: SignedDuration = SignedDuration::from_mins(1);

/// The first few of these names, and how many more there are.
fn examples(names: &[String]) -> String {
    let shown = names.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(EXAMPLES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The kinds that Quayside reads. Without Kargo's nothing works; ours can be missing.
pub(super) fn definitions(found: &[CustomResourceDefinition]) -> Vec<Finding> {
    let served = |name: &str| {
        let definition = found.iter().find(|definition| definition.name_any() == name)?;
        Some(definition.spec.versions.iter().any(|version| version.name == "v1alpha1" && version.served))
    };
    let (mut missing, mut other) = (Vec::new(), Vec::new());
    for name in ["projectconfigs", "clusterconfigs", "warehouses", "promotions"] {
        let name = format!("{name}.kargo.akuity.io");
        match served(&name) {
            Some(true) => {}
            Some(false) => other.push(name),
            None => missing.push(name),
        }
    }
    let kargo = if !other.is_empty() {
        let message = format!("v1alpha1 is not served of {}", examples(&other));
        Finding::failed(Group::Cluster, "crds", message, "Run a version of Quayside that fits this version of Kargo.")
    } else if missing == ["promotions.kargo.akuity.io"] {
        let message = "Promotions are not served, so closed pull requests refresh nothing";
        Finding::warning(Group::Cluster, "crds", message, "Install Kargo; Warehouses are refreshed without it, too.")
    } else if !missing.is_empty() {
        let message = format!("missing: {}", examples(&missing));
        Finding::failed(
            Group::Cluster,
            "crds",
            message,
            "Install Kargo, or for a trial without it: kubectl apply -f crds/.",
        )
    } else {
        Finding::passed(Group::Cluster, "crds", "Kargo's kinds are served in v1alpha1")
    };
    let ours = ["receivers.quayside.dev", "clusterreceivers.quayside.dev"];
    let own = if ours.iter().all(|name| served(name) == Some(true)) {
        Finding::passed(Group::Cluster, "own-crds", "Receiver and ClusterReceiver are served")
    } else {
        Finding::warning(
            Group::Cluster,
            "own-crds",
            "Receiver or ClusterReceiver is not served, so only the kinds that Kargo knows can be declared",
            "quayside crd | kubectl apply -f -",
        )
    };
    vec![kargo, own]
}

/// Whether Kargo takes refreshes up.
pub(super) fn kargo(warehouses: &[DynamicObject], now: Timestamp) -> Finding {
    let (mut handled, mut overdue) = (0, Vec::new());
    for warehouse in warehouses {
        let Some(token) = warehouse.annotations().get(REFRESH_ANNOTATION) else { continue };
        let taken_up = warehouse.data["status"]["lastHandledRefresh"].as_str();
        // Tokens of others need not be times; those cannot be overdue.
        let age = token.parse::<Timestamp>().map(|written| now.duration_since(written)).unwrap_or_default();
        if taken_up == Some(token) {
            handled += 1;
        } else if age > OVERDUE {
            overdue.push(format!("{}/{}", warehouse.namespace().unwrap_or_default(), warehouse.name_any()));
        }
    }
    if !overdue.is_empty() {
        overdue.sort();
        let message = format!("Kargo has not taken up refreshes older than a minute: {}", examples(&overdue));
        let remedy = "See whether Kargo's controller runs, and for a sharded Warehouse the controller of its shard.";
        return Finding::failed(Group::Cluster, "kargo", message, remedy);
    }
    if handled == 0 {
        return Finding::skipped(Group::Cluster, "kargo", "no Warehouse has been refreshed yet");
    }
    Finding::passed(Group::Cluster, "kargo", format!("took up the last refresh of {handled} Warehouse(s)"))
}

/// Whether every configuration is served, and everybody writes URLs below the same base.
pub(super) fn configurations(configs: &[DynamicObject]) -> Vec<Finding> {
    let (mut findings, mut published, mut bases) = (Vec::new(), 0, BTreeSet::new());
    for config in configs {
        let (kind, status) =
            (config.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default(), &config.data["status"]);
        let name = match config.namespace() {
            Some(namespace) if namespace != config.name_any() => format!("{kind} {namespace}/{}", config.name_any()),
            _ => format!("{kind} {}", config.name_any()),
        };
        for condition in status["conditions"].as_array().into_iter().flatten() {
            let text = |member: &str| condition[member].as_str().unwrap_or_default();
            if text("type") == "Ready" && text("status") == "False" {
                let message = format!("{name}: {}", text("message"));
                let remedy = "Mend what the message names; the URL is published once it is.";
                findings.push(Finding::failed(Group::Receivers, "served", message, remedy));
            } else if text("status") == "True"
                && !["Synced", "Served", "SyncingWebhooks"].contains(&text("reason"))
                && is_ours(text("type"))
            {
                let message = format!("{name}: {}", text("message"));
                findings.push(Finding::warning(
                    Group::Receivers,
                    "remark",
                    message,
                    "It is served; see to what the message names.",
                ));
            }
        }
        for url in urls(status) {
            published += 1;
            // Scheme and host alone, because the rest is a credential.
            bases.insert(url.split('/').take(3).collect::<Vec<_>>().join("/"));
        }
    }
    if published > 0 && findings.iter().all(|finding| finding.check != "served") {
        findings.push(Finding::passed(Group::Receivers, "served", format!("{published} URL(s) are published")));
    }
    if bases.len() > 1 {
        let message =
            format!("URLs are published below several addresses: {}", examples(&bases.into_iter().collect::<Vec<_>>()));
        let remedy = "Give Quayside and Kargo the same base URL: both write the status of a ProjectConfig.";
        findings.push(Finding::failed(Group::Receivers, "base-url", message, remedy));
    }
    findings
}

/// Whether a condition is about a receiver. Other controllers have theirs in the same list.
fn is_ours(condition: &str) -> bool {
    condition == READY || condition.starts_with(RECEIVER_CONDITION)
}

fn urls(status: &Value) -> impl Iterator<Item = &str> {
    let many = status["webhookReceivers"].as_array().into_iter().flatten().filter_map(|entry| entry["url"].as_str());
    many.chain(status["url"].as_str())
}

/// Warehouses that no push can refresh.
pub(super) fn warehouses(warehouses: &[DynamicObject], receivers: &[Receiver]) -> Vec<Finding> {
    let (mut unreached, mut useless, mut old) = (Vec::new(), Vec::new(), Vec::new());
    for warehouse in warehouses {
        let (namespace, name) = (warehouse.namespace().unwrap_or_default(), warehouse.name_any());
        let key = format!("{namespace}/{name}");
        if !receivers.iter().any(|receiver| receiver.project.is_empty() || receiver.project == namespace) {
            unreached.push(key.clone());
        }
        let spec = &warehouse.data["spec"];
        let known = Warehouse::decode(ObjectKey::new(&namespace, &name), &spec.to_string());
        let problem = known.subscriptions.iter().find_map(|entry| match entry {
            Ok(entry) => entry.selector.as_ref().err().map(ToString::to_string),
            Err(error) => Some(error.to_string()),
        });
        if let Some(problem) = problem {
            useless.push(format!("{key} ({problem})"));
        }
        let is_old =
            |entry: &Value| entry["image"]["semverConstraint"].is_string() && entry["image"]["constraint"].is_null();
        if spec["subscriptions"].as_array().into_iter().flatten().any(is_old) {
            old.push(key);
        }
    }
    let mut findings = Vec::new();
    let mut warn = |check, names: &[String], what: &str, remedy| {
        if !names.is_empty() {
            findings.push(Finding::warning(Group::Warehouses, check, format!("{what}: {}", examples(names)), remedy));
        }
    };
    warn(
        "reached",
        &unreached,
        "no receiver reaches",
        "Declare a receiver in the ProjectConfig of the project, or one for the cluster.",
    );
    warn("accepts", &useless, "a subscription accepts nothing", "Correct the subscription; it is left out until then.");
    warn(
        "old-fields",
        &old,
        "semverConstraint has no effect any more",
        "Write the constraint into the field constraint.",
    );
    if findings.is_empty() && !warehouses.is_empty() {
        findings.push(Finding::passed(
            Group::Warehouses,
            "reached",
            format!("{} Warehouse(s) are reached and can accept pushes", warehouses.len()),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::look::check::finding::{Verdict, worst};

    fn object(kind: &str, name: &str, data: &Value) -> DynamicObject {
        let mut object = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1", "kind": kind, "metadata": {"namespace": "northwind", "name": name},
        });
        object.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn definition(name: &str, version: &str) -> CustomResourceDefinition {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {
                "group": "g", "names": {"kind": "K", "plural": "k"}, "scope": "Namespaced",
                "versions": [{"name": version, "served": true, "storage": true}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn missing_and_other_definitions_are_told_apart() {
        let names = ["projectconfigs", "clusterconfigs", "warehouses", "promotions"]
            .map(|name| format!("{name}.kargo.akuity.io"));
        let mut all: Vec<_> = names.iter().map(|name| definition(name, "v1alpha1")).collect();
        let verdicts =
            |found: &[CustomResourceDefinition]| definitions(found).iter().map(|it| it.verdict).collect::<Vec<_>>();
        assert_eq!(verdicts(&all), [Verdict::Passed, Verdict::Warning]);
        all.extend(
            ["receivers", "clusterreceivers"].map(|name| definition(&format!("{name}.quayside.dev"), "v1alpha1")),
        );
        assert_eq!(worst(&definitions(&all)), Verdict::Passed);
        // As the chart installs them where Kargo is not.
        let without_promotions: Vec<_> = all.iter().filter(|it| it.name_any() != names[3]).cloned().collect();
        assert_eq!(verdicts(&without_promotions), [Verdict::Warning, Verdict::Passed]);
        all[0] = definition(&names[0], "v1beta9");
        assert!(definitions(&all)[0].message.contains("v1alpha1 is not served of projectconfigs"));
        assert!(definitions(&all[1..])[0].message.contains("missing: projectconfigs"));
    }

    #[test]
    fn a_refresh_that_kargo_does_not_take_up_is_overdue_after_a_minute() {
        let written = "2026-01-31T12:00:00Z".parse::<Timestamp>().unwrap();
        let refreshed = |handled: &str| {
            let mut warehouse = object("Warehouse", "app", &json!({"status": {"lastHandledRefresh": handled}}));
            warehouse.annotations_mut().insert(REFRESH_ANNOTATION.to_owned(), written.to_string());
            vec![warehouse]
        };
        let later = |seconds| written.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        assert_eq!(kargo(&refreshed(&written.to_string()), later(600)).verdict, Verdict::Passed);
        assert_eq!(kargo(&refreshed("before"), later(30)).verdict, Verdict::Skipped);
        let overdue = kargo(&refreshed("before"), later(61));
        assert_eq!((overdue.verdict, overdue.message.contains("northwind/app")), (Verdict::Failed, true));
    }

    #[test]
    fn configurations_that_are_not_served_and_bases_that_differ_are_named_without_a_url() {
        let status = |url: &str, ready: &str| {
            let conditions = json!([{"type": "Ready", "status": ready, "reason": "Synced", "message": "because"}]);
            object(
                "ProjectConfig",
                "northwind",
                &json!({"status": {"webhookReceivers": [{"url": url}], "conditions": conditions}}),
            )
        };
        let well = [status("https://a.example.com/quay/0123", "True")];
        assert_eq!(worst(&configurations(&well)), Verdict::Passed);
        let ill =
            [status("https://a.example.com/quay/0123", "True"), status("https://b.example.com/quay/4567", "False")];
        let found = configurations(&ill);
        assert_eq!(
            found.iter().map(|it| (it.check, it.verdict)).collect::<Vec<_>>(),
            [("served", Verdict::Failed), ("base-url", Verdict::Failed)]
        );
        let told = format!("{found:?}");
        assert!(told.contains("https://a.example.com, https://b.example.com") && !told.contains("0123"), "{told}");
    }

    #[test]
    fn warehouses_that_nothing_can_refresh_are_named() {
        let warehouse =
            |image: Value| vec![object("Warehouse", "app", &json!({"spec": {"subscriptions": [{"image": image}]}}))];
        let reached = [Receiver { project: "northwind".to_owned(), ..Receiver::default() }];
        let checks = |image: Value, receivers: &[Receiver]| {
            let found = warehouses(&warehouse(image), receivers);
            found.iter().map(|it| (it.check, it.verdict)).collect::<Vec<_>>()
        };
        let image = json!({"repoURL": "quay.io/a/b", "constraint": "^1.0.0"});
        assert_eq!(checks(image.clone(), &reached), [("reached", Verdict::Passed)]);
        assert_eq!(checks(image, &[]), [("reached", Verdict::Warning)]);
        let broken = json!({"repoURL": "quay.io/a/b", "constraint": "not a range"});
        assert_eq!(checks(broken, &reached), [("accepts", Verdict::Warning)]);
        let old = json!({"repoURL": "quay.io/a/b", "semverConstraint": "^1.0.0"});
        assert_eq!(checks(old, &reached), [("old-fields", Verdict::Warning)]);
    }
}
