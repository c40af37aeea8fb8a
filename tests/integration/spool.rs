//! What was acknowledged is done, whatever becomes of the API server, the process and the disk.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{
    Answer, ControlPlane, Fault, FaultProxy, Hook, Operator, Project, SOON, Setup, exchange, get, head, image,
    push_body, quay_receiver, wait_until,
};

/// What is owed is repeated after pauses of up to 30 s, and the watches come back after some, too.
const RECOVERY: Duration = Duration::from_secs(60);

const REPOSITORY: &str = "quay.io/spool/app";

/// A project with one Warehouse, and an operator with a spool whose way to the API server can be closed.
struct World {
    proxy: FaultProxy,
    spool: TempDir,
    project: Project,
    operator: Operator,
    hook: Hook,
}

fn setup(proxy: &FaultProxy, spool: &Path) -> Setup {
    setup_on(ControlPlane::shared(), proxy, spool)
}

fn setup_on(plane: &ControlPlane, proxy: &FaultProxy, spool: &Path) -> Setup {
    Setup::on(plane).kubeconfig(proxy.kubeconfig()).spool(spool).with(["--ack-deadline", "150ms"])
}

fn secret_of(project: &Project) -> String {
    format!("a long enough secret of {}", project.namespace)
}

impl World {
    async fn new(name: &str) -> Self {
        Self::on(ControlPlane::shared(), name, |setup| setup).await
    }

    /// On that control plane, with more about how the operator is to run.
    async fn on(plane: &'static ControlPlane, name: &str, more: impl FnOnce(Setup) -> Setup) -> Self {
        let proxy = FaultProxy::to_server_of(plane.operator_kubeconfig());
        let spool = tempfile::tempdir().unwrap();
        let operator = Operator::start(more(setup_on(plane, &proxy, spool.path())));
        operator.ready().await;
        let project = Project::on(plane, name).await;
        let hook = project.quay(&operator).await;
        project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;
        project.settle(&hook).await;
        Self { proxy, spool, project, operator, hook }
    }

    /// Ends the operator as a kernel does that needs its memory, and starts another one on the same spool.
    async fn killed_and_started(&mut self) {
        self.kill().await;
        self.start();
    }

    async fn kill(&self) {
        self.operator.signal("-KILL");
        self.operator.ended().await;
    }

    fn start(&mut self) {
        self.operator = Operator::start(setup_on(self.project.plane, &self.proxy, self.spool.path()));
        self.hook = self.project.hook(&self.operator, "quay", &secret_of(&self.project));
    }

    /// A push that cannot be written in time.
    fn push_queued(&self) -> Timestamp {
        let sent = Timestamp::now();
        let answer = self.hook.push(REPOSITORY, &["1.0.0"]);
        let expected = (202, "queued 1 of 1 refresh(es), which are repeated until they are written");
        assert_eq!((answer.status, answer.says().as_str()), expected);
        assert!(answer.header("x-quayside-delivery").is_some());
        sent
    }

    async fn refreshed_since(&self, time: Timestamp) {
        wait_until("the refresh that is owed is written", RECOVERY, async || {
            let token = self.project.tokens().await.remove("storefront")?;
            (token.parse::<Timestamp>().unwrap() >= time).then_some(())
        })
        .await;
    }

    async fn owes(&self, on_disk: f64, in_memory: f64) {
        let owed = || (self.operator.metric("quayside_spool_owed"), self.operator.metric("quayside_refresh_owed"));
        let what = format!("{on_disk} and {in_memory} are owed");
        wait_until(&what, SOON, async || (owed() == (on_disk, in_memory)).then_some(())).await;
    }
}

/// Pushes until that is written at once: on a busy machine the deadline is short.
async fn is_refreshed(hook: &Hook) {
    wait_until("a push is refreshed at once", SOON, async || {
        (hook.push(REPOSITORY, &["1.0.0"]).says() == "refreshed 1 warehouse(s)").then_some(())
    })
    .await;
}

