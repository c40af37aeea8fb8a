use super::*;
use crate::domain::vectors::{Ours, lines, text};

#[test]
fn patterns_match_as_in_the_vectors() {
    let cases = lines("patterns");
    let mut recorded = Ours::of("patterns");
    let mut disagreements = Vec::new();
    let mut deviating = 0;
    for case in &cases {
        let paths: Vec<_> = case["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
        let ours = PathPattern::parse(text(case, "pattern"))
            .map(|pattern| paths.into_iter().filter(|path| pattern.matches(path)).collect::<Vec<_>>());
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
    let charts = PathPattern::parse("charts").unwrap();
    assert!(charts.matches("charts/foo..bar"));
    assert!(charts.matches("charts/..x/y"));
    assert!(!charts.matches("charts/../x"));
    assert!(!charts.matches("charts2/x"));
    let top = PathPattern::parse(".").unwrap();
    assert!(top.matches("..charts/x"));
    assert!(!top.matches("../x") && !top.matches("..") && !top.matches("/x"));
}

#[test]
fn one_selected_path_among_the_changed_files_is_enough() {
    let patterns = |texts: &[&str]| texts.iter().map(|text| PathPattern::parse(text).unwrap()).collect();
    let filter = PathFilter { include: patterns(&["apps/", "glob:*.md"]), exclude: patterns(&["apps/ignored"]) };
    assert!(filter.first_selected(&["apps/ignored/config.yaml", "src/x"]).is_none());
    assert_eq!(filter.first_selected(&["apps/ignored/x", "README.md", "apps/y"]), Some("README.md"));
    assert!(filter.first_selected::<&str>(&[]).is_none());
    assert!(PathFilter::default().first_selected(&["x"]).is_some());
}

#[test]
fn a_hostile_glob_is_given_up_and_then_selects() {
    let bomb = "glob:".to_owned() + &"{a,a,a,a}".repeat(60) + "b";
    let pattern = PathPattern::parse(&bomb).unwrap();
    let path = "a".repeat(60);
    assert_eq!(pattern.decide(&path), None);
    let exclude = PathFilter { include: Box::default(), exclude: Box::new([pattern.clone()]) };
    let include = PathFilter { include: Box::new([pattern]), exclude: Box::default() };
    assert!(exclude.first_selected(&[&path]).is_some() && include.first_selected(&[&path]).is_some());
    assert_eq!(
        PathPattern::parse(&("glob:".to_owned() + &"{a}".repeat(65))).unwrap_err(),
        PathPatternError::TooManyBraces
    );
}
