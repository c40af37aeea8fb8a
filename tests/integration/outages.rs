//! What happened while the operator and the API server were apart.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::harness::{
    ControlPlane, Hook, Operator, Project, Proxy, SOON, Setup, get, image, quay_receiver, wait_until,
};

/// The watches come back after a pause that grows with the length of the outage.
const RECOVERY: Duration = Duration::from_secs(60);

const SECRET: &str = "a secret from before the outage";

/// A project for everything that can be taken away.
struct Losses {
    config: Project,
    secret: Project,
    receiver: Project,
    rotated: Project,
    warehouse: Project,
}

impl Losses {
    async fn new(plane: &'static ControlPlane, operator: &Operator, prefix: &str) -> Self {
        let project = async |what: &str| {
            let project = Project::on(plane, &format!("{prefix}-{what}")).await;
            project.secret("s", SECRET).await;
            project.receivers(json!([quay_receiver("quay", "s"), quay_receiver("other", "s")])).await;
            project.warehouse("storefront", json!([image("quay.io/lost/app", "^1.0.0")])).await;
            project.hook(operator, "other", SECRET).served().await;
            project.settle(&project.hook(operator, "quay", SECRET)).await;
            project
        };
        Self {
            config: project("config").await,
            secret: project("secret").await,
            receiver: project("receiver").await,
            rotated: project("rotated").await,
            warehouse: project("warehouse").await,
        }
    }

    async fn happen(&self) {
        self.config.delete("ProjectConfig", &self.config.namespace).await;
        self.secret.delete("Secret", "s").await;
        self.receiver.receivers(json!([quay_receiver("other", "s")])).await;
        self.rotated.secret("s", "a secret from during the outage").await;
        self.warehouse.delete("Warehouse", "storefront").await;
    }

    /// Before the operator can know, it serves what it knew.
    fn unnoticed(&self, operator: &Operator) {
        for project in [&self.config, &self.secret, &self.receiver, &self.rotated, &self.warehouse] {
            assert_eq!(project.hook(operator, "quay", SECRET).probe(), Some(200), "{}", project.namespace);
        }
        assert_eq!(get(operator.admin, "/readyz").status, 200, "an outage does not unready a replica");
    }

    async fn noticed(&self, operator: &Operator) {
        for project in [&self.config, &self.secret, &self.receiver, &self.rotated] {
            let hook = project.hook(operator, "quay", SECRET);
            let what = format!("the route of {} is gone", project.namespace);
            wait_until(&what, RECOVERY, async || (hook.probe() == Some(404)).then_some(())).await;
        }
        let hook = self.warehouse.hook(operator, "quay", SECRET);
        let subscribed = || hook.push("quay.io/lost/app", &["1.0.0"]).json()["subscribed"].as_u64();
        wait_until("the Warehouse is gone", RECOVERY, async || (subscribed() == Some(0)).then_some(())).await;
        self.rotated.hook(operator, "quay", "a secret from during the outage").served().await;
        self.receiver.hook(operator, "other", SECRET).served().await;
        self.secret.condition("Ready=False").await;
    }
}

#[tokio::test]
async fn what_was_deleted_while_disconnected_is_gone_after_reconnecting() {
    let plane = ControlPlane::shared();
    let proxy = Proxy::to_server_of(plane.operator_kubeconfig());
    let operator = Operator::start(Setup::on(plane).kubeconfig(proxy.kubeconfig()));
    operator.ready().await;
    let losses = Losses::new(plane, &operator, "cut").await;
    proxy.cut();
    losses.happen().await;
    losses.unnoticed(&operator);
    proxy.open();
    losses.noticed(&operator).await;
}

#[tokio::test]
async fn what_was_deleted_is_gone_also_when_the_watches_have_to_list_anew() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let proxy = Proxy::to_server_of(plane.operator_kubeconfig());
    let operator = Operator::start(Setup::on(plane).kubeconfig(proxy.kubeconfig()));
    operator.ready().await;
    let losses = Losses::new(plane, &operator, "anew").await;
    proxy.cut();
    losses.happen().await;
    losses.unnoticed(&operator);
    // A new API server remembers nothing of the past, so a watch cannot be resumed.
    plane.command("stop-apiserver");
    plane.command("start-apiserver");
    let lists = || operator.logged("INFO", "list complete, watching").len();
    let before = lists();
    proxy.open();
    losses.noticed(&operator).await;
    assert!(lists() > before, "the watches were resumed, so that nothing was tested");
}

/// Waits until the Warehouse bears a token that is not older than that.
async fn refreshed_since(project: &Project, time: Timestamp) {
    wait_until("the refresh that is owed is written", RECOVERY, async || {
        let token = project.tokens().await.remove("storefront")?;
        (token.parse::<Timestamp>().unwrap() >= time).then_some(())
    })
    .await;
}

