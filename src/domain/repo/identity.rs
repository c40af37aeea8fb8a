//! By what the spellings of one Git repository are recognised as the same, which is this project's own.

use super::go_escape::{Part, escape};
use super::go_url::GoUrl;

/// What the spellings of one Git repository have in common: `host/path`, without scheme, user and
/// port. Expects the output of [`normalize_git`](super::normalize_git); `None` if that is not a plain `http(s)://` or
/// `ssh://` URL with a host and a path, or carries a query or a fragment.
///
/// Two URLs with one identity are taken for one repository. Where that is mistaken, the price is a
/// refresh too many, never one too few.
#[must_use]
pub fn git_identity(normalized: &str) -> Option<String> {
    let url = GoUrl::parse(normalized).ok()?;
    let is_plain = matches!(url.scheme.as_str(), "http" | "https" | "ssh")
        && url.query.is_empty()
        && !url.force_query
        && url.fragment.is_empty();
    let host = escape(url.hostname(), Part::Host);
    // The spelling of escapes is not part of the identity.
    let path = escape(&url.path, Part::Path);
    let path = path.trim_start_matches('/');
    (is_plain && !host.is_empty() && !path.is_empty()).then(|| format!("{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::super::normalize_git;
    use super::git_identity;

    #[test]
    fn all_spellings_of_a_repository_have_one_identity() {
        for input in [
            "https://Git.example.com/a/b.git",
            "http://mira:pw@git.example.com:8080/a/b",
            "ssh://git@git.example.com:2222/a/b/",
            "git@git.example.com:a/b.git",
            "git.example.com:/a/b",
        ] {
            let identity = git_identity(&normalize_git(input));
            assert_eq!(identity.as_deref(), Some("git.example.com/a/b"), "{input}");
        }
        assert_eq!(git_identity(&normalize_git("https://h/a(b)")), git_identity(&normalize_git("git@h:a(b).git")));
    }

    #[test]
    fn what_is_not_plainly_a_repository_has_no_identity() {
        for normalized in [
            "",
            "https://h",
            "https://h/",
            "https:///a",
            "ssh://h//",
            "https://h/a?",
            "https://h/a?x=y",
            "https://h/a#f",
            "ssh:a",
            "github.com/foo/bar",
            "oci://h/a",
            "https://h/%zz",
        ] {
            assert_eq!(git_identity(normalized), None, "{normalized:?}");
        }
    }
}
