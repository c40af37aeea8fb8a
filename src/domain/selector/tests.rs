use super::*;
use crate::domain::go_regex::PatternBudget;
use crate::domain::path_pattern::PathPattern;

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn regexes(patterns: &[&str]) -> Patterns {
    patterns.iter().map(|pattern| PatternBudget::new("test").compile(pattern).unwrap()).collect()
}

fn versions(strictness: Strictness, constraint: &str) -> TagRule {
    let constraint = Some(constraint).filter(|text| !text.is_empty()).map(|text| Constraint::parse(text).unwrap());
    TagRule { version: Some(VersionRule { strictness, constraint }), ..TagRule::default() }
}

fn image(rule: TagRule) -> Selector {
    Selector::Image(ImageSelector::Tag(rule))
}

fn git(refs: RefRule) -> Selector {
    Selector::Git(GitSelector { refs, paths: None })
}

#[track_caller]
fn check(selector: &Selector, qualifiers: &[&str], files: &[&str], default: Option<&str>, matched: bool, reason: &str) {
    let (qualifiers, files, mut work) = (owned(qualifiers), ChangedFiles::complete(owned(files)), Work::default());
    let judgement = selector.judge(&qualifiers, &files, default, &mut work);
    assert_eq!(judgement.reason.to_string(), reason);
    assert_eq!(judgement.matched, matched);
}

