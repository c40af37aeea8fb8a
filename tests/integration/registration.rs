//! Registrations against a stand-in for Quay, and against a real Gitea: notifications are made, follow the URL, are
//! healed and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use tokio::sync::MutexGuard;

use crate::harness::{
    ControlPlane, GITEA_USER, Gitea, Hook, Operator, Project, QuayStandIn, Right, Setup, get, git, image,
    quay_receiver, wait_until,
};

/// Waiting for many steps on a machine that is busy with all the other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// 30 s of a registration, which are 40 s of Quay's worker times 3/4.
const BEAT: &str = "300ms";

/// A notification's URL has this place in front: Quay takes no URL of this machine.
const BASE: &str = "http://hooks.example.com/hooks";

const SECRET: &str = "the first secret of this receiver";

/// An operator, a Quay, and a project with a receiver, on a control plane without other operators.
struct Scene {
    operator: Operator,
    quay: QuayStandIn,
    project: Project,
    token: String,
    repositories: Vec<String>,
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    /// With so many repositories that Warehouses subscribe to, and no Registration yet.
    async fn new(name: &str, repositories: usize) -> Self {
        let (plane, turn) = ControlPlane::for_elections().await;
        let arguments = ["--registration-beat", BEAT, "--base-url", BASE];
        let operator = Operator::start(Setup::on(plane).with(arguments));
        operator.ready().await;
        let (quay, project) = (QuayStandIn::start(), Project::on(plane, name).await);
        quay.deliver_to(operator.hooks);
        let token = quay.token();
        project.secret_of("quay-api", &[("token", &token)]).await;
        project.secret("quay-webhook", SECRET).await;
        project.receivers(json!([quay_receiver("quay", "quay-webhook")])).await;
        let repositories: Vec<_> = (0..repositories).map(|number| format!("northwind/app-{number:02}")).collect();
        for repository in &repositories {
            quay.repository(repository);
            let name = repository.rsplit('/').next().unwrap();
            project.warehouse(name, json!([image(&quay.image(repository), "^1.0.0")])).await;
        }
        Self { operator, quay, project, token, repositories, _turn: turn }
    }

    async fn register(&self, spec: Value) {
        let mut whole = json!({
            "receiver": {"name": "quay"},
            "quay": {"endpoint": self.quay.endpoint(), "tokenSecretRef": {"name": "quay-api"}},
        });
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        self.project.apply("Registration", "quay", whole).await;
    }

    /// The receiver with this secret.
    fn hook(&self, secret: &str) -> Hook {
        self.project.hook(&self.operator, "quay", secret)
    }

    fn url(&self, secret: &str) -> String {
        format!("{BASE}{}", self.hook(secret).path.strip_prefix("/hooks").unwrap())
    }

    fn title(&self) -> String {
        format!("quayside: {}/quay", self.project.namespace)
    }

    /// The URLs of our notifications of a repository, in order, with their failures.
    fn ours(&self, repository: &str) -> Vec<(String, u32)> {
        let hooks = self.quay.hooks(repository).into_iter();
        let ours = hooks.filter(|hook| hook.title.as_deref() == Some(&self.title()));
        let mut ours: Vec<_> = ours.map(|hook| (hook.url, hook.number_of_failures)).collect();
        ours.sort();
        ours
    }

    /// Waits until every repository has exactly one notification of ours, with the URL of this secret and switched on.
    async fn registered(&self, secret: &str) {
        let wanted = [(self.url(secret), 0)];
        wait_until("every repository has its notification", PATIENCE, async || {
            self.repositories.iter().all(|repository| self.ours(repository) == wanted).then_some(())
        })
        .await;
    }

    async fn status(&self) -> Value {
        self.project.status_of("Registration", "quay").await
    }

    async fn condition(&self, condition: &str) -> Value {
        let (type_, status) = condition.split_once('=').unwrap();
        wait_until(&format!("the Registration has {condition}"), PATIENCE, async || {
            let found = self.status().await;
            let mut conditions = found["conditions"].as_array()?.iter();
            conditions.find(|c| c["type"] == type_ && c["status"] == status).cloned()
        })
        .await
    }

    /// Waits for the state of a repository in the status, and returns its entry.
    async fn state(&self, repository: &str, state: &str) -> Value {
        wait_until(&format!("{repository} is {state}"), PATIENCE, async || {
            let found = self.status().await;
            let mut entries = found["repositories"].as_array()?.iter();
            entries.find(|entry| entry["repository"] == repository && entry["state"] == state).cloned()
        })
        .await
    }

