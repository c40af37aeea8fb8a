//! The rights that the chart gives: all that the operator needs, and nothing that it does not use.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    ClusterTurn, ControlPlane, Kargo, Operator, Project, SOON, Setup, image, quay_receiver, wait_until,
};

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
    let gitea = json!({"endpoint": "http://127.0.0.1:1", "tokenSecretRef": {"name": "nowhere"}});
    let registration = json!({"receiver": {"name": "gitea"}, "gitea": gitea});
    project.apply("Registration", "gitea", registration.clone()).await;
    project.condition_of("Registration", "gitea", "Ready=False").await;
    project.cluster_registration(&project.namespace, registration).await;
    project.condition_of("ClusterRegistration", &project.namespace, "Ready=False").await;
    project.delete("Registration", "gitea").await;
    project.delete_of_cluster("ClusterRegistration", &project.namespace).await;
    turn.apply(json!([quay_receiver("quay", "nowhere")])).await;
    turn.status_with("Ready=False").await;
    turn.delete().await;

    give_up_twice().await;

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

/// Two pushes of one Warehouse that Kargo does not list: one Event is written, then it is counted up.
async fn give_up_twice() {
    let project = Project::new("rights-events").await;
    let operator = Operator::start(Setup::on(project.plane).with(["--follow-up-pause", "200ms"]));
    operator.ready().await;
    let hook = project.quay(&operator).await;
    let _kargo = Kargo::start(&project, Box::new(|_| Ok(Vec::new())));
    project.warehouse("storefront", json!([image("quay.io/rights/events", "^1.0.0")])).await;
    project.settle(&hook).await;
    for (count, tag) in [(1.0, "1.0.0"), (2.0, "1.0.1")] {
        assert_eq!(hook.push("quay.io/rights/events", &[tag]).says(), "refreshed 1 warehouse(s)");
        let metric = "quayside_pursuit_outcomes_total{outcome=\"looked_not_listed\"";
        wait_until("the push is given up", SOON, async || (operator.metric(metric) >= count).then_some(())).await;
    }
    let patched = |event: &Value| right(event) == ("events.k8s.io".into(), "events".into(), "patch".into());
    wait_until("the Event is counted up", SOON, async || requests(project.plane).iter().any(patched).then_some(()))
        .await;
}

/// The chart's rights for a take-over, and the ClusterRole that Kargo's RoleBindings refer to.
const TAKE_OVER: &str = "\
tests/cluster/rbac.sh kargo takeover --set takeOver.enabled=true | kubectl apply -f -
kubectl create clusterrole kargo-project-secrets-reader --verb=get,list,watch --resource=secrets \
  --dry-run=client -o yaml | kubectl apply -f -";

/// As Kargo's management controller does in the namespace of a project.
fn bind(project: &Project) {
    let line = format!(
        "kubectl create rolebinding kargo-project-secrets-reader -n {} --clusterrole=kargo-project-secrets-reader \
         --serviceaccount=kargo:kargo-external-webhooks-server",
        project.namespace
    );
    project.plane.bash(&line).success();
}

#[tokio::test]
async fn without_a_right_in_the_whole_cluster_secrets_are_read_where_a_binding_grants_it() {
    let (plane, _turn) = ControlPlane::for_elections().await;
    plane.bash(TAKE_OVER).success();
    let (account, patience) = ("kargo-external-webhooks-server", Duration::from_secs(90));
    let operator = Operator::start(Setup::on(plane).kubeconfig(plane.service_account("kargo", account)));
    operator.ready().await;
    let (granted, other) = (Project::on(plane, "granted").await, Project::on(plane, "not-granted").await);
    bind(&granted);
    granted.quay(&operator).await;
    granted.condition("Ready=True").await;
    // Its watch, by name, notices every change.
    for secret in ["the second secret of this project", "the third secret of this project"] {
        granted.secret("quay-webhook", secret).await;
        granted.hook(&operator, "quay", secret).served().await;
    }
    granted.delete("Secret", "quay-webhook").await;
    granted.hook(&operator, "quay", "the third secret of this project").gone().await;

    let secret = "a secret that may not be read";
    other.secret("quay-webhook", secret).await;
    other.receivers(json!([quay_receiver("quay", "quay-webhook")])).await;
    let condition = other.condition("receiver.quayside.dev/quay=False").await;
    assert_eq!(condition["reason"], "SecretForbidden");
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains("is forbidden") && message.contains("grant"), "{message}");
    let hook = other.hook(&operator, "quay", secret);
    assert_eq!(hook.probe(), Some(404), "what is not granted is not waited for");
    bind(&other);
    wait_until("the right is made use of", patience, async || (hook.probe() == Some(200)).then_some(())).await;
    other.condition("Ready=True").await;

    let user = format!("system:serviceaccount:kargo:{account}");
    let events = plane.audit().into_iter();
    let secrets =
        events.filter(|event| event["user"]["username"] == *user && event["objectRef"]["resource"] == "secrets");
    let everywhere = secrets.filter(|event| event["objectRef"]["namespace"].is_null()).count();
    assert_eq!(everywhere, 1, "the whole cluster was asked for once");
}
