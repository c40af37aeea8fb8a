//! What Kubernetes accepts as the key and the value of a label: pure.

/// Longest name and longest value, in bytes.
const MAX_LEN: usize = 63;
/// Longest prefix of a key, in bytes.
const MAX_PREFIX_LEN: usize = 253;

/// Whether the text can be the key of a label: a name, with a DNS name and a slash before it if need be.
#[must_use]
pub fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_dns_name(prefix) && is_name(name),
        None => is_name(text),
    }
}

/// Whether the text can be the value of a label; it can be empty.
#[must_use]
pub fn is_value(text: &str) -> bool {
    text.is_empty() || is_name(text)
}

fn is_name(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= MAX_LEN
        && is_edge(bytes.first())
        && is_edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn is_dns_name(text: &str) -> bool {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_part = |part: &str| {
        let bytes = part.as_bytes();
        is_edge(bytes.first())
            && is_edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    text.len() <= MAX_PREFIX_LEN && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_names_with_or_without_a_dns_name_before_them() {
        let long = "a".repeat(63);
        for key in ["team", "kargo.akuity.io/project", "A_b-c.d", "0", "a/b", &long, &format!("x.y/{long}")] {
            assert!(is_key(key), "{key}");
        }
        let longest = format!("{}/a", ["a"; 127].join("."));
        assert!(is_key(&longest));
        let too_long = [format!("{long}a"), format!("{}/a", ["a"; 128].join("."))];
        for key in ["", "/", "a/", "/a", "a/b/c", "bad key", "-a", "a-", "A.b/c", "a..b/c", "-a/b", "${{ 'a' }}", "ä"]
        {
            assert!(!is_key(key), "{key}");
        }
        assert!(too_long.iter().all(|key| !is_key(key)));
    }

    #[test]
    fn values_are_names_or_empty() {
        for value in ["", "web", "1.4.2", "A_b-c", &"x".repeat(63)] {
            assert!(is_value(value), "{value}");
        }
        for value in ["we b", "-web", "web-", "web ", "a/b", "x}}", &"x".repeat(64)] {
            assert!(!is_value(value), "{value}");
        }
    }
}