    /// Deletes the Registration and waits until it is gone.
    /// Waits until a view, of which this is the path, holds all of these.
    async fn view(&self, path: &str, parts: &[&str]) {
        wait_until(&format!("{path} says {parts:?}"), PATIENCE, async || {
            let body = get(self.operator.views, path).body;
            parts.iter().all(|part| body.contains(part)).then_some(())
        })
        .await;
    }

    async fn unregister(&self) {
        let api = self.project.api("Registration");
        api.delete("quay", &DeleteParams::default()).await.unwrap();
        wait_until("the Registration is gone", PATIENCE, async || {
            api.get_opt("quay").await.unwrap().is_none().then_some(())
        })
        .await;
    }

    /// When each Warehouse was last refreshed.
    async fn refreshed(&self) -> BTreeMap<String, Timestamp> {
        let tokens = self.project.tokens().await.into_iter();
        tokens.map(|(name, token)| (name, token.parse().unwrap())).collect()
    }

    /// Waits until every Warehouse was refreshed after this time.
    async fn all_refreshed_after(&self, time: Timestamp) {
        wait_until("every Warehouse is refreshed", PATIENCE, async || {
            let refreshed = self.refreshed().await;
            let is_late = |repository: &String| {
                refreshed.get(repository.rsplit('/').next().unwrap()).is_some_and(|refreshed| *refreshed > time)
            };
            self.repositories.iter().all(is_late).then_some(())
        })
        .await;
    }
}

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn fifty_repositories_are_registered_from_warehouses_alone_and_left_when_nobody_subscribes() {
    let scene = Scene::new("registration-fifty", 50).await;
    let first = scene.repositories[0].clone();
    // Neither one of somebody's own, nor one that looks like ours but has another URL, is touched.
    let theirs = [
        scene.quay.add(&first, None, &scene.url(SECRET)),
        scene.quay.add(&first, Some(&scene.title()), "https://hooks.example.org/mine"),
    ];
    scene.register(json!({})).await;
    let wanted = (scene.url(SECRET), 0);
    wait_until("every repository has its notification", PATIENCE, async || {
        scene.repositories.iter().all(|repository| scene.ours(repository).contains(&wanted)).then_some(())
    })
    .await;
    let status = wait_until("the status counts all", PATIENCE, async || {
        let status = scene.status().await;
        (status["registered"] == 50 && status["healthy"] == 50).then_some(status)
    })
    .await;
    assert_eq!((&status["failing"], &status["disabled"]), (&json!(0), &json!(0)));
    assert_eq!(scene.condition("Ready=True").await["message"], "50 repositories registered");
    scene.condition("TokenValid=True").await;
    scene.condition("Reachable=True").await;
    let text = status.to_string();
    assert!(
        !text.contains(scene.hook(SECRET).digest()) && !text.contains(&scene.token),
        "credentials are in the status"
    );

    let now = Timestamp::now();
    scene.repositories.iter().for_each(|repository| scene.quay.push(repository, "1.0.0"));
    scene.all_refreshed_after(now).await;

    // Doubles of ours are removed, also when somebody makes them later; a hook that is missing is made again.
    let second = scene.repositories[1].clone();
    scene.quay.add(&second, Some(&scene.title()), &scene.url(SECRET));
    wait_until("the double is removed", PATIENCE, async || (scene.ours(&second).len() == 1).then_some(())).await;
    let left: BTreeSet<_> = scene.quay.hooks(&first).into_iter().map(|hook| hook.uuid).collect();
    assert!(theirs.iter().all(|id| left.contains(id)));

    scene.project.delete("Warehouse", "app-01").await;
    wait_until("it is left", PATIENCE, async || scene.quay.hooks(&second).is_empty().then_some(())).await;

    scene.unregister().await;
    for repository in &scene.repositories[1..] {
        assert!(scene.quay.hooks(repository).is_empty(), "{repository}");
    }
    let left: BTreeSet<_> = scene.quay.hooks(&first).into_iter().map(|hook| hook.uuid).collect();
    assert_eq!(left, theirs.into_iter().collect());
    wait_until("none is counted any more", PATIENCE, async || {
        (scene.operator.metric("quayside_registration_repositories{state=\"Healthy\"}") == 0.0).then_some(())
    })
    .await;
}

