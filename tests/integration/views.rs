//! What people see of deliveries: `deliveries`, `delivery`, `why` and the page, over a running operator.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Hook, Operator, Project, SOON, get, image, wait_until};

/// Runs a subcommand that asks the operator's views, in JSON.
fn asked<const N: usize>(operator: &Operator, arguments: [&str; N]) -> Value {
    let server = format!("http://{}", operator.views);
    let mut command = Command::new(env!("CARGO_BIN_EXE_quayside"));
    let output = command.args(arguments).args(["--server", &server, "-o", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A project with one receiver and one Warehouse.
async fn world(name: &str, operator: &'static Operator) -> (Project, Hook) {
    let project = Project::new(name).await;
    let hook = project.quay(operator).await;
    project.warehouse("app", json!([image("quay.io/northwind/storefront", "^1.0.0")])).await;
    project.settle(&hook).await;
    (project, hook)
}

#[tokio::test]
async fn every_delivery_is_remembered_with_what_came_of_it() {
    let operator = Operator::shared().await;
    let (project, hook) = world("deliveries", operator).await;
    let namespace = &project.namespace;
    let pushed = hook.push("quay.io/northwind/storefront", &["1.4.2"]);
    let refused = hook.push("quay.io/northwind/storefront", &["3.0.0"]);
    let (pushed, refused) = (pushed.json()["deliveryId"].clone(), refused.json()["deliveryId"].clone());

    let receiver = format!("{namespace}/quay");
    let listed = asked(operator, ["deliveries", "--receiver", &receiver]);
    let listed = listed["deliveries"].as_array().unwrap();
    assert_eq!((&listed[0]["id"], &listed[1]["id"]), (&refused, &pushed), "the newest first");
    assert_eq!(listed[0]["outcome"], "no_match");
    let delivery = asked(operator, ["delivery", pushed.as_str().unwrap()]);
    assert_eq!(delivery["outcome"], "refreshed");
    assert_eq!(delivery["qualifiers"]["first"], json!(["1.4.2"]));
    let refresh = &delivery["refreshes"][0];
    assert_eq!((&refresh["namespace"], &refresh["name"]), (&json!(namespace), &json!("app")));
    assert_ne!(refresh["state"], "owed");

    let only = asked(operator, ["deliveries", "--receiver", &receiver, "--outcome", "refreshed"]);
    assert_eq!(only["deliveries"].as_array().unwrap().len(), 1);
    let unknown = Command::new(env!("CARGO_BIN_EXE_quayside"))
        .args(["delivery", "0000000000000000", "--server", &format!("http://{}", operator.views)])
        .output()
        .unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no replica remembers delivery"));
}

#[tokio::test]
async fn why_answers_in_one_sentence() {
    let operator = Operator::shared().await;
    let (project, hook) = {
        let project = Project::new("why").await;
        let hook = project.quay(operator).await;
        (project, hook)
    };
    // Of its own, because the operator remembers what other tests push.
    let repository = format!("northwind/{}", project.namespace);
    project.warehouse("app", json!([image(&format!("quay.io/{repository}"), "^1.0.0")])).await;
    project.settle(&hook).await;
    let warehouse = format!("{}/app", project.namespace);
    let answer = |expected: &str| {
        let view = asked(operator, ["why", &warehouse]);
        let answer = view["answer"].as_str().unwrap();
        assert!(answer.contains(expected), "{answer:?} should contain {expected:?}");
    };
    answer("No delivery since");
    hook.push(&format!("quay.corp.example.com/{repository}"), &["1.4.2"]);
    answer("add the alias quay.corp.example.com=quay.io");
    hook.push(&format!("quay.io/{repository}"), &["3.0.0"]);
    answer("did not refresh it: tag \"3.0.0\" does not satisfy constraint \"^1.0.0\"");
    hook.push(&format!("quay.io/{repository}"), &["1.4.2"]);
    answer("refreshed it");
    let view = asked(operator, ["why", &format!("{}/absent", project.namespace)]);
    assert!(view["answer"].as_str().unwrap().contains("knows no Warehouse"), "{view}");
}

#[tokio::test]
async fn new_deliveries_can_be_followed() {
    let operator = Operator::shared().await;
    let (project, hook) = world("followed", operator).await;
    let receiver = format!("{}/quay", project.namespace);
    let mut follower = Command::new(env!("CARGO_BIN_EXE_quayside"))
        .args(["deliveries", "--follow", "--receiver", &receiver, "--server", &format!("http://{}", operator.views)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    // What is remembered comes first, so from here on the stream is open.
    lines.next().unwrap().unwrap();
    let id = hook.push("quay.io/northwind/storefront", &["1.4.2"]).json()["deliveryId"].as_str().unwrap().to_owned();
    let line = lines.map_while(Result::ok).find(|line| line.contains(&id)).unwrap();
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert!(line.contains("refreshed"), "{line}");
}

#[tokio::test]
async fn a_receivers_url_is_in_no_view() {
    let operator = Operator::shared().await;
    let (project, hook) = world("no-url", operator).await;
    let id = hook.push("quay.io/northwind/storefront", &["1.4.2"]).json()["deliveryId"].as_str().unwrap().to_owned();
    let warehouse = format!("warehouses/{}/app", project.namespace);
    for path in [
        "/".to_owned(),
        format!("/deliveries/{id}"),
        format!("/{warehouse}"),
        format!("/api/v1/{warehouse}"),
        "/api/v1/deliveries?limit=1000".to_owned(),
        "/api/v1/receivers".to_owned(),
        "/api/v1/health".to_owned(),
        "/checks".to_owned(),
        "/api/v1/checks".to_owned(),
    ] {
        let answer = get(operator.views, &path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.is_empty() && !answer.body.contains(hook.digest()), "{path}");
    }
}

#[tokio::test]
async fn refused_requests_are_remembered_under_the_receiver_that_they_meant() {
    let operator = Operator::shared().await;
    let (project, hook) = world("refused", operator).await;
    assert_eq!(hook.post(b"no JSON").status, 400);
    let receiver = format!("{}/quay", project.namespace);
    wait_until("the refusal is listed", SOON, async || {
        let listed = asked(operator, ["deliveries", "--receiver", &receiver, "--outcome", "invalid_body"]);
        (listed["deliveries"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
}
