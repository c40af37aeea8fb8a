//! Senders that take their time: each holds a connection, and none for ever. These tests take as long as the limits.

use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Connection, ControlPlane, Operator, Project, Setup, head, push_body, wait_until};

/// The limit for a head as well as for a body, and some time on top for a busy machine.
const LIMIT: Duration = Duration::from_secs(10);
const LATEST: Duration = Duration::from_secs(20);

#[tokio::test]
async fn slow_senders_are_cut_off_and_delay_nobody() {
    let operator = Operator::shared().await;
    let project = Project::new("slow").await;
    let hook = project.quay(operator).await;
    let head = head(&format!("POST {}", hook.path), &["Content-Length: 1000"]);
    let open = |bytes: &[u8]| {
        let mut connection = Connection::open(hook.address).unwrap();
        connection.send(bytes).unwrap();
        connection
    };
    let began = Instant::now();
    let (silent, half_a_head) = (open(b""), open(&head[..20]));
    let mut half_a_body = open(&head);
    half_a_body.send(b"{\"docker_url\":").unwrap();
    let mut crowd: Vec<Connection> = (0..200).map(|_| open(&head)).collect();
    assert_eq!(hook.push("quay.io/a/b", &["1.0.0"]).status, 200);

    let answers: Vec<_> = thread::scope(|scope| {
        let waiting = [silent, half_a_head, half_a_body].map(|connection| scope.spawn(|| connection.answer()));
        waiting.into_iter().map(|waiting| waiting.join().unwrap()).collect()
    });
    let took = began.elapsed();
    assert!(LIMIT <= took && took < LATEST, "{took:?}");
    assert!(answers[0].is_err(), "nothing was asked, so nothing is answered: {:?}", answers[0]);
    if let Ok(answer) = &answers[1] {
        assert_eq!(answer.status, 408, "{answer:?}");
    }
    let answer = answers[2].as_ref().unwrap();
    assert_eq!((answer.status, answer.says().as_str()), (408, "the request body did not arrive in time"));
    let answer = crowd.pop().unwrap().answer().unwrap();
    assert_eq!(answer.status, 408);
    assert_eq!(hook.push("quay.io/a/b", &["1.0.0"]).status, 200);
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off_and_a_connection_that_rests_is_kept() {
    let operator = Operator::shared().await;
    let project = Project::new("dripping").await;
    let hook = project.quay(operator).await;
    let request = format!("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{{}}", hook.path);
    let mut rests = Connection::open(hook.address).unwrap();
    rests.send(request.as_bytes()).unwrap();
    assert_eq!(rests.next_answer().unwrap().status, 200);

    let began = Instant::now();
    let mut drips = Connection::open(hook.address).unwrap();
    drips.send(format!("POST {} HTTP/1.1\r\nX: ", hook.path).as_bytes()).unwrap();
    wait_until("the dripping head is cut off", LATEST, async || drips.send(b"x").is_err().then_some(())).await;
    assert!(began.elapsed() >= LIMIT, "{:?}", began.elapsed());

    // Proxies keep their connections for a minute and more.
    rests.send(request.as_bytes()).unwrap();
    assert_eq!(rests.next_answer().unwrap().status, 200);
}

#[tokio::test]
async fn large_bodies_that_trickle_keep_no_other_receivers_from_being_read() {
    // An eighth of it is for large bodies, which is four of the largest.
    let operator = Operator::start(Setup::on(ControlPlane::shared()).with(["--memory-budget", "64Mi"]));
    operator.ready().await;
    let (trickling, prompt) = (Project::new("trickling").await, Project::new("prompt").await);
    let (trickles, hook) = (trickling.quay(&operator).await, prompt.quay(&operator).await);
    let head = head(&format!("POST {}", trickles.path), &["Content-Length: 2000000"]);
    let open = |_| {
        let mut connection = Connection::open(trickles.address).unwrap();
        connection.send(&[&head[..], &[b' '; 50_000]].concat()).unwrap();
        connection
    };
    let slow: Vec<Connection> = (0..32).map(open).collect();
    let body = format!("{}{}", push_body("quay.io/a/b", &["1.0.0"]), " ".repeat(1_900_000));
    for _ in 0..3 {
        assert_eq!(hook.post(&body).status, 200);
    }
    for connection in slow {
        assert_eq!(connection.answer().unwrap().status, 408);
    }
}