async fn subscribed(plane: &'static ControlPlane, operator: &Operator, name: &str) -> (Project, Hook) {
    let project = Project::on(plane, name).await;
    let hook = project.quay(operator).await;
    project.warehouse("storefront", json!([image("quay.io/outage/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    (project, hook)
}

#[tokio::test]
async fn while_the_api_server_is_away_the_answer_says_so_and_the_refresh_stays_owed() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let operator = Operator::start(Setup::on(plane).with(["--ack-deadline", "300ms"]));
    operator.ready().await;
    let (project, hook) = subscribed(plane, &operator, "away").await;
    plane.command("stop-apiserver");
    let sent = Timestamp::now();
    let answer = hook.push("quay.io/outage/app", &["1.0.0"]);
    let expected = (503, "failed to refresh 1 of 1 warehouses in time; the refresh is being repeated");
    assert_eq!((answer.status, answer.says().as_str()), expected);
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert!(answer.header("x-quayside-delivery").is_some());
    assert_eq!(operator.metric("quayside_refresh_owed"), 1.0);
    // What needs no refresh is answered as ever.
    assert_eq!(hook.push("quay.io/outage/app", &["2.0.0"]).status, 200);
    assert_eq!(hook.post("{").status, 400);
    assert_eq!((get(operator.admin, "/livez").status, get(operator.admin, "/readyz").status), (200, 200));
    plane.command("start-apiserver");
    refreshed_since(&project, sent).await;
    wait_until("nothing is owed", SOON, async || (operator.metric("quayside_refresh_owed") == 0.0).then_some(())).await;
    let answer = hook.push("quay.io/outage/app", &["1.0.0"]);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
    // The watches come back as well.
    project.warehouse("another", json!([image("quay.io/outage/app", "^1.0.0")])).await;
    wait_until("the new Warehouse is known", RECOVERY, async || {
        (hook.push("quay.io/outage/app", &["2.0.0"]).json()["subscribed"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_of_200_is_true_even_when_the_api_server_dies_between_the_pushes() {
    let (plane, _turn) = ControlPlane::lawless().await;
    let operator = Operator::start(Setup::on(plane).with(["--ack-deadline", "200ms"]));
    operator.ready().await;
    let (project, hook) = subscribed(plane, &operator, "dying").await;
    let mut answers = Vec::new();
    let mut last = Timestamp::now();
    for command in ["kill-apiserver", "start-apiserver"] {
        std::thread::scope(|scope| {
            let commanding = scope.spawn(|| plane.command(command));
            while !commanding.is_finished() || answers.len() < 10 {
                last = Timestamp::now();
                answers.push((last, hook.push("quay.io/outage/app", &["1.0.0"]).status));
            }
        });
        if command == "start-apiserver" {
            refreshed_since(&project, last).await;
        }
    }
    assert!(answers.iter().all(|(_, status)| matches!(status, 200 | 503)), "{answers:?}");
    assert!(answers.iter().any(|(_, status)| *status == 503), "the API server was never away");
    // An API server that has just started may take longer than the deadline.
    let sent = wait_until("a push is answered 200 again", SOON, async || {
        let sent = Timestamp::now();
        (hook.push("quay.io/outage/app", &["1.0.0"]).status == 200).then_some(sent)
    })
    .await;
    let token: Timestamp = project.tokens().await["storefront"].parse().unwrap();
    assert!(token >= sent);
}

/// A ServiceAccount that may do everything that the chart's may, but write nothing.
fn reader(plane: &ControlPlane, name: &str) -> PathBuf {
    let role = plane.bash("kubectl get clusterrole quayside -o json").success();
    let mut rules = serde_json::from_str::<Value>(&role).unwrap()["rules"].take();
    for rule in rules.as_array_mut().unwrap() {
        rule["verbs"].as_array_mut().unwrap().retain(|verb| verb != "patch");
    }
    rules.as_array_mut().unwrap().retain(|rule| !rule["verbs"].as_array().unwrap().is_empty());
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": format!("{name}-may-read")}, "rules": rules,
    });
    let kubeconfig = plane.service_account("quayside", name);
    plane.bash_with("kubectl apply -f -", &role.to_string()).success();
    let bind = format!(
        "kubectl create clusterrolebinding {name}-may-read --clusterrole={name}-may-read --serviceaccount=quayside:{name}"
    );
    plane.bash(&bind).success();
    kubeconfig
}

#[tokio::test]
async fn a_refresh_that_the_api_server_refuses_is_told_at_once() {
    let plane = ControlPlane::shared();
    let kubeconfig = reader(plane, "reader");
    let operator = Operator::start(Setup::on(plane).kubeconfig(kubeconfig).with(["--ack-deadline", "20s"]));
    operator.ready().await;
    let (project, hook) = subscribed(plane, &operator, "refused").await;
    let began = std::time::Instant::now();
    let answer = hook.push("quay.io/outage/app", &["1.0.0"]);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "waiting for the deadline is of no use");
    assert!(project.refreshed().await.is_empty());
    assert_eq!(operator.metric(r#"quayside_refresh_patches_total{outcome="refused""#), 1.0);
    assert_eq!(operator.metric("quayside_refresh_owed"), 1.0);
    let told = operator.logged("ERROR", "the API server refuses the refresh, will be repeated slowly");
    assert!(told[0].to_string().contains("forbidden"), "{told:?}");
}

#[tokio::test]
async fn a_refusal_that_is_mended_is_over_soon() {
    let plane = ControlPlane::shared();
    let kubeconfig = reader(plane, "late");
    let operator = Operator::start(Setup::on(plane).kubeconfig(kubeconfig));
    operator.ready().await;
    let (project, hook) = subscribed(plane, &operator, "mended").await;
    assert_eq!(hook.push("quay.io/outage/app", &["1.0.0"]).status, 503);
    plane
        .bash("kubectl create clusterrolebinding late --clusterrole=quayside --serviceaccount=quayside:late")
        .success();
    // An API server that has just started refuses everything until it knows the rights, so this happens without
    // anybody's fault. Quay gives up after three failures in a row.
    wait_until("a push is answered with 200", SOON, async || {
        (hook.push("quay.io/outage/app", &["1.0.0"]).status == 200).then_some(())
    })
    .await;
    assert_eq!(project.refreshed().await, ["storefront"]);
}
