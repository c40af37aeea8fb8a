//! Pushes are pursued until Kargo has looked, on a real API server, with a stand-in for Kargo's controller.
//!
//! All pauses are a tenth of what is shipped, except where the text says otherwise; `src/pursuit/tests.rs` has hours of
//! it in simulated time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::harness::{Hook, Kargo, Operator, Project, SOON, Setup, Tagged, Tags, image, wait_until};

/// A pause of the shipped length may pass, and an idle machine is rare.
const PURSUED: Duration = Duration::from_secs(90);

/// A registry of which each test says what it lists.
#[derive(Clone, Default)]
struct Registry {
    tags: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    down: Arc<AtomicBool>,
}

impl Registry {
    fn list(&self, repository: &str, tag: &str) {
        self.tags.lock().unwrap().entry(repository.to_owned()).or_default().push(tag.to_owned());
    }

    fn down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    fn tags(&self) -> Tags {
        let registry = self.clone();
        Box::new(move |repository| {
            if registry.down.load(Ordering::Relaxed) {
                return Err(format!(
                    "GET https://robot:hunter2hunter2@{repository}/tags/list: 503 Service Unavailable"
                ));
            }
            let tags = registry.tags.lock().unwrap().get(repository).cloned().unwrap_or_default();
            Ok(tags.into_iter().map(|tag| Tagged { tag, digest: String::new() }).collect())
        })
    }
}

/// A project with one Warehouse that Kargo has discovered once, and an operator of its own.
struct Scene {
    project: Project,
    operator: Operator,
    hook: Hook,
    registry: Registry,
    kargo: Kargo,
    repository: String,
    /// An operator that leads asks on behalf of all others, so there is one at a time.
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    async fn set(name: &str) -> Self {
        static TURN: AsyncMutex<()> = AsyncMutex::const_new(());
        let turn = TURN.lock().await;
        let project = Project::new(name).await;
        project.keep_out_of_logs("hunter2hunter2");
        let operator = operator(&project);
        operator.ready().await;
        let hook = project.quay(&operator).await;
        let repository = format!("quay.example.com/{}/storefront", project.namespace);
        let registry = Registry::default();
        let kargo = Kargo::start(&project, registry.tags());
        project.warehouse("storefront", json!([image(&repository, "^1.0.0")])).await;
        project.settle(&hook).await;
        wait_until("Kargo has discovered everything", SOON, async || (kargo.looks().0 >= 2).then_some(())).await;
        Self { project, operator, hook, registry, kargo, repository, _turn: turn }
    }

    /// Finds the receiver of another operator.
    async fn reach(&mut self) {
        let secret = format!("a long enough secret of {}", self.project.namespace);
        self.hook = self.project.hook(&self.operator, "quay", &secret);
        self.hook.served().await;
    }

    /// Waits for an Event on the Warehouse.
    async fn event(&self, reason: &str, says: &str) {
        let events: Api<Event> = Api::namespaced(self.project.client.clone(), &self.project.namespace);
        wait_until(&format!("there is an Event {reason}"), SOON, async || {
            let found = events.list(&ListParams::default()).await.ok()?;
            let is_it = |event: &Event| {
                let name = event.regarding.as_ref().and_then(|object| object.name.as_deref());
                event.reason.as_deref() == Some(reason)
                    && name == Some("storefront")
                    && event.note.as_ref().is_some_and(|note| note.contains(says))
            };
            found.items.iter().any(is_it).then_some(())
        })
        .await;
    }

    fn push(&self, tag: &str) {
        let answer = self.hook.push(&self.repository, &[tag]);
        assert_eq!((answer.status, &answer.json()["matched"]), (200, &json!(1)));
    }

    async fn listed(&self, tag: &str) {
        wait_until(&format!("Kargo lists {tag}"), PURSUED, async || {
            self.kargo.listed("storefront").await.iter().any(|found| found == tag).then_some(())
        })
        .await;
    }

