//! Requests of no particular sender: what the actions of a generic receiver select is refreshed, and nothing else.

use serde_json::{Value, json};

use crate::harness::{Hook, Operator, Project, SOON, exchange, image, quay_receiver, quayside, wait_until};

const REPOSITORY: &str = "registry.example.com/northwind/storefront";

/// The address of the generic receiver of that name; its project has a Quay receiver besides, to settle by.
async fn serve(project: &Project, operator: &Operator, actions: Value) -> (Hook, Hook) {
    let secret = format!("a long enough secret of {}", project.namespace);
    project.secret("hook", &secret).await;
    let generic = json!({"name": "any", "generic": {"secretRef": {"name": "hook"}, "actions": actions}});
    project.receivers(json!([generic, quay_receiver("quay", "hook")])).await;
    let quay = project.hook(operator, "quay", &secret);
    let any = project.hook(operator, "any", &secret);
    let any = any.of("generic");
    quay.served().await;
    any.served().await;
    (any, quay)
}

async fn labelled(project: &Project, name: &str, labels: Value, repository: &str) {
    project.warehouse(name, json!([image(repository, "^1.0.0")])).await;
    let labels = labels.as_object().unwrap().iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap()));
    let labels: Vec<_> = labels.collect();
    let namespace = &project.namespace;
    project.plane.bash(&format!("kubectl -n {namespace} label warehouse {name} {}", labels.join(" "))).success();
}

#[tokio::test]
async fn actions_select_by_index_label_and_name_and_the_answer_names_nothing() {
    let operator = Operator::shared().await;
    let project = Project::new("generic").await;
    let neighbour = Project::new("generic-neighbour").await;
    let criteria = |criterion: Value| json!([criterion]);
    let by_index = json!({"kind": "Warehouse", "indexSelector": {"matchIndices": [
        {"key": "subscribedURLs", "operator": "Equals", "value": "${{ normalizeImage(request.body.image) }}"},
        {"key": "subscribedURLs", "operator": "NotEquals", "value": "registry.example.com/northwind/other"},
    ]}});
    let by_label = json!({"kind": "Warehouse", "labelSelector": {
        "matchLabels": {"team": "${{ params.team }}"},
        "matchExpressions": [{"key": "frozen", "operator": "DoesNotExist"}],
    }});
    let by_name = json!({"kind": "Warehouse", "name": "${{ request.body.name }}"});
    let when = |event: &str| format!("request.header('X-Event') == '{event}'");
    let actions = json!([
        {"action": "Refresh", "whenExpression": when("push"), "targetSelectionCriteria": criteria(by_index)},
        {"action": "Refresh", "whenExpression": when("team"), "parameters": {"team": "web"},
         "targetSelectionCriteria": criteria(by_label)},
        {"action": "Refresh", "whenExpression": when("name"), "targetSelectionCriteria": criteria(by_name)},
    ]);
    let (hook, quay) = serve(&project, operator, actions).await;
    project.warehouse("one", json!([image(REPOSITORY, "^1.0.0")])).await;
    let both = json!([image(REPOSITORY, "^1.0.0"), image("registry.example.com/northwind/other", "*")]);
    project.warehouse("two", both).await;
    labelled(&project, "web", json!({"team": "web"}), "registry.example.com/northwind/web").await;
    labelled(&project, "frozen", json!({"team": "web", "frozen": "yes"}), REPOSITORY).await;
    neighbour.warehouse("one", json!([image(REPOSITORY, "^1.0.0")])).await;
    project.settle(&quay).await;

    let post = |event: &str, body: Value| {
        let headers = [format!("X-Event: {event}")];
        let request = format!("POST {}", hook.path);
        exchange(hook.address, &request, &[&headers[0]], body.to_string().as_bytes()).unwrap()
    };
    let not_applicable = json!({
        "action": "Refresh", "matchedWhenExpression": false, "result": "NotApplicable",
        "summary": "Request did not match whenExpression", "selected": 0, "refreshed": 0,
    });
    let success = |count: u64| {
        json!({
            "action": "Refresh", "matchedWhenExpression": true, "result": "Success",
            "summary": format!("Refreshed {count} of {count} selected resources"), "selected": count, "refreshed": count,
        })
    };
    let before = project.tokens().await;
    assert!(before.is_empty(), "{before:?}");
    let pushed = post("push", json!({"image": format!("https://{REPOSITORY}:1.4.2")}));
    assert_eq!((pushed.status, &pushed.json()["results"][0]["selected"]), (200, &json!(0)), "not an image");
    let pushed = post("push", json!({"image": format!("{REPOSITORY}")}));
    assert_eq!(pushed.status, 200);
    let results = json!([success(2), not_applicable, not_applicable]);
    assert_eq!(pushed.json()["results"], results, "`two` is excluded by NotEquals");
    assert_eq!(project.refreshed().await, ["frozen", "one"]);
    let asked = post("team", json!({}));
    assert_eq!(asked.json()["results"], json!([not_applicable, success(1), not_applicable]));
    assert_eq!(project.refreshed().await, ["frozen", "one", "web"]);
    let asked = post("name", json!({"name": "two"}));
    assert_eq!(asked.json()["results"], json!([not_applicable, not_applicable, success(1)]));
    assert_eq!(project.refreshed().await, ["frozen", "one", "two", "web"]);
    assert!(neighbour.refreshed().await.is_empty());

    let failed = post("name", json!({"name": 7}));
    let failure = json!({
        "action": "Refresh", "matchedWhenExpression": true, "result": "Error", "error": "not_text",
        "summary": "Error evaluating targetSelectionCriteria", "selected": 0, "refreshed": 0,
    });
    assert_eq!((failed.status, &failed.json()["results"][2]), (200, &failure));
    let broken = hook.post("{");
    assert_eq!((broken.status, broken.says().as_str()), (400, "invalid request body: it is not JSON"));
    assert_eq!(hook.post("").status, 200);
}

