//! Every kind of receiver has all its parts. `CONTRIBUTING.md` lists them under "Adding a kind of receiver"; a part
//! that is missing is named here.

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

/// Whether the table of docs/receivers.md links the kind to a section that exists.
fn is_documented(docs: &str, kind: ReceiverKind) -> bool {
    let anchor = |heading: &str| {
        let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let link = format!("[`{kind}`](#");
    let Some((_, rest)) = docs.split_once(&link) else { return false };
    let target = rest.split(')').next().unwrap_or_default();
    docs.lines().filter_map(|line| line.strip_prefix("## ")).any(|heading| anchor(heading) == target)
}

fn has_field(crd: &str, kind: ReceiverKind) -> bool {
    let crds = api::crd_yaml().unwrap();
    let (_, yaml) = crds.iter().find(|(name, _)| name.ends_with(crd)).unwrap();
    yaml.contains(&format!(" {kind}:\n"))
}

/// The parts that this kind lacks.
fn missing(kind: ReceiverKind) -> Vec<String> {
    let (docs, examples) = (read("docs/receivers.md"), read("examples/README.md"));
    let (own_kinds, seed) = (read("tests/integration/own_kinds.rs"), read("fuzz/seed.sh"));
    let config = if kind.is_kargos() { "20-projectconfig.yaml" } else { "20-receiver.yaml" };
    let parts = [
        ("src/receiver/kinds/<kind>/tests.rs", file(&format!("src/receiver/kinds/{kind}/tests.rs")).exists()),
        ("a sample of an event", !implementation(kind).events().is_empty()),
        ("a row in the table of docs/receivers.md that links to its section", is_documented(&docs, kind)),
        ("examples/<kind>/ with its configuration", file(&format!("examples/{kind}")).join(config).exists()),
        ("a row in examples/README.md", examples.contains(&format!("[{kind}/]({kind})"))),
        (
            "a row in KINDS of tests/integration/own_kinds.rs, unless Kargo has recorded verdicts for it",
            kind.is_kargos()
                || own_kinds.contains(&format!("(\"{kind}\""))
                || own_kinds.contains(&format!("\"{kind}\",\n")),
        ),
        ("a field in the Receiver's schema (`make generate`)", has_field("_receivers.yaml", kind)),
        (
            "a field in the ProjectConfig's schema, or none where Kargo does not know it",
            has_field("_projectconfigs.yaml", kind) == kind.is_kargos(),
        ),
        // Both go through the whole table.
        ("a fuzz target", read("fuzz/fuzz_targets/receiver.rs").contains("ReceiverKind::ALL")),
        ("seeds for the fuzz target", seed.contains("src/receiver/kinds/mod.rs")),
    ];
    parts.into_iter().filter(|(_, is_there)| !is_there).map(|(part, _)| format!("{kind}: {part}")).collect()
}

#[test]
fn every_kind_has_samples_example_documentation_schema_and_fuzz_target() {
    let all: Vec<String> = ReceiverKind::ALL.into_iter().flat_map(missing).collect();
    assert_eq!(all, Vec::<String>::new(), "see \"Adding a kind of receiver\" in CONTRIBUTING.md");
}

/// `fuzz/seed.sh` counts the kinds by their modules, because a shell script cannot read the table.
#[test]
fn there_is_a_module_for_each_kind_and_no_other() {
    let modules = read("src/receiver/kinds/mod.rs");
    let mut names: Vec<_> =
        modules.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    names.sort_unstable();
    let mut kinds = ReceiverKind::ALL.map(ReceiverKind::as_str);
    kinds.sort_unstable();
    assert_eq!(names, kinds);
}
