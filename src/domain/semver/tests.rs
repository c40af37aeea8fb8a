use super::*;
use crate::domain::vectors::{lines, text};

fn accepted(case: &serde_json::Value, strictness: Strictness) -> Result<Vec<String>, ConstraintError> {
    let constraint = match text(case, "constraint") {
        "" => None,
        given => Some(Constraint::parse(given)?),
    };
    let versions = case["versions"].as_array().unwrap().iter().map(|version| version.as_str().unwrap());
    Ok(versions
        .filter(|version| {
            Version::parse(version, strictness)
                .is_some_and(|version| constraint.as_ref().is_none_or(|constraint| constraint.matches(&version)))
        })
        .map(str::to_owned)
        .collect())
}

#[test]
fn versions_satisfy_constraints_as_in_the_vectors() {
    let cases = lines("semver");
    let mut disagreements = Vec::new();
    for case in &cases {
        for (member, strictness) in [("lenient", Strictness::Lenient), ("strict", Strictness::Strict)] {
            let ours = accepted(case, strictness);
            let agrees = match (&ours, case.get("error")) {
                (Err(_), theirs) => theirs.is_some(),
                (Ok(ours), None) => serde_json::json!(ours) == case[member],
                (Ok(_), Some(_)) => false,
            };
            if !agrees {
                disagreements.push(format!("{} {:?} {member}: {ours:?}\n  {case}", case["id"], case["constraint"]));
            }
        }
    }
    assert!(!cases.is_empty());
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

#[test]
fn lenient_and_strict_versions_are_told_apart() {
    for (tag, lenient, strict) in [
        ("1", true, false),
        ("v1.2", true, false),
        ("v1.2.3-rc1+b", true, true),
        ("01.2.3", true, false),
        ("1.2.3-01", false, false),
        ("1.2.3-", false, false),
        ("1.2.3+", false, false),
        ("1.2.3_b1", false, false),
        ("V1.2.3", false, false),
        ("vv1.2.3", false, false),
        ("1.2.3.4", false, false),
        ("1..3", false, false),
        ("", false, false),
        ("v", false, false),
        ("18446744073709551615.0.0", true, true),
        ("18446744073709551616.0.0", false, false),
    ] {
        assert_eq!(Version::parse(tag, Strictness::Lenient).is_some(), lenient, "{tag}");
        assert_eq!(Version::parse(tag, Strictness::Strict).is_some(), strict, "{tag}");
    }
    let long = format!("1.2.3-{}", "a".repeat(251));
    assert!(Version::parse(&long[..256], Strictness::Strict).is_some());
    assert!(Version::parse(&long, Strictness::Lenient).is_none());
}

#[test]
fn prereleases_are_ordered_by_identifier() {
    let ascending = ["1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-a", "1.0.0-a.1", "1.0.0-a.b", "1.0.0-b", "1.0.0"];
    let versions: Vec<_> = ascending.iter().map(|tag| Version::parse(tag, Strictness::Strict).unwrap()).collect();
    assert!(versions.is_sorted_by(|left, right| left < right));
}

#[test]
fn oversized_constraints_are_refused() {
    assert!(Constraint::parse(&vec!["1"; 32].join("||")).is_ok());
    assert_eq!(Constraint::parse(&vec!["1"; 33].join("||")), Err(ConstraintError::TooManyGroups));
    assert_eq!(Constraint::parse(&format!("1{}", " ".repeat(512))), Err(ConstraintError::TooLong));
}
