//! The arrows of the design hold and are all needed, no files use each other in a circle, no source file is left out of
//! the build, and none grows too long. `ROOMS` is the one list of who may use whom; the table in `docs/architecture.md`
//! is generated from it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod circles;
mod document;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use source::{Crate, files_below, is_test, production, root, walk};

/// A folder of `src`, or a file beside them.
struct Room {
    name: &'static str,
    holds: &'static str,
    may_use: &'static str,
}

const fn room(name: &'static str, may_use: &'static str, holds: &'static str) -> Room {
    Room { name, holds, may_use }
}

/// What each folder is for and which others it may use. `domain` is pure; configuration (`controller`) and delivery
/// (`http`) meet only in the tables; only `app` and `cli` see both sides. A folder inside a folder has a row of its own
/// where it may use less than the whole.
const ROOMS: [Room; 23] = [
    room(
        "domain",
        "",
        "Names, the formula of the URL, repository URLs, selectors, versions and events: pure, without Kubernetes or I/O.",
    ),
    room(
        "process",
        "",
        "The clock, the named gates of readiness, the supervision of parts, and the set-up of the log.",
    ),
    room("metrics", "domain", "The metrics of each subsystem and their registry."),
    room(
        "api",
        "domain",
        "The types of the CustomResourceDefinitions and the words of the conditions: schema without policy.",
    ),
    room("expr", "domain", "The expression language of Kargo's generic receiver, bounded in time and memory."),
    room(
        "receiver",
        "api domain expr",
        "One file per kind: how a request is verified and read, and the samples that `quayside send` sends.",
    ),
    room(
        "tables",
        "receiver domain",
        "Routes, subscriptions of Warehouses, and Promotions that wait, each with its index.",
    ),
    room("journal", "domain", "What was delivered to each receiver and what came of it, in memory and bounded."),
    room(
        "views",
        "events journal tables refresh lease spool domain process",
        "What people may see: JSON, server-sent events and the page, of one process or of all replicas.",
    ),
    room("delivery", "tables receiver domain", "Judges one request against the tables, for `http` and for `explain`."),
    room("hooks", "domain", "Clients of the hosts' APIs for webhooks: list, make, remove, test and enable them."),
    room("events", "api domain", "Kubernetes Events about objects, bounded for each namespace."),
    room("refresh", "domain metrics process", "Coalescing, back-off, the PATCH, its token and its cause."),
    room("spool", "domain metrics process", "Owed refreshes and early requests on disk, in one file."),
    room(
        "lease",
        "metrics process",
        "The election of the replica that writes statuses, and the record of when one last lived.",
    ),
    room(
        "pursuit",
        "events journal tables refresh lease domain metrics process",
        "Every push until Kargo has looked: the decision (pure), and the task that asks again.",
    ),
    room(
        "recovery",
        "tables refresh spool lease domain metrics process",
        "Refreshes after something was down: what the spool owes, and the catch-up after a gap.",
    ),
    room(
        "controller",
        "events tables receiver refresh pursuit lease api domain metrics process",
        "Watches, Secrets and namespaces, the resolution of specs into routes, and the statuses.",
    ),
    room(
        "http",
        "delivery journal tables receiver refresh pursuit spool domain metrics process",
        "The port for senders: connections, limits, TLS, the one handler and its answers.",
    ),
    room(
        "registration",
        "hooks controller journal tables refresh lease api domain metrics process",
        "Registrations: the notifications of Quay and Gitea are created, watched, healed and removed.",
    ),
    room("admin", "tables refresh lease domain metrics process", "The second port: probes and metrics."),
    room(
        "cli",
        "app registration controller delivery hooks http journal views pursuit tables receiver refresh spool metrics api domain process",
        "One file per subcommand.",
    ),
    room(
        "app",
        "admin events journal views recovery registration controller http lease tables refresh pursuit spool api domain metrics process",
        "Builds all parts, runs them and drains them.",
    ),
];

/// How many files of a folder still use each other in a circle. A folder leaves this list when its circles are open.
/// What a file's own parents define is open to it, as in the privacy of Rust, and draws no arrow here.
const CIRCLES: [(&str, usize); 0] = [];

/// Columns of a comment line.
const WIDEST_COMMENT: usize = 120;

/// No file may have more lines of code in front of its tests.
const LONGEST_FILE: usize = 400;

/// Files that are longer still, with the length they may have today. A file leaves this list when it is short enough.
const TOO_LONG: [(&str, usize); 0] = [];

/// The room of a file: the row with the longest name that leads to it. `None` for the roots of the crate.
fn room_of(file: &Path) -> Option<&'static Room> {
    let path = file.with_extension("");
    if path == Path::new("lib") || path == Path::new("main") {
        return None;
    }
    let rooms = ROOMS.iter().filter(|room| path.starts_with(room.name));
    let room = rooms.max_by_key(|room| room.name.len());
    assert!(room.is_some(), "{} is in no room: add a row to ROOMS", file.display());
    room
}

/// Whether the module of a file encloses the module of another one.
fn is_parent(parent: &Path, file: &Path) -> bool {
    let folder =
        if parent.ends_with("mod.rs") { parent.parent().unwrap().to_owned() } else { parent.with_extension("") };
    file.starts_with(folder)
}

