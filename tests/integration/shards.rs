//! Two installations share a cluster: each serves, reads and writes its own namespaces only.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{
    ControlPlane, Fault, FaultProxy, Hook, Operator, Project, SOON, Setup, exchange, image, quay_receiver, wait_until,
};

const REPOSITORY: &str = "quay.io/shards/app";

/// A ServiceAccount with the chart's rights in the cluster, so that the audit log tells who wrote what.
fn account(plane: &ControlPlane, name: &str) -> PathBuf {
    let bind = format!(
        "kubectl create clusterrolebinding {name} --clusterrole=quayside --serviceaccount=quayside:{name} \
         --dry-run=client -o yaml | kubectl apply -f -"
    );
    plane.bash(&bind).success();
    plane.service_account("quayside", name)
}

fn operator<const N: usize>(plane: &ControlPlane, name: &str, flags: [&str; N]) -> Operator {
    let base = format!("http://{name}.example.com/hooks");
    Operator::start(Setup::on(plane).kubeconfig(account(plane, name)).with(["--base-url", &base]).with(flags))
}

/// The namespaces in which a ServiceAccount has written anything; empty for objects of the cluster.
fn written(plane: &ControlPlane, name: &str) -> BTreeSet<String> {
    let user = format!("system:serviceaccount:quayside:{name}");
    let is_write = |event: &Value| {
        ["create", "update", "patch", "delete"].iter().any(|verb| event["verb"] == *verb)
            && event["user"]["username"] == user.as_str()
    };
    let namespace = |event: Value| event["objectRef"]["namespace"].as_str().unwrap_or_default().to_owned();
    plane.audit().into_iter().filter(is_write).map(namespace).collect()
}

/// The same receiver, asked for at another operator.
fn at(operator: &Operator, hook: &Hook) -> Hook {
    let mut hook = hook.clone();
    hook.address = operator.hooks;
    hook
}

/// A receiver, a Registration that cannot be tended, and a Warehouse of that project.
async fn fill(project: &Project) -> String {
    let secret = format!("a long enough secret of {}", project.namespace);
    project.secret("quay-webhook", &secret).await;
    project.receivers(json!([quay_receiver("quay", "quay-webhook")])).await;
    let own = json!({"quay": {"secretRef": {"name": "quay-webhook"}}});
    project.apply("Receiver", "own", own).await;
    let gitea = json!({"endpoint": "http://127.0.0.1:1", "tokenSecretRef": {"name": "nowhere"}});
    project.apply("Registration", "gitea", json!({"receiver": {"name": "quay"}, "gitea": gitea})).await;
    project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;
    secret
}

