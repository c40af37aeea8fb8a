use serde_json::json;

use super::*;
use crate::domain::event::ChangedFiles;
use crate::domain::vectors::{Ours, lines};
use crate::domain::work::Work;

fn subscriptions(spec: &Value) -> Subscriptions {
    super::subscriptions(spec, &mut PatternBudget::new("test"))
}

fn decode(element: &Value) -> Result<Option<Subscription>, SubscriptionError> {
    super::decode(element, &mut PatternBudget::new("test"))
}

fn matches(subscription: &Subscription, qualifiers: &[String], files: &ChangedFiles) -> bool {
    subscription.judge(qualifiers, files, None, &mut Work::default()).matched
}

fn texts(case: &Value, member: &str) -> Vec<String> {
    case[member].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn decoded(element: &Value) -> Subscription {
    decode(element).unwrap().unwrap()
}

#[test]
fn subscriptions_are_indexed_as_in_the_vectors() {
    let cases = lines("subscriptions");
    let mut disagreements = Vec::new();
    for case in &cases {
        let ours = subscriptions(&case["warehouse"]["spec"]);
        let urls: Vec<_> = ours.iter().filter_map(|result| result.as_ref().ok()).map(|sub| &sub.repository).collect();
        let agrees = match case.get("urls") {
            Some(theirs) => ours.iter().all(Result::is_ok) && &json!(urls) == theirs,
            // What fails a whole Warehouse there is one element here, or a field that we do not read.
            None => {
                let elsewhere = case["warehouse"]["spec"].get("interval").is_some();
                case.get("deviates").is_some()
                    && ours.iter().filter(|result| result.is_err()).count() == usize::from(!elsewhere)
            }
        };
        if !agrees {
            disagreements.push(format!("{case}\n  {ours:?}"));
        }
    }
    assert!(!cases.is_empty());
    assert!(disagreements.is_empty(), "{} of {}:\n{}", disagreements.len(), cases.len(), disagreements.join("\n"));
}

#[test]
fn events_qualify_as_in_the_vectors() {
    let cases = lines("matches");
    let mut recorded = Ours::of("matches");
    let mut disagreements = Vec::new();
    let mut unmarked = 0;
    for case in &cases {
        let deviates = case.get("deviates").map_or("", |marks| marks.as_str().unwrap());
        unmarked += usize::from(deviates.is_empty());
        let mut qualifiers = texts(case, "qualifiers");
        qualifiers.retain(|qualifier| !qualifier.is_empty());
        let files = ChangedFiles::complete(texts(case, "changed_files"));
        let urls = texts(case, "repo_urls");
        let about = Repositories::new(&urls);
        let concerned: Vec<_> = subscriptions(&case["warehouse"]["spec"])
            .into_iter()
            .flatten()
            .filter(|sub| about.include(sub) && !sub.repository.is_empty())
            .collect();
        let ours = concerned.iter().any(|sub| matches(sub, &qualifiers, &files));
        let theirs = case.get("refresh").and_then(Value::as_bool);
        recorded.check(case, json!({"refresh": ours}), theirs != Some(ours));

        let has_filter = case["warehouse"].to_string().contains("expressionFilter");
        let agrees = if deviates.contains("underscore-plus") {
            // The mark says that the answer changes when the underscore is read as a plus.
            Some(!ours) == theirs
        } else if deviates.contains("bad-selector-aborts") {
            // Only the broken subscription is left out; an expressionFilter is not compiled here.
            let broken = concerned.iter().filter(|sub| sub.selector.is_err()).count();
            theirs.is_none() && (has_filter || (broken > 0 && (concerned.len() > broken || !ours)))
        } else if deviates.contains("dotdot-substring") {
            theirs.is_some()
        } else if deviates.contains("ssh-https") {
            // Subscriptions to other spellings come in addition.
            theirs == Some(ours)
                || (ours && concerned.iter().any(|sub| urls.iter().all(|url| **url != *sub.repository)))
        } else {
            theirs == Some(ours)
        };
        let explained = concerned.iter().all(|sub| {
            let judgement = sub.judge(&qualifiers, &files, None, &mut Work::default());
            !judgement.reason.to_string().is_empty()
        });
        if !agrees || !explained {
            disagreements.push(format!("ours {ours}: {case}"));
        }
    }
    assert!(unmarked > 2000);
    assert!(disagreements.is_empty(), "{} of {}:\n{}", disagreements.len(), cases.len(), disagreements.join("\n"));
    recorded.finish();
}

#[test]
fn a_mistake_breaks_only_its_own_element() {
    let spec = json!({"subscriptions": [
        {"git": {"repoURL": 5}},
        {"image": {"repoURL": "ghcr.io/example/app", "allowTagsRegexes": ["("]}},
        null,
        {"image": {"repoURL": "ghcr.io/example/app"}},
        {"git": {}, "image": {}},
    ]});
    let all = subscriptions(&spec);
    let errors: Vec<_> = all.iter().filter_map(|result| result.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "subscriptions[0]: git.repoURL must be a text, but is a number",
            "subscriptions[2]: a subscription must be an object, but is null",
            "subscriptions[4]: a subscription must have exactly one field that names its kind (git, image or chart) \
             besides an optional name, but this one has 2",
        ]
    );
    let tag = ["1.2.3".to_owned()];
    let verdicts: Vec<_> =
        all.iter().flatten().map(|sub| sub.judge(&tag, &ChangedFiles::Unknown, None, &mut Work::default())).collect();
    assert!(!verdicts[0].matched && verdicts[1].matched);
    assert_eq!(
        verdicts[0].reason.to_string(),
        "the subscription is unusable: allowTagsRegexes: \"(\" is not a regular expression in Go's syntax: \
         missing closing )"
    );
}

