use serde_json::{Value, json};

use super::*;
use crate::domain::criterion::{IndexRequirement, LabelRequirement};
use crate::domain::target::TargetKind;

fn event(repository: &str, tags: &[&str]) -> PushEvent {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    PushEvent::new("repo_push".into(), vec![repository.to_owned()], tags)
}

fn image(repository: &str, constraint: &str) -> Value {
    json!({"image": {"repoURL": repository, "constraint": constraint}})
}

fn index(warehouses: &[(&str, &str, Value)]) -> SubscriptionIndex {
    let index = SubscriptionIndex::default();
    for (namespace, name, subscriptions) in warehouses {
        index.apply(
            &ObjectKey::new(namespace, name),
            None,
            Labels::new(),
            &json!({"subscriptions": subscriptions}).to_string(),
        );
    }
    index
}

fn select(index: &SubscriptionIndex, scope: &Scope, events: &[PushEvent]) -> Selection {
    index.select(scope, events, &mut Work::default())
}

fn names(selection: &Selection) -> Vec<String> {
    selection.warehouses.iter().map(ToString::to_string).collect()
}

fn project(name: &str) -> Scope {
    Scope::Project(Arc::from(name))
}

#[test]
fn only_accepting_subscribers_within_reach_are_selected() {
    let index = index(&[
        ("a", "one", json!([image("quay.io/x/y", "^1.0.0")])),
        ("a", "two", json!([image("quay.io/x/y", "^2.0.0")])),
        ("a", "other", json!([image("quay.io/x/z", "^1.0.0")])),
        ("b", "one", json!([image("quay.io/x/y", "^1.0.0")])),
    ]);
    let selection = select(&index, &project("a"), &[event("quay.io/x/y", &["1.4.2"])]);
    assert_eq!(names(&selection), ["a/one"]);
    assert_eq!(selection.subscribed, 2);
    assert_eq!(selection.not_matched.values().sum::<usize>(), 1);
    assert_eq!(names(&select(&index, &Scope::Cluster, &[event("quay.io/x/y", &["1.4.2"])])), ["a/one", "b/one"]);
    assert_eq!(names(&select(&index, &project("a"), &[event("quay.io/x/y", &[])])), ["a/one", "a/two"]);
}

#[test]
fn the_qualifiers_of_one_event_do_not_count_for_another() {
    let index = index(&[
        ("a", "one", json!([image("quay.io/x/y", "^1.0.0")])),
        ("a", "two", json!([image("quay.io/x/z", "^2.0.0")])),
    ]);
    let crossed = [event("quay.io/x/y", &["2.0.0"]), event("quay.io/x/z", &["1.0.0"])];
    let selection = select(&index, &Scope::Cluster, &crossed);
    assert_eq!((names(&selection).len(), selection.subscribed), (0, 2));
    let straight = [event("quay.io/x/y", &["1.0.0"]), event("quay.io/x/z", &["2.0.0"])];
    assert_eq!(names(&select(&index, &Scope::Cluster, &straight)), ["a/one", "a/two"]);
    for warehouse in index.warehouses() {
        let subscription = warehouse.subscriptions[0].as_ref().unwrap();
        let is_concerned = |events: &[PushEvent]| Pushes::new(events).explain(subscription, &mut Work::default()).0;
        assert!(is_concerned(&straight) && !is_concerned(&crossed));
    }
}

