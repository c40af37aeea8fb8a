//! The documents are in step with the code: versions, the table of modules, and each closed set of words that has a
//! table.
//!
//! `make generate` writes the table of modules (it sets `QUAYSIDE_GENERATE`); without that the test compares.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

use super::ROOMS;

/// A table that has a row for each word of a closed set.
struct ClosedSet {
    document: &'static str,
    /// The head of the table.
    head: &'static str,
    /// The file of the code, and the beginning of each block whose texts are the words.
    file: &'static str,
    block: &'static str,
    /// The words that have no row.
    besides: &'static [&'static str],
}

const CLOSED_SETS: [ClosedSet; 5] = [
    ClosedSet {
        document: "docs/registration.md",
        head: "| reason | what Quay answers | remedy |",
        file: "src/hooks/refusal.rs",
        block: "fn reason(",
        besides: &[],
    },
    ClosedSet {
        document: "docs/operations.md",
        head: "| gate | opens when |",
        file: "src/process/readiness.rs",
        block: "fn as_str(",
        besides: &[],
    },
    ClosedSet {
        document: "docs/operations.md",
        head: "| `outcome` | status | meaning | normal? |",
        file: "src/http/answer/outcome.rs",
        block: "fn as_str(",
        besides: &[],
    },
    ClosedSet {
        document: "docs/receivers.md",
        head: "| reason | status | cause | remedy |",
        file: "src/controller/resolve/problem.rs",
        block: "\nreasons! {",
        besides: &[],
    },
    ClosedSet {
        document: "docs/troubleshooting.md",
        head: "| `notMatched` | meaning |",
        file: "src/domain/selector/reason.rs",
        block: "fn code(",
        // Why a subscription accepts.
        besides: &[
            "no_qualifier",
            "subscribed_branch",
            "default_branch",
            "allowed_tag",
            "subscribed_tag",
            "accepted_version",
        ],
    },
];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words in the first column of a table.
fn first_column(document: &str, head: &str) -> BTreeSet<String> {
    let text = read(document);
    let (_, table) =
        text.split_once(&format!("{head}\n")).unwrap_or_else(|| panic!("{document} has no table {head:?}"));
    let word = Regex::new("`([^`]+)`").unwrap();
    let cells = table.lines().skip(1).map_while(|line| line.strip_prefix("| ")?.split(" | ").next());
    let words = |cell| word.captures_iter(cell).map(|found| found[1].to_owned()).collect::<Vec<_>>();
    cells.flat_map(words).collect()
}

/// The texts in all blocks with that beginning.
fn texts(file: &str, block: &str) -> BTreeSet<String> {
    let code = read(file);
    let end = if block.ends_with('{') { "\n}\n" } else { "\n    }\n" };
    let bodies = code.split(block).skip(1).map(|rest| rest.split(end).next().unwrap());
    let text = Regex::new(r#""([^"]+)""#).unwrap();
    bodies.flat_map(|body| text.captures_iter(body).map(|found| found[1].to_owned()).collect::<Vec<_>>()).collect()
}

#[test]
fn every_word_of_a_closed_set_has_a_row_in_its_table() {
    for set in CLOSED_SETS {
        let mut words = texts(set.file, set.block);
        assert!(set.besides.iter().all(|word| words.remove(*word)), "{}: {words:?}", set.file);
        let rows = first_column(set.document, set.head);
        assert!(words.len() > 3, "{}: {words:?}", set.file);
        assert_eq!(rows, words, "the table {:?} of {} against {}", set.head, set.document, set.file);
    }
}

#[test]
fn every_metric_has_a_row() {
    let rows = first_column("docs/operations.md", "| metric | type | labels | meaning | what to do |");
    let registration = Regex::new(r#"(?s)\.register(_with_unit)?\(\s*"(\w+)",\s*"[^"]*",\s*(?:Unit::(\w+))?"#).unwrap();
    let prefix = Regex::new(r#"sub_registry_with_prefix\("(\w+)"\)"#).unwrap();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metrics")).unwrap() {
        let code = fs::read_to_string(entry.unwrap().path()).unwrap();
        let prefix = prefix.captures(&code).map(|prefix| format!("{}_", &prefix[1])).unwrap_or_default();
        for metric in registration.captures_iter(&code) {
            let unit = metric.get(3).map(|unit| format!("_{}", unit.as_str().to_lowercase())).unwrap_or_default();
            found.insert(format!("quayside_{prefix}{}{unit}", &metric[2]));
        }
    }
    assert!(found.len() > 30, "{found:?}");
    let bare: BTreeSet<_> = rows.iter().map(|row| row.trim_end_matches("_total").to_owned()).collect();
    assert_eq!(bare, found, "the rows of docs/operations.md against src/metrics");
}

/// Every name by which Prometheus knows a metric of the table.
fn scraped_names() -> BTreeSet<String> {
    let text = read("docs/operations.md");
    let (_, table) =
        text.split_once("| metric | type | labels | meaning | what to do |\n").expect("the table of metrics");
    let word = Regex::new("`(quayside_[a-z0-9_]+)`").unwrap();
    let mut names = BTreeSet::new();
    for line in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let mut cells = line.trim_start_matches("| ").split(" | ");
        let (metrics, types) = (cells.next().unwrap(), cells.next().unwrap());
        let types: Vec<_> = types.split(", ").collect();
        for (index, metric) in word.captures_iter(metrics).enumerate() {
            // One type for all of the row, or one for each.
            match types[index.min(types.len() - 1)] {
                "histogram" => names.extend(["bucket", "sum", "count"].map(|part| format!("{}_{part}", &metric[1]))),
                "counter" | "gauge" => drop(names.insert(metric[1].to_owned())),
                other => panic!("{other} is no type of a metric: {line}"),
            }
        }
    }
    names
}

#[test]
fn alerts_and_the_dashboard_use_only_metrics_that_exist() {
    let scraped = scraped_names();
    // The kubelet's own, for what a replica costs.
    let kubelet = BTreeSet::from(["container_cpu_usage_seconds_total", "container_memory_working_set_bytes"]);
    let name = Regex::new(r"\b(?:quayside|container)_[a-z0-9_]+").unwrap();
    for file in ["charts/quayside/files/alerts.yaml", "charts/quayside/files/dashboard.json"] {
        let text = read(file);
        let mut used = BTreeSet::new();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            used.extend(name.find_iter(line).map(|found| found.as_str()));
        }
        assert!(used.len() > 15, "{file}: {used:?}");
        let unknown: Vec<_> =
            used.into_iter().filter(|name| !scraped.contains(*name) && !kubelet.contains(name)).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}, which nothing exposes");
    }
}

