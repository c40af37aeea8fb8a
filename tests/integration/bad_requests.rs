//! Requests that no sender should make, each with its clear answer, and a normal push after each.

use crate::harness::{Answer, Connection, Hook, Operator, Project, chunked, exchange, get, head, image, push_body};

const LIMIT: usize = 2 * 1024 * 1024;

/// A valid push of exactly that many bytes.
fn push_of(length: usize) -> Vec<u8> {
    let mut body = push_body("quay.io/a/b", &["1.0.0"]).into_bytes();
    body.resize(length, b' ');
    body
}

fn nested(depth: usize) -> Vec<u8> {
    let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
    format!(r#"{{"docker_url":"quay.io/a/b","updated_tags":["1.0.0"],"z":{open}{close}}}"#).into_bytes()
}

struct Target {
    project: Project,
    operator: &'static Operator,
    hook: Hook,
}

impl Target {
    async fn new(name: &str) -> Self {
        let operator = Operator::shared().await;
        let project = Project::new(name).await;
        let hook = project.quay(operator).await;
        project.warehouse("storefront", serde_json::json!([image("quay.io/a/b", "^1.0.0")])).await;
        project.settle(&hook).await;
        Self { project, operator, hook }
    }

    #[track_caller]
    fn send(&self, method: &str, headers: &[&str], body: &[u8]) -> Answer {
        exchange(self.hook.address, &format!("{method} {}", self.hook.path), headers, body).unwrap()
    }

    /// After whatever came before, an ordinary push does what it should.
    async fn works(&self, after: &str) {
        let before = self.project.tokens().await;
        let answer = self.hook.push("quay.io/a/b", &["1.0.0"]);
        assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"), "after {after}");
        assert!(
            self.project.tokens().await["storefront"] > *before.get("storefront").unwrap_or(&String::new()),
            "{after}"
        );
        assert_eq!(get(self.operator.admin, "/livez").status, 200, "after {after}");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_one_is_allowed() {
    let target = Target::new("bad-method").await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let answer = target.send(method, &[], b"");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(answer.says(), "only POST is accepted");
        target.works(method).await;
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_quay_sends_is_invalid() {
    let target = Target::new("bad-body").await;
    let deep = nested(10_001);
    let bodies: [(&str, &[u8]); 10] = [
        ("an empty body", b""),
        ("white space", b" \n"),
        ("text", b"updated_tags=1.0.0"),
        ("a broken document", br#"{"docker_url":"quay.io/a/b","#),
        ("two documents", b"{} {}"),
        ("a repository that is a number", br#"{"docker_url":7}"#),
        ("a repository that is a list", br#"{"docker_url":["quay.io/a/b"]}"#),
        ("a repository that is an object", br#"{"docker_url":{}}"#),
        ("a control character", b"{\"docker_url\":\"quay.io/\x01\"}"),
        ("nesting beyond 10,000", &deep),
    ];
    for (what, body) in bodies {
        let answer = target.send("POST", &["Content-Type: application/json"], body);
        assert_eq!((answer.status, answer.says().as_str()), (400, "invalid request body"), "{what}");
        target.works(what).await;
    }
}

#[tokio::test]
async fn odd_bodies_that_say_enough_are_understood() {
    let target = Target::new("odd-body").await;
    let deepest = nested(10_000);
    let bodies: [(&str, &[u8]); 6] = [
        ("nesting of 10,000", &deepest),
        (
            "invalid UTF-8",
            b"{\"docker_url\":\"quay.io/a/b\",\"updated_tags\":[\"1.0.0\",\"\xff\xfe\"],\"z\":\"\xc3\x28\"}",
        ),
        ("a lone surrogate", br#"{"docker_url":"quay.io/a/b","updated_tags":["1.0.0"],"z":"\ud800"}"#),
        ("a number beyond all bounds", br#"{"docker_url":"quay.io/a/b","updated_tags":["1.0.0"],"z":1e999}"#),
        ("other members and cases", br#"{"Docker_URL":"quay.io/a/b","updated_tags":["1.0.0"],"more":{"a":[]}}"#),
        ("no content type", br#"{"docker_url":"quay.io/a/b","updated_tags":["1.0.0"]}"#),
    ];
    for (what, body) in bodies {
        let answer = target.send("POST", &[], body);
        assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"), "{what}");
    }
    // The result of a POST template that is nothing but the repository refreshes every subscriber.
    let answer = target.hook.post(r#""quay.io/a/b""#);
    assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"));
    // Authentic, but without anything to go by: a refusal would switch the hook off.
    let nothing = ["null", "{}", r#"{"docker_url":null}"#, r#"{"docker_url":""}"#, r#"{"updated_tags":["1.0.0"]}"#];
    for body in nothing.into_iter().chain(["[]", "7", "\u{feff}{}"]) {
        let answer = target.hook.post(body);
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        assert!(answer.says().contains("the body names no repository"), "{body}: {answer:?}");
    }
}

#[tokio::test]
async fn two_mebibytes_are_accepted_and_one_byte_more_is_too_large() {
    let target = Target::new("large").await;
    for header in ["Accept: */*", "Transfer-Encoding: chunked"] {
        let framed = |body: &[u8]| if header.starts_with("Transfer") { chunked(body) } else { body.to_vec() };
        let answer = target.send("POST", &[header], &framed(&push_of(LIMIT)));
        assert_eq!((answer.status, answer.says().as_str()), (200, "refreshed 1 warehouse(s)"), "{header}");
        for length in [LIMIT + 1, 3 * 1024 * 1024] {
            let answer = target.send("POST", &[header], &framed(&push_of(length)));
            let expected = (413, "content exceeds limit of 2097152 bytes");
            assert_eq!((answer.status, answer.says().as_str()), expected, "{length} bytes, {header}");
            assert_eq!(answer.header("connection"), Some("close"));
            target.works(header).await;
        }
    }
}

#[tokio::test]
async fn a_sender_that_asks_first_is_refused_before_it_sends_too_much() {
    let target = Target::new("expect").await;
    let request = head(&format!("POST {}", target.hook.path), &["Content-Length: 3145728", "Expect: 100-continue"]);
    let mut connection = Connection::open(target.hook.address).unwrap();
    connection.send(&request).unwrap();
    assert_eq!(connection.answer().unwrap().status, 413);
    target.works("a refused question").await;
}

#[tokio::test]
async fn what_is_not_http_harms_nobody() {
    let target = Target::new("not-http").await;
    let path = &target.hook.path;
    let long = format!("POST {path} HTTP/1.1\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("POST {path} HTTP/1.1\r\n{}\r\n", "X-Many: 1\r\n".repeat(1_000));
    let requests: [(&str, &[u8]); 7] = [
        ("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("text", b"hello\r\n\r\n"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a length that is no number", b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: many\r\n\r\n"),
        ("two framings", b"POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n{}  "),
        ("a head without end", long.as_bytes()),
        ("too many headers", many.as_bytes()),
    ];
    for (what, bytes) in requests {
        let mut connection = Connection::open(target.hook.address).unwrap();
        // It may be closed before everything is sent.
        drop(connection.send(bytes));
        if let Ok(answer) = connection.answer() {
            assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
        }
        target.works(what).await;
    }
}

#[tokio::test]
async fn a_sender_that_goes_away_in_the_middle_is_forgotten() {
    let target = Target::new("aborted").await;
    for _ in 0..20 {
        let mut connection = Connection::open(target.hook.address).unwrap();
        connection.send(&head(&format!("POST {}", target.hook.path), &["Content-Length: 1000"])).unwrap();
        connection.send(br#"{"docker_url":"quay.io/a/b","#).unwrap();
        connection.abort();
    }
    target.works("senders that went away").await;
    assert_eq!(target.project.refreshed().await, ["storefront"]);
}
