use std::sync::Arc;

use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::api::generic_config as config;
use crate::api::generic_config::{GenericAction, IndexSelector, LabelSelector, TargetSelectionCriteria};
use crate::domain::criterion::{Criterion, Index, IndexRequirement, LabelRequirement};
use crate::domain::secret::Secret;
use crate::domain::target::TargetKind;

const BODY: &str =
    r#"{"team":"web","n":42,"bad":"we b","repository":{"url":"https://git.example.com/Northwind/storefront.git"}}"#;

/// When the requests of these tests arrived.
const ARRIVED: &str = "2026-05-04T07:15:31Z";

fn compile(actions: &[GenericAction]) -> Arc<[Action]> {
    let mut budget = CompileBudget::default();
    actions.iter().map(|action| Action::compile(action, &mut budget)).collect()
}

fn refresh(when_expression: &str, criteria: Vec<TargetSelectionCriteria>) -> GenericAction {
    GenericAction {
        action: "Refresh".to_owned(),
        when_expression: Some(when_expression.to_owned()),
        target_selection_criteria: criteria,
        ..GenericAction::default()
    }
}

fn of_kind(kind: &str) -> TargetSelectionCriteria {
    TargetSelectionCriteria { kind: kind.to_owned(), ..TargetSelectionCriteria::default() }
}

fn warehouse() -> TargetSelectionCriteria {
    of_kind("Warehouse")
}

fn named(name: &str) -> TargetSelectionCriteria {
    TargetSelectionCriteria { name: Some(name.to_owned()), ..warehouse() }
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Labels and their values, and conditions of key, operator and values.
fn labels(equal: &[(&str, &str)], conditions: &[(&str, &str, &[&str])]) -> Option<LabelSelector> {
    let condition = |(key, operator, values): &(&str, &str, &[&str])| config::LabelRequirement {
        key: (*key).to_owned(),
        operator: (*operator).to_owned(),
        values: texts(values),
    };
    Some(LabelSelector {
        match_labels: equal.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        match_expressions: conditions.iter().map(condition).collect(),
    })
}

/// Conditions of key, operator and value.
fn indices(conditions: &[(&str, &str, &str)]) -> Option<IndexSelector> {
    let condition = |(key, operator, value): &(&str, &str, &str)| config::IndexRequirement {
        key: (*key).to_owned(),
        operator: (*operator).to_owned(),
        value: (*value).to_owned(),
    };
    Some(IndexSelector { match_indices: conditions.iter().map(condition).collect() })
}

fn receive(actions: &Arc<[Action]>, body: &[u8]) -> Result<Vec<ActionResult>, Rejection> {
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-event", "push"), ("x-event", "tag"), ("host", "hooks.example.com")] {
        headers.append(name, value.parse().unwrap());
    }
    let settings =
        Settings { actions: Arc::clone(actions), ..Settings::new(Secret::new(b"a long enough secret".to_vec())) };
    let request = Request { headers: &headers, query: Some("p=1&p=2"), body, arrived: ARRIVED.parse().unwrap() };
    match Generic.receive(&request, &settings)? {
        Verdict::Actions(verdicts) => Ok(verdicts.into_iter().map(|verdict| verdict.result).collect()),
        other => panic!("{other:?}"),
    }
}

fn judge_one(action: &GenericAction) -> ActionResult {
    receive(&compile(std::slice::from_ref(action)), BODY.as_bytes()).unwrap().remove(0)
}

fn class_of(result: &ActionResult) -> &'static str {
    match result {
        ActionResult::Failed { class, .. } => class,
        _ => "",
    }
}

fn criterion() -> Criterion {
    Criterion { kind: TargetKind::Warehouse, name: None, labels: vec![], indices: vec![] }
}

#[test]
fn the_body_is_json_or_empty() {
    let actions = compile(&[refresh("request.body == nil", vec![])]);
    for body in ["", "null", "\u{feff}", "\u{feff}null"] {
        assert_eq!(receive(&actions, body.as_bytes()), Ok(vec![ActionResult::Refresh(vec![])]), "{body}");
    }
    for body in ["7", "\"a\"", "[]", "{}", "\u{feff}{}", " {\"a\": 1e308} "] {
        assert_eq!(receive(&actions, body.as_bytes()), Ok(vec![ActionResult::NotApplicable]), "{body}");
    }
    let not_json = Err(Rejection::Invalid("invalid request body: it is not JSON"));
    for body in [" ", "{", "hello", "{} {}", "a=b", "{\"a\":1e999}", "\u{feff}\u{feff}{}"] {
        assert_eq!(receive(&actions, body.as_bytes()), not_json, "{body}");
        assert_eq!(receive(&compile(&[]), body.as_bytes()), not_json, "{body}");
    }
    let many = format!("[{}]", vec!["0"; 250_000].join(","));
    let too_many = Err(Rejection::Invalid("invalid request body: it has too many values"));
    assert_eq!(receive(&actions, many.as_bytes()), too_many);
}

