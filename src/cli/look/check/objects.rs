//! What the objects of the cluster say: definitions, receivers and Warehouses.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

use crate::api::{self, condition::READY};
use crate::cli::crd::compare::{changes, is_served};
use crate::controller::status::RECEIVER_CONDITION;
use crate::domain::scope::ObjectKey;
use crate::refresh::patch::REFRESH_ANNOTATION;
use crate::tables::warehouses::Warehouse;
use crate::views::checks::examples;
use crate::views::model::{Check, Group, Receiver};

/// A refresh that Kargo has not taken up for so long is overdue.
const OVERDUE: SignedDuration = SignedDuration::from_mins(1);

/// The kinds that Quayside reads. Without Kargo's nothing works; ours can be missing.
pub(super) fn definitions(found: &[CustomResourceDefinition]) -> Vec<Check> {
    let of_name = |name: &str| found.iter().find(|definition| definition.name_any() == name);
    let served = |name: &str| of_name(name).map(is_served);
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
        Check::failed(Group::Cluster, "crds", message, "Run a version of Quayside that fits this version of Kargo.")
    } else if missing == ["promotions.kargo.akuity.io"] {
        let message = "Promotions are not served, so closed pull requests refresh nothing";
        Check::warning(Group::Cluster, "crds", message, "Install Kargo; Warehouses are refreshed without it, too.")
    } else if !missing.is_empty() {
        let message = format!("missing: {}", examples(&missing));
        Check::failed(
            Group::Cluster,
            "crds",
            message,
            "Install Kargo, or for a trial without it: kubectl apply -f crds/.",
        )
    } else {
        Check::passed(Group::Cluster, "crds", "Kargo's kinds are served in v1alpha1")
    };
    vec![kargo, own_definitions(of_name)]
}

/// Whether our own kinds are served as this version has them: the API server drops fields that a definition lacks.
fn own_definitions<'a>(of_name: impl Fn(&str) -> Option<&'a CustomResourceDefinition>) -> Check {
    let ours = || api::crds().into_iter().filter(|definition| definition.spec.group == api::OWN_GROUP);
    let is_missing = |name: &String| !of_name(name).is_some_and(is_served);
    let missing: Vec<String> = ours().map(|definition| definition.name_any()).filter(is_missing).collect();
    if !missing.is_empty() {
        let message = format!("not served, so none of the kind can be declared: {}", examples(&missing));
        return Check::warning(
            Group::Cluster,
            "own-crds",
            message,
            "quayside crd --own | kubectl apply --server-side -f -",
        );
    }
    let differs = |ours: &CustomResourceDefinition| {
        of_name(&ours.name_any()).is_some_and(|theirs| !changes(theirs, ours).is_empty())
    };
    let other: Vec<String> = ours().filter(differs).map(|definition| definition.name_any()).collect();
    if !other.is_empty() {
        let message = format!("of another version of Quayside than this command: {}", examples(&other));
        let remedy = "quayside crd diff shows what differs, and what brings them up to date.";
        return Check::warning(Group::Cluster, "own-crds", message, remedy);
    }
    Check::passed(Group::Cluster, "own-crds", "Quayside's kinds are served, as this version has them")
}

/// Whether Kargo takes refreshes up.
pub(super) fn kargo(warehouses: &[DynamicObject], now: Timestamp) -> Check {
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
        return Check::failed(Group::Cluster, "kargo", message, remedy);
    }
    if handled == 0 {
        return Check::skipped(Group::Cluster, "kargo", "no Warehouse has been refreshed yet");
    }
    Check::passed(Group::Cluster, "kargo", format!("took up the last refresh of {handled} Warehouse(s)"))
}