#[tokio::test]
async fn a_broken_action_is_told_in_the_status_and_the_others_work() {
    let operator = Operator::shared().await;
    let project = Project::new("generic-broken").await;
    let everything = json!([{"kind": "Warehouse", "labelSelector": {"matchExpressions": [
        {"key": "quiet", "operator": "DoesNotExist"},
    ]}}]);
    let actions = json!([
        {"action": "Refresh", "whenExpression": "request.body.event ==", "targetSelectionCriteria": everything},
        {"action": "Refresh", "targetSelectionCriteria": everything},
    ]);
    let (hook, quay) = serve(&project, operator, actions).await;
    project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;
    project.settle(&quay).await;
    let condition = project.condition("receiver.quayside.dev/any=True").await;
    assert_eq!(condition["reason"], "InvalidAction");
    let message = condition["message"].as_str().unwrap();
    assert!(message.contains("actions[0].whenExpression: unexpected token (syntax, at byte 21"), "{message}");
    project.condition("Ready=True").await;
    let answer = hook.post("{}");
    let results = &answer.json()["results"];
    assert_eq!(
        (answer.status, &results[0]["error"], &results[1]["result"]),
        (200, &json!("syntax"), &json!("Success"))
    );
    assert!(project.refreshed().await.contains(&"storefront".to_owned()));

    let actions = json!([{"action": "Refresh", "targetSelectionCriteria": everything}]);
    serve(&project, operator, actions).await;
    wait_until("the condition is gone", SOON, async || {
        let status = project.status().await;
        let conditions = status["conditions"].as_array()?;
        conditions.iter().all(|c| c["type"] != "receiver.quayside.dev/any").then_some(())
    })
    .await;
}