#[test]
fn expressions_see_headers_query_body_and_the_parameters_of_their_action() {
    for when in [
        "request.header('X-Event') == 'push'",
        "request.headers('X-EVENT') == ['push', 'tag']",
        "request.header('Host') == ''",
        "request.params('p') == '1'",
        "request.body.n == 42",
        "params.tier == 'prod'",
        "now().Year() == 2026 and now().Day() == 4 and now().Minute() == 15 and now().Second() == 31",
        "normalizeGit(request.body.repository.url) == 'https://git.example.com/northwind/storefront'",
    ] {
        let parameters = [("tier".to_owned(), "prod".to_owned())].into();
        let action = GenericAction { parameters, ..refresh(when, vec![]) };
        assert_eq!(judge_one(&action), ActionResult::Refresh(vec![]), "{when}");
    }
    assert_eq!(judge_one(&refresh("request.body.n == 41", vec![])), ActionResult::NotApplicable);
    assert_eq!(judge_one(&refresh("params.tier == nil", vec![])), ActionResult::Refresh(vec![]));
}

#[test]
fn templates_become_what_is_selected() {
    let values = &["${{ request.body.team }}", "api"];
    let everything = TargetSelectionCriteria {
        label_selector: labels(
            &[("team", "${{ request.body.team }}"), ("tier", "")],
            &[("a/b", "In", values), ("b", "NotIn", values), ("c", "Exists", &[]), ("d", "DoesNotExist", &[])],
        ),
        index_selector: indices(&[
            ("subscribedURLs", "Equals", "${{ normalizeGit(request.body.repository.url) }}"),
            ("subscribedURLs", "NotEquals", "x"),
        ]),
        ..named("${{ request.body.team }}-${{ request.body.n }}")
    };
    let url = "https://git.example.com/northwind/storefront";
    let index = |value: &str, must_be_there| IndexRequirement {
        index: Index::SubscribedUrls,
        must_be_there,
        value: value.into(),
    };
    let expected = Criterion {
        name: Some("web-42".to_owned()),
        labels: vec![
            LabelRequirement::In("team".to_owned(), texts(&["web"])),
            LabelRequirement::In("tier".to_owned(), texts(&[""])),
            LabelRequirement::In("a/b".to_owned(), texts(&["web", "api"])),
            LabelRequirement::NotIn("b".to_owned(), texts(&["web", "api"])),
            LabelRequirement::Exists("c".to_owned()),
            LabelRequirement::DoesNotExist("d".to_owned()),
        ],
        indices: vec![index(url, true), index("x", false)],
        ..criterion()
    };
    assert_eq!(
        judge_one(&refresh("", vec![everything, warehouse()])),
        ActionResult::Refresh(vec![expected, criterion()])
    );
    let promotion = TargetSelectionCriteria {
        index_selector: indices(&[("pullRequestURL", "Equals", "u")]),
        ..of_kind("Promotion")
    };
    let waiting = IndexRequirement { index: Index::PullRequestUrl, ..index("u", true) };
    let expected = Criterion { kind: TargetKind::Promotion, indices: vec![waiting], ..criterion() };
    assert_eq!(judge_one(&refresh("", vec![promotion])), ActionResult::Refresh(vec![expected]));
}

#[test]
fn a_failure_says_where_and_what_and_shows_nothing_of_the_request() {
    let detail = |action: &GenericAction| match judge_one(action) {
        ActionResult::Failed { detail, class, matched, .. } => (matched, class, detail),
        other => panic!("{other:?}"),
    };
    let label = |value| TargetSelectionCriteria { label_selector: labels(&[("team", value)], &[]), ..warehouse() };
    for (action, matched, class, expected) in [
        (
            refresh("1 +", vec![]),
            false,
            "syntax",
            "whenExpression: unexpected token (syntax, at byte 3 of the expression)",
        ),
        (
            refresh("request.body.team", vec![]),
            false,
            "type",
            "whenExpression: the result is neither true nor false (type)",
        ),
        (refresh("request.body.team.x == 1", vec![]), false, "type", "whenExpression: an integer is needed (type)"),
        (
            refresh("true", vec![named("a"), named("${{ request.body.zz.y }}")]),
            true,
            "nil_member",
            "targetSelectionCriteria[1].name: cannot fetch a member of nil (nil_member)",
        ),
        (
            refresh("", vec![named("${{ request.body.n }}")]),
            true,
            "not_text",
            "targetSelectionCriteria[0].name: the result is not a string; quote() makes it one (not_text)",
        ),
        (
            refresh("", vec![label("${{ request.body.bad }}")]),
            true,
            "selector",
            "targetSelectionCriteria[0].labelSelector.matchLabels.team: a value is none that a label can have (selector)",
        ),
    ] {
        assert_eq!(detail(&action), (matched, class, expected.to_owned()));
    }
}