/// Pushes, each with a tag of its own, until it is asked to stop. Returns the tags with the times before the pushes.
async fn pushing(quay: &QuayStandIn, repository: &str, stop: Arc<AtomicBool>) -> Vec<(String, Timestamp)> {
    let mut pushed = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let tag = format!("1.0.{}", pushed.len());
        pushed.push((tag.clone(), Timestamp::now()));
        quay.push(repository, &tag);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    pushed
}

#[tokio::test]
async fn a_rotation_under_pushes_loses_none() {
    let scene = Scene::new("registration-rotation", 1).await;
    scene.register(json!({})).await;
    scene.registered(SECRET).await;
    let (repository, second) = (scene.repositories[0].clone(), "the second secret of this receiver");
    let stop = Arc::new(AtomicBool::new(false));
    let rotate = async {
        wait_until("pushes arrive", PATIENCE, async || (scene.quay.delivered().len() > 3).then_some(())).await;
        scene.project.secret("quay-webhook", second).await;
        wait_until("both are there", PATIENCE, async || (scene.ours(&repository).len() == 2).then_some(())).await;
        scene.registered(second).await;
        let seen = scene.quay.delivered().len();
        wait_until("pushes arrive", PATIENCE, async || (scene.quay.delivered().len() > seen + 3).then_some(())).await;
        stop.store(true, Ordering::SeqCst);
    };
    let ((), pushed) = tokio::join!(rotate, pushing(&scene.quay, &repository, Arc::clone(&stop)));
    wait_until("nothing waits", PATIENCE, async || (scene.quay.waiting() == 0).then_some(())).await;
    let delivered = scene.quay.delivered();
    let has_arrived = |tag: &String| {
        let quoted = format!("\"{tag}\"");
        delivered.iter().any(|attempt| attempt.has_arrived() && attempt.body.contains(&quoted))
    };
    let missed: Vec<_> = pushed.iter().filter(|(tag, _)| !has_arrived(tag)).collect();
    // Those that came between the new secret and the new notification are made good by a refresh.
    let new_url = scene.url(second);
    let first_on_new = delivered.iter().find(|attempt| attempt.url == new_url && attempt.has_arrived()).unwrap();
    let last_missed = missed.last().map(|(_, time)| *time);
    let refreshed = scene.refreshed().await;
    let lost = missed.iter().filter(|(_, time)| refreshed["app-00"] < *time).count();
    assert_eq!(lost, 0, "of {} pushes", pushed.len());
    let since_first = Timestamp::now() - jiff::SignedDuration::try_from(first_on_new.at.elapsed()).unwrap();
    assert!(last_missed.is_none_or(|missed| missed < since_first), "a push after the new notification was missed");
    assert!(
        scene.operator.metric("quayside_registration_refreshes_total") >= 3.0,
        "after each creation, and at the end"
    );
    scene.condition("Ready=True").await;
    scene.unregister().await;
}

