//! Normalisation of repository URLs. What it leaves is stable where Kargo's is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::repo::{git_identity, is_image_reference, normalize_chart, normalize_git, normalize_image};

fuzz_target!(|url: &str| {
    let image = normalize_image(url);
    if is_image_reference(&image) {
        assert_eq!(normalize_image(&image), image);
    }
    drop(normalize_chart(url));
    drop(git_identity(&normalize_git(url)));
});