#[test]
fn a_selector_that_can_select_nothing_is_a_mistake_of_the_configuration() {
    let label = |key: &str, operator: &str, values: &[&str]| TargetSelectionCriteria {
        label_selector: labels(&[], &[(key, operator, values)]),
        ..warehouse()
    };
    let equal = |key: &str, value: &str| TargetSelectionCriteria {
        label_selector: labels(&[(key, value)], &[]),
        ..warehouse()
    };
    let index = |kind: &str, key: &str, operator: &str, value: &str| TargetSelectionCriteria {
        index_selector: indices(&[(key, operator, value)]),
        ..of_kind(kind)
    };
    let first_index = "indexSelector.matchIndices[0]";
    let first_label = "labelSelector.matchExpressions[0]";
    for (criterion, place) in [
        (of_kind("warehouse"), "kind"),
        (of_kind("Stage"), "kind"),
        (named("${{ 1 +"), "name"),
        (named("${{ 1 + }}"), "name"),
        (equal("bad key", "x"), "labelSelector.matchLabels.bad key"),
        (equal("team", "we b"), "labelSelector.matchLabels.team"),
        (label("team", "Gt", &["web"]), first_label),
        (label("team", "in", &["web"]), first_label),
        (label("team", "In", &[]), first_label),
        (label("team", "NotIn", &[]), first_label),
        (label("team", "Exists", &["web"]), first_label),
        (label("team", "In", &["we b"]), first_label),
        (label("", "Exists", &[]), first_label),
        (index("Warehouse", "receiverPaths", "Equals", "x"), &format!("{first_index}.key")),
        (index("Warehouse", "pullRequestURL", "Equals", "x"), &format!("{first_index}.key")),
        (index("Promotion", "subscribedURLs", "Equals", "x"), &format!("{first_index}.key")),
        (index("Warehouse", "subscribedURLs", "Like", "x"), &format!("{first_index}.operator")),
        (index("Warehouse", "subscribedURLs", "Equals", "${{"), &format!("{first_index}.value")),
    ] {
        let actions = compile(&[refresh("", vec![criterion.clone(), warehouse()])]);
        let mistakes: Vec<_> = actions[0].mistakes().collect();
        let expected = format!("targetSelectionCriteria[0].{place}: ");
        assert!(mistakes.len() == 1 && mistakes[0].starts_with(&expected), "{criterion:?}: {mistakes:?}");
        let result = receive(&actions, b"").unwrap().remove(0);
        assert!(matches!(&result, ActionResult::Failed { detail, .. } if *detail == mistakes[0]), "{result:?}");
    }
    let fine = compile(&[refresh("true", vec![label("team", "In", &["web"]), named("${{ request.body.x }}")])]);
    assert_eq!(fine[0].mistakes().count(), 0);
}

#[test]
fn a_broken_action_leaves_the_others_alone() {
    let actions = compile(&[
        refresh("foo(", vec![]),
        refresh("", vec![named("${{ foo() }}"), named("b")]),
        GenericAction { action: "Delete".to_owned(), ..refresh("", vec![named("${{")]) },
        GenericAction { action: "refresh".to_owned(), ..refresh("false", vec![]) },
        refresh("true", vec![named("a")]),
    ]);
    let results = receive(&actions, BODY.as_bytes()).unwrap();
    let classes: Vec<_> = results.iter().map(class_of).collect();
    assert_eq!(classes, ["syntax", "nil_call", "", "", ""]);
    assert_eq!(results[2..4], [ActionResult::Unknown, ActionResult::NotApplicable]);
    let named_a = Criterion { name: Some("a".to_owned()), ..criterion() };
    assert_eq!(results[4], ActionResult::Refresh(vec![named_a]));
    let mistakes: Vec<Vec<_>> = actions.iter().map(|action| action.mistakes().collect()).collect();
    assert_eq!(mistakes.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 2, 1, 0]);
}

#[test]
fn an_action_that_runs_away_leaves_half_of_the_budget_to_the_others() {
    let endless = "count(1..999999, count(1..999999, # > 5) > 9) > 0";
    let modest = "count(1..9999, # > 5) > 0";
    let results = receive(&compile(&[refresh(endless, vec![]), refresh(modest, vec![])]), b"").unwrap();
    assert_eq!((class_of(&results[0]), &results[1]), ("limit", &ActionResult::Refresh(vec![])));
}