/// What the conditions say of the receivers, for want of a replica that does.
pub(super) fn conditions(configs: &[DynamicObject]) -> Vec<Check> {
    let mut findings = Vec::new();
    for config in configs {
        let (kind, status) =
            (config.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default(), &config.data["status"]);
        let name = match config.namespace() {
            Some(namespace) if namespace != config.name_any() => format!("{kind} {namespace}/{}", config.name_any()),
            _ => format!("{kind} {}", config.name_any()),
        };
        for condition in status["conditions"].as_array().into_iter().flatten() {
            let text = |member: &str| condition[member].as_str().unwrap_or_default();
            let message = format!("{name}: {}", text("message"));
            if text("type") == READY && text("status") == "False" {
                let remedy = "Mend what the message names; the URL is published once it is.";
                findings.push(Check::failed(Group::Receivers, "served", message, remedy));
            } else if text("status") == "True"
                && !["Synced", "Served", "SyncingWebhooks"].contains(&text("reason"))
                && is_ours(text("type"))
            {
                let remedy = "It is served; see to what the message names.";
                findings.push(Check::warning(Group::Receivers, "remark", message, remedy));
            }
        }
    }
    findings
}

/// Whether URLs are published, all below the base URL of Quayside where that is known.
pub(super) fn urls<'a>(configs: impl IntoIterator<Item = &'a DynamicObject>, base: Option<&str>) -> Vec<Check> {
    // Scheme and host alone, because the rest is a credential.
    let origin = |url: &str| url.split('/').take(3).collect::<Vec<_>>().join("/");
    let all: Vec<&str> = configs.into_iter().flat_map(|config| published(&config.data["status"])).collect();
    let bases: BTreeSet<String> = all.iter().map(|url| origin(url)).collect();
    let elsewhere: BTreeSet<String> = match base {
        Some(base) => {
            let is_below = |url: &&&str| url.strip_prefix(base).is_some_and(|rest| rest.starts_with('/'));
            all.iter().filter(|url| !is_below(url)).map(|url| origin(url)).collect()
        }
        None => bases.iter().skip(1).cloned().collect(),
    };
    let list = |names: BTreeSet<String>| examples(&names.into_iter().collect::<Vec<_>>());
    let remedy = "Give Quayside and Kargo the same base URL: both write the status of a ProjectConfig.";
    if elsewhere.is_empty() {
        let message = format!("{} URL(s) are published", all.len());
        return if all.is_empty() { Vec::new() } else { vec![Check::passed(Group::Receivers, "base-url", message)] };
    }
    let message = match base {
        Some(base) => format!("URLs are published below {}, not below Quayside's base URL {base}", list(elsewhere)),
        None => format!("URLs are published below several addresses: {}", list(bases)),
    };
    vec![Check::failed(Group::Receivers, "base-url", message, remedy)]
}

/// Whether a condition is about a receiver. Other controllers have theirs in the same list.
fn is_ours(condition: &str) -> bool {
    condition == READY || condition.starts_with(RECEIVER_CONDITION)
}

fn published(status: &Value) -> impl Iterator<Item = &str> {
    let many = status["webhookReceivers"].as_array().into_iter().flatten().filter_map(|entry| entry["url"].as_str());
    many.chain(status["url"].as_str())
}

