//! Path patterns over changed files: patterns in the first line, files in the others.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::go_regex::PatternBudget;
use quayside::domain::work::Work;
use quayside::workbench::{PathFilter, PathPattern};
use quayside_fuzz::within_budget;

fuzz_target!(|text: &str| {
    let (patterns, files) = text.split_once('\n').unwrap_or((text, "apps/web/main.rs\nREADME.md"));
    let files: Vec<&str> = files.split('\n').collect();
    within_budget(text.len(), || {
        let mut budget = PatternBudget::new("fuzz");
        for prefix in ["glob:", "regex:", ""] {
            let parsed =
                patterns.split(' ').filter_map(|text| PathPattern::parse(&format!("{prefix}{text}"), &mut budget).ok());
            let filter = PathFilter { include: parsed.collect(), exclude: Box::default() };
            let inverse = PathFilter { include: Box::default(), exclude: filter.include.clone() };
            for filter in [filter, inverse] {
                std::hint::black_box(filter.first_selected(&files, &mut Work::default())).ok();
            }
        }
    });
});