#[test]
fn every_spelling_of_a_git_repository_is_found_and_nothing_else_that_looks_like_it() {
    let git = |repository: &str| json!([{"git": {"repoURL": repository, "branch": "main"}}]);
    let index = index(&[
        ("a", "https", git("https://git.example.com/x/y.git")),
        ("a", "scp", git("git@git.example.com:x/y.git")),
        ("a", "port", git("ssh://git@git.example.com:2222/x/y")),
        ("a", "user", git("http://mira@git.example.com/X/Y/")),
        ("a", "other", git("git@git.example.com:x/z.git")),
        ("a", "image", json!([{"image": {"repoURL": "git.example.com/x/y", "imageSelectionStrategy": "Lexical"}}])),
        ("a", "chart", json!([{"chart": {"repoURL": "oci://git.example.com/x/y"}}])),
    ]);
    let pushed = |urls: &[&str]| {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        select(&index, &project("a"), &[PushEvent::new("push".into(), urls, vec!["refs/heads/main".to_owned()])])
    };
    let all = ["a/https", "a/port", "a/scp", "a/user"];
    for url in ["https://git.example.com/x/y", "ssh://git@git.example.com/x/y", "ssh://git.example.com:7999/x/y"] {
        assert_eq!(names(&pushed(&[url])), all, "{url}");
    }
    // Of several spellings in one event each Warehouse counts once.
    let both = pushed(&["https://git.example.com/x/y", "ssh://git@git.example.com/x/y"]);
    assert_eq!((names(&both).len(), both.subscribed), (4, 4));
    let image = select(&index, &project("a"), &[event("git.example.com/x/y", &["1.0.0"])]);
    assert_eq!((names(&image), image.subscribed), (vec!["a/chart".to_owned(), "a/image".to_owned()], 2));
}

#[test]
fn a_broken_subscription_excludes_itself_only() {
    let bad = json!({"image": {"repoURL": "quay.io/x/y", "allowTagsRegexes": ["["]}});
    let index = index(&[
        ("a", "bad", json!([bad])),
        ("a", "both", json!([bad, image("quay.io/x/y", "^1.0.0")])),
        ("a", "odd", json!(["text", 7, {"image": []}, image("quay.io/x/y", "^1.0.0")])),
    ]);
    let selection = select(&index, &project("a"), &[event("quay.io/x/y", &["1.4.2"])]);
    assert_eq!(names(&selection), ["a/both", "a/odd"]);
    assert_eq!(selection.not_matched["invalid_subscription"], 2);
    assert_eq!(index.totals().rejected, 5);
}

#[test]
fn a_changed_or_deleted_warehouse_leaves_nothing_behind() {
    let index = index(&[("a", "one", json!([image("quay.io/x/y", "^1.0.0")]))]);
    let key = ObjectKey::new("a", "one");
    index.apply(&key, None, Labels::new(), &json!({"subscriptions": [image("quay.io/x/z", "^1.0.0")]}).to_string());
    assert!(names(&select(&index, &Scope::Cluster, &[event("quay.io/x/y", &["1.0.0"])])).is_empty());
    assert_eq!(names(&select(&index, &Scope::Cluster, &[event("quay.io/x/z", &["1.0.0"])])), ["a/one"]);
    index.remove(&key);
    assert_eq!(index.totals(), Totals { by_kind: BTreeMap::from([("image", 0)]), ..Totals::default() });
    assert!(index.tables.read().by_repository.get("quay.io/x/z").is_none());
}

#[test]
fn subscribers_of_one_repository_come_and_go_in_any_order() {
    let git = |url: &str| json!([{"git": {"repoURL": url}}, {"git": {"repoURL": url, "branch": "next"}}]);
    let spellings = [
        ("one", "https://git.example.com/a/b"),
        ("two", "git@git.example.com:a/b.git"),
        ("three", "ssh://git.example.com/a/b"),
    ];
    let push = [PushEvent::new("push".into(), vec!["https://git.example.com/a/b".to_owned()], Vec::new())];
    for leaving in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let index = index(&spellings.map(|(name, url)| ("a", name, git(url))));
        let mut left = BTreeSet::from(["a/one", "a/three", "a/two"]);
        assert!(names(&select(&index, &Scope::Cluster, &push)).iter().eq(&left));
        for at in leaving {
            let (name, url) = spellings[at];
            index.remove(&ObjectKey::new("a", name));
            left.remove(&*format!("a/{name}"));
            assert!(names(&select(&index, &Scope::Cluster, &push)).iter().eq(&left));
            let url = crate::domain::repo::normalize_git(url);
            assert!(index.tables.read().by_repository.get(&url).is_none(), "{name}");
        }
        let identity = crate::domain::repo::git_identity("https://git.example.com/a/b").unwrap();
        assert!(index.tables.read().by_identity.get(&identity).is_none());
    }
}

