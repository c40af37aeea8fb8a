//! Go's regular expressions, translated: whatever is accepted runs, within the work of a request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::go_regex;
use quayside::domain::work::Work;
use quayside_fuzz::within_budget;

fuzz_target!(|text: &str| {
    let (pattern, subject) = text.split_once('\n').unwrap_or((text, "v1.2.3"));
    within_budget(text.len(), || {
        if let Ok(program) = go_regex::compile(pattern, usize::MAX) {
            std::hint::black_box(program.is_match(subject, &mut Work::default())).ok();
        }
    });
});
