//! `quayside crd diff` against a real API server, from an empty cluster on: what would change, what must not, and what
//! the API server says to it. Nothing that it does may change the cluster.

use serde_json::{Value, json};

use crate::harness::ControlPlane;

const RECEIVERS: &str = "receivers.quayside.dev";
const WAREHOUSES: &str = "warehouses.kargo.akuity.io";

/// Exit code, and the report of each definition.
fn diff(plane: &ControlPlane) -> (Option<i32>, Vec<Value>) {
    let before = plane.bash("kubectl get crd -o yaml").success();
    let ran = plane.bash("quayside crd diff -o json");
    let mut report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
    assert_eq!(plane.bash("kubectl get crd -o yaml").success(), before, "the cluster was changed");
    let Value::Array(definitions) = report["definitions"].take() else { panic!("{report}") };
    (ran.code, definitions)
}

/// The report of one definition, where all others are the same.
fn only(plane: &ControlPlane, name: &str) -> (Option<i32>, Value) {
    let (code, definitions) = diff(plane);
    let (mut those, others): (Vec<Value>, Vec<Value>) = definitions.into_iter().partition(|it| it["name"] == name);
    for other in others {
        assert_eq!(other["state"], "same", "{other}");
    }
    (code, those.remove(0))
}

/// Changes a definition of the cluster as JSON.
fn edit(plane: &ControlPlane, name: &str, edit: impl FnOnce(&mut Value)) {
    let mut definition: Value =
        serde_json::from_str(&plane.bash(&format!("kubectl get crd {name} -o json")).success()).unwrap();
    edit(&mut definition);
    plane.bash_with("kubectl replace -f -", &definition.to_string()).success();
}

fn version<'a>(definition: &'a mut Value, name: &str) -> &'a mut Value {
    let versions = definition["spec"]["versions"].as_array_mut().unwrap();
    versions.iter_mut().find(|version| version["name"] == name).unwrap()
}

fn changes(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let changes = report["changes"].as_array().unwrap().iter();
    let mut changes: Vec<String> = changes
        .map(|it| {
            let dropped = if it["dropsValues"] == true { "!" } else { "" };
            format!("{} {} {}{dropped}", text(&it["part"]), text(&it["how"]), text(&it["name"]))
        })
        .collect();
    changes.sort();
    changes
}