#[test]
fn warehouses_of_a_project_share_the_text_of_its_name() {
    let index =
        index(&[("a", "one", json!([])), ("b", "one", json!([])), ("a", "two", json!([])), ("a", "a", json!([]))]);
    let [a, one, two] = ["a", "one", "two"].map(|name| index.get(&ObjectKey::new("a", name)).unwrap());
    assert!(Arc::ptr_eq(&one.key.namespace, &two.key.namespace) && Arc::ptr_eq(&one.key.namespace, &a.key.namespace));
}

#[test]
fn a_known_generation_is_not_decoded_again() {
    let (index, key) = (SubscriptionIndex::default(), ObjectKey::new("a", "one"));
    let spec = |repository| json!({"subscriptions": [image(repository, "^1.0.0")]}).to_string();
    index.apply(&key, Some(1), Labels::new(), &spec("quay.io/x/y"));
    index.apply(&key, Some(1), Labels::new(), "not even JSON");
    assert_eq!(names(&select(&index, &Scope::Cluster, &[event("quay.io/x/y", &["1.0.0"])])), ["a/one"]);
    index.apply(&key, Some(2), Labels::new(), &spec("quay.io/x/z"));
    assert!(names(&select(&index, &Scope::Cluster, &[event("quay.io/x/y", &["1.0.0"])])).is_empty());
}