    async fn ended(&self, outcome: &str, count: f64) {
        let metric = format!("quayside_pursuit_outcomes_total{{outcome=\"{outcome}\"");
        wait_until(&format!("{count} pushes are {outcome}"), PURSUED, async || {
            (self.operator.metric(&metric) >= count).then_some(())
        })
        .await;
    }

    async fn failures(&self, count: usize) {
        wait_until("discoveries have failed", PURSUED, async || (self.kargo.looks().1 >= count).then_some(())).await;
    }

    /// How often this operator has asked for the Warehouse again. It may ask for those of other tests, too.
    fn nudges(&self) -> usize {
        let object = format!("\"object\":\"{}/storefront\"", self.project.namespace);
        let is_nudge = |line: &&str| line.contains("asking it again") && line.contains(&object);
        self.operator.log().lines().filter(is_nudge).count()
    }
}

fn operator(project: &Project) -> Operator {
    Operator::start(Setup::on(project.plane).with(["--follow-up-pause", "500ms"]))
}

#[tokio::test]
async fn undisturbed_pushes_are_seen_without_a_nudge_however_far_the_clocks_are_apart() {
    let scene = Scene::set("pursuit-quiet").await;
    let mut pushed = 0;
    for (skew, saves_early) in [(0, true), (300, true), (-300, true), (0, false), (300, false), (-300, false)] {
        scene.kargo.behave(|kargo| (kargo.skew, kargo.saves_early) = (skew, saves_early));
        for _ in 0..4 {
            let tag = format!("1.0.{pushed}");
            scene.registry.list(&scene.repository, &tag);
            scene.push(&tag);
            pushed += 1;
        }
        scene.ended("seen", f64::from(pushed)).await;
    }
    assert_eq!(scene.nudges(), 0);
    assert_eq!(scene.operator.metric("quayside_pursuit_looked_seconds_count"), f64::from(pushed));
}

#[tokio::test]
async fn a_push_during_an_outage_of_the_registry_is_seen_after_it() {
    let scene = Scene::set("pursuit-registry").await;
    for (round, (failures, saves_early)) in [(1, true), (3, true), (2, false)].into_iter().enumerate() {
        scene.kargo.behave(|kargo| kargo.saves_early = saves_early);
        let (tag, before, nudges) = (format!("1.{round}.0"), scene.kargo.looks().1, scene.nudges());
        scene.registry.list(&scene.repository, &tag);
        scene.registry.down(true);
        scene.push(&tag);
        scene.failures(before + failures).await;
        scene.registry.down(false);
        scene.listed(&tag).await;
        scene.ended("seen", f64::from(u32::try_from(round).unwrap()) + 1.0).await;
        let asked = scene.nudges() - nudges;
        assert!((failures..=failures + 1).contains(&asked), "{asked} nudges, {failures} failures");
    }
}

#[tokio::test]
async fn a_tag_that_is_listed_late_is_seen_and_one_that_never_is_is_named() {
    let scene = Scene::set("pursuit-late").await;
    let before = scene.kargo.looks().0;
    scene.push("1.0.0");
    let delivery = scene.project.cause("storefront").await["delivery"].clone();
    wait_until("Kargo has looked", SOON, async || (scene.kargo.looks().0 > before).then_some(())).await;
    scene.registry.list(&scene.repository, "1.0.0");
    scene.listed("1.0.0").await;
    scene.ended("seen", 1.0).await;
    assert_eq!(scene.nudges(), 1);
    assert_eq!(scene.project.cause("storefront").await, json!({"cause": "follow-up", "delivery": delivery}));
    scene.push("1.1.0");
    scene.ended("looked_not_listed", 1.0).await;
    assert_eq!(scene.nudges(), 3);
    scene.event("PushNotListed", "does not list what was pushed").await;
}

