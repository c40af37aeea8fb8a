//! Requests from field reports, given to the program as its users would.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// What the reasons of a report have to say, somewhere in what `explain` prints.
const REASONS: &[(&str, &[&str])] = &[
    ("report-03", &["missing or incomplete"]),
    ("report-06", &["missing or incomplete"]),
    ("report-07", &["does not name the version"]),
    ("report-08", &["missing X-Gitlab-Token"]),
    ("report-11", &["UPLOAD_CHART"]),
    ("report-13", &["semverConstraint"]),
    ("report-14", &["leading zero"]),
    ("report-15", &["Resource details to send", "All"]),
];

fn explain(case: &Value) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (manifests, body) = (folder.path().join("manifests.yaml"), folder.path().join("body"));
    std::fs::write(&manifests, case["manifests"].as_str().unwrap()).unwrap();
    let mut file = std::fs::File::create(&body).unwrap();
    file.write_all(&BASE64_STANDARD.decode(case["body_b64"].as_str().unwrap()).unwrap()).unwrap();
    let arguments = case["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap());
    let output = Command::new(env!("CARGO_BIN_EXE_quayside"))
        .args(arguments)
        .arg("-f")
        .arg(&manifests)
        .arg("--body")
        .arg(&body)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}: {}", case["id"], String::from_utf8_lossy(&output.stderr));
    let explained = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{}: {error}: {printed}", case["id"]));
    (printed, explained)
}

/// Object → whether it would be refreshed, as the cases have it.
fn fates(objects: &Value) -> Value {
    let fate = |object: &Value| {
        let name = format!("{}/{}", object["namespace"].as_str().unwrap(), object["name"].as_str().unwrap());
        (name, object["refresh"].clone())
    };
    objects.as_array().unwrap().iter().map(fate).collect()
}

#[test]
fn every_report_has_the_right_verdict_and_a_true_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports/reports.jsonl");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (printed, explained) = explain(&case);
        let (id, expected) = (case["id"].as_str().unwrap(), &case["expect"]);
        let found = json!({
            "status": explained["answer"]["status"],
            "refresh": fates(&explained["warehouses"]),
            "promotions": fates(&explained["promotions"]),
        });
        let verdict = ["status", "refresh", "promotions"].iter().all(|member| found[member] == expected[member]);
        let answer = explained["answer"]["body"].to_string().to_lowercase();
        let says = expected["answer_contains"].as_str().is_none_or(|word| answer.contains(&word.to_lowercase()));
        let reasons = REASONS.iter().filter(|(of, _)| *of == id).flat_map(|(_, words)| words.iter());
        let missing: Vec<_> = reasons.filter(|word| !printed.contains(**word)).collect();
        if !verdict || !says || !missing.is_empty() {
            wrong.push(format!("{id} ({}): lacks {missing:?}, says {printed}", case["why"].as_str().unwrap()));
        }
        count += 1;
    }
    assert_eq!(count, 16);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
