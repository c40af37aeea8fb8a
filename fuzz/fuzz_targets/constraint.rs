//! Version constraints over versions; both stand in the input, divided by a line break.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::semver::{Constraint, Strictness, Version};
use quayside_fuzz::within_budget;

fuzz_target!(|text: &str| {
    let (constraint, versions) = text.split_once('\n').unwrap_or((text, "1.2.3"));
    within_budget(text.len(), || {
        let Ok(constraint) = Constraint::parse(constraint) else { return };
        for version in versions.split(' ') {
            for strictness in [Strictness::Lenient, Strictness::Strict] {
                if let Some(version) = Version::parse(version, strictness) {
                    std::hint::black_box(constraint.matches(&version));
                }
            }
        }
    });
});
