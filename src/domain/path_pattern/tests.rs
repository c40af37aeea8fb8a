use super::*;

fn parse(pattern: &str) -> Result<PathPattern, PathPatternError> {
    PathPattern::parse(pattern, &mut PatternBudget::new("test"))
}

fn matches(pattern: &PathPattern, path: &str) -> bool {
    pattern.decide(path, &mut Work::default()).unwrap().unwrap_or(false)
}

fn first_selected<'p>(filter: &PathFilter, paths: &'p [&str]) -> Option<&'p str> {
    filter.first_selected(paths, &mut Work::default()).unwrap()
}

use crate::domain::vectors::{Ours, lines, text};

#[test]
fn patterns_match_as_in_the_vectors() {
    let cases = lines("patterns");
    let mut recorded = Ours::of("patterns");
    let mut disagreements = Vec::new();
    let mut deviating = 0;
    for case in &cases {
        let paths: Vec<_> = case["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
        let ours = parse(text(case, "pattern"))
            .map(|pattern| paths.into_iter().filter(|path| matches(&pattern, path)).collect::<Vec<_>>());
        let theirs = case.get("matches").and_then(|paths| paths.as_array());
        let differs = match (&ours, theirs) {
            (Ok(ours), Some(theirs)) => serde_json::json!(ours) != serde_json::json!(theirs),
            (ours, theirs) => ours.is_ok() != theirs.is_some(),
        };
        recorded.check(case, serde_json::json!({"matches": ours.as_ref().ok()}), differs);
        let agrees = match (&ours, theirs) {
            (Err(_), None) => true,
            (Ok(ours), Some(theirs)) if case.get("deviates").is_some() => {
                // We match what they match, and besides only names with dots in them.
                deviating += 1;
                theirs.iter().all(|path| ours.contains(&path.as_str().unwrap()))
                    && ours.iter().all(|path| path.contains("..") || theirs.contains(&(*path).into()))
            }
            (Ok(ours), Some(theirs)) => serde_json::json!(ours) == serde_json::json!(theirs),
            (Ok(_), None) | (Err(_), Some(_)) => false,
        };
        if !agrees {
            disagreements.push(format!("{} {:?}: {ours:?}\n  {theirs:?}", case["id"], case["pattern"]));
        }
    }
    assert!(deviating > 0 && deviating < cases.len());
    assert!(disagreements.is_empty(), "{} of {}:\n{}", disagreements.len(), cases.len(), disagreements.join("\n"));
    recorded.finish();
}

#[test]
fn two_dots_in_a_name_do_not_leave_the_directory() {
    let charts = parse("charts").unwrap();
    assert!(matches(&charts, "charts/foo..bar"));
    assert!(matches(&charts, "charts/..x/y"));
    assert!(!matches(&charts, "charts/../x"));
    assert!(!matches(&charts, "charts2/x"));
    let top = parse(".").unwrap();
    assert!(matches(&top, "..charts/x"));
    assert!(!matches(&top, "../x") && !matches(&top, "..") && !matches(&top, "/x"));
}

#[test]
fn one_selected_path_among_the_changed_files_is_enough() {
    let patterns = |texts: &[&str]| texts.iter().map(|text| parse(text).unwrap()).collect();
    let filter = PathFilter { include: patterns(&["apps/", "glob:*.md"]), exclude: patterns(&["apps/ignored"]) };
    assert!(first_selected(&filter, &["apps/ignored/config.yaml", "src/x"]).is_none());
    assert_eq!(first_selected(&filter, &["apps/ignored/x", "README.md", "apps/y"]), Some("README.md"));
    assert!(first_selected(&filter, &[]).is_none());
    assert!(first_selected(&PathFilter::default(), &["x"]).is_some());
}

#[test]
fn a_hostile_glob_is_given_up_and_then_selects() {
    let bomb = "glob:".to_owned() + &"{a,a,a,a}".repeat(60) + "b";
    let pattern = parse(&bomb).unwrap();
    let path = "a".repeat(60);
    assert_eq!(pattern.decide(&path, &mut Work::default()), Ok(None));
    let exclude = PathFilter { include: Box::default(), exclude: Box::new([pattern.clone()]) };
    let include = PathFilter { include: Box::new([pattern]), exclude: Box::default() };
    assert!(first_selected(&exclude, &[&path]).is_some() && first_selected(&include, &[&path]).is_some());
    assert_eq!(parse(&("glob:".to_owned() + &"{a}".repeat(65))).unwrap_err(), PathPatternError::TooManyBraces);
}

#[test]
fn many_globs_over_many_files_take_no_more_than_the_work_of_a_request() {
    let files: Vec<String> =
        (0..10_000).map(|n| format!("services/team-{}/app-{n}/src/main/config.yaml", n % 50)).collect();
    let judged = |glob: fn(usize) -> String| {
        let include = (0..20).map(|n| parse(&glob(n)).unwrap()).collect();
        let filter = PathFilter { include, exclude: Box::default() };
        let mut work = Work::default();
        let selected = filter.first_selected(&files, &mut work).map(|path| path.map(str::to_owned));
        (selected, Work::default().left() - work.left())
    };
    // Those of ordinary monorepos are decided, most of them at their first difference.
    let (selected, steps) = judged(|n| format!("glob:services/other-{n}/**/*.yaml"));
    assert_eq!(selected, Ok(None));
    assert!(steps < 1_000_000, "{steps}");
    // Those that walk every file take most of the work, and no more than there is.
    let hostile = |n: usize| format!("glob:**/*a*a*/**/*a*/**/*{{a,b}}*{{a,b}}*/**/x{n}");
    let (selected, steps) = judged(hostile);
    assert_eq!(selected, Ok(None));
    assert!(steps > 5_000_000, "{steps}");
    let filter = PathFilter { include: Box::new([parse(&hostile(0)).unwrap()]), exclude: Box::default() };
    let mut little = Work::of(5_000);
    assert_eq!((filter.first_selected(&files, &mut little), little.left()), (Err(Exhausted), 0));
}
