//! Which spellings of a registry's repository an event is about, judged by the media type of what was pushed.
//!
//! The contract's source is Kargo's `getNormalizedImageRepoURLs`.

use crate::domain::repo::{normalize_chart, normalize_image};

/// What can only be an image.
const IMAGES: [&str; 5] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// The normalised repositories: as a chart's, as an image's, or as both where the media type leaves it open.
#[must_use]
pub(in crate::receiver) fn repositories(url: &str, media_type: &str) -> Vec<String> {
    if media_type.starts_with("application/vnd.cncf.helm") {
        vec![normalize_chart(url)]
    } else if IMAGES.contains(&media_type) {
        vec![normalize_image(url)]
    } else {
        vec![normalize_image(url), normalize_chart(url)]
    }
}
