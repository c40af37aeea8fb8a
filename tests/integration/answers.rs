//! What every answer has in common, and the dry run.

use serde_json::json;

use crate::harness::{Connection, Operator, Project, exchange, get, head, image, push_body};

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let operator = Operator::shared().await;
    let project = Project::new("dry-run").await;
    let hook = project.quay(operator).await;
    project.warehouse("one", json!([image("quay.io/a/b", "^1.0.0")])).await;
    project.warehouse("two", json!([image("quay.io/a/b", ">=1.4.0")])).await;
    project.warehouse("three", json!([image("quay.io/a/b", "^2.0.0")])).await;
    project.settle(&hook).await;
    let dry = |body: String| hook.post_with("?dry-run=true", body);

    let answer = dry(push_body("quay.io/a/b", &["1.4.2"]));
    assert_eq!((answer.status, answer.says().as_str()), (200, "dry run: would refresh 2 warehouse(s)"));
    let body = answer.json();
    let counts = ["subscribed", "matched", "refreshed"].map(|name| body[name].as_u64().unwrap());
    assert_eq!((counts, &body["event"]), ([3, 2, 0], &json!("repo_push")), "{body}");
    assert_eq!(body["notMatched"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>(), 1, "{body}");

    let none = dry(push_body("quay.io/a/b", &["latest"]));
    assert!(none.says().starts_with("dry run: refreshed 0 warehouse(s): 3 warehouse(s) subscribe"), "{none:?}");
    let nobody = dry(push_body("quay.io/a/nobody", &["1.0.0"]));
    assert!(nobody.says().contains("no warehouse within reach of this receiver subscribes"), "{nobody:?}");
    let other = dry(json!({"threshold_percent": 80}).to_string());
    assert!(other.says().starts_with("dry run: event quota acknowledged, nothing to refresh"), "{other:?}");
    assert_eq!(dry("{".to_owned()).status, 400, "a dry run judges the request as ever");
    assert!(project.refreshed().await.is_empty());

    // Only the word `true` makes a dry run.
    assert_eq!(hook.post_with("?dry-run=false", push_body("quay.io/a/b", &["1.4.2"])).json()["refreshed"], 2);
    assert_eq!(project.refreshed().await, ["one", "two"]);
}

#[tokio::test]
async fn every_answer_of_a_receiver_has_a_delivery_id_that_is_also_logged() {
    let operator = Operator::shared().await;
    let project = Project::new("delivery").await;
    let hook = project.quay(operator).await;
    let mut ids = Vec::new();
    let answers = [
        hook.push("quay.io/a/b", &["1.0.0"]),
        hook.post("{"),
        hook.post("{}"),
        exchange(hook.address, &format!("GET {}", hook.path), &[], b"").unwrap(),
    ];
    for (answer, status) in answers.iter().zip([200, 400, 200, 405]) {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let id = answer.header("x-quayside-delivery").unwrap();
        assert_eq!(answer.json()["deliveryId"], id);
        let lines = operator.log().lines().filter(|line| line.contains(&format!(r#""delivery":"{id}""#))).count();
        assert_eq!(lines, 1, "{id}");
        ids.push(id.to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn unknown_paths_all_look_the_same() {
    let operator = Operator::shared().await;
    let project = Project::new("unknown").await;
    let hook = project.quay(operator).await;
    let digits = "0".repeat(64);
    let paths = [
        "/".to_owned(),
        "/hooks".to_owned(),
        "/hooks/quay/".to_owned(),
        format!("/hooks/quay/{digits}"),
        format!("/quay/{digits}"),
        format!("/hooks/github/{digits}"),
        format!("/hooks/msr/{digits}"),
        // The right digest, but not the right path.
        format!("{}/", hook.path),
        hook.path.to_uppercase(),
        hook.path.replace("/quay/", "/harbor/"),
        format!("/other{}", hook.path),
        hook.path[..hook.path.len() - 1].to_owned(),
        "/readyz".to_owned(),
        "/metrics".to_owned(),
    ];
    let anonymous = |answer: crate::harness::Answer| {
        let head = answer.head.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n");
        (head, answer.body)
    };
    let reference = anonymous(exchange(hook.address, "POST /nothing", &[], b"{}").unwrap());
    assert!(reference.0.starts_with("HTTP/1.1 404 ") && reference.1 == "{}\n", "{reference:?}");
    for path in paths {
        for method in ["POST", "GET", "PUT"] {
            let answer = exchange(hook.address, &format!("{method} {path}"), &[], b"{}").unwrap();
            assert_eq!(anonymous(answer), reference, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_receiver_is_found_with_its_base_path_and_when_a_proxy_took_it_off() {
    let operator = Operator::shared().await;
    let project = Project::new("stripped").await;
    let hook = project.quay(operator).await;
    let path = hook.path.strip_prefix("/hooks").unwrap();
    let encoded = hook.path.replace("quay", "%71uay");
    for path in [path, &encoded] {
        let answer =
            exchange(hook.address, &format!("POST {path}"), &[], push_body("quay.io/a/b", &[]).as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test]
async fn health_is_answered_on_the_webhook_port_as_kargo_does() {
    let operator = Operator::shared().await;
    for method in ["GET", "POST", "HEAD"] {
        let answer = exchange(operator.hooks, &format!("{method} /healthz"), &[], b"").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{method}");
    }
    assert_eq!(get(operator.hooks, "/healthz/").status, 404);
}

#[tokio::test]
async fn one_connection_carries_many_deliveries() {
    let operator = Operator::shared().await;
    let project = Project::new("keep-alive").await;
    let hook = project.quay(operator).await;
    let mut connection = Connection::open(hook.address).unwrap();
    let body = push_body("quay.io/a/b", &["1.0.0"]);
    let length = format!("Content-Length: {}", body.len());
    let last = head(&format!("POST {}", hook.path), &[&length]);
    let first = String::from_utf8(last.clone()).unwrap().replace("Connection: close\r\n", "");
    for head in [first.as_bytes(), first.as_bytes(), &last] {
        connection.send(head).unwrap();
        connection.send(body.as_bytes()).unwrap();
    }
    let answer = connection.answer().unwrap();
    let all = format!("{}\r\n\r\n{}", answer.head, answer.body);
    assert_eq!(all.matches("HTTP/1.1 200 OK").count(), 3, "{all}");
}