fn dangers(report: &Value) -> String {
    let dangers = report["dangers"].as_array().unwrap().iter();
    dangers.map(|danger| danger["message"].as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

#[test]
fn every_change_is_named_and_a_version_that_is_stored_is_not_taken_away() {
    let plane = ControlPlane::bare();
    an_empty_cluster_would_get_all(&plane);
    what_this_version_brought_is_the_same(&plane);
    an_older_definition_would_change(&plane);
    kargos_own_is_left_alone(&plane);
    a_version_that_is_stored_must_be_migrated(&plane);
    missing_rights_are_named(&plane);
}

fn an_empty_cluster_would_get_all(plane: &ControlPlane) {
    let (code, definitions) = diff(plane);
    assert_eq!((code, definitions.len()), (Some(1), std::fs::read_dir(crate::harness::file("crds")).unwrap().count()));
    for definition in &definitions {
        let found = (&definition["state"], &definition["dryRun"]["outcome"], &definition["owner"]);
        assert_eq!(found, (&json!("new"), &json!("accepted"), &Value::Null), "{definition}");
    }
    let own = plane.bash("quayside crd --own | kubectl apply --server-side --dry-run=server -f - -o name").success();
    assert_eq!((own.lines().count(), own.contains("kargo")), (4, false), "{own}");
}

fn what_this_version_brought_is_the_same(plane: &ControlPlane) {
    let bring = "quayside crd | kubectl apply --server-side -f - && kubectl wait --for=condition=Established crd --all --timeout=30s";
    plane.bash(bring).success();
    let (code, definitions) = diff(plane);
    assert_eq!(code, Some(0), "{definitions:?}");
    for definition in &definitions {
        let found = (&definition["state"], &definition["dryRun"]["outcome"], &definition["owner"]["writtenBy"]);
        assert_eq!(found, (&json!("same"), &json!("notNeeded"), &json!(["kubectl"])), "{definition}");
    }
    let shown = plane.bash("quayside crd diff").success();
    assert!(shown.contains(&format!("{RECEIVERS} is the same (of no Helm release, written by kubectl)\n")), "{shown}");
}

fn an_older_definition_would_change(plane: &ControlPlane) {
    edit(plane, RECEIVERS, |crd| {
        let version = version(crd, "v1alpha1");
        version["additionalPrinterColumns"].as_array_mut().unwrap().remove(0);
        let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        spec.as_object_mut().unwrap().remove("allowSHA1Signatures").unwrap();
        spec["retired"] = json!({"type": "object", "properties": {"inner": {"type": "string"}}});
    });
    let (code, report) = only(plane, RECEIVERS);
    assert_eq!((code, &report["dryRun"]["outcome"]), (Some(1), &json!("accepted")), "{report}");
    assert_eq!(
        changes(&report),
        [
            "column added v1alpha1 Kind",
            "field added v1alpha1 .spec.allowSHA1Signatures",
            "field removed v1alpha1 .spec.retired!",
        ]
    );
    assert_eq!(dangers(&report), "");
    // By the command that it gives.
    let by = report["broughtBy"].as_str().unwrap().split(" (").next().unwrap().to_owned();
    plane.bash("kubectl delete crd receivers.quayside.dev").success();
    plane.bash(&by).success();
    assert_eq!(diff(plane).0, Some(0));
}

fn kargos_own_is_left_alone(plane: &ControlPlane) {
    edit(plane, WAREHOUSES, |crd| {
        version(crd, "v1alpha1")["schema"]["openAPIV3Schema"]["properties"]["extra"] = json!({"type": "string"});
    });
    // Applied by hand over Kargo's, as far as anyone can see: ours would make the API server forget a field.
    let (code, report) = only(plane, WAREHOUSES);
    assert_eq!((code, changes(&report)), (Some(2), vec!["field removed v1alpha1 .extra!".to_owned()]));
    assert!(dangers(&report).contains("Kargo's objects would lose"), "{report}");
    plane.bash(&format!("kubectl annotate crd {WAREHOUSES} controller-gen.kubebuilder.io/version=v0.18.0")).success();
    let (code, report) = only(plane, WAREHOUSES);
    assert_eq!((code, &report["state"], &report["owner"]["isKargo"]), (Some(0), &json!("kept"), &json!(true)));
    let restore = format!("kubectl delete crd {WAREHOUSES} && quayside crd | kubectl apply --server-side -f -");
    plane.bash(&restore).success();
}

fn a_version_that_is_stored_must_be_migrated(plane: &ControlPlane) {
    edit(plane, RECEIVERS, |crd| {
        let mut other = version(crd, "v1alpha1").clone();
        other["name"] = json!("v1beta1");
        version(crd, "v1alpha1")["storage"] = json!(false);
        crd["spec"]["versions"].as_array_mut().unwrap().push(other);
    });
    let (code, report) = only(plane, RECEIVERS);
    assert_eq!(
        (code, &report["verdict"], &report["dryRun"]["outcome"]),
        (Some(2), &json!("failed"), &json!("refused")),
        "{report}"
    );
    assert!(report["dryRun"]["message"].as_str().unwrap().contains("status.storedVersions"), "{report}");
    let messages = dangers(&report);
    for message in ["status.storedVersions names v1beta1", "v1beta1 is served now and would not be any more"] {
        assert!(messages.contains(message), "{messages}");
    }
    // As the remedies say.
    edit(plane, RECEIVERS, |crd| {
        version(crd, "v1alpha1")["storage"] = json!(true);
        let beta = version(crd, "v1beta1");
        beta["storage"] = json!(false);
        beta["served"] = json!(false);
    });
    let (code, report) = only(plane, RECEIVERS);
    assert_eq!((code, report["dangers"].as_array().unwrap().len()), (Some(2), 1), "{report}");
    let remedy = report["dangers"][0]["remedy"].as_str().unwrap();
    plane.bash(&remedy[remedy.rfind("kubectl patch").unwrap()..]).success();
    let (code, report) = only(plane, RECEIVERS);
    assert_eq!((code, &report["dryRun"]["outcome"]), (Some(1), &json!("accepted")), "{report}");
    assert!(changes(&report).contains(&"version removed v1beta1".to_owned()), "{report}");
}

fn missing_rights_are_named(plane: &ControlPlane) {
    let stranger = plane.service_account("ops", "stranger");
    let refused = plane.bash(&format!("quayside crd diff --kubeconfig {}", stranger.display()));
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("you may not read CustomResourceDefinitions"), "{}", refused.err);
    let reader = plane.service_account("ops", "reader");
    let grant = "kubectl create clusterrole reads-crds --verb=get --resource=customresourcedefinitions
        kubectl create clusterrolebinding reads-crds --clusterrole=reads-crds --serviceaccount=ops:reader";
    plane.bash(grant).success();
    let read = plane.bash(&format!("quayside crd diff --kubeconfig {}", reader.display()));
    assert_eq!(read.code, Some(1), "{}{}", read.out, read.err);
    assert!(
        read.out.contains("Not tried with the API server: you may not update CustomResourceDefinitions"),
        "{}",
        read.out
    );
}
