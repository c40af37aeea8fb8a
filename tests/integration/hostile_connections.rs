//! Far more connections than there are places, silent, slow and idle ones: a real push is answered as if they were not
//! there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::harness::{Connection, ControlPlane, Hook, Operator, Project, Setup, head, image, push_body};

const CROWD: usize = 10_000;
/// What the operator takes at a time.
const PLACES: f64 = 4096.0;
/// For a push among the crowd, on a machine that is busy with other tests: less than any time limit, so it waited for
/// none. Mostly, it takes some milliseconds.
const PROMPT: Duration = Duration::from_secs(8);

/// An operator that does not give up on a busy API server: how long an answer takes is measured here.
fn patient() -> Operator {
    Operator::start(Setup::on(ControlPlane::shared()).with(["--ack-deadline", "20s"]))
}

/// One of the crowd: silent, with half a head, with half a body, or idle after a request.
fn open(hook: &Hook, number: usize) -> Option<Connection> {
    let mut connection = Connection::open(hook.address).ok()?;
    match number % 4 {
        0 => {}
        1 => connection.send(b"POST /hooks/quay/").ok()?,
        2 => {
            connection.send(&head(&format!("POST {}", hook.path), &["Content-Length: 1000"])).ok()?;
            connection.send(b"{\"docker_url\":").ok()?;
        }
        _ => {
            connection.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").ok()?;
            assert_eq!(connection.next_answer().ok()?.status, 200);
        }
    }
    Some(connection)
}

/// Pushes that often, one after the other; gives back how long each took.
fn pushes(hook: &Hook, count: usize) -> Vec<Duration> {
    let push = |_| {
        let began = Instant::now();
        let answer = hook.push("quay.io/crowd/app", &["1.0.0"]);
        assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
        began.elapsed()
    };
    let mut took: Vec<_> = (0..count).map(push).collect();
    took.sort();
    took
}

fn report(what: &str, took: &[Duration]) {
    println!("{} pushes {what}: p50 {:?}, longest {:?}", took.len(), took[took.len() / 2], took[took.len() - 1]);
}

#[tokio::test]
async fn ten_thousand_connections_that_say_nothing_delay_no_push() {
    let files = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files }).unwrap();
    let crowd = files.map_or(CROWD, |files| CROWD.min(usize::try_from(files).unwrap() - 500));
    let operator = patient();
    operator.ready().await;
    let project = Project::new("crowd").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/crowd/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    report("before", &pushes(&hook, 50));

    let began = Instant::now();
    let mut connections: Vec<_> = (0..crowd).map(|number| open(&hook, number)).collect();
    println!("{crowd} connections were opened in {:?}", began.elapsed());
    let took = pushes(&hook, 100);
    report(&format!("among {crowd} connections"), &took);
    assert!(took[took.len() - 1] < PROMPT, "{took:?}");
    let (closed, open_now) = (
        operator.metric(r#"quayside_connections_closed_total{reason="crowded""#),
        operator.metric("quayside_connections"),
    );
    println!("{closed} of them were closed to make room, {open_now} are open");
    assert!(open_now <= PLACES, "{open_now}");
    // Where it takes long to open them, some have run out of time before.
    assert!(crowd as f64 <= PLACES || closed > 0.0);

    // While the crowd keeps coming, too.
    let stop = AtomicBool::new(false);
    let took = thread::scope(|scope| {
        let coming = scope.spawn(|| {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                let place = count % connections.len();
                connections[place] = open(&hook, count);
                count += 1;
            }
            count
        });
        let took = pushes(&hook, 100);
        stop.store(true, Ordering::Relaxed);
        println!("{} connections came meanwhile", coming.join().unwrap());
        took
    });
    report("while more came", &took);
    assert!(took[took.len() - 1] < PROMPT, "{took:?}");
}

#[tokio::test]
async fn large_bodies_take_turns_and_small_ones_do_not_wait_for_them() {
    /// More than are read at a time.
    const SENDERS: usize = 40;
    let operator = patient();
    operator.ready().await;
    let project = Project::new("large-bodies").await;
    let hook = project.quay(&operator).await;
    project.warehouse("storefront", json!([image("quay.io/crowd/app", "^1.0.0")])).await;
    project.settle(&hook).await;
    let mut large = push_body("quay.io/crowd/app", &["1.0.0"]).into_bytes();
    large.resize(200_000, b' ');
    let push = || hook.post(&large);
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(push)).collect();
        for sender in senders {
            let answer = sender.join().unwrap();
            assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
        }
    });
    // Those who have their turn and do not go on.
    let stalled: Vec<_> = (0..SENDERS)
        .map(|_| {
            let mut connection = hook.connect().unwrap();
            connection.send(&head(&format!("POST {}", hook.path), &["Content-Length: 200000"])).unwrap();
            connection.send(&large[..100_000]).unwrap();
            connection
        })
        .collect();
    let took = pushes(&hook, 50);
    report(&format!("while {} large bodies are stalled", stalled.len()), &took);
    assert!(took[took.len() - 1] < PROMPT, "{took:?}");
}
