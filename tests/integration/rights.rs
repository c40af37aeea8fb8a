//! The rights that the chart gives: all that the operator needs, and nothing that it does not use.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{ClusterTurn, ControlPlane, Operator, Project, SOON, image, quay_receiver, wait_until};

const USER: &str = "system:serviceaccount:quayside:quayside";

type Right = (String, String, String);

/// Group, resource and verb of everything that the chart's ClusterRole and Role grant.
fn granted(plane: &ControlPlane) -> BTreeSet<Right> {
    let roles = ["kubectl get clusterrole quayside -o json", "kubectl get role quayside -n quayside -o json"];
    roles.iter().flat_map(|role| rules(&plane.bash(role).success())).collect()
}

fn rules(role: &str) -> BTreeSet<Right> {
    let role: Value = serde_json::from_str(role).unwrap();
    let texts =
        |value: &Value| value.as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut rights = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                rights.extend(texts(&rule["verbs"]).into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    rights
}

fn requests(plane: &ControlPlane) -> Vec<Value> {
    let requests = plane.audit().into_iter();
    requests.filter(|event| event["user"]["username"] == USER && event["objectRef"]["resource"].is_string()).collect()
}

fn right(event: &Value) -> Right {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &event["objectRef"];
    let resource = match object["subresource"].as_str() {
        Some(subresource) => format!("{}/{subresource}", text(&object["resource"])),
        None => text(&object["resource"]),
    };
    (text(&object["apiGroup"]), resource, text(&event["verb"]))
}

#[tokio::test]
async fn the_operator_uses_every_right_it_is_granted_and_is_never_refused() {
    let plane = ControlPlane::shared();
    let operator = Operator::shared().await;
    let turn = ClusterTurn::take().await;
    let project = Project::new("rights").await;
    let hook = project.quay(operator).await;
    project.warehouse("storefront", json!([image("quay.io/rights/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    assert_eq!(hook.push("quay.io/rights/app", &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
    project.condition("Ready=True").await;
    let reviewed = Project::new("rights-promotions").await;
    let github = reviewed.receiver(operator, "github", "secret", json!({})).await;
    let pull_request = "https://github.com/rights/app/pull/1";
    reviewed.promotion("waits", pull_request).await;
    let closed = ["--event", "pull_request", "--repository", pull_request];
    github.would_refresh(1, &closed).await;
    assert_eq!(github.send(&closed).says(), "refreshed 1 promotion(s)");
    let own = json!({"quay": {"secretRef": {"name": "nowhere"}}});
    project.apply("Receiver", "own", own.clone()).await;
    project.condition_of("Receiver", "own", "Ready=False").await;
    project.cluster_receiver(&project.namespace, own).await;
    project.condition_of("ClusterReceiver", &project.namespace, "Ready=False").await;
    turn.apply(json!([quay_receiver("quay", "nowhere")])).await;
    turn.status_with("Ready=False").await;
    turn.delete().await;

    let renewed = |event: &Value| right(event) == ("coordination.k8s.io".into(), "leases".into(), "update".into());
    wait_until("the Lease is renewed", SOON, async || requests(plane).iter().any(renewed).then_some(())).await;

    let granted = granted(plane);
    let used: BTreeSet<Right> = requests(plane).iter().map(right).collect();
    assert_eq!(granted.difference(&used).collect::<Vec<_>>(), Vec::<&Right>::new(), "granted but never used");
    assert_eq!(used.difference(&granted).collect::<Vec<_>>(), Vec::<&Right>::new(), "used but not granted");
    let refused: Vec<Value> =
        requests(plane).into_iter().filter(|event| event["responseStatus"]["code"] == 403).collect();
    assert!(refused.is_empty(), "{refused:?}");
}
