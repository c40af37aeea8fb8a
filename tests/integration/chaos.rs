//! Pushes to two replicas while everything around them fails in turn, the registry and Kargo's controller included: no
//! push that was acknowledged is lost, Kargo comes across each, and none has to be given up by its sender.
//!
//! `make chaos` runs it for as long as one likes; `make test` runs it for a quarter of a minute.

mod history;
mod replica;
mod sender;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::json;
use tokio::task::block_in_place;
use tokio::time::timeout;

use self::history::History;
use self::replica::Replica;
use self::sender::{Push, Sender};
use crate::harness::{Fault, Hook, Kargo, LeaseTurn, Project, Tagged, image, setting, wait_until};

/// In seconds, unless the environment says otherwise.
const SHORT: u64 = 15;
/// Warehouses that are pushed to all the time.
const BUSY: usize = 20;
/// Pushes a second to Warehouses that have none but this one: nothing later can make good that it was lost.
const SINGLE_PER_SECOND: u64 = 20;
/// Connections that push all the time, unless the environment says otherwise.
const SENDERS: u64 = 32;
/// The longest back-off, and a PATCH on a connection that stays silent.
const RECOVERY: Duration = Duration::from_secs(90);
const CALM: Duration = Duration::from_millis(500);
/// Pushes after everything is well again, one at a time.
const QUIET: usize = 100;

const SECRET: &str = "a long enough secret of the chaos";

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// At one replica's way to the API server.
    At(usize, Fault),
    /// At the ways of both.
    Everywhere(Fault),
    /// A replica is killed and started again.
    Killed(usize),
    /// A replica ends in order and is started again.
    Restarted(usize),
    /// A replica is killed and started again while the API server is away.
    KilledWhileAway(usize),
    ApiServerKilled,
    /// A replica is killed and started again while Secrets cannot be read, although everything else can.
    KilledWithoutSecrets(usize),
    /// The registry answers errors.
    RegistryDown,
    /// The registry answers errors, and a replica is killed and started again.
    RegistryDownAndKilled(usize),
    /// Kargo's controller is away.
    ControllerDown,
    /// Kargo's controller is killed in the middle of its looks, and another one is there at once.
    ControllerKilled,
}

/// In this order, over and over. A short run has to see the worst.
const TROUBLES: [Trouble; 24] = [
    Trouble::Everywhere(Fault::Reset),
    Trouble::RegistryDown,
    Trouble::Killed(0),
    Trouble::ControllerKilled,
    Trouble::At(1, Fault::LostAnswers),
    Trouble::KilledWhileAway(1),
    Trouble::RegistryDownAndKilled(0),
    Trouble::Everywhere(Fault::Status(429, Some(1))),
    Trouble::ControllerDown,
    Trouble::At(0, Fault::HalfOpen),
    Trouble::ApiServerKilled,
    Trouble::Everywhere(Fault::Slow(Duration::from_millis(700))),
    Trouble::Restarted(1),
    Trouble::Everywhere(Fault::Status(503, None)),
    Trouble::KilledWhileAway(0),
    Trouble::Everywhere(Fault::ExpiredWatches),
    Trouble::At(1, Fault::HalfOpen),
    Trouble::Everywhere(Fault::Status(500, None)),
    Trouble::At(0, Fault::Slow(Duration::from_secs(10))),
    Trouble::Everywhere(Fault::LostAnswers),
    Trouble::KilledWithoutSecrets(1),
    Trouble::Everywhere(Fault::CutWatches),
    Trouble::KilledWithoutSecrets(0),
    Trouble::RegistryDownAndKilled(1),
];

/// Everything that fails.
struct Stage<'a> {
    turn: &'a LeaseTurn,
    replicas: [Replica; 2],
    kargo: Kargo,
    /// Whether the registry answers errors.
    registry_down: Arc<AtomicBool>,
}