#[tokio::test]
async fn a_burst_while_the_receiver_is_away_loses_no_push_and_every_notification_is_switched_on_again() {
    let scene = Scene::new("registration-burst", 12).await;
    scene.register(json!({})).await;
    scene.registered(SECRET).await;
    scene.condition("Ready=True").await;
    scene.quay.deliver_to(nowhere());
    for number in 0..4 {
        scene.repositories.iter().for_each(|repository| scene.quay.push(repository, &format!("1.0.{number}")));
    }
    let pushed = Timestamp::now();
    let resets = || scene.quay.count("reset");
    wait_until("all were switched off", PATIENCE, async || (resets() >= 12).then_some(())).await;
    wait_until("it is reported", PATIENCE, async || (scene.status().await["disabled"].as_i64()? > 0).then_some(()))
        .await;
    let path = format!("/api/v1/warehouses/{}/app-00", scene.project.namespace);
    scene.view(&path, &["Quay's notification for northwind/app-00 was disabled, seen at "]).await;
    scene.quay.deliver_to(scene.operator.hooks);
    scene.registered(SECRET).await;
    // Whatever Quay has thrown away is made good.
    scene.all_refreshed_after(pushed).await;
    let allowed = 12 * 5 + 40;
    assert!(resets() <= allowed, "{} resets", resets());
    // And it stays so: what is healthy is not reset.
    scene.condition("Ready=True").await;
    let (resets, lists) = (scene.quay.count("reset"), scene.quay.count("list"));
    wait_until("all are looked at again", PATIENCE, async || (scene.quay.count("list") > lists + 24).then_some(()))
        .await;
    assert_eq!(scene.quay.count("reset"), resets);
    assert!(scene.operator.metric("quayside_registration_healed_total") >= 12.0);
    scene.unregister().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_named_with_its_remedy_and_harms_nothing_else() {
    let scene = Scene::new("registration-trouble", 4).await;
    scene.register(json!({})).await;
    scene.registered(SECRET).await;
    scene.condition("Ready=True").await;
    let [forbidden, gone, missing, fine] = scene.repositories.as_slice() else { panic!("four repositories") };

    scene.quay.right(forbidden, Right::Write);
    let entry = scene.state(forbidden, "Refused").await;
    assert!(entry["message"].as_str().unwrap().contains("admin"), "{entry}");
    let of_registration = format!("registration {}/quay: {forbidden}: ", scene.project.namespace);
    scene.view("/api/v1/checks", &[&of_registration]).await;
    scene.quay.delete_repository(gone);
    let entry = scene.state(gone, "Refused").await;
    assert!(entry["message"].as_str().unwrap().contains("does not exist"), "{entry}");
    scene.state(fine, "Healthy").await;
    scene.quay.right(forbidden, Right::Admin);
    scene.state(forbidden, "Healthy").await;
    scene.quay.repository(gone);
    scene.state(gone, "Healthy").await;
    scene.registered(SECRET).await;

    scene.quay.read_only(true);
    let id = scene.quay.hooks(missing)[0].uuid.clone();
    scene.quay.fail(missing, &id, 3);
    let entry = scene.state(missing, "Refused").await;
    assert!(entry["message"].as_str().unwrap().contains("read-only"), "{entry}");
    scene.state(fine, "Healthy").await;
    scene.quay.read_only(false);
    scene.registered(SECRET).await;

    scene.quay.revoke(&scene.token);
    let condition = scene.condition("TokenValid=False").await;
    assert_eq!(condition["reason"], "TokenUnusable");
    scene.condition("Ready=False").await;
    let token = scene.quay.token();
    scene.project.secret_of("quay-api", &[("token", &token)]).await;
    scene.condition("TokenValid=True").await;
    scene.condition("Ready=True").await;
    scene.unregister().await;
}

#[tokio::test]
async fn a_quay_that_is_away_is_called_rarely_and_looked_at_when_it_is_back() {
    let scene = Scene::new("registration-away", 20).await;
    scene.register(json!({})).await;
    scene.registered(SECRET).await;
    scene.condition("Ready=True").await;
    scene.quay.reachable(false);
    assert_eq!(scene.condition("Reachable=False").await["reason"], "Unreachable");
    let calls = || scene.operator.metric("quayside_registration_calls_total{outcome=\"Unreachable\"}");
    let (before, begun) = (calls(), std::time::Instant::now());
    // Ten minutes, compressed as the beat is.
    wait_until("20 beats have passed", PATIENCE, async || (begun.elapsed() > Duration::from_secs(6)).then_some(()))
        .await;
    let beats = begun.elapsed().as_secs_f64() / 0.3;
    assert!(calls() - before <= beats * 2.0 + 10.0, "{} calls in {beats} beats", calls() - before);
    let lists = scene.quay.count("list");
    scene.quay.reachable(true);
    scene.condition("Reachable=True").await;
    wait_until("all are looked at", PATIENCE, async || (scene.quay.count("list") >= lists + 20).then_some(())).await;
    scene.condition("Ready=True").await;
    scene.unregister().await;
}

#[tokio::test]
async fn a_deleted_registration_whose_quay_is_away_is_let_go_with_an_event() {
    let scene = Scene::new("registration-farewell", 2).await;
    scene.register(json!({})).await;
    scene.registered(SECRET).await;
    scene.quay.reachable(false);
    scene.unregister().await;
    let events = scene.project.plane.bash(&format!(
        "kubectl get events.events.k8s.io -n {} -o json | grep -c NotificationsLeft",
        scene.project.namespace
    ));
    assert_ne!(events.out.trim(), "0", "{}", events.err);
    scene.quay.reachable(true);
    assert_eq!(scene.ours(&scene.repositories[0]).len(), 1);

    // What is to be kept is kept, and holds nothing up.
    scene.register(json!({"deletionPolicy": "Keep"})).await;
    scene.condition("Ready=True").await;
    let lists = scene.quay.count("delete");
    scene.unregister().await;
    assert_eq!(scene.quay.count("delete"), lists);
    assert_eq!(scene.ours(&scene.repositories[0]).len(), 1);
}

#[tokio::test]
async fn a_registration_that_cannot_work_says_why() {
    let scene = Scene::new("registration-why", 0).await;
    scene.quay.repository("northwind/one");
    scene.quay.repository("northwind/two");
    scene.register(json!({"receiver": {"name": "other"}, "repositories": ["northwind/*"]})).await;
    assert_eq!(scene.condition("Ready=False").await["reason"], "ReceiverNotServed");
    scene.project.delete("Secret", "quay-api").await;
    scene.register(json!({"repositories": ["northwind/*"]})).await;
    wait_until("it says so", PATIENCE, async || {
        (scene.condition("Ready=False").await["reason"] == "SecretNotFound").then_some(())
    })
    .await;
    scene.project.secret_of("quay-api", &[("token", &scene.quay.token())]).await;
    assert_eq!(scene.condition("Ready=True").await["message"], "2 repositories registered");
    assert_eq!(scene.ours("northwind/two"), [(scene.url(SECRET), 0)]);
    scene.unregister().await;
}

#[tokio::test]
async fn a_registration_makes_the_webhook_of_a_real_gitea_and_takes_it_away() {
    let (plane, _turn) = ControlPlane::for_elections().await;
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Gitea reaches the operator under its base URL.
    let base = format!("http://{address}/hooks");
    let arguments = ["--base-url", &base, "--registration-beat", "1s"];
    let operator = Operator::start(Setup::on(plane).listening_on(address).with(arguments));
    operator.ready().await;
    let project = Project::on(plane, "registered-gitea").await;
    let gitea = Gitea::start().await;
    gitea.api("POST /user/repos", &json!({"name": "storefront", "auto_init": true, "default_branch": "main"}));
    gitea.clone_repository();
    let token = gitea.token_of(GITEA_USER, &["write:repository"]);

    let secret = "a secret that Gitea signs with";
    project.secret("gitea-webhook", secret).await;
    project.secret_of("gitea-api", &[("token", &token)]).await;
    project.apply("Receiver", "gitea", json!({"gitea": {"secretRef": {"name": "gitea-webhook"}}})).await;
    let sender = json!({"endpoint": format!("http://{}", gitea.host()), "tokenSecretRef": {"name": "gitea-api"}});
    let receiver = json!({"kind": "Receiver", "name": "gitea"});
    project.apply("Registration", "gitea", json!({"receiver": receiver, "gitea": sender})).await;
    let repository = format!("http://{}/{GITEA_USER}/storefront.git", gitea.host());
    project.warehouse("main", json!([git(&repository, "main")])).await;

    let hooks = || gitea.api(&format!("GET /repos/{GITEA_USER}/storefront/hooks"), &Value::Null).json();
    let only = wait_until("the webhook is there", PATIENCE, async || {
        let hooks = hooks();
        (hooks.as_array().unwrap().len() == 1).then(|| hooks[0].clone())
    })
    .await;
    let hook = project.hook(&operator, "gitea", secret).of("gitea");
    assert_eq!(only["config"]["url"], format!("{base}{}", hook.path.strip_prefix("/hooks").unwrap()));
    project.condition_of("Registration", "gitea", "Ready=True").await;
    let before = wait_until("it is refreshed because of the new webhook", PATIENCE, async || {
        project.tokens().await.remove("main")
    })
    .await;

    gitea.shell("commit README.md one; git push -q origin main");
    wait_until("the push refreshes", PATIENCE, async || {
        (project.tokens().await.remove("main")? != before).then_some(())
    })
    .await;
    // It is counted when it is answered, which is after the refresh.
    let taken = || operator.metric("quayside_deliveries_total{kind=\"gitea\",outcome=\"refreshed\"");
    wait_until("the delivery is counted", PATIENCE, async || (taken() == 1.0).then_some(())).await;

    // With another secret the URL is another one, and Gitea signs with the new one.
    let second = "another secret that Gitea signs with";
    project.secret("gitea-webhook", second).await;
    let hook = project.hook(&operator, "gitea", second).of("gitea");
    let url = format!("{base}{}", hook.path.strip_prefix("/hooks").unwrap());
    wait_until("the webhook follows", PATIENCE, async || {
        let hooks = hooks();
        (hooks.as_array().unwrap().len() == 1 && hooks[0]["config"]["url"] == url).then_some(())
    })
    .await;
    gitea.shell("commit README.md two; git push -q origin main");
    wait_until("the push is taken", PATIENCE, async || (taken() >= 2.0).then_some(())).await;

    project.delete("Registration", "gitea").await;
    wait_until("the webhook is gone", PATIENCE, async || hooks().as_array().unwrap().is_empty().then_some(())).await;
}