#[tokio::test]
async fn hostile_expressions_and_bodies_are_answered_and_hold_nobody_up() {
    let operator = Operator::shared().await;
    let project = Project::new("generic-hostile").await;
    let endless = "count(1..999999, sum(map(1..999999, #)) > 5) > 9";
    let pattern = "request.body.text matches '(a|b){400}(a|b){400}x{2}'";
    let targets = json!([{"kind": "Warehouse", "name": "storefront"}]);
    let mut actions = vec![json!({"action": "Refresh", "whenExpression": endless}); 16];
    actions.extend(vec![json!({"action": "Refresh", "whenExpression": pattern}); 15]);
    actions.push(json!({"action": "Refresh", "targetSelectionCriteria": targets}));
    let (hook, _) = serve(&project, operator, json!(actions)).await;
    let text = json!({"text": "ab".repeat(900_000)}).to_string();
    let deep = format!("{}{}", "[".repeat(9_999), "]".repeat(9_999));
    for body in [text.as_str(), deep.as_str(), "null"] {
        let answer = hook.post(body);
        let results = answer.json()["results"].clone();
        assert_eq!((answer.status, &results[0]["error"]), (200, &json!("limit")));
        assert_eq!(results.as_array().unwrap().len(), 32);
    }
    assert_eq!(hook.post("[".repeat(2_000_000)).status, 400);
    assert_eq!(hook.post(format!("[{}]", vec!["0"; 900_000].join(","))).status, 400);
}

#[tokio::test]
async fn a_request_of_ones_own_is_sent_by_the_command_line() {
    let operator = Operator::shared().await;
    let project = Project::new("generic-send").await;
    let by_name = json!([{"kind": "Warehouse", "name": "${{ request.body.warehouse }}"}]);
    let actions = json!([{
        "action": "Refresh", "whenExpression": "request.header('X-Event') == 'deploy'", "targetSelectionCriteria": by_name,
    }]);
    let (hook, quay) = serve(&project, operator, actions).await;
    project.warehouse("storefront", json!([image(REPOSITORY, "^1.0.0")])).await;
    project.settle(&quay).await;
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("event.json");
    std::fs::write(&body, r#"{"warehouse": "storefront"}"#).unwrap();
    let (url, body) = (hook.url(), body.to_str().unwrap());
    let other = quayside(["send", "generic", &url, "--file", body]).success();
    assert!(other.contains("NotApplicable"), "the sample's header says push: {other}");
    let dry = quayside(["send", "generic", &url, "--file", body, "--header", "X-Event: deploy", "--dry-run"]).success();
    assert!(dry.contains("Would refresh 1 selected resources"), "{dry}");
    assert!(project.refreshed().await.is_empty());
    let sent = quayside(["send", "generic", &url, "--file", body, "--header", "X-Event: deploy"]).success();
    assert!(sent.contains("Refreshed 1 of 1 selected resources"), "{sent}");
    assert_eq!(project.refreshed().await, ["storefront"]);
}

#[test]
fn explain_says_which_action_selects_a_warehouse_or_why_none_does() {
    let explain = |header: &str, form: &str| {
        quayside(["explain", "-f", "examples/generic", "--header", header, "-o", form]).success()
    };
    let nightly: Value = serde_json::from_str(&explain("X-Event: nightly", "json")).unwrap();
    assert_eq!(nightly["answer"]["status"], 200);
    assert_eq!(nightly["delivery"]["kind"], "generic");
    assert_eq!(nightly["delivery"]["actions"][1], json!({"action": "Refresh", "outcome": "selects 2 object(s)"}));
    let warehouses = nightly["warehouses"].as_array().unwrap();
    let fates: Vec<_> = warehouses
        .iter()
        .map(|w| (w["name"].as_str().unwrap(), w["refresh"] == true, w["subscriptions"][0]["reason"].as_str().unwrap()))
        .collect();
    let not_applicable = "does not apply: its whenExpression is false";
    let refused = format!(
        "actions[0] {not_applicable}; actions[1] does not select it: its label refresh is none of [\"nightly\"]; \
         actions[2] {not_applicable}"
    );
    let selected = "selected by actions[1]";
    assert_eq!(
        fates,
        [("backoffice", true, selected), ("everything", true, selected), ("storefront", false, refused.as_str())]
    );
    let text = explain("X-Event: push", "text");
    let failure = "actions[0] (Refresh) does not apply: its whenExpression is false";
    assert!(text.contains("Warehouse kargo-demo-generic/storefront: would not be refreshed"), "{text}");
    assert!(text.contains(failure), "no tags: {text}");
}
