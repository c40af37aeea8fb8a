//! The arrows of the design hold, no source file is left out of the build, and none grows too long.

#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// Which modules of the crate a module may use. `domain` is pure; configuration (`controller`) and delivery (`http`) meet
/// only in the tables; only `app` and `cli` see both sides.
const ARROWS: [(&str, &str); 17] = [
    ("domain", ""),
    ("process", ""),
    ("metrics", "domain"),
    ("api", "domain"),
    ("expr", "domain"),
    ("receiver", "api domain expr"),
    ("tables", "receiver domain"),
    ("delivery", "tables receiver domain"),
    ("refresh", "domain metrics process"),
    ("spool", "domain metrics process"),
    ("lease", "metrics process"),
    ("recovery", "tables refresh spool lease domain metrics process"),
    ("controller", "tables receiver refresh lease api domain metrics process"),
    ("http", "delivery tables receiver refresh spool domain metrics process"),
    ("admin", "tables receiver refresh lease spool domain metrics process"),
    ("cli", "app controller delivery http tables receiver api domain process"),
    ("app", "admin recovery controller http lease tables receiver refresh spool api domain metrics process"),
];

/// Beyond this a file is mentioned, beyond the other it is refused; tests at its end do not count.
const SOFT_LIMIT: usize = 300;
const HARD_LIMIT: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every `.rs` file below a folder, relative to `src`.
fn sources(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
    found
}

/// The text of a source file without its line comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The code in front of the inline tests.
fn production(file: &Path) -> String {
    let code = code(file);
    code.split("#[cfg(test)]\nmod ").next().unwrap().to_owned()
}

fn is_test(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "tests")
}

/// The files that a file declares as modules.
fn declared(file: &Path) -> Vec<PathBuf> {
    static MODULE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))? )?mod (\w+);").unwrap());
    let is_folder = file.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib" || stem == "main");
    let folder = if is_folder { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    let code = code(file);
    let modules = MODULE.captures_iter(&code).map(|found| {
        let name = &found[1];
        let (flat, nested) = (folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs"));
        if root().join(&flat).exists() { flat } else { nested }
    });
    modules.collect()
}

/// The module of the crate that a file belongs to; `None` for the roots.
fn module_of(file: &Path) -> Option<String> {
    let module = file.iter().next()?.to_str()?.trim_end_matches(".rs").to_owned();
    (module != "lib" && module != "main").then_some(module)
}

/// The modules of the crate that a file names, by `crate::` or by climbing up with `super::`.
fn used(file: &Path) -> BTreeSet<String> {
    static CRATE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::(?:(\w+)|\{([^;]*)\};)").unwrap());
    static SUPER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"((?:\bsuper::)+)(\w+)").unwrap());
    let code = production(file);
    let mut found = BTreeSet::new();
    for names in CRATE.captures_iter(&code) {
        match names.get(1) {
            Some(name) => drop(found.insert(name.as_str().to_owned())),
            None => panic!("{}: write one `use crate::…` for each module of the crate", file.display()),
        }
    }
    let is_folder = file.file_stem().is_some_and(|stem| stem == "mod");
    let depth = file.iter().count() - usize::from(is_folder);
    for names in SUPER.captures_iter(&code) {
        if names[1].matches("super::").count() >= depth {
            found.insert(names[2].to_owned());
        }
    }
    found
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
    let forgotten: Vec<_> = sources(&root()).difference(&reached).cloned().collect();
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
fn the_arrows_of_the_design_hold() {
    let arrows = BTreeMap::from(ARROWS.map(|(module, uses)| (module, uses.split_whitespace().collect::<Vec<_>>())));
    let mut wrong = Vec::new();
    for file in sources(&root()) {
        let Some(module) = module_of(&file) else { continue };
        let Some(allowed) = arrows.get(module.as_str()) else {
            panic!("{module} is new: say in ARROWS what it may use");
        };
        // Tests may look across.
        if is_test(&file) {
            continue;
        }
        for other in used(&file).into_iter().filter(|other| *other != module && arrows.contains_key(other.as_str())) {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!("{} uses {other}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_domain_knows_no_framework() {
    let frameworks = ["kube", "k8s_openapi", "tokio", "axum", "hyper", "tower", "tracing", "prometheus_client"];
    for file in sources(&root().join("domain")) {
        let code = production(&file);
        for framework in frameworks {
            let named = Regex::new(&format!(r"\b{framework}::")).unwrap().is_match(&code);
            assert!(!named, "{} uses {framework}", file.display());
        }
    }
}

#[test]
fn no_file_is_too_long() {
    let mut refused = Vec::new();
    for file in sources(&root()).into_iter().filter(|file| !is_test(file)) {
        let length = production(&file).lines().count();
        if length > SOFT_LIMIT {
            eprintln!("{} has {length} lines of code; {SOFT_LIMIT} are a good limit", file.display());
        }
        if length > HARD_LIMIT {
            refused.push((file, length));
        }
    }
    assert!(refused.is_empty(), "longer than {HARD_LIMIT} lines: {refused:?}");
}
