//! Messages of Kargo and of the API server, made fit to be shown.

use std::sync::LazyLock;

use regex::Regex;

/// The user part of a URL, up to the last `@` before a space: a password may hold anything.
static USER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?i)([a-z][a-z0-9+.-]*://)[^\s"'<>]*@"#).expect("the pattern is a constant"));
/// The query of a URL, which may hold a token or a signature.
static QUERY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)([a-z][a-z0-9+.-]*://[^\s"'<>?]*)\?[^\s"'<>]*"#).expect("the pattern is a constant")
});
/// What a word announces as a credential.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    let words = "authorization|bearer|basic|token|password|passwd|secret|api[_-]?key|access[_-]?key|credential";
    Regex::new(&format!(r#"(?i)\b({words})s?("?\s*[=:]\s*"?|\s+)(bearer\s+|basic\s+)?[^\s"',;]+"#))
        .expect("the pattern is a constant")
});

/// More says nothing more about what is wrong.
const MAX_CHARS: usize = 512;

/// One line without credentials: Kargo quotes errors of registries and Git, which quote URLs and headers.
#[must_use]
pub fn presentable(message: &str) -> String {
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = USER.replace_all(&line, "$1…@");
    let line = QUERY.replace_all(&line, "$1?…");
    let line = NAMED.replace_all(&line, "$1 …");
    line.chars().take(MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::presentable;

    #[test]
    fn credentials_are_removed_and_the_cause_stays() {
        for (message, shown) in [
            (
                "error discovering images: GET https://robot:p/a@ss@quay.io/v2/a/b/tags/list?n=100&sig=abc: 503",
                "error discovering images: GET https://…@quay.io/v2/a/b/tags/list?… 503",
            ),
            (
                "unauthorized, header Authorization: Bearer abc.def failed",
                "unauthorized, header Authorization … failed",
            ),
            ("fatal: token=ghp_123456, try again", "fatal: token …, try again"),
            (r#"{"password":"hunter2"}"#, r#"{"password …"}"#),
            (
                "dial tcp 10.0.0.1:443: connect: connection refused",
                "dial tcp 10.0.0.1:443: connect: connection refused",
            ),
            ("two\nlines", "two lines"),
        ] {
            assert_eq!(presentable(message), shown);
        }
        assert_eq!(presentable(&"é".repeat(2_000)).chars().count(), 512);
    }
}
