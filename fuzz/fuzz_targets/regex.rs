//! Go's regular expressions, translated: whatever is accepted compiles and runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::go_regex;

fuzz_target!(|text: &str| {
    let (pattern, subject) = text.split_once('\n').unwrap_or((text, "v1.2.3"));
    if let Ok(pattern) = go_regex::compile(pattern) {
        std::hint::black_box(pattern.is_match(subject));
    }
});
