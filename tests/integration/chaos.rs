//! Pushes to two replicas while everything around them fails in turn: no push that was acknowledged is lost, and none
//! has to be given up by its sender.
//!
//! `make chaos` runs it for as long as one likes; `make test` runs it for a quarter of a minute.

mod history;
mod replica;
mod sender;

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::json;
use tokio::task::block_in_place;

use self::history::History;
use self::replica::Replica;
use self::sender::{Push, Sender};
use crate::harness::{Fault, LeaseTurn, Project, image, wait_until};

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

const SECRET: &str = "a long enough secret of the chaos";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}

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
}

/// In this order, over and over. A short run has to see the worst.
const TROUBLES: [Trouble; 19] = [
    Trouble::Everywhere(Fault::Reset),
    Trouble::Killed(0),
    Trouble::At(1, Fault::LostAnswers),
    Trouble::KilledWhileAway(1),
    Trouble::Everywhere(Fault::Status(429, Some(1))),
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
];

/// Everything that fails.
struct Stage<'a> {
    turn: &'a LeaseTurn,
    replicas: [Replica; 2],
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
            Trouble::ApiServerKilled => block_in_place(|| {
                self.turn.plane.command("kill-apiserver");
                self.turn.plane.command("start-apiserver");
            }),
        }
        tokio::time::sleep(lasting).await;
        set(Fault::None);
        tokio::time::sleep(CALM).await;
    }
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
    let stage = Stage { turn: &turn, replicas };
    for replica in &stage.replicas {
        replica.serves(&project, SECRET).await;
    }
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
    wait_until("the history has arrived", RECOVERY, async || history.is_current().await.then_some(())).await;

    let history = history.end();
    let lost: Vec<&Push> = pushes.iter().filter(|push| !history.confirms(push)).collect();
    let given_up = sender::given_up(&pushes);
    println!("{}", report(&pushes, &troubles, &history, lost.len(), given_up, took, &stage));
    assert!(lost.is_empty(), "{} pushes are lost, such as {:?}", lost.len(), &lost[..lost.len().min(5)]);
    // With very many senders the intake may be full, and says so.
    assert!(given_up == 0 || wanted > 0, "after three attempts Quay turns a hook off: {given_up}");
    assert!(pushes.iter().any(|push| push.status == 202), "nothing was ever queued");
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
