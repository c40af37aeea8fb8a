//! References behind `oci://`, by the rules of oras-go's `registry.ParseReference`.

use std::net::Ipv6Addr;
use std::sync::LazyLock;

use regex::Regex;

static REPOSITORY: LazyLock<Regex> = LazyLock::new(|| {
    let segment = "[a-z0-9]+(?:(?:[._]|__|-*)[a-z0-9]+)*";
    Regex::new(&format!("^{segment}(?:/{segment})*$")).expect("the pattern is a constant that compiles")
});

/// Whether the text is `registry/repository`, with a tag or a digest or without.
pub(super) fn is_valid(reference: &str) -> bool {
    let Some((registry, path)) = reference.split_once('/') else { return false };
    // A digest makes a tag in front of it irrelevant.
    let (repository, is_end_valid) = match path.split_once('@') {
        Some((tagged, digest)) => {
            let repository = tagged.split_once(':').map_or(tagged, |(repository, _)| repository);
            (repository, digest.is_empty() || is_digest(digest))
        }
        None => match path.split_once(':') {
            Some((repository, tag)) => (repository, tag.is_empty() || is_tag(tag)),
            None => (path, true),
        },
    };
    is_registry(registry) && REPOSITORY.is_match(repository) && is_end_valid
}

/// Whether the text is a host and port that survive as the authority of a URL.
fn is_registry(text: &str) -> bool {
    let is_port = |rest: &str| {
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if let Some(literal) = text.strip_prefix('[') {
        let Some((address, port)) = literal.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && is_port(port);
    }
    let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
    let is_host_char = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=<>\"".contains(c);
    !text.is_empty() && host.chars().all(is_host_char) && is_port(port)
}

fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    let digits = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == digits && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_other_texts() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for valid in [
            "ghcr.io/example/chart",
            "localhost:5000/x1",
            "[::1]:5000/x",
            "registry/a__b/c---d.e_f",
            "ghcr.io/example/chart:1.0.0",
            "ghcr.io/example/chart:",
            &format!("ghcr.io/example/chart@{digest}"),
            &format!("ghcr.io/example/chart:not/checked@{digest}"),
        ] {
            assert!(is_valid(valid), "{valid}");
        }
        for invalid in [
            "",
            "ghcr.io",
            "ghcr.io/",
            "/example",
            "ghcr.io/Example/chart",
            "ghcr.io/example/chart/",
            "ghcr.io/a..b",
            "ghcr.io/a___b",
            " ghcr.io/x",
            "user@ghcr.io/x",
            "ghcr.io:x/y",
            "ghcr.io/x:.tag",
            "ghcr.io/x@sha256:abc",
        ] {
            assert!(!is_valid(invalid), "{invalid}");
        }
    }
}