#[tokio::test]
async fn two_installations_share_a_cluster_and_neither_touches_what_is_the_others() {
    let (plane, _turn) = ControlPlane::for_elections().await;
    let (one, two) = (Project::on(plane, "shard-one").await, Project::on(plane, "shard-two").await);
    let secrets = [fill(&one).await, fill(&two).await];
    let list = format!("{},shard-late-*", one.namespace);
    let first = operator(plane, "shard-first", ["--namespaces", &list, "--cluster-receivers", "off"]);
    let second = operator(plane, "shard-second", ["--excluded-namespaces", &list, "--cluster-receivers", "on"]);
    first.ready().await;
    second.ready().await;
    let hooks = [one.hook(&first, "quay", &secrets[0]), two.hook(&second, "quay", &secrets[1])];

    // Each serves its URLs, publishes them below its own base, and answers 404 to the other's.
    for (hook, project, base, other) in
        [(&hooks[0], &one, "shard-first", &second), (&hooks[1], &two, "shard-second", &first)]
    {
        hook.served().await;
        project.settle(hook).await;
        for (kind, name) in [("ProjectConfig", project.namespace.as_str()), ("Receiver", "own")] {
            project.condition_of(kind, name, "Ready=True").await;
            let status = project.status_of(kind, name).await.to_string();
            assert!(status.contains(&format!("http://{base}.example.com/hooks/quay/")), "{kind} of {base}");
        }
        project.condition_of("Registration", "gitea", "Ready=False").await;
        assert_eq!(at(other, hook).push(REPOSITORY, &["1.0.0"]).status, 404, "{base}");
        assert_eq!(hook.push(REPOSITORY, &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
        assert_eq!(project.refreshed().await, ["storefront"]);
    }

    // A receiver of the cluster is served by one of them, and reaches what that one serves.
    let system = Project::named(plane, "kargo-system-resources".to_owned()).await;
    let secret = "the secret of a shared cluster";
    system.secret("shards", secret).await;
    system.cluster_receiver("shards", json!({"quay": {"secretRef": {"name": "shards"}}})).await;
    let cluster = Hook::derive(&second, "", "shards", secret);
    system.keep_out_of_logs(cluster.digest());
    cluster.served().await;
    let (before, others) = (two.tokens().await, one.tokens().await);
    assert_eq!(cluster.push(REPOSITORY, &["1.0.1"]).says(), "refreshed 1 warehouse(s)");
    assert!(two.tokens().await["storefront"] > before["storefront"]);
    assert_eq!(one.tokens().await, others);
    assert_eq!(at(&first, &cluster).probe(), Some(404));
    system.condition_of("ClusterReceiver", "shards", "Ready=True").await;

    // A namespace that is made later belongs to the one whose pattern it matches.
    let late = Project::on(plane, "shard-late").await;
    let secret = fill(&late).await;
    let hook = late.hook(&first, "quay", &secret);
    hook.served().await;
    late.settle(&hook).await;
    assert_eq!(hook.push(REPOSITORY, &["1.0.0"]).says(), "refreshed 1 warehouse(s)");
    late.condition("Ready=True").await;
    assert_eq!(at(&second, &hook).probe(), Some(404));
    system.delete_of_cluster("ClusterReceiver", "shards").await;
    cluster.gone().await;

    let namespaces = |projects: &[&Project]| projects.iter().map(|it| it.namespace.clone()).collect::<BTreeSet<_>>();
    assert_eq!(written(plane, "shard-first"), namespaces(&[&one, &late]));
    let of_second = written(plane, "shard-second");
    assert!(of_second.contains(&two.namespace) && of_second.contains(""), "{of_second:?}");
    assert!(of_second.is_disjoint(&namespaces(&[&one, &late])), "{of_second:?}");

    // The tools name what another installation serves, and do not complain about it.
    let ask = |operator: &Operator, command: &str| {
        let line = format!("quayside {command} --server http://{} -o json", operator.views);
        serde_json::from_str::<Value>(&plane.bash(&line).out).unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let told = ask(&first, &format!("why {}/storefront", two.namespace));
    let answer = told["answer"].as_str().unwrap();
    assert!(answer.contains(&format!("does not serve the namespace {}", two.namespace)), "{answer}");
    let told = ask(&first, &format!("why {}/storefront", one.namespace));
    assert!(told["answer"].as_str().unwrap().contains("refreshed it"), "{told}");
    let checked = ask(&first, "check");
    let checks = checked["checks"].as_array().unwrap();
    let verdict = |check: &str| checks.iter().find(|it| it["check"] == check).map(|it| it["verdict"].clone());
    assert_eq!(verdict("shard").unwrap(), "passed", "{checked}");
    assert_eq!((verdict("base-url").unwrap(), verdict("reached").unwrap()), (json!("passed"), json!("passed")));
    assert!(!checked.to_string().contains(&two.namespace), "{checked}");
}

/// An unknown path may be the other installation's, and a proxy tries that one after a 503, but not after a 202.
#[tokio::test]
async fn an_installation_of_a_part_takes_in_early_only_what_it_has_served_before() {
    let plane = ControlPlane::shared();
    let (faults, spool) = (FaultProxy::to_server_of(plane.operator_kubeconfig()), tempfile::tempdir().unwrap());
    let project = Project::new("shard-early").await;
    let start = || {
        let setup = Setup::on(plane).kubeconfig(faults.kubeconfig()).spool(spool.path());
        Operator::start(setup.with(["--namespaces", &project.namespace, "--cluster-receivers", "off"]))
    };
    let listening = async |operator: &Operator| {
        wait_until("the port is open", SOON, async || exchange(operator.hooks, "GET /healthz", &[], b"").ok()).await;
    };
    let secret = fill(&project).await;
    faults.set(Fault::Reset);
    let first = start();
    listening(&first).await;
    let hook = project.hook(&first, "quay", &secret);
    assert_eq!(hook.push(REPOSITORY, &["1.0.0"]).status, 503, "nothing was served yet");
    faults.set(Fault::None);
    hook.served().await;
    let known = || std::fs::metadata(spool.path().join("spool/known")).is_ok_and(|known| known.len() >= 2 * 16);
    wait_until("the paths are remembered", SOON * 2, async || known().then_some(())).await;
    first.signal("-KILL");
    first.ended().await;

    faults.set(Fault::Reset);
    let second = start();
    listening(&second).await;
    assert_eq!(at(&second, &hook).push(REPOSITORY, &["1.0.0"]).status, 202);
    let mut foreign = at(&second, &hook);
    foreign.path.replace_range(foreign.path.len() - 4.., "0000");
    assert_eq!(foreign.push(REPOSITORY, &["1.0.0"]).status, 503);
    faults.set(Fault::None);
    wait_until("the push is run", SOON * 2, async || {
        (second.metric(r#"quayside_intake_runs_total{outcome="owed""#) == 1.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_part_of_the_cluster_that_is_not_whole_ends_the_start_and_says_what_to_do() {
    for (arguments, expected) in [
        (["--namespaces", "web", "--log-format", "json"], "is given without --cluster-receivers: say on or off"),
        (["--namespaces", "web", "--excluded-namespaces", "w*"], "leave one of the two out"),
    ] {
        let operator = Operator::start(Setup::on(ControlPlane::shared()).with(arguments));
        assert_eq!(operator.ended().await.code(), Some(2), "{arguments:?}");
        wait_until("it says why", SOON, async || operator.log().contains(expected).then_some(())).await;
    }
}
