//! Requests that try to mean two things at once, or more than fits. Each has a safe answer, never a 5xx and never
//! silence.

use std::time::{Duration, Instant};

use crate::harness::{Answer, Connection, Hook, Operator, Project, SOON, chunked, exchange, push_body, wait_until};

/// Far below every time limit: nothing here needs one to end.
const PROMPT: Duration = Duration::from_secs(8);

async fn hook(name: &str) -> Hook {
    let operator = Operator::shared().await;
    Project::new(name).await.quay(operator).await
}

fn push() -> String {
    push_body("quay.io/nobody/subscribes", &["1.0.0"])
}

/// A request as it stands, for the receiver.
fn request(hook: &Hook, headers: &[&str], body: &str) -> Vec<u8> {
    let head: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    format!("POST {} HTTP/1.1\r\nHost: h\r\n{head}\r\n{body}", hook.path).into_bytes()
}

/// Sends bytes and a question whether the server still listens, and reads everything that comes.
fn send(hook: &Hook, bytes: &[u8]) -> String {
    let began = Instant::now();
    let mut connection = hook.connect().unwrap();
    // It may be closed before everything is sent.
    drop(connection.send(bytes));
    drop(connection.send(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    let text =
        connection.answer().map_or_else(|_| String::new(), |answer| format!("{}\r\n\r\n{}", answer.head, answer.body));
    assert!(
        began.elapsed() < PROMPT,
        "{:?} took {:?}",
        String::from_utf8_lossy(&bytes[..bytes.len().min(300)]),
        began.elapsed()
    );
    text
}

/// The statuses of all answers in a text.
fn statuses(text: &str) -> Vec<u16> {
    text.split("HTTP/1.").skip(1).filter_map(|answer| answer.get(2..5)?.parse().ok()).collect()
}

/// What it is, its headers and its body, and the statuses that may come, each a list.
type Case<'a> = (&'a str, &'a [&'a str], &'a str, &'a [&'a [u16]]);

#[tokio::test]
async fn a_request_with_two_lengths_means_one_thing_or_is_refused() {
    let hook = hook("smuggling").await;
    let body = push();
    let length = format!("Content-Length: {}", body.len());
    let chunks = String::from_utf8(chunked(body.as_bytes())).unwrap();
    let smuggled = format!("{chunks}POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", hook.path);
    let both = format!("Content-Length: {}", smuggled.len());
    let (te, many) = ("Transfer-Encoding: chunked", "Content-Length: 18446744073709551616");
    // The server stops reading from a client that it refused; nothing that follows is taken for a request.
    let refused: &[&[u16]] = &[&[400], &[]];
    let cases: [Case<'_>; 18] = [
        ("no trick", &[&length], &body, &[&[200, 200]]),
        ("the same length twice", &[&length, &length], &body, &[&[200, 200], &[400]]),
        ("two lengths", &[&length, "Content-Length: 3"], &body, refused),
        ("two lengths, the other way round", &["Content-Length: 3", &length], &body, refused),
        ("a list of lengths", &["Content-Length: 3, 3"], "abc", refused),
        ("a signed length", &["Content-Length: +3"], "abc", refused),
        ("a negative length", &["Content-Length: -3"], "abc", refused),
        ("a hexadecimal length", &["Content-Length: 0x3"], "abc", refused),
        ("a length beyond all bounds", &[many], "abc", refused),
        ("length and chunks", &[&both, te], &smuggled, &[&[200], &[400]]),
        ("chunks and length", &[te, &both], &smuggled, &[&[200], &[400]]),
        ("chunked twice", &[te, te], &chunks, &[&[200, 200], &[200], &[400]]),
        ("an unknown encoding", &["Transfer-Encoding: xchunked"], &chunks, refused),
        ("chunks that are not the last encoding", &["Transfer-Encoding: chunked, identity"], &chunks, refused),
        ("a space before the colon", &["Transfer-Encoding : chunked"], &chunks, refused),
        ("a chunk of impossible size", &[te], "ffffffffffffffffff\r\n", refused),
        ("a chunk size that is no number", &[te], "zz\r\nabc\r\n0\r\n\r\n", refused),
        ("a chunk longer than it says", &[te], "1\r\nabc\r\n0\r\n\r\n", refused),
    ];
    for (what, headers, body, allowed) in cases {
        let found = statuses(&send(&hook, &request(&hook, headers, body)));
        let fine = allowed.contains(&found.as_slice()) || (allowed == refused && found == [408]);
        assert!(fine, "{what}: {found:?}, expected one of {allowed:?}");
    }
}

#[tokio::test]
async fn malformed_heads_are_refused_at_once() {
    let hook = hook("malformed").await;
    let path = &hook.path;
    let long = format!("POST {path}?{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(70_000));
    let wide = format!("POST {path} HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    let many = format!("POST {path} HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: 1\r\n".repeat(101));
    let endless = format!("POST {path} HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(100_000));
    let trailers = format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n{}\r\n",
        format!("X: {}\r\n", "x".repeat(1000)).repeat(1000)
    );
    let extensions = format!(
        "POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;{}\r\n{{}}\r\n0\r\n\r\n",
        "x".repeat(100_000)
    );
    let simple = |head: &str| format!("POST {path} {head}\r\n\r\n").into_bytes();
    let cases: [(&str, Vec<u8>, &[u16]); 22] = [
        ("a target without end", long.into_bytes(), &[414, 431]),
        ("a header without end", wide.into_bytes(), &[431]),
        ("a head without end", endless.into_bytes(), &[431]),
        ("too many headers", many.into_bytes(), &[431, 400]),
        ("trailers without end", trailers.into_bytes(), &[400, 408, 431]),
        ("a chunk extension without end", extensions.into_bytes(), &[400, 408, 431]),
        ("a folded header", simple("HTTP/1.1\r\nHost: h\r\nX: 1\r\n 2"), &[400]),
        ("NUL in a header", simple("HTTP/1.1\r\nHost: h\r\nX: a\0b"), &[400]),
        ("NUL in a name", simple("HTTP/1.1\r\nHost: h\r\nX\0: a"), &[400]),
        ("NUL in the target", format!("POST {path}\0 HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes(), &[400]),
        ("a lone carriage return", simple("HTTP/1.1\r\nHost: h\r\nX: a\rY: b"), &[400]),
        ("a header without a colon", simple("HTTP/1.1\r\nHost: h\r\nX"), &[400]),
        ("a header without a name", simple("HTTP/1.1\r\nHost: h\r\n: x"), &[400]),
        ("a space in the target", format!("POST {path} x HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes(), &[400]),
        ("no version", simple(""), &[400]),
        ("HTTP/0.9", format!("POST {path}\r\n\r\n").into_bytes(), &[400]),
        ("HTTP/2.0", simple("HTTP/2.0\r\nHost: h"), &[400, 505]),
        ("HTTP/1.9", simple("HTTP/1.9\r\nHost: h"), &[400]),
        ("a method that is none", format!("PO(ST {path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes(), &[400]),
        ("a relative target", b"POST quay/abc HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(), &[400, 404]),
        ("bytes that are no text", b"\xff\xfe\xfd POST / HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        ("nothing but line ends", b"\r\n\r\n\r\n\r\n".to_vec(), &[200, 400]),
    ];
    for (what, bytes, allowed) in cases {
        let found = statuses(&send(&hook, &bytes));
        // A client that still sends may be reset before the answer reaches it.
        assert!(found.iter().all(|status| *status < 500 || *status == 505), "{what}: {found:?}");
        assert!(found.first().is_none_or(|first| allowed.contains(first)), "{what}: {found:?}, not {allowed:?}");
        assert!(found.len() <= 1, "{what}: what follows was taken for a request: {found:?}");
    }
}

#[tokio::test]
async fn unusual_heads_that_mean_one_thing_are_understood() {
    let hook = hook("unusual").await;
    let (path, body) = (&hook.path, push());
    let length = body.len();
    let with =
        |line: &str, headers: &str| format!("{line}\r\n{headers}Content-Length: {length}\r\n\r\n{body}").into_bytes();
    let cases: [(&str, Vec<u8>); 10] = [
        ("an absolute target", with(&format!("POST http://hooks.example.com{path} HTTP/1.1"), "Host: h\r\n")),
        (
            "an absolute target with https",
            with(&format!("POST https://other.example.com:8443{path} HTTP/1.1"), "Host: h\r\n"),
        ),
        ("no Host", with(&format!("POST {path} HTTP/1.1"), "")),
        ("two Hosts", with(&format!("POST {path} HTTP/1.1"), "Host: a\r\nHost: b\r\n")),
        ("an expectation nobody knows", with(&format!("POST {path} HTTP/1.1"), "Expect: the-unexpected\r\n")),
        (
            "an upgrade to HTTP/2",
            with(
                &format!("POST {path} HTTP/1.1"),
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
            ),
        ),
        (
            "an upgrade to a WebSocket",
            with(&format!("POST {path} HTTP/1.1"), "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        ),
        ("bytes beyond ASCII in a header", with(&format!("POST {path} HTTP/1.1"), "X: \u{e4}\u{20ac}\r\n")),
        (
            "line ends before the request",
            [b"\r\n\r\n".to_vec(), with(&format!("POST {path} HTTP/1.1"), "Host: h\r\n")].concat(),
        ),
        ("bare line feeds", with(&format!("POST {path} HTTP/1.1"), "Host: h\r\n").replace_crlf()),
    ];
    for (what, bytes) in cases {
        let text = send(&hook, &bytes);
        let found = statuses(&text);
        assert!(found == [200, 200] || (what == "bare line feeds" && found == [400]), "{what}: {found:?}");
        assert!(found == [400] || text.contains("no warehouse within reach"), "{what}: {text}");
    }
    for (target, expected) in [("CONNECT hooks.example.com:443", 404), ("OPTIONS *", 404), ("TRACE /", 404)] {
        let answer = exchange(hook.address, target, &[], b"").unwrap();
        assert_eq!(answer.status, expected, "{target}: {answer:?}");
    }
}

trait ReplaceCrlf {
    fn replace_crlf(self) -> Vec<u8>;
}

impl ReplaceCrlf for Vec<u8> {
    fn replace_crlf(self) -> Vec<u8> {
        String::from_utf8(self).unwrap().replace("\r\n", "\n").into_bytes()
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_kept_open_only_if_it_asks() {
    let hook = hook("http-1-0").await;
    let body = push();
    let request = |headers: &str| {
        format!("POST {} HTTP/1.0\r\n{headers}Content-Length: {}\r\n\r\n{body}", hook.path, body.len()).into_bytes()
    };
    let mut connection = hook.connect().unwrap();
    connection.send(&request("")).unwrap();
    let answer: Answer = connection.answer().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut connection = hook.connect().unwrap();
    for _ in 0..2 {
        connection.send(&request("Connection: keep-alive\r\n")).unwrap();
        assert_eq!(connection.next_answer().unwrap().status, 200);
    }
    let mut connection = hook.connect().unwrap();
    connection
        .send(format!("POST {} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", hook.path).as_bytes())
        .unwrap();
    if let Ok(answer) = connection.answer() {
        assert_eq!(answer.status, 400, "{answer:?}");
    }
}

#[tokio::test]
async fn requests_that_are_sent_without_waiting_are_answered_in_their_order() {
    let hook = hook("pipelining").await;
    let (body, bad) = (push(), "not json");
    let good = request(&hook, &[&format!("Content-Length: {}", body.len())], &body);
    let wrong = request(&hook, &[&format!("Content-Length: {}", bad.len())], bad);
    let nowhere = b"POST /hooks/nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    let chunks = [request(&hook, &["Transfer-Encoding: chunked"], ""), chunked(body.as_bytes())].concat();
    let mut connection = hook.connect().unwrap();
    connection.send(&[&*good, &wrong, &nowhere, &chunks, &good].concat()).unwrap();
    let statuses: Vec<u16> = (0..5).map(|_| connection.next_answer().unwrap().status).collect();
    assert_eq!(statuses, [200, 400, 404, 200, 200]);
    // A hundred of them, which do not fit into one buffer.
    connection.send(&good.repeat(100)).unwrap();
    assert!((0..100).all(|_| connection.next_answer().unwrap().status == 200));
}

/// A sender that writes before it reads must see the answer, and the connection goes on.
#[tokio::test]
async fn a_large_body_that_nobody_needs_resets_no_connection() {
    let hook = hook("unwanted").await;
    let large = " ".repeat(2 * 1024 * 1024 + 1);
    let length = format!("Content-Length: {}", large.len());
    let mut connection = hook.connect().unwrap();
    let body = push();
    let good = request(&hook, &[&format!("Content-Length: {}", body.len())], &body);
    // The last one ends the connection, as Kargo's does.
    for (line, status) in
        [("POST /hooks/nowhere", 404), (&*format!("PUT {}", hook.path), 405), (&format!("POST {}", hook.path), 413)]
    {
        connection.send(&good).unwrap();
        assert_eq!(connection.next_answer().unwrap().status, 200);
        connection.send(format!("{line} HTTP/1.1\r\nHost: h\r\n{length}\r\n\r\n{large}").as_bytes()).unwrap();
        assert_eq!(connection.next_answer().unwrap().status, status, "{line}");
    }
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_to_go_on() {
    let hook = hook("continue").await;
    let body = push();
    let length = format!("Content-Length: {}", body.len());
    let mut connection = hook.connect().unwrap();
    connection.send(&request(&hook, &[&length, "Expect: 100-continue"], "")).unwrap();
    assert_eq!(connection.next_answer().unwrap().status, 100);
    connection.send(body.as_bytes()).unwrap();
    assert_eq!(connection.next_answer().unwrap().status, 200);
    // A request to an unknown path is not invited to continue.
    connection
        .send(b"POST /hooks/nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    assert_eq!(connection.next_answer().unwrap().status, 404);
}

#[tokio::test]
async fn a_sender_that_closes_its_half_is_answered_and_then_forgotten() {
    let operator = Operator::shared().await;
    let project = Project::new("half-closed").await;
    let hook = project.quay(operator).await;
    let body = push();
    let mut connection = hook.connect().unwrap();
    connection.send(&request(&hook, &[&format!("Content-Length: {}", body.len())], &body)).unwrap();
    connection.finish().unwrap();
    assert_eq!(connection.answer().unwrap().status, 200);
    // In the middle of a head or of a body, there is nothing left to wait for.
    for begun in [&b"POST /hooks"[..], &request(&hook, &["Content-Length: 1000"], "{")] {
        let began = Instant::now();
        let mut connection = Connection::open(hook.address).unwrap();
        connection.send(begun).unwrap();
        connection.finish().unwrap();
        drop(connection.answer());
        assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
    }
    wait_until("nobody is connected", SOON, async || (hook.probe() == Some(200)).then_some(())).await;
}
