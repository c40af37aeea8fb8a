//! Repository URLs in the one spelling under which they are indexed and compared.
//!
//! Kargo normalises the URL of every subscription before indexing it and the URL of every webhook
//! before looking it up; an operator standing in for it has to produce the same bytes. The
//! contract's source is Kargo's `pkg/urls`, and through it Go's `net/url`, `strings`, `unicode`
//! and go-containerregistry's `name` package, whose rules are reproduced here as rules rather than
//! as a table of cases. A URL that cannot be understood is never an error: it is its own normal
//! form, byte for byte.

mod chart;
mod git;
mod go_escape;
pub(crate) mod go_url;
mod identity;
mod image;
mod pull_request;
mod sanitize;

pub use chart::normalize_chart;
pub use git::normalize_git;
pub use identity::git_identity;
pub use image::{DOCKER_HUB_NAMES, full_image_name, is_image_reference, normalize_image};
pub use pull_request::pull_request_identity;

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use flate2::read::GzDecoder;

    use super::{normalize_chart, normalize_git, normalize_image};

    const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/vectors/urls.jsonl.gz");

    #[test]
    fn every_vector_has_the_verdict_kargo_gave() {
        let file = std::fs::File::open(VECTORS).expect("the vectors are part of the repository");
        let mut disagreements = Vec::new();
        let mut count = 0;
        for line in BufReader::new(GzDecoder::new(file)).lines() {
            let vector: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            let field = |name: &str| vector[name].as_str().unwrap_or_default();
            let got = match field("kind") {
                "git" => normalize_git(field("in")),
                "image" => normalize_image(field("in")),
                "chart" => normalize_chart(field("in")),
                kind => panic!("unknown kind {kind:?}"),
            };
            count += 1;
            if got != field("out") {
                disagreements.push(format!("{vector} got {got:?}"));
            }
        }
        assert!(count > 0, "no vectors were read");
        assert!(disagreements.is_empty(), "{} of {count} disagree:\n{}", disagreements.len(), disagreements.join("\n"));
    }
}