#[test]
fn every_metric_of_quayside_is_on_the_dashboard() {
    let dashboard = read("charts/quayside/files/dashboard.json");
    for row in first_column("docs/operations.md", "| metric | type | labels | meaning | what to do |") {
        assert!(dashboard.contains(&row), "{row} is on no panel");
    }
}

#[test]
fn every_alert_has_a_section_in_the_runbooks_and_a_case() {
    let (rules, runbooks, cases) =
        (read("charts/quayside/files/alerts.yaml"), read("docs/runbooks.md"), read("tests/alerts/cases.yaml"));
    let names = |text: &str, before: &str| -> BTreeSet<String> {
        let found = text.lines().filter_map(|line| Some(line.trim_start().strip_prefix(before)?.to_owned()));
        found.collect()
    };
    let alerts = names(&rules, "- alert: ");
    assert!(alerts.len() > 20, "{alerts:?}");
    assert_eq!(names(&runbooks, "### "), alerts, "the sections of docs/runbooks.md");
    for alert in alerts {
        assert!(cases.contains(&format!(r#"alertname="{alert}""#)), "{alert} has no case in tests/alerts/cases.yaml");
    }
}

#[test]
fn the_crate_the_chart_and_the_changelog_have_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = read("charts/quayside/Chart.yaml");
    for member in ["version", "appVersion"] {
        let line = chart.lines().find_map(|line| line.strip_prefix(&format!("{member}: "))).unwrap();
        assert_eq!(line.split_whitespace().next(), Some(version), "{member} of Chart.yaml");
    }
    let changelog = read("CHANGELOG.md");
    let newest = changelog.lines().filter_map(|line| line.strip_prefix("## [")?.split(']').next());
    assert_eq!(newest.take(2).collect::<Vec<_>>(), ["Unreleased", version], "the newest sections of CHANGELOG.md");
}

#[test]
fn the_table_of_modules_is_in_step_with_the_arrows() {
    let mut table = "| folder or file of `src` | what it holds | may use |\n| --- | --- | --- |\n".to_owned();
    for room in &ROOMS {
        let others: Vec<_> = room.may_use.split_whitespace().map(|other| format!("`{other}`")).collect();
        table += &format!("| `{}` | {} | {} |\n", room.name, room.holds, others.join(", "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let document = fs::read_to_string(&file).unwrap();
    let (before, rest) = document.split_once("<!-- begin generated modules -->\n").expect("the begin marker");
    let (found, after) = rest.split_once("<!-- end generated modules -->\n").expect("the end marker");
    if std::env::var_os("QUAYSIDE_GENERATE").is_some() {
        let text = format!("{before}<!-- begin generated modules -->\n{table}<!-- end generated modules -->\n{after}");
        fs::write(file, text).unwrap();
        return;
    }
    assert!(
        found == table,
        "docs/architecture.md is out of step with ROOMS: run `make generate` and commit the result"
    );
}
