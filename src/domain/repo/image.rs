//! Container image repository URLs.
//!
//! Owns Kargo's `NormalizeImage` (its `pkg/urls`) and the image reference grammar under it, which
//! is that of go-containerregistry's `name.ParseReference` with weak validation.

use super::go_url::GoUrl;
use super::sanitize::sanitize_lower;

/// Registry of references that name none.
const DOCKER_HUB: &str = "index.docker.io";
/// Name of Docker Hub that is taken for [`DOCKER_HUB`].
const DOCKER_HUB_ALIAS: &str = "docker.io";
/// Docker Hub's API host; a name of its own that still means Docker Hub.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
/// Namespace of Docker Hub repositories that name none.
const DEFAULT_NAMESPACE: &str = "library/";

/// The normal form of a container image repository URL, as Kargo's `NormalizeImage` has it: lower
/// case, no tag or digest, and on Docker Hub neither host nor `library/`. What is not an image
/// reference is returned as it is.
#[must_use]
pub fn normalize_image(url: &str) -> String {
    Repository::of_reference(&sanitize_lower(url)).map_or_else(|| url.to_owned(), |repository| repository.normal())
}

/// True when go-containerregistry can parse the (already normalised) image URL as a reference;
/// selector construction fails otherwise.
#[must_use]
pub fn is_image_reference(url: &str) -> bool {
    Repository::of_reference(url).is_some()
}

/// Every name of Docker Hub; the first is the one that people use.
pub const DOCKER_HUB_NAMES: [&str; 3] = [DOCKER_HUB_ALIAS, DOCKER_HUB, DOCKER_HUB_API];

/// The name of a normalised image or chart repository with its registry, which for Docker Hub is the first of
/// [`DOCKER_HUB_NAMES`]; `None` for what is in no registry.
#[must_use]
pub fn full_image_name(normalized: &str) -> Option<String> {
    if normalized.contains("://") {
        return None;
    }
    let repository = Repository::parse(normalized)?;
    let registry = if repository.registry == DOCKER_HUB { DOCKER_HUB_ALIAS } else { repository.registry };
    Some(format!("{registry}/{}", repository.full_path()))
}

/// A repository in a registry.
#[derive(Debug)]
struct Repository<'a> {
    registry: &'a str,
    path: &'a str,
}

impl<'a> Repository<'a> {
    /// Repository of an image reference, with or without tag or digest.
    fn of_reference(text: &'a str) -> Option<Self> {
        Self::of_tagged(text).or_else(|| Self::of_digested(text))
    }

    fn of_tagged(text: &'a str) -> Option<Self> {
        match text.rsplit_once(':') {
            // With a slash behind it, the colon belongs to a registry's port.
            Some((base, tag)) if !tag.contains('/') => is_tag(tag).then(|| Self::parse(base)).flatten(),
            _ => Self::parse(text),
        }
    }

    fn of_digested(text: &'a str) -> Option<Self> {
        let (base, digest) = text.split_once('@')?;
        if !is_digest(digest) {
            return None;
        }
        match Self::of_tagged(base) {
            // The upstream library parses the completed name once more, so it is what has to be
            // within bounds.
            Some(tagged) => is_path(&tagged.full_path()).then_some(tagged),
            None => Self::parse(base),
        }
    }

    fn parse(text: &'a str) -> Option<Self> {
        let is_registry = |first: &str| first == "localhost" || first.contains(['.', ':']);
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DOCKER_HUB, text),
        };
        let registry = match registry {
            DOCKER_HUB_ALIAS => DOCKER_HUB,
            _ => registry,
        };
        let is_known = registry == DOCKER_HUB || is_authority(registry);
        (is_known && is_path(path)).then_some(Self { registry, path })
    }

    /// Path including the namespace that Docker Hub implies.
    fn full_path(&self) -> String {
        let is_implied = self.registry == DOCKER_HUB && !self.path.contains('/');
        let namespace = if is_implied { DEFAULT_NAMESPACE } else { "" };
        format!("{namespace}{}", self.path)
    }

    fn normal(&self) -> String {
        match self.registry {
            DOCKER_HUB | DOCKER_HUB_API => {
                let path = self.path.strip_prefix(DEFAULT_NAMESPACE);
                path.unwrap_or(self.path).to_owned()
            }
            registry => format!("{registry}/{}", self.path),
        }
    }
}

fn is_tag(text: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=128).contains(&text.len()) && text.bytes().all(is_inner)
}