#[test]
fn a_spec_nested_beyond_reason_is_one_broken_entry() {
    let spec = format!(r#"{{"subscriptions":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let index = SubscriptionIndex::default();
    index.apply(&ObjectKey::new("a", "deep"), None, Labels::new(), &spec);
    assert_eq!(index.totals().rejected, 1);
}

#[test]
fn a_criterion_selects_by_labels_even_when_only_they_change_and_by_repository() {
    let (index, key) = (SubscriptionIndex::default(), ObjectKey::new("a", "one"));
    let spec = json!({"subscriptions": [image("quay.io/x/y", "^1.0.0")]}).to_string();
    let labels = |team: &str| Labels::from([("team".into(), team.into())]);
    index.apply(&key, Some(1), labels("web"), &spec);
    index.apply(&key, Some(1), labels("api"), &spec);
    let criterion = |team: &str, repository: &str, must_be_there| Criterion {
        kind: TargetKind::Warehouse,
        name: None,
        labels: vec![LabelRequirement::In("team".to_owned(), vec![team.to_owned()])],
        indices: vec![IndexRequirement { index: Index::SubscribedUrls, must_be_there, value: repository.to_owned() }],
    };
    let selected = |criterion| index.selected_by(&project("a"), &criterion, &mut Looks::default()).unwrap().len();
    assert_eq!(selected(criterion("api", "quay.io/x/y", true)), 1);
    assert_eq!(selected(criterion("web", "quay.io/x/y", true)), 0);
    assert_eq!(selected(criterion("api", "quay.io/x/y", false)), 0);
    assert_eq!(selected(criterion("api", "quay.io/x/z", false)), 1);
    let elsewhere = criterion("api", "quay.io/x/y", true);
    assert!(index.selected_by(&project("b"), &elsewhere, &mut Looks::default()).unwrap().is_empty());
}

#[test]
fn a_request_that_asks_for_too_much_refreshes_every_subscriber_within_its_work() {
    let hostile = json!([{"image": {
        "repoURL": "quay.io/x/y",
        "imageSelectionStrategy": "Lexical",
        "allowTagsRegexes": ["([ab][ab]?){450}[c-z]0"],
    }}]);
    let index = index(&[
        ("a", "hostile", hostile),
        ("a", "modest", json!([image("quay.io/x/y", "^9.0.0")])),
        ("a", "other", json!([image("quay.io/x/z", "^9.0.0")])),
        ("b", "elsewhere", json!([image("quay.io/x/y", "^9.0.0")])),
    ]);
    let tags: Vec<String> = (0..20_000).map(|n| format!("{}{n}", "ab".repeat(60))).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let pushes = [event("quay.io/x/y", &tags)];
    let mut work = Work::default();
    let selection = index.select(&project("a"), &pushes, &mut work);
    // One subscription leaves half of the work to the others, so they are judged all the same.
    assert_eq!(names(&selection), ["a/hostile"]);
    assert_eq!(selection.not_matched["not_a_semantic_version"], 1);
    assert_eq!(selection.undecided, 1);
    let mut nothing = Work::of(0);
    let selection = index.select(&project("a"), &pushes, &mut nothing);
    assert_eq!(names(&selection), ["a/hostile", "a/modest"]);
    assert_eq!((selection.subscribed, nothing.left()), (2, 0));
    // The work does not multiply with the number of events.
    let many: Vec<PushEvent> = tags.iter().map(|tag| event("quay.io/x/y", &[tag])).collect();
    let mut work = Work::default();
    assert_eq!(names(&index.select(&project("a"), &many, &mut work)), ["a/hostile", "a/modest"]);
    assert_eq!(work.left(), 0);
}

#[test]
fn a_tag_beyond_reason_reaches_no_pattern_and_the_reason_says_so() {
    let pattern = json!([{"image": {
        "repoURL": "quay.io/x/y",
        "imageSelectionStrategy": "Lexical",
        "allowTagsRegexes": ["([ab][ab]?){450}[c-z]0"],
    }}]);
    let index = index(&[("a", "one", pattern), ("a", "two", json!([image("quay.io/x/y", "")]))]);
    let mut work = Work::default();
    let selection = index.select(&project("a"), &[event("quay.io/x/y", &[&"ab".repeat(1_000_000)])], &mut work);
    assert!(selection.warehouses.is_empty());
    assert_eq!(selection.not_matched["too_long"], 2);
    let steps = Work::default().left() - work.left();
    assert!(steps < 100_000, "{steps}");
}

#[test]
fn patterns_that_find_no_room_refresh_for_every_push_and_are_tried_again() {
    let patterns: Vec<String> = (0..120).map(|n| format!(r"\pL{{48}}N{n}")).collect();
    let greedy = json!({"subscriptions": [
        {"image": {"repoURL": "quay.io/x/y", "imageSelectionStrategy": "Lexical", "allowTagsRegexes": patterns}},
        image("quay.io/x/y", "^2.0.0"),
    ]})
    .to_string();
    let (index, key) = (SubscriptionIndex::default(), ObjectKey::new("greedy", "one"));
    index.apply(&key, Some(1), Labels::new(), &greedy);
    assert_eq!(index.totals().rejected, 1);
    let selection = select(&index, &Scope::Cluster, &[event("quay.io/x/y", &["1.0.0"])]);
    assert_eq!(names(&selection), ["greedy/one"]);
    let modest = json!({"subscriptions": [image("quay.io/x/y", "^2.0.0")]}).to_string();
    index.apply(&key, Some(1), Labels::new(), &modest);
    assert_eq!(index.totals().rejected, 0);
}

#[test]
fn explaining_repeats_neither_the_work_nor_the_names_of_an_event_for_every_subscription() {
    let git = |n: usize| json!({"git": {"repoURL": format!("https://git.example.com/x/{n}"), "branch": "main"}});
    let spec = json!({"subscriptions": (0..2_000).map(git).collect::<Vec<_>>()}).to_string();
    let warehouse = Warehouse::decode(ObjectKey::new("a", "one"), &spec);
    let long = "x".repeat(2_000_000);
    let mut urls = vec![format!("https://git.example.com/{long}")];
    let explained = |urls: &[String]| {
        let events = [PushEvent::new("push".into(), urls.to_vec(), vec![format!("refs/heads/{long}")])];
        let (pushes, mut work) = (Pushes::new(&events), Work::default());
        let subscriptions = warehouse.subscriptions.iter().flatten();
        let written: usize = subscriptions.map(|s| pushes.explain(s, &mut work).1.len()).sum();
        (written, Work::default().left() - work.left())
    };
    let (written, steps) = explained(&urls);
    assert!(written < 2_000 * 100, "{written}");
    assert_eq!(steps, 0);
    urls.extend((0..2_000).map(|n| format!("https://git.example.com/x/{n}")));
    let (written, _) = explained(&urls);
    assert!(written < 2_000 * 500, "{written}");
}
