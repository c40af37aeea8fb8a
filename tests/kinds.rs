//! Every kind of receiver has all its parts. Whoever adds one is led here by what is missing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::fs;
use std::path::{Path, PathBuf};

use quayside::api;
use quayside::domain::kind::ReceiverKind;
use quayside::receiver::implementation;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Which of these kinds are missing somewhere.
fn missing(what: &str, is_there: impl Fn(ReceiverKind) -> bool) -> Vec<String> {
    let kinds = ReceiverKind::ALL.into_iter().filter(|kind| !is_there(*kind));
    kinds.map(|kind| format!("{kind}: {what}")).collect()
}

#[test]
fn every_kind_has_samples_example_documentation_schema_and_fuzz_target() {
    let (docs, fuzz, crds) =
        (read("docs/receivers.md"), read("fuzz/fuzz_targets/receiver.rs"), api::crd_yaml().unwrap());
    let has_field = |crd: &str, kind: ReceiverKind| {
        let (_, yaml) = crds.iter().find(|(name, _)| name.ends_with(crd)).unwrap();
        yaml.contains(&format!(" {kind}:\n"))
    };
    let has_example = |kind: ReceiverKind| {
        let folders = [format!("examples/{kind}")];
        folders.iter().any(|folder| {
            let config = if kind.is_kargos() { "20-projectconfig.yaml" } else { "20-receiver.yaml" };
            file(folder).join(config).exists()
        })
    };
    let all = [
        missing("no sample of an event", |kind| !implementation(kind).events().is_empty()),
        missing("no folder with its name in examples/", has_example),
        missing("not in the table of docs/receivers.md", |kind| docs.contains(&format!("[`{kind}`]"))),
        missing("not in the Receiver's schema", |kind| has_field("_receivers.yaml", kind)),
        missing("not in the ProjectConfig's schema, or there though Kargo does not know it", |kind| {
            has_field("_projectconfigs.yaml", kind) == kind.is_kargos()
        }),
        // The target goes through all of them.
        missing("no fuzz target", |_| fuzz.contains("ReceiverKind::ALL")),
    ];
    assert_eq!(all.concat(), Vec::<String>::new());
}