/// SHA-256 is the only algorithm.
fn is_digest(text: &str) -> bool {
    let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_hex))
}

fn is_path(text: &str) -> bool {
    let is_inner = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/');
    (2..=255).contains(&text.len()) && text.bytes().all(is_inner)
}

/// Whether a URL takes all of the text for its host.
fn is_authority(text: &str) -> bool {
    GoUrl::parse(&format!("//{text}")).is_ok_and(|url| url.host == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{full_image_name, is_image_reference, normalize_image};

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn assert_all(cases: &[(&str, &str)]) {
        for (input, output) in cases {
            assert_eq!(normalize_image(input), *output, "{input:?}");
        }
    }

    #[test]
    fn all_names_of_docker_hub_and_its_library_are_dropped() {
        for host in ["index.docker.io/", "docker.io/", "registry-1.docker.io/", ""] {
            for (path, output) in [
                ("library/busybox", "busybox"),
                ("busybox", "busybox"),
                ("example/repo", "example/repo"),
                ("library/foo/bar", "foo/bar"),
                ("library/library/x", "library/x"),
            ] {
                assert_eq!(normalize_image(&format!("{host}{path}")), output, "{host}{path}");
            }
        }
        let other = "registry.hub.docker.com/library/busybox";
        assert_eq!(normalize_image(other), other);
    }

    #[test]
    fn a_full_name_has_a_registry_always() {
        for (normalized, name) in [
            ("busybox", Some("docker.io/library/busybox")),
            ("example/repo", Some("docker.io/example/repo")),
            ("registry:5000/foo", Some("registry:5000/foo")),
            ("https://charts.example.com/repo", None),
            ("ssh://git@github.com/a/b", None),
            ("invalid url", None),
            ("", None),
        ] {
            assert_eq!(full_image_name(normalized).as_deref(), name, "{normalized:?}");
        }
    }

    #[test]
    fn other_registries_are_kept_ports_included() {
        for input in [
            "ghcr.io/example/repo",
            "quay.io/example/repo",
            "ghcr.io",
            "localhost/foo",
            "localhost:5000/foo",
            "registry:5000/foo",
            "myreg/foo",
            "ghcr.io:443/foo/bar",
            "[::1]:5000/foo",
            "ghcr.io/foo/bar/",
            "/foo/bar",
        ] {
            assert_eq!(normalize_image(input), input);
        }
        assert_eq!(normalize_image("Ghcr.io/Foo/Bar"), "ghcr.io/foo/bar");
    }

    #[test]
    fn tags_and_digests_are_dropped() {
        assert_all(&[
            ("ghcr.io/foo/bar:1.0", "ghcr.io/foo/bar"),
            (&format!("ghcr.io/foo/bar@{DIGEST}"), "ghcr.io/foo/bar"),
            (&format!("ghcr.io/foo/bar:t@{DIGEST}"), "ghcr.io/foo/bar"),
            (&format!("busybox@{DIGEST}"), "busybox"),
            ("https://charts.example.com:8443", "https://charts.example.com"),
        ]);
    }

    #[test]
    fn what_is_not_a_reference_is_returned_as_it_is() {
        for input in [
            "",
            "a",
            "invalid url",
            "Repo: ",
            "foo/Bar@sha256:abc",
            "ghcr.io/Foo bar",
            "ghcr.io/foo+bar/baz",
            "User@host/foo",
            "fóo/bar",
            "ghcr.io/x",
            "https://charts.example.com/~U/Repo",
        ] {
            assert_eq!(normalize_image(input), input);
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let tag = |length| format!("foo:{}", "t".repeat(length));
        assert_eq!(normalize_image(&tag(128)), "foo");
        assert_eq!(normalize_image(&tag(129)), tag(129));
        let path = |length| "p".repeat(length);
        assert!(is_image_reference(&path(255)));
        assert!(!is_image_reference(&path(256)));
        assert!(is_image_reference(&format!("{}@{DIGEST}", path(247))));
        assert!(!is_image_reference(&format!("{}@{DIGEST}", path(248))));
    }

    #[test]
    fn references_are_told_from_other_texts() {
        for url in ["busybox", "ghcr.io/foo/bar", "oci://ghcr.io/foo", "foo:Tag"] {
            assert!(is_image_reference(url), "{url}");
        }
        for url in ["", "a", "Repo", "foo bar", "ghcr.io/foo+bar", "a.b?/foo", "a:b:c/foo:"] {
            assert!(!is_image_reference(url), "{url}");
        }
    }
}
