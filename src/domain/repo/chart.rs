//! Helm chart repository URLs.
//!
//! Owns Kargo's `NormalizeChart` (its `pkg/urls`), which takes charts for images unless they are
//! no URLs.

use super::go_url::GoUrl;
use super::image::normalize_image;
use super::sanitize::{sanitize, sanitize_lower};

/// The normal form of a Helm chart repository URL, as Kargo's `NormalizeChart` has it: that of an
/// image, with the scheme `oci://` removed. What is not a URL is returned as it is.
#[must_use]
pub fn normalize_chart(url: &str) -> String {
    let text = sanitize(url);
    if GoUrl::parse(&text).is_err() {
        return url.to_owned();
    }
    let lower = sanitize_lower(&text);
    normalize_image(lower.strip_prefix("oci://").unwrap_or(&lower))
}

#[cfg(test)]
mod tests {
    use super::normalize_chart;

    #[test]
    fn the_oci_scheme_is_dropped_whatever_its_case() {
        for input in ["repo", "  repo  ", "REpo", "oci://repo", "  oci://repo  ", "OCI://Repo"] {
            assert_eq!(normalize_chart(input), "repo", "{input:?}");
        }
        assert_eq!(normalize_chart("oci://oci://ab/cd"), "oci://ab/cd");
    }

    #[test]
    fn docker_hub_is_dropped() {
        for host in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
            for scheme in ["", "oci://"] {
                let input = format!("{scheme}{host}/example/repo");
                assert_eq!(normalize_chart(&input), "example/repo", "{input}");
            }
        }
    }

    #[test]
    fn http_repositories_are_lowered_and_keep_their_slash() {
        for (input, output) in [
            ("", ""),
            ("https://Charts.example.com/Repo", "https://charts.example.com/repo"),
            ("https://charts.example.com/", "https://charts.example.com/"),
            ("https://charts.example.com:8443/repo", "https://charts.example.com:8443/repo"),
            ("https://charts.example.com:8443", "https://charts.example.com"),
            ("https://Charts.example.com/~U/Repo", "https://charts.example.com/~u/repo"),
            ("oci://ghcr.io/foo/bar:1.0", "ghcr.io/foo/bar"),
        ] {
            assert_eq!(normalize_chart(input), output, "{input:?}");
        }
    }

    #[test]
    fn what_is_not_a_url_is_returned_as_it_is() {
        for input in ["127.0.0.1:5000/Chart", "my_reg:5000/Xy", " 1:Y", "https://[X/y"] {
            assert_eq!(normalize_chart(input), input);
        }
    }
}