/// The files that a file declares as modules.
fn declared(file: &Path) -> Vec<PathBuf> {
    static MODULE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?mod (\w+);").unwrap());
    let is_folder = file.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib" || stem == "main");
    let folder = if is_folder { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    let code = fs::read_to_string(root().join(file)).unwrap();
    let modules = MODULE.captures_iter(&code).map(|found| {
        let name = &found[1];
        let (flat, nested) = (folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs"));
        if root().join(&flat).exists() { flat } else { nested }
    });
    modules.collect()
}

#[test]
fn every_source_file_is_part_of_the_build() {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![PathBuf::from("lib.rs"), PathBuf::from("main.rs")];
    while let Some(file) = waiting.pop() {
        assert!(root().join(&file).exists(), "{} is declared and does not exist", file.display());
        waiting.extend(declared(&file));
        reached.insert(file);
    }
    let forgotten: Vec<_> = files_below(&root()).difference(&reached).cloned().collect();
    assert!(forgotten.is_empty(), "declared by no `mod`: {forgotten:?}");
}

#[test]
fn every_test_file_is_part_of_the_build() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    let listed = |folder: &Path, root: &str| {
        let declarations = fs::read_to_string(folder.join(root)).unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let declared = declarations.contains(&format!("mod {name};")) || root == format!("{name}.rs");
            assert!(declared, "{} is declared by no `mod`", path.display());
        }
    };
    listed(&folder, "main.rs");
    listed(&folder.join("harness"), "mod.rs");
}

#[test]
fn the_arrows_of_the_design_hold_and_are_all_needed() {
    let sources = Crate::read();
    let mut drawn = BTreeMap::new();
    for (file, used) in sources.uses() {
        let Some(from) = room_of(file) else { continue };
        for to in used.into_iter().filter_map(room_of).filter(|to| to.name != from.name) {
            drawn.entry((from.name, to.name)).or_insert(file);
        }
    }
    let arrows = |room: &'static Room| room.may_use.split_whitespace().map(|other| (room.name, other));
    let allowed: BTreeSet<_> = ROOMS.iter().flat_map(arrows).collect();
    let wrong: Vec<_> = drawn.iter().filter(|(arrow, _)| !allowed.contains(arrow)).collect();
    assert!(wrong.is_empty(), "arrows that ROOMS does not allow, each with a file that draws it: {wrong:#?}");
    let unneeded: Vec<_> = allowed.iter().filter(|arrow| !drawn.contains_key(arrow)).collect();
    assert!(unneeded.is_empty(), "arrows that ROOMS allows and nothing draws, take them out: {unneeded:#?}");
}

#[test]
fn the_arrows_of_the_design_lead_round_in_no_circle() {
    let graph = ROOMS.iter().map(|room| (room.name, room.may_use.split_whitespace().collect())).collect();
    assert_eq!(circles::circles(&graph), Vec::<BTreeSet<_>>::new());
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources = Crate::read();
    let mut uses = sources.uses();
    for (file, used) in &mut uses {
        used.retain(|other| !is_parent(other, file));
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    let mut report = String::new();
    for circle in circles::circles(&uses) {
        for file in &circle {
            *counts.entry(room_of(file).map_or("lib", |room| room.name)).or_default() += 1;
            let within: Vec<_> = uses[file].intersection(&circle).collect();
            report += &format!("{} uses {within:?}\n", file.display());
        }
        report += "\n";
    }
    let known: BTreeMap<_, _> = CIRCLES.into_iter().collect();
    assert!(counts == known, "files in circles are {counts:?}, CIRCLES says {known:?}:\n{report}");
}

#[test]
fn the_domain_knows_no_framework() {
    let frameworks = ["kube", "k8s_openapi", "tokio", "axum", "hyper", "tower", "tracing", "prometheus_client"];
    for file in files_below(&root().join("domain")) {
        let code = production(&file);
        for framework in frameworks {
            let named = Regex::new(&format!(r"\b{framework}::")).unwrap().is_match(&code);
            assert!(!named, "{} uses {framework}", file.display());
        }
    }
}

/// Clippy sees to the length of functions (`too_many_lines`).
#[test]
fn no_file_is_too_long() {
    let known: BTreeMap<_, _> = TOO_LONG.into_iter().collect();
    let files = files_below(&root()).into_iter().filter(|file| !is_test(file));
    let lengths = files.map(|file| (file.to_str().unwrap().to_owned(), production(&file).lines().count()));
    let long: BTreeMap<_, _> = lengths.filter(|(_, length)| *length > LONGEST_FILE).collect();
    let refused: Vec<_> = long.iter().filter(|(file, length)| known.get(file.as_str()) < Some(*length)).collect();
    assert!(
        refused.is_empty(),
        "more than {LONGEST_FILE} lines of code, find the boundary that is missing: {refused:?}"
    );
    let short: Vec<_> = known.keys().filter(|file| !long.contains_key(**file)).collect();
    assert!(short.is_empty(), "no longer too long, take them out of TOO_LONG: {short:?}");
}

/// rustfmt sees to the width of code; on stable it leaves comments alone.
#[test]
fn no_comment_is_wider_than_the_code() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wide = Vec::new();
    for folder in ["src", "tests", "benches", "fuzz/fuzz_targets", "fuzz/src"] {
        for path in walk(&package.join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
            let found = lines.filter(|(_, line)| line.chars().count() > WIDEST_COMMENT);
            wide.extend(found.map(|(number, _)| format!("{}:{}", path.display(), number + 1)));
        }
    }
    assert!(wide.is_empty(), "comments of more than {WIDEST_COMMENT} columns: {wide:#?}");
}