impl Stage<'_> {
    async fn suffer(&self, trouble: Trouble, lasting: Duration) {
        let set = |fault| self.replicas.iter().for_each(|replica| replica.proxy.set(fault));
        match trouble {
            Trouble::At(replica, fault) => self.replicas[replica].proxy.set(fault),
            Trouble::Everywhere(fault) => set(fault),
            Trouble::Killed(replica) => self.replicas[replica].restart("-KILL", self.turn).await,
            Trouble::Restarted(replica) => self.replicas[replica].restart("-TERM", self.turn).await,
            Trouble::KilledWhileAway(replica) => {
                set(Fault::Reset);
                tokio::time::sleep(lasting / 2).await;
                self.replicas[replica].restart("-KILL", self.turn).await;
            }
            Trouble::KilledWithoutSecrets(replica) => {
                self.replicas[replica].proxy.set(Fault::SecretReads(429));
                self.replicas[replica].restart("-KILL", self.turn).await;
            }
            Trouble::RegistryDown => self.registry(false),
            Trouble::RegistryDownAndKilled(replica) => {
                self.registry(false);
                tokio::time::sleep(lasting / 2).await;
                self.replicas[replica].restart("-KILL", self.turn).await;
            }
            Trouble::ControllerDown => self.kargo.behave(|kargo| kargo.up = false),
            Trouble::ControllerKilled => {
                self.kargo.behave(|kargo| kargo.slow = lasting / 2);
                tokio::time::sleep(lasting / 2).await;
                self.kargo.behave(|kargo| kargo.up = false);
                self.kargo.behave(|kargo| (kargo.up, kargo.slow) = (true, Duration::ZERO));
            }
            Trouble::ApiServerKilled => block_in_place(|| {
                self.turn.plane.command("kill-apiserver");
                self.turn.plane.command("start-apiserver");
            }),
        }
        tokio::time::sleep(lasting).await;
        set(Fault::None);
        self.registry(true);
        self.kargo.behave(|kargo| kargo.up = true);
        tokio::time::sleep(CALM).await;
    }

    fn registry(&self, up: bool) {
        self.registry_down.store(!up, Ordering::Relaxed);
    }

    /// The pushes that were acknowledged and that no look of Kargo has followed.
    fn unseen<'p>(&self, pushes: &'p [Push]) -> Vec<&'p Push> {
        let is_followed = |push: &Push| self.kargo.looked(&warehouse(push.warehouse)).is_some_and(|at| at >= push.sent);
        pushes.iter().filter(|push| push.is_acknowledged() && !is_followed(push)).collect()
    }

    fn patches(&self) -> usize {
        self.replicas.iter().map(|replica| replica.proxy.patches()).sum()
    }

    fn nudges(&self) -> f64 {
        self.replicas.iter().map(|replica| replica.metric("quayside_pursuit_nudges_total")).sum()
    }

    /// Pushes that nothing disturbs, and how many PATCHes and nudges they cost.
    async fn quiet(&self, hooks: [Hook; 2]) -> (usize, f64) {
        for replica in &self.replicas {
            replica.pursues_nothing(RECOVERY).await;
        }
        let before = (self.patches(), self.nudges());
        let mut sender = Sender::new(hooks, 0);
        block_in_place(|| (0..QUIET).for_each(|number| sender.push(number % BUSY)));
        assert_eq!(sender.pushes.len(), QUIET, "each was acknowledged at once");
        wait_until("Kargo has looked", RECOVERY, async || self.unseen(&sender.pushes).is_empty().then_some(())).await;
        for replica in &self.replicas {
            replica.pursues_nothing(RECOVERY).await;
        }
        (self.patches() - before.0, self.nudges() - before.1)
    }
}

/// A registry that lists the only tag there is, or answers errors.
fn kargo(project: &Project, registry_down: &Arc<AtomicBool>) -> Kargo {
    let is_down = Arc::clone(registry_down);
    let kargo = Kargo::start(
        project,
        Box::new(move |_| {
            let is_down = is_down.load(Ordering::Relaxed);
            let tag = Tagged { tag: "1.0.0".to_owned(), digest: String::new() };
            if is_down { Err("503 Service Unavailable".to_owned()) } else { Ok(vec![tag]) }
        }),
    );
    // There are many objects, and the machine has other work.
    kargo.behave(|kargo| kargo.pause = Duration::from_millis(250));
    kargo
}

/// The Warehouses, in the order in which they are pushed to: first those that are busy.
async fn warehouses(project: &Project, count: usize) {
    stream::iter(0..count)
        .for_each_concurrent(8, async |number| {
            project.warehouse(&warehouse(number), json!([image(&repository(number), "^1.0.0")])).await;
        })
        .await;
}

fn warehouse(number: usize) -> String {
    format!("warehouse-{number}")
}

