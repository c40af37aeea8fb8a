//! The real CNCF Distribution, with a receiver as its notification endpoint, and real pushes.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Hook, Kargo, Operator, Project, Registry, Setup, image, setting, tags_at, wait_until};

/// A registry repeats a notification that was not answered in time after a pause.
const DELIVERED: Duration = Duration::from_secs(60);

async fn receiver(project: &Project, operator: &Operator) -> Hook {
    let secret = format!("a long enough secret of {}", project.namespace);
    project.secret("webhook", &secret).await;
    project.apply("Receiver", "hook", json!({"distribution": {"secretRef": {"name": "webhook"}}})).await;
    let hook = project.hook(operator, "hook", &secret).of("distribution");
    hook.served().await;
    hook
}

async fn refreshed_anew(project: &Project, name: &str, act: impl FnOnce()) {
    let before = project.tokens().await;
    act();
    wait_until(&format!("{name} is refreshed"), DELIVERED, async || {
        let token = project.tokens().await.remove(name)?;
        (before.get(name) != Some(&token)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn images_that_are_pushed_to_a_real_registry_refresh_their_warehouses() {
    let operator = Operator::shared().await;
    let project = Project::new("real-registry").await;
    let hook = receiver(&project, operator).await;
    let registry = Registry::start(&hook.url()).await;

    let repository = format!("{}/northwind/storefront", registry.host());
    let signatures = json!({"image": {
        "repoURL": repository, "imageSelectionStrategy": "NewestBuild", "allowTagsRegexes": ["^sha256-"],
    }});
    project.warehouse("storefront", json!([image(&repository, "^2.0.0")])).await;
    project.warehouse("storefront-next", json!([image(&repository, "^3.0.0")])).await;
    project.warehouse("signatures", json!([signatures])).await;
    for tag in ["2.7.1", "3.0.0"] {
        hook.would_refresh(1, &["--repository", &repository, "--tag", tag]).await;
    }

    refreshed_anew(&project, "storefront", || registry.push("northwind/storefront", "2.7.1", "hello")).await;
    assert_eq!(project.refreshed().await, ["storefront"]);

    // The platforms come by digest, the index by its tag.
    registry.crane("append -f layer.tar -t REGISTRY/northwind/platforms:amd64");
    let index = "index append -m REGISTRY/northwind/storefront:2.7.1 -m REGISTRY/northwind/platforms:amd64 \
                 -t REGISTRY/northwind/storefront:3.0.0";
    refreshed_anew(&project, "storefront-next", || registry.crane(index)).await;

    // Notifications come in order, and one that was refused would hold back all behind it.
    let signature = format!("tag REGISTRY/northwind/storefront:2.7.1 sha256-{}.sig", "a".repeat(64));
    registry.crane(&signature);
    registry.crane("pull REGISTRY/northwind/storefront:2.7.1 pulled.tar");
    registry.crane("delete REGISTRY/northwind/platforms:amd64");
    refreshed_anew(&project, "storefront", || {
        registry.crane("tag REGISTRY/northwind/storefront:2.7.1 2.7.2");
    })
    .await;
    assert_eq!(project.refreshed().await, ["storefront", "storefront-next"]);
}

/// A project whose Warehouses a stand-in for Kargo discovers in a real registry, and an operator that pursues its
/// pushes with the pauses that are shipped.
struct Scene {
    project: Project,
    operator: Operator,
    registry: Registry,
    kargo: Kargo,
}

impl Scene {
    async fn set(name: &str, subscription: impl FnOnce(&str) -> serde_json::Value) -> Self {
        let project = Project::new(name).await;
        let operator = Operator::start(Setup::on(project.plane));
        operator.ready().await;
        let hook = receiver(&project, &operator).await;
        let registry = Registry::start(&hook.url()).await;
        let repository = format!("{}/northwind/storefront", registry.host());
        registry.push("northwind/storefront", "1.0.0", "first");
        // Or its notification may arrive late enough to be a push to the Warehouse.
        let without = || operator.metric("quayside_deliveries_total{kind=\"distribution\",outcome=\"no_match\"");
        wait_until("the first image has been announced", DELIVERED, async || (without() >= 1.0).then_some(())).await;
        let address = registry.address;
        let kargo = Kargo::start(&project, Box::new(move |repository| tags_at(address, repository)));
        project.warehouse("storefront", json!([subscription(&repository)])).await;
        hook.would_refresh(1, &["--repository", &repository, "--tag", "1.0.0"]).await;
        wait_until("Kargo has discovered the first image", DELIVERED, async || {
            kargo.listed("storefront").await.contains(&"1.0.0".to_owned()).then_some(())
        })
        .await;
        Self { project, operator, registry, kargo }
    }

    fn outcomes(&self, outcome: &str) -> f64 {
        self.operator.metric(&format!("quayside_pursuit_outcomes_total{{outcome=\"{outcome}\""))
    }

    async fn seen(&self, count: u32, limit: Duration) {
        wait_until("the push is seen", limit, async || (self.outcomes("seen") >= f64::from(count)).then_some(())).await;
    }

    fn nudges(&self) -> usize {
        let object = format!("\"object\":\"{}/storefront\"", self.project.namespace);
        self.operator.log().lines().filter(|line| line.contains("asking it again") && line.contains(&object)).count()
    }
}

/// How often Kargo is asked until a registry that is away for so long is back.
fn nudges_within(away: Duration) -> usize {
    let mut due = 0;
    let pauses = [5, 15, 45, 120].into_iter().chain(std::iter::repeat(300));
    1 + pauses
        .map(|pause| {
            due += pause;
            due
        })
        .take_while(|due| *due < away.as_secs())
        .count()
}

/// Four seconds are what a registry needs to restart.
#[tokio::test]
async fn pushes_are_seen_although_the_registry_is_away_for_4_seconds_while_kargo_looks() {
    let away = Duration::from_secs(setting("QUAYSIDE_TEST_REGISTRY_AWAY_SECONDS", 4));
    let scene = Scene::set("registry-away", |repository| image(repository, "^1.0.0")).await;
    let Scene { registry, kargo, .. } = &scene;
    let trials = if away > DELIVERED { 1 } else { 3 };
    for trial in 1..=trials {
        let (tag, taken, failed) = (format!("1.{trial}.0"), kargo.taken("storefront"), kargo.looks().1);
        let before = scene.nudges();
        kargo.behave(|kargo| kargo.slow = Duration::from_secs(1));
        registry.push("northwind/storefront", &tag, &tag);
        wait_until("Kargo takes the refresh up", DELIVERED, async || (kargo.taken("storefront") > taken).then_some(()))
            .await;
        registry.stop();
        tokio::time::sleep(away).await;
        assert!(kargo.looks().1 > failed, "Kargo looked in vain");
        kargo.behave(|kargo| kargo.slow = Duration::ZERO);
        assert!(!kargo.listed("storefront").await.contains(&tag), "nothing else would find it");
        registry.resume().await;
        scene.seen(trial, DELIVERED + away / 2).await;
        assert!(kargo.listed("storefront").await.contains(&tag), "{tag}");
        let nudges = scene.nudges() - before;
        println!("the registry was away for {} s: seen after {nudges} nudges", away.as_secs());
        assert!((1..=nudges_within(away)).contains(&nudges), "{nudges}");
    }
}

#[tokio::test]
async fn a_tag_that_is_moved_is_seen_by_its_digest_without_a_nudge() {
    let scene = Scene::set("registry-moved", |repository| {
        json!({"image": {"repoURL": repository, "imageSelectionStrategy": "Digest", "constraint": "1.0.0"}})
    })
    .await;
    for (trial, content) in (1..).zip(["second", "third", "fourth"]) {
        scene.registry.push("northwind/storefront", "1.0.0", content);
        scene.seen(trial, DELIVERED).await;
        let repository = format!("{}/northwind/storefront", scene.registry.host());
        let [now] = &tags_at(scene.registry.address, &repository).unwrap()[..] else { panic!("one tag") };
        assert_eq!(scene.kargo.digest("storefront", "1.0.0").await.as_deref(), Some(now.digest.as_str()));
    }
    assert_eq!((scene.nudges(), scene.outcomes("looked_not_listed")), (0, 0.0));
}
