use super::*;

const BODY: &str = "{\n  \"ref\": \"refs/heads/main\"\n}";

fn check(capture: &str, path: Option<&str>) {
    let captured = read(capture.as_bytes()).unwrap_or_else(|error| panic!("{error:#}: {capture}"));
    assert_eq!(captured.method, Method::POST, "{capture}");
    assert_eq!(captured.path.as_deref(), path, "{capture}");
    assert_eq!(captured.headers["x-github-event"], "push", "{capture}");
    assert_eq!(String::from_utf8(captured.body).unwrap(), BODY, "{capture}");
}

#[test]
fn a_request_is_read_in_every_form_in_which_people_have_it() {
    let path = Some("/hooks/github/ab");
    let length = BODY.len();
    for raw in [
        format!("POST /hooks/github/ab HTTP/1.1\r\nX-GitHub-Event: push\r\nContent-Length: {length}\r\n\r\n{BODY}"),
        format!("POST https://h/hooks/github/ab\nX-GitHub-Event: push\n\n{BODY}\n"),
        format!("POST /hooks/github/ab HTTP/1.1\nX-GitHub-Event: push\nContent-Length: {length}\n\n{BODY}\n\n"),
        format!(
            ":method: POST\n:scheme: https\n:authority: h\n:path: /hooks/github/ab\nx-github-event: push\n\n{BODY}"
        ),
        format!(
            "Request URL: https://h/hooks/github/ab\nRequest method: POST\nX-GitHub-Event: push\n\nPayload\n\n{BODY}"
        ),
        format!("Headers\nRequest URL: http://h/hooks/github/ab\nX-GitHub-Event: push\nContent\n{BODY}\n"),
    ] {
        check(&raw, path);
    }
    check(&format!("X-GitHub-Event: push\n\n{BODY}\n"), None);
    let curl = format!(
        "*   Trying 127.0.0.1:80...\n> POST /hooks/github/ab HTTP/1.1\n> Host: h\n> X-GitHub-Event: push\n>\n\
         }} [29 bytes data]\n{BODY}\n< HTTP/1.1 200 OK\n< content-length: 2\n<\n{{}}"
    );
    check(&curl, path);
}

#[test]
fn json_logs_and_har_are_read() {
    let path = Some("/hooks/github/ab");
    let url = "https://h/hooks/github/ab?x=1";
    let har = |text: &str, encoding: Value| {
        let headers = serde_json::json!([{"name": "X-GitHub-Event", "value": "push"}]);
        let post = serde_json::json!({"text": text, "encoding": encoding});
        let request = serde_json::json!({"method": "POST", "url": url, "headers": headers, "postData": post});
        serde_json::json!({"log": {"entries": [{"request": {"method": "GET"}}, {"request": request}]}}).to_string()
    };
    check(&har(BODY, Value::Null), path);
    check(&har(&BASE64_STANDARD.encode(BODY), "base64".into()), path);
    let log =
        serde_json::json!({"url": url, "http_method": "POST", "headers": {"X-GitHub-Event": "push"}, "body": BODY});
    check(&log.to_string(), path);
    let github = serde_json::json!({"request": {"headers": {"X-GitHub-Event": "push"}, "payload": {"ref": "a"}}});
    assert_eq!(read(github.to_string().as_bytes()).unwrap().body, br#"{"ref":"a"}"#);
}

#[test]
fn a_chunked_body_is_put_together_and_a_changed_one_is_refused() {
    let chunked = "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    assert_eq!(read(chunked.as_bytes()).unwrap().body, b"abcde");
    let captured = read(b"POST /a?dry-run=true HTTP/1.1\nContent-Length: 9\n\nabc").unwrap();
    assert_eq!((captured.query.as_deref(), captured.body.as_slice()), (Some("dry-run=true"), &b"abc"[..]));
    for unreadable in ["", "{}", "hello", "POST /a HTTP/1.1\nContent-Length: 1\n\nabc", "\u{1}: a\n\nb"] {
        assert!(read(unreadable.as_bytes()).is_err(), "{unreadable:?}");
    }
}