#[tokio::test]
async fn a_controller_that_is_down_is_reported_and_sees_the_push_when_it_is_back() {
    let scene = Scene::set("pursuit-down").await;
    scene.kargo.behave(|kargo| kargo.up = false);
    scene.registry.list(&scene.repository, "1.0.0");
    scene.push("1.0.0");
    wait_until("it is reported", PURSUED, async || {
        (scene.operator.metric("quayside_pursuit_unhandled_total") >= 1.0).then_some(())
    })
    .await;
    scene.kargo.behave(|kargo| kargo.up = true);
    scene.ended("seen", 1.0).await;
    assert_eq!(scene.nudges(), 0);
}

#[tokio::test]
async fn a_controller_that_restarts_between_handled_and_looked_is_asked_again() {
    let scene = Scene::set("pursuit-restart").await;
    scene.registry.list(&scene.repository, "1.0.0");
    scene.kargo.behave(|kargo| kargo.slow = PURSUED);
    scene.push("1.0.0");
    wait_until("the token is taken up", SOON, async || (scene.kargo.taken("storefront") == 1).then_some(())).await;
    scene.kargo.behave(|kargo| kargo.up = false);
    scene.kargo.behave(|kargo| (kargo.up, kargo.slow) = (true, Duration::ZERO));
    scene.ended("seen", 1.0).await;
    assert_eq!(scene.nudges(), 1);
}

#[tokio::test]
async fn a_push_that_kargo_cannot_look_for_is_given_up_and_named_without_the_registrys_credentials() {
    let mut scene = Scene::set("pursuit-given-up").await;
    scene.operator.signal("-TERM");
    scene.operator.ended().await;
    let setup = Setup::on(scene.project.plane).with(["--follow-up-pause", "500ms", "--follow-up-for", "5s"]);
    scene.operator = Operator::start(setup);
    scene.operator.ready().await;
    scene.reach().await;
    scene.registry.down(true);
    scene.push("1.0.0");
    scene.ended("not_looked", 1.0).await;
    scene
        .event("PushNotLookedFor", "Kargo cannot discover what was pushed: error discovering images: GET https://…@")
        .await;
    assert!((2..=4).contains(&scene.nudges()), "{}", scene.nudges());
}

#[tokio::test]
async fn a_registry_that_stays_away_is_told_on_the_object_with_the_receiver_until_kargo_has_looked() {
    let scene = Scene::set("pursuit-told").await;
    scene.registry.list(&scene.repository, "1.0.0");
    scene.registry.down(true);
    scene.push("1.0.0");
    let told = scene.project.condition("quayside.dev/PushesSeen=False").await;
    let message = told["message"].as_str().unwrap();
    let begins = format!("Warehouse {}/storefront, since 20", scene.project.namespace);
    assert_eq!(told["reason"], "DiscoveryFailed");
    assert!(message.starts_with(&begins) && message.contains("503") && !message.contains("hunter2"), "{message}");
    scene.registry.down(false);
    scene.ended("seen", 1.0).await;
    wait_until("the condition is gone", PURSUED, async || {
        let status = scene.project.status().await;
        let conditions = status["conditions"].as_array()?.clone();
        conditions.iter().all(|condition| condition["type"] != "quayside.dev/PushesSeen").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_operator_that_takes_over_finds_what_was_left_behind() {
    let mut scene = Scene::set("pursuit-killed").await;
    for (round, failures) in [1_usize, 2].into_iter().enumerate() {
        let (tag, before) = (format!("1.{round}.0"), scene.kargo.looks().1);
        scene.registry.list(&scene.repository, &tag);
        scene.registry.down(true);
        scene.push(&tag);
        scene.failures(before + failures).await;
        scene.operator.signal("-KILL");
        scene.operator.ended().await;
        scene.registry.down(false);
        scene.operator = operator(&scene.project);
        scene.operator.ready().await;
        scene.listed(&tag).await;
        assert!(scene.nudges() >= 1);
        scene.reach().await;
    }
}