#[test]
fn mistakes_say_what_to_write_instead() {
    let error = |element: Value| decoded(&element).selector.unwrap_err().to_string();
    let image = |field: &str, value: Value| error(json!({"image": {"repoURL": "ghcr.io/a/b", field: value}}));
    for (message, expected) in [
        (
            image("ignoreTags", json!(["1"])),
            "ignoreTags is deprecated and refused by Kargo since 1.11; use ignoreTagsRegexes",
        ),
        (
            image("allowTags", json!("1")),
            "allowTags is deprecated and refused by Kargo since 1.11; use allowTagsRegexes",
        ),
        (
            image("platform", json!("linux")),
            "platform \"linux\" is not of the form os/architecture; write for example \"linux/amd64\"",
        ),
        (
            image("imageSelectionStrategy", json!("semver")),
            "imageSelectionStrategy \"semver\" is unknown; use one of SemVer, Lexical, NewestBuild and Digest",
        ),
        (
            image("constraint", json!("latest")),
            "constraint: \"latest\" is not a version constraint; write for example \"^1.2.0\", \">=1.2.0 <2.0.0\" or \"1.2.x\"",
        ),
        (
            error(json!({"chart": {"repoURL": "OCI://ghcr.io/a/b"}})),
            "repoURL \"OCI://ghcr.io/a/b\" must begin with \"oci://\", \"https://\" or \"http://\", in lower case",
        ),
        (
            error(json!({"chart": {"repoURL": "oci://ghcr.io/A/b"}})),
            "repoURL \"oci://ghcr.io/A/b\" is not a chart repository; write oci://registry/repository, in lower case",
        ),
        (
            error(json!({"git": {"repoURL": "https://h/x", "excludePaths": ["glob:["]}})),
            "excludePaths: \"glob:[\" is not a path pattern: the glob is malformed: a bracket, brace or backslash is not closed",
        ),
    ] {
        assert_eq!(message, expected);
    }
}

#[test]
fn an_expression_filter_is_not_looked_at() {
    let git = decoded(&json!({"git": {"repoURL": "https://h/x", "expressionFilter": "(1 +"}}));
    assert!(git.selector.is_ok());
}

#[test]
fn keys_match_in_any_case_and_null_is_nothing() {
    let git = decoded(&json!({"git": {"REPOURL": "https://h/x", "Branch": "dev", "includePaths": null}}));
    assert!(matches(&git, &["refs/heads/dev".to_owned()], &ChangedFiles::complete(vec!["x".to_owned()])));
    let image = decoded(&json!({"image": {"repoURL": "ghcr.io/a/b", "\u{17F}trict\u{17F}emvers": true}}));
    assert!(!matches(&image, &["1.2".to_owned()], &ChangedFiles::Unknown));
    assert!(decode(&json!({"Git": {"repoURL": "https://h/x"}})).unwrap().is_none());
}

#[test]
fn a_constraint_under_the_name_of_another_kind_or_of_an_old_version_is_named() {
    let explained = |element: Value| {
        let subscription = decoded(&element);
        let qualifiers = ["refs/tags/latest".to_owned(), "latest".to_owned()];
        let judgement = subscription.judge(&qualifiers, &ChangedFiles::Unknown, None, &mut Work::default());
        assert!(!judgement.matched, "{element}");
        subscription.explained(&judgement)
    };
    let image = |fields: Value| {
        let mut image = json!({"repoURL": "nginx"});
        image.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        explained(json!({"image": image}))
    };
    let old = "semverConstraint of an image is an old field that Kargo does not read: write constraint";
    assert!(image(json!({"semverConstraint": "^1"})).ends_with(old));
    assert!(image(json!({"semverConstraint": "other", "imageSelectionStrategy": "Digest"})).ends_with(old));
    assert!(image(json!({"semverConstraint": "^1", "constraint": ""})).ends_with(old));
    assert!(!image(json!({"semverConstraint": "^1", "constraint": "^2"})).contains("old field"));
    assert!(!image(json!({"semverConstraint": "", "constraint": null})).contains("old field"));
    let other = "constraint is a field of images, which Kargo does not read here: write semverConstraint";
    let git = json!({"repoURL": "https://git.example/a", "commitSelectionStrategy": "SemVer", "constraint": "^1"});
    assert!(explained(json!({"git": git})).ends_with(other));
    assert!(explained(json!({"chart": {"repoURL": "oci://r.example/a", "constraint": "^1"}})).ends_with(other));
    assert!(!explained(json!({"chart": {"repoURL": "oci://r.example/a", "semverConstraint": "^1"}})).contains(other));
}
