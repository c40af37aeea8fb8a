//! Normalisation of repository URLs. What it leaves is stable where Kargo's is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quayside::domain::repo::{
    DOCKER_HUB_NAMES, git_identity, is_image_reference, normalize_chart, normalize_git, normalize_image,
};
use quayside_fuzz::within_budget;

fuzz_target!(|url: &str| {
    let image = within_budget(url.len(), || normalize_image(url));
    // Kargo drops one name of Docker Hub and one `library/` at a time (vector url-image-0437), so what still begins
    // with one goes on losing it.
    let first = image.split('/').next().unwrap_or_default();
    let loses_more = first == "library" || DOCKER_HUB_NAMES.contains(&first);
    if is_image_reference(&image) && !loses_more {
        assert_eq!(normalize_image(&image), image);
    }
    within_budget(url.len(), || (normalize_chart(url), git_identity(&normalize_git(url))));
});