/// Warehouses that no push can refresh. Receivers of the cluster reach the namespaces of which that is said.
pub(super) fn warehouses(
    warehouses: &[DynamicObject],
    receivers: Option<&[Receiver]>,
    cluster_reaches: impl Fn(&str) -> bool,
) -> Vec<Check> {
    let (mut unreached, mut useless, mut old) = (Vec::new(), Vec::new(), Vec::new());
    for warehouse in warehouses {
        let (namespace, name) = (warehouse.namespace().unwrap_or_default(), warehouse.name_any());
        let key = format!("{namespace}/{name}");
        let reaches = |receiver: &Receiver| {
            receiver.project == namespace || receiver.project.is_empty() && cluster_reaches(&namespace)
        };
        if receivers.is_some_and(|receivers| !receivers.iter().any(reaches)) {
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
            findings.push(Check::warning(Group::Warehouses, check, format!("{what}: {}", examples(names)), remedy));
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
        findings.push(Check::passed(
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
    use crate::views::checks::worst;
    use crate::views::model::Verdict;

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
        all.extend(api::crds().into_iter().filter(|it| it.spec.group == api::OWN_GROUP));
        assert_eq!(worst(&definitions(&all)), Verdict::Passed);
        // As the chart installs them where Kargo is not.
        let without_promotions: Vec<_> = all.iter().filter(|it| it.name_any() != names[3]).cloned().collect();
        assert_eq!(verdicts(&without_promotions), [Verdict::Warning, Verdict::Passed]);
        all[0] = definition(&names[0], "v1beta9");
        assert!(definitions(&all)[0].message.contains("v1alpha1 is not served of projectconfigs"));
        assert!(definitions(&all[1..])[0].message.contains("missing: projectconfigs"));
    }

    #[test]
    fn our_own_definitions_are_to_be_those_of_this_version() {
        let mut all = api::crds();
        let own =
            |found: &[CustomResourceDefinition]| definitions(found).pop().map(|it| (it.verdict, it.message)).unwrap();
        assert_eq!(own(&all).0, Verdict::Passed);
        let last = all.last_mut().unwrap();
        let name = last.name_any();
        last.spec.versions[0].schema.as_mut().unwrap().open_api_v3_schema.as_mut().unwrap().properties = None;
        assert_eq!(own(&all), (Verdict::Warning, format!("of another version of Quayside than this command: {name}")));
        all.pop();
        assert_eq!(own(&all), (Verdict::Warning, format!("not served, so none of the kind can be declared: {name}")));
        // Kargo's own have more fields.
        let mut all = api::crds();
        all[0].spec.versions[0].additional_printer_columns = None;
        assert_eq!(own(&all).0, Verdict::Passed);
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
    fn receivers_that_are_not_served_and_bases_that_differ_are_named_without_a_url() {
        let status = |url: &str, ready: &str| {
            let conditions = json!([{"type": "Ready", "status": ready, "reason": "Synced", "message": "because"}]);
            object(
                "ProjectConfig",
                "northwind",
                &json!({"status": {"webhookReceivers": [{"url": url}], "conditions": conditions}}),
            )
        };
        let checks = |found: &[Check]| found.iter().map(|it| (it.check.clone(), it.verdict)).collect::<Vec<_>>();
        let failed = |check: &str| vec![(check.to_owned(), Verdict::Failed)];
        let well = [status("https://a.example.com/quay/0123", "True")];
        assert_eq!((worst(&conditions(&well)), worst(&urls(&well, None))), (Verdict::Passed, Verdict::Passed));
        assert_eq!(worst(&urls(&well, Some("https://a.example.com"))), Verdict::Passed);
        let ill =
            [status("https://a.example.com/quay/0123", "True"), status("https://b.example.com/quay/4567", "False")];
        assert_eq!(checks(&conditions(&ill)), failed("served"));
        for base in [None, Some("https://a.example.com"), Some("https://a.example.co")] {
            let found = urls(&ill, base);
            assert_eq!(checks(&found), failed("base-url"));
            let told = format!("{found:?}");
            assert!(told.contains("https://b.example.com") && !told.contains("4567"), "{told}");
        }
    }

    #[test]
    fn warehouses_that_nothing_can_refresh_are_named() {
        let warehouse =
            |image: Value| vec![object("Warehouse", "app", &json!({"spec": {"subscriptions": [{"image": image}]}}))];
        let reached = [Receiver { project: "northwind".to_owned(), ..Receiver::default() }];
        let checks = |image: Value, receivers: &[Receiver]| {
            let found = warehouses(&warehouse(image), Some(receivers), |_| true);
            found.iter().map(|it| (it.check.clone(), it.verdict)).collect::<Vec<_>>()
        };
        let one = |check: &str, verdict| [(check.to_owned(), verdict)];
        let image = json!({"repoURL": "quay.io/a/b", "constraint": "^1.0.0"});
        assert_eq!(checks(image.clone(), &reached), one("reached", Verdict::Passed));
        assert_eq!(checks(image, &[]), one("reached", Verdict::Warning));
        let broken = json!({"repoURL": "quay.io/a/b", "constraint": "not a range"});
        assert_eq!(checks(broken, &reached), one("accepts", Verdict::Warning));
        let old = json!({"repoURL": "quay.io/a/b", "semverConstraint": "^1.0.0"});
        assert_eq!(checks(old, &reached), one("old-fields", Verdict::Warning));
    }
}
