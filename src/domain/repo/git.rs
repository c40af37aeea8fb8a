//! Git repository URLs.
//!
//! Owns Kargo's `NormalizeGit` (its `pkg/urls`).

use super::go_url::GoUrl;
use super::sanitize::sanitize_lower;

/// The normal form of a Git repository URL, as Kargo's `NormalizeGit` has it: lower case, no user
/// information over HTTP, no trailing `/` or `.git`, and `ssh://` in place of the SCP-like form.
/// Anything else is returned as it is.
#[must_use]
pub fn normalize_git(url: &str) -> String {
    let text = sanitize_lower(url);
    let normal = if text.starts_with("http://") || text.starts_with("https://") {
        normalize_url(&text, false)
    } else if text.starts_with("ssh://") {
        normalize_url(&text, true)
    } else {
        normalize_scp(&text)
    };
    normal.unwrap_or_else(|| url.to_owned())
}

fn normalize_url(text: &str, keep_user: bool) -> Option<String> {
    let mut url = GoUrl::parse(text).ok()?;
    if url.has_query_parameters() {
        return None;
    }
    if !keep_user {
        url.user = None;
    }
    strip_suffixes(&mut url.path);
    Some(url.to_string())
}

/// `[user@]host[:path]`. The path is a URL reference of its own, whatever its form.
fn normalize_scp(text: &str) -> Option<String> {
    let (account, path) = text.split_once(':').unwrap_or((text, ""));
    if !is_scp_account(account) {
        return None;
    }
    let mut url = GoUrl::parse(path).ok()?;
    strip_suffixes(&mut url.path);
    Some(if url.path.is_empty() { format!("ssh://{account}") } else { format!("ssh://{account}/{url}") })
}

/// One trailing slash, then one `.git`.
fn strip_suffixes(path: &mut Vec<u8>) {
    for suffix in [b"/".as_slice(), b".git"] {
        if path.ends_with(suffix) {
            path.truncate(path.len() - suffix.len());
        }
    }
}

fn is_scp_account(text: &str) -> bool {
    let is_word = |word: &str| {
        let is_inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        !word.is_empty() && word.bytes().all(is_inner)
    };
    let (user, host) = match text.split_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, text),
    };
    user.is_none_or(is_word) && host.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::normalize_git;

    const ENDINGS: [&str; 4] = ["", "/", ".git", ".git/"];

    fn assert_all(cases: &[(&str, &str)]) {
        for (input, output) in cases {
            assert_eq!(normalize_git(input), *output, "{input:?}");
        }
    }

    #[test]
    fn trailing_slash_and_git_suffix_are_stripped_once() {
        for (base, output) in [
            ("https://github.com/example/repo", "https://github.com/example/repo"),
            ("https://localhost:8443/example/repo", "https://localhost:8443/example/repo"),
            ("https://foo:bar@github.com/example/repo", "https://github.com/example/repo"),
            ("https://foo:bar@localhost:8443/example/repo", "https://localhost:8443/example/repo"),
            ("ssh://github.com/example/repo", "ssh://github.com/example/repo"),
            ("ssh://localhost:2222/example/repo", "ssh://localhost:2222/example/repo"),
            ("ssh://git@github.com/example/repo", "ssh://git@github.com/example/repo"),
            ("ssh://git@localhost:2222/example/repo", "ssh://git@localhost:2222/example/repo"),
            ("github.com:example/repo", "ssh://github.com/example/repo"),
            ("git@github.com:example/repo", "ssh://git@github.com/example/repo"),
        ] {
            for ending in ENDINGS {
                assert_eq!(normalize_git(&format!("{base}{ending}")), output, "{base}{ending}");
            }
        }
        assert_all(&[
            ("https://github.com/foo/bar.git//", "https://github.com/foo/bar.git/"),
            ("https://github.com/a/b.git.git", "https://github.com/a/b.git"),
            ("https://github.com/.git", "https://github.com/"),
        ]);
    }

    #[test]
    fn hosts_need_no_path() {
        assert_all(&[
            ("https://github.com", "https://github.com"),
            ("https://github.com/", "https://github.com"),
            ("https://foo:bar@github.com", "https://github.com"),
            ("https://foo:bar@github.com/", "https://github.com"),
            ("ssh://git.example.com", "ssh://git.example.com"),
            ("ssh://git.example.com/", "ssh://git.example.com"),
            ("ssh://git@git.example.com", "ssh://git@git.example.com"),
            ("ssh://git@git.example.com/", "ssh://git@git.example.com"),
            ("git.example.com", "ssh://git.example.com"),
            ("git@git.example.com", "ssh://git@git.example.com"),
            ("host.xz:", "ssh://host.xz"),
        ]);
    }

    #[test]
    fn what_is_not_a_git_url_is_returned_as_it_is() {
        for input in [
            "",
            "https://not a url",
            "http://github.com/example/repo?foo=bar",
            "ssh://not a url",
            "ssh://github.com/example/repo?foo=bar",
            "not even remotely a url",
            "GitHub.com/Foo/Bar",
            "https://H/%zz",
            "https://a:b:c/x",
            "git@Host:2222:foo",
            " https://H/?x ",
        ] {
            assert_eq!(normalize_git(input), input);
        }
    }

    #[test]
    fn everything_is_lowered_escapes_included() {
        assert_all(&[
            ("https://GitHub.com/Foo/Bar.GIT", "https://github.com/foo/bar"),
            ("SSH://Git@Host/Path.git/", "ssh://git@host/path"),
            ("https://h/a%2Fb", "https://h/a%2fb"),
        ]);
    }

    #[test]
    fn escapes_are_written_anew_where_something_was_stripped() {
        assert_all(&[
            ("https://h/a%2Fb.git", "https://h/a/b"),
            ("https://h/a(b)", "https://h/a(b)"),
            ("https://h/a(b).git", "https://h/a%28b%29"),
            ("https://h/A B.git/", "https://h/a%20b"),
            ("https://h/päth", "https://h/p%C3%A4th"),
        ]);
    }

    #[test]
    fn ports_fragments_and_bare_question_marks_survive() {
        assert_all(&[
            ("https://github.com:443/foo/bar", "https://github.com:443/foo/bar"),
            ("https://[::1]:8080/x.git", "https://[::1]:8080/x"),
            ("https://github.com/foo/bar#frag", "https://github.com/foo/bar#frag"),
            ("https://github.com/foo/bar?", "https://github.com/foo/bar?"),
            ("ssh:///é?%/", "ssh:///%C3%A9?%/"),
        ]);
    }

    #[test]
    fn an_scp_path_is_a_url_reference_of_its_own() {
        assert_all(&[
            ("git@host:/abs/path", "ssh://git@host//abs/path"),
            ("git@host:2222/foo", "ssh://git@host/2222/foo"),
            ("git@host:~user/repo.git", "ssh://git@host/~user/repo"),
            ("git@host:path?x=y", "ssh://git@host/path?x=y"),
            ("git@host:foo:bar", "ssh://git@host"),
            ("git@github.com:.git", "ssh://git@github.com"),
            ("git://github.com/x/y.git", "ssh://git///github.com/x/y"),
            ("file:///tmp/x", "ssh://file////tmp/x"),
            ("oci://foo/bar", "ssh://oci///foo/bar"),
        ]);
    }
}