#[test]
fn versions_are_judged_by_the_constraint() {
    let selector = image(versions(Strictness::Strict, "^1.0.0"));
    check(&selector, &["1.2.3"], &[], None, true, r#"tag "1.2.3" satisfies "^1.0.0""#);
    check(&selector, &["2.0.0"], &[], None, false, r#"tag "2.0.0" does not satisfy constraint "^1.0.0""#);
    check(&selector, &["latest"], &[], None, false, r#"tag "latest" is not a semantic version"#);
    check(
        &selector,
        &["1.2"],
        &[],
        None,
        false,
        r#"tag "1.2" is not a semantic version of the form X.Y.Z, which strictSemvers asks for"#,
    );
    check(
        &selector,
        &["1.2.3-rc.1"],
        &[],
        None,
        false,
        r#"tag "1.2.3-rc.1" is a pre-release, which constraint "^1.0.0" leaves out (write for example ">=1.0.0-0")"#,
    );
    check(&selector, &["latest", "1.2.3"], &[], None, true, r#"tag "1.2.3" satisfies "^1.0.0""#);
    check(
        &selector,
        &["a", "b", "c"],
        &[],
        None,
        false,
        r#"tag "a" is not a semantic version, nor does any of 2 more qualify"#,
    );
    check(&image(versions(Strictness::Lenient, "")), &["1"], &[], None, true, r#"tag "1" is a semantic version"#);
}

#[test]
fn an_event_without_qualifier_concerns_everybody() {
    let reason = "no qualifier in the event: every subscriber is refreshed";
    check(&image(versions(Strictness::Strict, "^1")), &[], &[], None, true, reason);
    check(&git(RefRule::Branch(None)), &[], &["x"], None, true, reason);
}

#[test]
fn tags_are_judged_by_patterns_first() {
    let rule = TagRule { allow: regexes(&["^x", "^y"]), ignore: regexes(&["z$"]), version: None };
    let selector = image(rule);
    check(&selector, &["xa"], &[], None, true, r#"tag "xa" is allowed by allowTagsRegexes "^x""#);
    check(&selector, &["xz"], &[], None, false, r#"tag "xz" is excluded by ignoreTagsRegexes "z$""#);
    check(&selector, &["a"], &[], None, false, r#"tag "a" matches none of the 2 allowTagsRegexes"#);
    check(&image(TagRule::default()), &["a"], &[], None, true, r#"tag "a" qualifies, as every tag does"#);
}

#[test]
fn a_digest_subscription_listens_to_one_tag() {
    let selector = Selector::Image(ImageSelector::Digest("latest".into()));
    check(&selector, &["latest"], &[], None, true, r#"tag "latest" is the subscribed one"#);
    check(&selector, &["Latest"], &[], None, false, r#"tag "Latest" is not the subscribed tag "latest""#);
}

#[test]
fn branches_and_tags_are_told_apart() {
    let dev = git(RefRule::Branch(Some("dev".into())));
    check(&dev, &["refs/heads/dev"], &[], Some("main"), true, r#"branch "dev" is the subscribed one"#);
    check(&dev, &["refs/heads/main"], &[], Some("main"), false, r#"branch "main" is not the subscribed branch "dev""#);
    check(&dev, &["refs/tags/dev"], &[], None, false, r#""refs/tags/dev" is not a branch (refs/heads/…)"#);
    let tags = git(RefRule::Tag(TagRule::default()));
    check(&tags, &["refs/tags/v1"], &[], None, true, r#"tag "v1" qualifies, as every tag does"#);
    check(&tags, &["refs/heads/v1"], &[], None, false, r#""refs/heads/v1" is not a tag (refs/tags/…)"#);
}

#[test]
fn without_a_branch_the_default_branch_of_the_event_counts() {
    let selector = git(RefRule::Branch(None));
    check(&selector, &["refs/heads/trunk"], &[], Some("trunk"), true, r#"branch "trunk" is the default branch"#);
    check(
        &selector,
        &["refs/heads/main"],
        &[],
        Some("trunk"),
        false,
        r#"branch "main" is not the default branch "trunk""#,
    );
    let taken = r#"branch "main" is taken for the default branch, which the event does not name"#;
    check(&selector, &["refs/heads/main"], &[], None, true, taken);
    check(&selector, &["refs/heads/main"], &[], Some(""), true, taken);
    let neither = r#"branch "x" is neither "main" nor "master", and the event does not name the default branch"#;
    check(&selector, &["refs/heads/x"], &[], None, false, neither);
}

#[test]
fn changed_files_decide_when_there_are_any() {
    let include = Box::new([PathPattern::parse("apps/foo", &mut PatternBudget::new("test")).unwrap()]);
    let paths = Some(Box::new(PathFilter { include, exclude: Box::default() }));
    let selector = Selector::Git(GitSelector { refs: RefRule::Branch(Some("main".into())), paths });
    let on_main = &["refs/heads/main"];
    let unseen = r#"branch "main" is the subscribed one; includePaths and excludePaths are not applied, because the event's list of changed files is missing or incomplete"#;
    check(&selector, on_main, &[], None, true, unseen);
    check(
        &selector,
        on_main,
        &["README.md", "apps/foo/x"],
        None,
        true,
        r#"branch "main" is the subscribed one, and the changed file "apps/foo/x" is selected"#,
    );
    check(
        &selector,
        on_main,
        &["apps/bar/x"],
        None,
        false,
        r#"branch "main" is the subscribed one, but includePaths and excludePaths do not select the changed file"#,
    );
}

#[test]
fn an_underscore_in_a_chart_tag_is_a_plus() {
    let constraint = Some(Constraint::parse("^1.0.0").unwrap());
    let selector = Selector::Chart(ChartSelector { constraint });
    check(&selector, &["1.2.3_build.7"], &[], None, true, r#"tag "1.2.3_build.7" satisfies "^1.0.0""#);
    check(&selector, &["1.2.3_a_b"], &[], None, false, r#"tag "1.2.3_a_b" is not a semantic version"#);
}

#[test]
fn a_leading_zero_is_named() {
    let strict = image(versions(Strictness::Strict, ">=2026.0.0"));
    let lenient = image(versions(Strictness::Lenient, ">=2026.0.0"));
    for (tag, plain) in
        [("2026.02.01", "2026.2.1"), ("v2026.2.00", "v2026.2.0"), ("02026.2.1-rc.1+007", "2026.2.1-rc.1+007")]
    {
        let named = format!(
            "tag {tag:?} has a leading zero, which strictSemvers does not accept; tag {plain:?} instead, or set \
             strictSemvers to false"
        );
        check(&strict, &[tag], &[], None, false, &named);
    }
    check(&lenient, &["2026.02.01"], &[], None, true, r#"tag "2026.02.01" satisfies ">=2026.0.0""#);
    let named = r#"tag "2026.2.1-rc.01" is not a semantic version, because its pre-release has a leading zero; tag "2026.2.1-rc.1" would be"#;
    check(&lenient, &["2026.2.1-rc.01"], &[], None, false, named);
    check(&strict, &["2026.2.1-rc.01"], &[], None, false, named);
    for tag in ["latest", "0x1", "1.2", "00", "0.latest"] {
        let qualifiers = owned(&[tag]);
        let judgement = strict.judge(&qualifiers, &ChangedFiles::Unknown, None, &mut Work::default());
        let judgement = judgement.reason.to_string();
        assert!(!judgement.contains("zero"), "{judgement}");
    }
}

#[test]
fn a_selector_is_small() {
    assert!(size_of::<Selector>() <= 96, "{}", size_of::<Selector>());
}