fn repository(number: usize) -> String {
    format!("quay.io/chaos/app-{number}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_push_is_lost_and_none_is_given_up_whatever_fails() {
    let lasting = Duration::from_secs(setting("QUAYSIDE_CHAOS_SECONDS", SHORT));
    let wanted = usize::try_from(setting("QUAYSIDE_CHAOS_PUSHES", 0)).unwrap();
    let senders = usize::try_from(setting("QUAYSIDE_CHAOS_SENDERS", SENDERS)).unwrap();
    let unhurried = Duration::from_millis(setting("QUAYSIDE_CHAOS_PAUSE_MS", 0));
    let turn = LeaseTurn::take().await;
    let project = Project::on(turn.plane, "chaos").await;
    project.keep_out_of_logs(SECRET);
    let single = usize::try_from(lasting.as_secs() * SINGLE_PER_SECOND).unwrap();
    warehouses(&project, BUSY + single).await;
    // A line for each of very many pushes would be most of the work.
    let log_level = if wanted > 0 { "warn" } else { "info" };
    let replicas = [Replica::start(&turn, log_level), Replica::start(&turn, log_level)];
    let registry_down = Arc::default();
    let kargo = kargo(&project, &registry_down);
    let stage = Stage { turn: &turn, replicas, kargo, registry_down };
    for replica in &stage.replicas {
        replica.serves(&project, SECRET).await;
    }
    let discovered = || (0..BUSY + single).all(|number| stage.kargo.looked(&warehouse(number)).is_some());
    wait_until("Kargo has discovered everything", RECOVERY, async || discovered().then_some(())).await;
    let history = History::watch(project.api("Warehouse")).await;

    let hooks = stage.replicas.each_ref().map(|replica| replica.hook(&project, SECRET));
    let (stop, began) = (AtomicBool::new(false), Instant::now());
    let enough = |pushes: usize| began.elapsed() >= lasting && pushes >= wanted;
    let mut troubles = Vec::new();
    let pushes: Vec<Push> = thread::scope(|scope| {
        let busy = (0..senders).map(|number| {
            let (mut sender, stop) = (Sender::new(hooks.clone(), number), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    sender.push(sender.pushes.len() * 7 % BUSY);
                    thread::sleep(unhurried);
                }
                sender.pushes
            })
        });
        let mut threads: Vec<_> = busy.collect();
        let (mut sender, stopped) = (Sender::new(hooks.clone(), senders), &stop);
        threads.push(scope.spawn(move || {
            for number in BUSY..BUSY + single {
                let due = began + Duration::from_secs(1) / SINGLE_PER_SECOND as u32 * (number - BUSY) as u32;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                sender.push(number);
            }
            sender.pushes
        }));
        block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let mut turns = TROUBLES.iter().cycle();
                while !enough(sender::acknowledged()) {
                    let trouble = *turns.next().unwrap();
                    // From half a second to two, so that no two rounds are the same.
                    let spread = 500 + (troubles.len() as u64 * 389) % 1500;
                    stage.suffer(trouble, Duration::from_millis(spread)).await;
                    troubles.push(trouble);
                }
            });
        });
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let took = began.elapsed();
    for replica in &stage.replicas {
        replica.owes_nothing(RECOVERY).await;
    }
    let seen = async {
        while !stage.unseen(&pushes).is_empty() {
            tokio::time::sleep(CALM).await;
        }
    };
    // What is not seen by then is counted below.
    timeout(RECOVERY, seen).await.ok();
    let unseen = stage.unseen(&pushes).len();
    wait_until("the history has arrived", RECOVERY, async || history.is_current().await.then_some(())).await;

    let history = history.end();
    let lost: Vec<&Push> = pushes.iter().filter(|push| !history.confirms(push)).collect();
    let given_up = sender::given_up(&pushes);
    println!("{}", report(&pushes, &troubles, &history, lost.len(), given_up, took, &stage));
    println!("  pushes that no look of Kargo followed: {unseen}");
    println!("  looks of Kargo that succeeded and failed: {:?}", stage.kargo.looks());
    assert!(lost.is_empty(), "{} pushes are lost, such as {:?}", lost.len(), &lost[..lost.len().min(5)]);
    // With very many senders the intake may be full, and says so.
    assert!(given_up == 0 || wanted > 0, "after three attempts Quay turns a hook off: {given_up}");
    assert!(pushes.iter().any(|push| push.status == 202), "nothing was ever queued");
    if let Some(push) = stage.unseen(&pushes).first() {
        let object = project.api("Warehouse").get(&warehouse(push.warehouse)).await.unwrap();
        panic!("{unseen} pushes that no look of Kargo followed, such as {push:?}: {:#}", object.data["status"]);
    }
    let (patches, nudges) = stage.quiet(hooks).await;
    println!("  undisturbed: {patches} PATCHes for {QUIET} pushes, {nudges} nudges");
    assert!(patches * 100 < QUIET * 105, "{patches} PATCHes and {nudges} nudges for {QUIET} pushes");
}

/// The figures.
fn report(
    pushes: &[Push],
    troubles: &[Trouble],
    history: &history::Tokens,
    lost: usize,
    given_up: usize,
    took: Duration,
    stage: &Stage<'_>,
) -> String {
    let count = |status: u16| pushes.iter().filter(|push| push.status == status).count();
    let mut statuses: Vec<u16> = pushes.iter().map(|push| push.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let acknowledged = pushes.iter().filter(|push| push.is_acknowledged()).count();
    let mut text = format!("chaos: {acknowledged} pushes acknowledged in {:.0} s, {lost} lost\n", took.as_secs_f64());
    for status in statuses {
        let name = if status == 0 { "no answer".to_owned() } else { format!("answered {status}") };
        writeln!(text, "  {name}: {}", count(status)).unwrap();
    }
    writeln!(text, "  given up after three attempts: {given_up}").unwrap();
    writeln!(
        text,
        "  annotations written: {} ({:.4} per push)",
        history.len(),
        history.len() as f64 / acknowledged as f64
    )
    .unwrap();
    writeln!(text, "  times that the watch of the checker had to list again: {}", history.gaps()).unwrap();
    writeln!(
        text,
        "  PATCHes at the proxies: {}",
        stage.replicas.iter().map(|replica| replica.proxy.patches()).sum::<usize>()
    )
    .unwrap();
    writeln!(text, "  troubles: {}", troubles.len()).unwrap();
    for trouble in TROUBLES {
        let name = format!("{trouble:?}");
        let times = troubles.iter().filter(|happened| format!("{happened:?}") == name).count();
        writeln!(text, "    {times} × {name}").unwrap();
    }
    text
}