#[test]
fn many_modest_actions_cannot_multiply_their_work() {
    let modest = vec![refresh("sum(map(1..9999, # * 2.5)) > 0", vec![]); 300];
    let results = receive(&compile(&modest), b"").unwrap();
    let done = results.iter().filter(|result| matches!(result, ActionResult::Refresh(_))).count();
    assert!((30..250).contains(&done), "{done}");
    assert_eq!(class_of(&results[299]), "limit");
    let templates = vec![named("${{ repeat('a', 900000) }}"); 500];
    assert_eq!(class_of(&judge_one(&refresh("", templates))), "limit");
}

#[test]
fn the_expressions_of_a_configuration_share_what_compiling_costs() {
    let ordinary = vec![refresh("request.body.ref matches '^refs/(heads|tags)/v[0-9]+'", vec![warehouse()]); 1_000];
    assert!(compile(&ordinary).iter().all(|action| action.mistakes().next().is_none()));
    // Each of these becomes so large that it is refused.
    let doubled = format!("{}a{}", "(".repeat(60), " ?: b)".repeat(60));
    let mut parts = vec![refresh(&doubled, vec![]); 20];
    parts.push(refresh("request.body.ref == 'a'", vec![]));
    let mistakes: Vec<Vec<_>> = compile(&parts).iter().map(|action| action.mistakes().collect()).collect();
    assert_eq!(mistakes[0], ["whenExpression: the expression is too large once compiled (limit)"]);
    assert_eq!(mistakes[20], ["whenExpression: the expressions of the configuration are too large (limit)"]);
}

#[test]
fn samples_are_read_back() {
    let push =
        SamplePush { repository: Generic.sample_repository(), qualifiers: &["1.4.2".to_owned()], changed_files: &[] };
    let sample = Generic.sample("push", &push).unwrap();
    assert_eq!(sample.headers.iter().filter(|(name, value)| name == "x-event" && value == "push").count(), 1);
    let actions = compile(&[refresh("request.body.event == 'push' and '1.4.2' in request.body.tags", vec![])]);
    assert_eq!(receive(&actions, &sample.body), Ok(vec![ActionResult::Refresh(vec![])]));
    assert!(Generic.sample("release", &push).is_none());
}

/// Text that is more often than not an expression or a template.
fn source() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "request",
        ".body",
        ".header(",
        "params",
        "?.",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "#",
        "#acc",
        "'a'",
        "1",
        "9e9",
        "..",
        "999999",
        " + ",
        " ** ",
        " matches ",
        " in ",
        " and ",
        " ? ",
        " : ",
        " | ",
        "map(",
        "filter(",
        "reduce(",
        "repeat(",
        "split(",
        "toJSON(",
        "fromJSON(",
        "normalizeGit(",
        "asYAML(",
        "quote(",
        ", ",
        "let x = ",
        "; ",
        "$env",
        "${{ ",
        " }}",
        "${% ",
        " %}",
        "nil",
        "true",
        "'\\x00'",
        "\u{1F600}",
        "len(",
        "sort(",
        "groupBy(",
        "date(",
        "now()",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "[\\[\\]{}:,\"\\\\ 0-9a-e.+-]{0,64}".prop_map(String::into_bytes),
        (0..12_000_usize).prop_map(|depth| [vec![b'['; depth], vec![b']'; depth]].concat()),
        Just(BODY.as_bytes().to_vec()),
        "\\PC{0,32}"
            .prop_map(|text| serde_json::json!({"a": text, "list": [text, 1, null], "n": 1.5}).to_string().into()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases * 2))]

    /// They answer different questions (members as Go decodes them into structs, values as expressions see them), but a
    /// document is JSON for both, except that a value needs numbers that fit.
    #[test]
    fn both_readers_of_json_accept_the_same_documents(body in body()) {
        let prepared = crate::receiver::read::json::prepared(&body);
        let members = prepared.as_ref().is_ok_and(|text| crate::receiver::read::json::Value::parse(text).is_ok());
        match parse_json(&body) {
            Ok(_) => prop_assert!(members),
            Err(_) if members => prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err()),
            Err(_) => {}
        }
    }

    #[test]
    fn nothing_that_can_be_configured_or_sent_breaks_the_receiver(
        when in source(), name in source(), value in source(), key in source(), body in body(),
    ) {
        let criterion = TargetSelectionCriteria {
            label_selector: labels(&[(&key, &value)], &[("team", "In", &[&value, &name])]),
            index_selector: indices(&[("subscribedURLs", "Equals", &value)]),
            ..named(&name)
        };
        let criteria = vec![named(&name), criterion];
        let actions = compile(&[refresh(&when, criteria.clone()), refresh("true", criteria), refresh("true", vec![])]);
        match receive(&actions, &body) {
            Ok(results) => prop_assert_eq!(&results[2], &ActionResult::Refresh(vec![])),
            Err(Rejection::Invalid(_)) => prop_assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err()),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
