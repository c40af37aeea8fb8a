use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream as Client};
use std::time::{Duration, Instant};

use axum::routing::post;
use tokio::task::JoinHandle;

use super::*;

const SOON: Duration = Duration::from_secs(30);

struct Served {
    address: SocketAddr,
    metrics: ConnectionMetrics,
    stop: CancellationToken,
    server: JoinHandle<usize>,
}

/// A port whose `/known` is like a receiver, and whose `/panics` has a fault.
fn serve_here() -> Served {
    let answer = || async { ([(DELIVERY_HEADER, "1")], "known") };
    let router = Router::new()
        .route("/known", post(answer))
        .route("/panics", post(async || -> StatusCode { panic!("hidden") }))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let (metrics, stop) = (ConnectionMetrics::default(), CancellationToken::new());
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let lanes = vec![(Handle::current(), router)];
    let memory = Memory::new(1 << 28);
    let server = tokio::spawn(serve(listener, Entrance::default(), lanes, memory, metrics.clone(), stop.clone(), SOON));
    Served { address, metrics, stop, server }
}

fn connect(served: &Served) -> Client {
    let stream = Client::connect(served.address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// Sends a request with a large head, and reads the head of the answer.
fn ask(stream: &mut Client, path: &str) -> String {
    let filler = "x".repeat(20_000);
    let request = format!("POST {path} HTTP/1.1\r\nHost: h\r\nX: {filler}\r\nContent-Length: 2\r\n\r\n{{}}");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains("\r\n\r\n") {
        let read = stream.read(&mut bytes).unwrap();
        assert!(read > 0, "the connection ended: {text}");
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    text
}

async fn until_it_rests(served: &Served) {
    let began = Instant::now();
    while served.metrics.resting.get() == 0 {
        assert!(began.elapsed() < SOON, "it does not rest");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_costs_its_own_request_only() {
    let served = serve_here();
    let mut other = connect(&served);
    assert!(ask(&mut other, "/known").starts_with("HTTP/1.1 200"));
    for count in 1..=2 {
        let mut stream = connect(&served);
        let answer = ask(&mut stream, "/panics");
        assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("connection: close"), "{answer}");
        assert!(!answer.contains("hidden"));
        assert_eq!(served.metrics.panics.get(), count);
    }
    assert!(ask(&mut other, "/known").starts_with("HTTP/1.1 200"));
    served.stop.cancel();
    assert_eq!(served.server.await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_goes_on_after_its_rest_and_a_resting_one_holds_up_no_drain() {
    let served = serve_here();
    let mut stream = connect(&served);
    for path in ["/known", "/elsewhere", "/known"] {
        let expected = if path == "/known" { "HTTP/1.1 200" } else { "HTTP/1.1 404" };
        assert!(ask(&mut stream, path).starts_with(expected));
        until_it_rests(&served).await;
    }
    served.stop.cancel();
    assert_eq!(served.server.await.unwrap(), 0);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

#[test]
fn only_a_broken_listener_ends_the_loop() {
    for errno in [Errno::BADF, Errno::INVAL] {
        assert!(is_fatal(&errno.into()));
    }
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::CONNABORTED, Errno::PERM, Errno::NETDOWN] {
        assert!(!is_fatal(&errno.into()));
    }
}