/// Waits until it can be connected to, ready or not.
async fn listening(operator: &Operator) {
    wait_until("the ports are open", SOON, async || {
        exchange(operator.hooks, "GET /healthz", &[], b"").ok().filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test]
async fn while_the_api_server_is_away_a_push_is_queued_and_afterwards_it_is_refreshed() {
    let world = World::new("spool-away").await;
    world.proxy.set(Fault::Reset);
    let sent = world.push_queued();
    world.push_queued();
    world.owes(1.0, 1.0).await;
    assert_eq!(get(world.operator.admin, "/readyz").status, 200);
    // What needs no refresh is answered as ever.
    assert_eq!(world.hook.push(REPOSITORY, &["2.0.0"]).status, 200);
    world.proxy.set(Fault::None);
    world.refreshed_since(sent).await;
    world.owes(0.0, 0.0).await;
    is_refreshed(&world.hook).await;
    assert_eq!(world.operator.metric("quayside_spool_errors_total"), 0.0);
}

#[tokio::test]
async fn a_refresh_that_is_owed_survives_that_the_process_is_killed_twice() {
    let mut world = World::new("spool-killed").await;
    world.proxy.set(Fault::Reset);
    let sent = world.push_queued();
    for _ in 0..2 {
        world.killed_and_started().await;
        listening(&world.operator).await;
        world.owes(1.0, 1.0).await;
    }
    world.proxy.set(Fault::None);
    // No sender pushes again.
    world.refreshed_since(sent).await;
    world.owes(0.0, 0.0).await;
    world.operator.ready().await;
    let told = world.operator.logged("INFO", "refreshes are owed from before the start");
    assert_eq!(told[0]["refreshes"], 1);
}

#[tokio::test]
async fn a_refresh_that_is_owed_anew_is_not_taken_for_the_one_that_was_just_written() {
    let mut world = World::new("spool-anew").await;
    world.proxy.set(Fault::Reset);
    world.push_queued();
    world.proxy.set(Fault::None);
    let written = || world.operator.metric("quayside_refresh_owed") == 0.0;
    wait_until("it is written", RECOVERY, async || written().then_some(())).await;
    // The disk may not have heard of that yet.
    world.proxy.set(Fault::Reset);
    let sent = world.push_queued();
    assert_eq!(world.operator.metric("quayside_spool_owed"), 1.0);
    world.killed_and_started().await;
    world.proxy.set(Fault::None);
    world.refreshed_since(sent).await;
}

/// What arrives before the tables say what it is.
struct Early {
    authentic: Hook,
    unsigned: Hook,
    unknown: Hook,
}

impl Early {
    fn at(operator: &Operator, project: &Project) -> Self {
        let secret = secret_of(project);
        Self {
            authentic: project.hook(operator, "quay", &secret),
            unsigned: project.hook(operator, "github", &secret).of("github"),
            unknown: project.hook(operator, "quay", "a secret that nobody has"),
        }
    }

    fn post_all(&self) {
        let push = push_body(REPOSITORY, &["1.0.0"]);
        for (hook, body) in
            [(&self.authentic, &*push), (&self.authentic, "{"), (&self.unsigned, "{}"), (&self.unknown, &push)]
        {
            taken_in(&hook.post(body));
        }
    }
}

fn taken_in(answer: &Answer) {
    let expected = (202, "queued: receivers are not loaded yet, the request is run once they are");
    assert_eq!((answer.status, answer.says().as_str()), expected);
    assert!(answer.header("x-quayside-delivery").is_some());
}

/// A project with a Warehouse and receivers of two kinds.
async fn two_kinds(name: &str) -> Project {
    let project = Project::new(name).await;
    project.secret("s", &secret_of(&project)).await;
    let github = json!({"name": "github", "github": {"secretRef": {"name": "s"}}});
    project.receivers(json!([quay_receiver("quay", "s"), github])).await;
    project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;
    project
}

#[tokio::test]
async fn what_arrives_before_the_api_server_answers_is_taken_in_and_run_later_even_by_another_process() {
    let project = two_kinds("early").await;
    let proxy = FaultProxy::to_server_of(ControlPlane::shared().operator_kubeconfig());
    let spool = tempfile::tempdir().unwrap();
    proxy.set(Fault::Reset);
    let (began, sent) = (Instant::now(), Timestamp::now());
    let first = Operator::start(setup(&proxy, spool.path()));
    listening(&first).await;
    // From the first moment, although no traffic is routed here yet.
    Early::at(&first, &project).post_all();
    assert_eq!(exchange(first.hooks, "POST /hooks/quay/short", &[], b"{}").unwrap().status, 404);
    assert_eq!(first.metric("quayside_spool_intake_requests"), 4.0);
    first.ready().await;
    assert!(began.elapsed() >= Duration::from_secs(9), "ready after {:?}", began.elapsed());
    Early::at(&first, &project).post_all();
    first.signal("-KILL");
    first.ended().await;

    let second = Operator::start(setup(&proxy, spool.path()));
    listening(&second).await;
    assert_eq!(second.metric("quayside_spool_intake_requests"), 8.0);
    assert!(project.refreshed().await.is_empty());
    proxy.set(Fault::None);
    wait_until("everything is run", RECOVERY, async || {
        (second.metric("quayside_intake_runs_total") == 8.0).then_some(())
    })
    .await;
    assert_eq!(second.metric(r#"quayside_intake_runs_total{outcome="owed""#), 2.0);
    assert_eq!(second.metric(r#"quayside_intake_runs_total{outcome="dropped""#), 6.0);
    wait_until("the Warehouse is refreshed", RECOVERY, async || {
        let token = project.tokens().await.remove("storefront")?;
        (token.parse::<Timestamp>().unwrap() >= sent).then_some(())
    })
    .await;
    let empty = ["quayside_spool_intake_requests", "quayside_spool_intake_bytes", "quayside_spool_owed"];
    wait_until("the spool is empty", SOON, async || empty.iter().all(|name| second.metric(name) == 0.0).then_some(()))
        .await;
    // From now on each request gets its real answer at once.
    let Early { authentic, unsigned, unknown } = Early::at(&second, &project);
    let statuses = [&authentic, &unsigned, &unknown].map(|hook| hook.post("{").status);
    assert_eq!(statuses, [400, 401, 404]);
}

#[tokio::test]
async fn after_the_first_start_only_paths_that_were_served_are_taken_in() {
    let project = two_kinds("known").await;
    let proxy = FaultProxy::to_server_of(ControlPlane::shared().operator_kubeconfig());
    let spool = tempfile::tempdir().unwrap();
    let first = Operator::start(setup(&proxy, spool.path()));
    first.ready().await;
    Early::at(&first, &project).authentic.served().await;
    let known = || std::fs::metadata(spool.path().join("spool/known")).is_ok_and(|known| known.len() >= 2 * 16);
    wait_until("the paths are remembered", RECOVERY, async || known().then_some(())).await;
    first.signal("-KILL");
    first.ended().await;

    proxy.set(Fault::Reset);
    let second = Operator::start(setup(&proxy, spool.path()));
    listening(&second).await;
    let Early { authentic, unsigned, unknown } = Early::at(&second, &project);
    let statuses = [&authentic, &unsigned, &unknown].map(|hook| hook.post("{}").status);
    assert_eq!(statuses, [202, 202, 503]);
    assert_eq!(second.metric("quayside_spool_intake_requests"), 2.0);
}

#[tokio::test]
async fn without_a_flag_the_spool_is_in_the_state_folder() {
    let project = two_kinds("state-folder").await;
    let proxy = FaultProxy::to_server_of(ControlPlane::shared().operator_kubeconfig());
    let state = tempfile::tempdir().unwrap();
    let setup = Setup::on(ControlPlane::shared()).kubeconfig(proxy.kubeconfig()).state_folder(state.path());
    let operator = Operator::start(setup.with(["--ack-deadline", "200ms"]));
    operator.ready().await;
    let hook = Early::at(&operator, &project).authentic;
    project.settle(&hook).await;
    proxy.set(Fault::Reset);
    assert_eq!(hook.push(REPOSITORY, &["1.0.0"]).status, 202);
    assert!(state.path().join("quayside/spool/spool.redb").is_file());
}

#[tokio::test]
async fn a_request_whose_end_arrives_when_everything_is_loaded_already_is_run_all_the_same() {
    let project = two_kinds("late-end").await;
    let proxy = FaultProxy::to_server_of(ControlPlane::shared().operator_kubeconfig());
    let spool = tempfile::tempdir().unwrap();
    proxy.set(Fault::Reset);
    let operator = Operator::start(setup(&proxy, spool.path()));
    listening(&operator).await;
    let hook = project.hook(&operator, "quay", &secret_of(&project));
    let body = push_body(REPOSITORY, &["1.0.0"]);
    let mut connection = hook.connect().unwrap();
    let length = format!("Content-Length: {}", body.len());
    connection.send(&head(&format!("POST {}", hook.path), &[&length])).unwrap();
    proxy.set(Fault::None);
    operator.ready().await;
    connection.send(body.as_bytes()).unwrap();
    taken_in(&connection.answer().unwrap());
    wait_until("the Warehouse is refreshed", RECOVERY, async || {
        (project.refreshed().await == ["storefront"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_api_server_that_answers_but_cannot_serve_is_as_good_as_one_that_is_away() {
    let project = two_kinds("unable").await;
    let proxy = FaultProxy::to_server_of(ControlPlane::shared().operator_kubeconfig());
    let spool = tempfile::tempdir().unwrap();
    // As when it has lost its etcd.
    proxy.set(Fault::Status(503, None));
    let operator = Operator::start(setup(&proxy, spool.path()));
    operator.ready().await;
    taken_in(&project.hook(&operator, "quay", &secret_of(&project)).push(REPOSITORY, &["1.0.0"]));
    proxy.set(Fault::None);
    wait_until("the Warehouse is refreshed", RECOVERY, async || {
        (project.refreshed().await == ["storefront"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_that_a_full_disk_cannot_take_in_are_answered_503_and_those_before_them_are_run() {
    let project = two_kinds("full-intake").await;
    let proxy = FaultProxy::to_server_of(ControlPlane::shared().operator_kubeconfig());
    let spool = tempfile::tempdir().unwrap();
    proxy.set(Fault::Reset);
    let operator = Operator::start(setup(&proxy, spool.path()).largest_file(8 * 1024));
    listening(&operator).await;
    let hook = project.hook(&operator, "quay", &secret_of(&project));
    taken_in(&hook.push(REPOSITORY, &["1.0.0"]));
    let large = "x".repeat(1024 * 1024);
    let refused = (0..20).map(|_| hook.post(&large)).find(|answer| answer.status != 202).expect("the disk is full");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert!(operator.metric(r#"quayside_spool_errors_total{reason="full""#) >= 1.0);
    proxy.set(Fault::None);
    wait_until("the first one is run", RECOVERY, async || (project.refreshed().await == ["storefront"]).then_some(()))
        .await;
    wait_until("the spool is empty", SOON, async || {
        (operator.metric("quayside_spool_intake_requests") == 0.0).then_some(())
    })
    .await;
    is_refreshed(&hook).await;
}

#[tokio::test]
async fn with_a_full_disk_a_push_that_cannot_be_written_is_answered_503_and_stays_owed() {
    // Not even an empty store can be made.
    let world = World::on(ControlPlane::shared(), "full-disk", |setup| setup.largest_file(4)).await;
    world.proxy.set(Fault::Reset);
    let sent = Timestamp::now();
    let answer = world.hook.push(REPOSITORY, &["1.0.0"]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{answer:?}");
    assert!(world.operator.metric(r#"quayside_spool_errors_total{reason="full""#) >= 1.0);
    let told = world.operator.logged("ERROR", "the spool failed");
    assert_eq!(told.len(), 1, "a lasting trouble is logged once: {told:?}");
    world.owes(0.0, 1.0).await;
    world.proxy.set(Fault::None);
    world.refreshed_since(sent).await;
    is_refreshed(&world.hook).await;
}

#[tokio::test]
async fn a_spool_that_another_process_has_is_refused_with_a_clear_error() {
    let world = World::new("spool-shared").await;
    let second = Operator::start(setup(&world.proxy, world.spool.path()));
    assert_eq!(second.ended().await.code(), Some(2));
    let log = second.log();
    assert!(log.contains("is in use by another process: give each replica a directory of its own"), "{log}");
    is_refreshed(&world.hook).await;
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_told_and_what_it_may_have_held_is_refreshed() {
    // Everything within reach is refreshed, so the Warehouses of other tests should not be within reach.
    let (plane, _turn) = ControlPlane::lawless().await;
    let mut world = World::on(plane, "spool-damaged", |setup| setup).await;
    world.proxy.set(Fault::Reset);
    let sent = world.push_queued();
    world.kill().await;
    let store = world.spool.path().join("spool/spool.redb");
    let length = usize::try_from(std::fs::metadata(&store).unwrap().len()).unwrap();
    std::fs::write(&store, vec![0xa5; length]).unwrap();
    world.start();
    listening(&world.operator).await;
    assert_eq!(world.operator.metric(r#"quayside_spool_errors_total{reason="corrupt""#), 1.0);
    let told = world.operator.logged("ERROR", "the file of the spool is damaged and was set aside");
    let file = told[0]["file"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read(store.with_file_name(file)).unwrap().len(), length);
    world.proxy.set(Fault::None);
    world.operator.ready().await;
    world.refreshed_since(sent).await;
    world.proxy.set(Fault::Reset);
    world.push_queued();
    assert_eq!(world.operator.metric("quayside_spool_owed"), 1.0);
}
