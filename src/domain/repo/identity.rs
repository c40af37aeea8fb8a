//! By what the spellings of one Git repository are recognised as the same: `https://host/path`,
//! `ssh://user@host:port/path` and `user@host:path`. This is the project's own; Kargo takes them for different
//! repositories.
//!
//! Two URLs with one identity are taken for one repository. Where that is mistaken, the price is a refresh too many,
//! never one too few.

use super::go_escape::{Part, escape};
use super::go_url::GoUrl;

/// What the spellings of one Git repository have in common: `host/path`, without scheme, user and port. Expects the
/// output of [`normalize_git`](super::normalize_git); `None` if that is not a plain `http(s)://` or `ssh://` URL with a
/// host and a path, or carries a query or a fragment.
#[must_use]
pub fn git_identity(normalized: &str) -> Option<String> {
    // Images and most charts are recognised without parsing anything.
    if !normalized.contains("://") {
        return None;
    }
    let url = GoUrl::parse(normalized).ok()?;
    let is_plain = matches!(url.scheme.as_str(), "http" | "https" | "ssh")
        && url.query.is_empty()
        && !url.force_query
        && url.fragment.is_empty();
    let host = escape(url.hostname(), Part::Host);
    // The spelling of escapes is not part of the identity.
    let path = escape(&url.path, Part::Path);
    let path = path.trim_start_matches('/');
    (is_plain && !host.is_empty() && !path.is_empty()).then(|| canonical(&host, path, url.scheme == "ssh"))
}

/// Sees through the addresses of hosts that serve one repository under several hosts or paths.
fn canonical(host: &str, path: &str, is_ssh: bool) -> String {
    // Azure DevOps had a host for each organization.
    if let Some(organization) = host.strip_suffix(".visualstudio.com").filter(|name| *name != "vs-ssh") {
        let path = path.strip_prefix("defaultcollection/").unwrap_or(path);
        return canonical("dev.azure.com", &format!("{organization}/{path}"), is_ssh);
    }
    let segments: Vec<&str> = path.split('/').collect();
    match (host, segments.as_slice()) {
        // SSH through port 443 has hosts of its own.
        ("ssh.github.com", _) => format!("github.com/{path}"),
        ("altssh.gitlab.com", _) => format!("gitlab.com/{path}"),
        ("altssh.bitbucket.org", _) => format!("bitbucket.org/{path}"),
        // Bitbucket Data Center serves HTTPS below scm.
        (_, ["scm", project, name]) if !is_ssh => format!("{host}/{project}/{name}"),
        // Azure DevOps has other paths over SSH, and leaves out a project that has the name of the repository.
        ("ssh.dev.azure.com" | "vs-ssh.visualstudio.com", ["v3", organization, project, name]) => {
            format!("dev.azure.com/{organization}/{project}/_git/{name}")
        }
        ("dev.azure.com", [organization, "_git", name]) => format!("{host}/{organization}/{name}/_git/{name}"),
        _ => format!("{host}/{path}"),
    }
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

    #[test]
    fn addresses_that_one_program_serves_one_repository_under_are_seen_through() {
        let identity = |url: &str| git_identity(&normalize_git(url)).unwrap();
        for (one, other) in [
            ("https://github.com/a/b", "ssh://git@ssh.github.com:443/a/b.git"),
            ("https://gitlab.com/a/b/c", "ssh://git@altssh.gitlab.com:443/a/b/c.git"),
            ("https://bitbucket.org/a/b", "ssh://git@altssh.bitbucket.org:443/a/b.git"),
            ("https://git.example.net/scm/nw/storefront.git", "ssh://git@git.example.net:7999/nw/storefront.git"),
            ("https://git.example.net/scm/~mira/notes.git", "ssh://git@git.example.net:7999/~mira/notes.git"),
            ("https://org@dev.azure.com/org/My%20Project/_git/Repo", "git@ssh.dev.azure.com:v3/org/My%20Project/Repo"),
            ("https://dev.azure.com/org/repo/_git/repo", "https://dev.azure.com/org/_git/repo"),
            ("https://dev.azure.com/org/project/_git/repo", "https://org.visualstudio.com/project/_git/repo"),
            (
                "https://dev.azure.com/org/project/_git/repo",
                "https://org.visualstudio.com/DefaultCollection/project/_git/repo",
            ),
            ("https://dev.azure.com/org/repo/_git/repo", "https://org.visualstudio.com/_git/repo"),
            ("https://dev.azure.com/org/project/_git/repo", "org@vs-ssh.visualstudio.com:v3/org/project/repo"),
        ] {
            assert_eq!(identity(one), identity(other), "{one} {other}");
        }
        for (one, other) in [
            ("https://h/scm/a/b/c", "ssh://git@h/a/b/c"),
            ("ssh://git@h/scm/a/b", "ssh://git@h/a/b"),
            ("https://dev.azure.com/org/project/_git/repo", "https://dev.azure.com/org/other/_git/repo"),
            ("https://h/a/b", "https://h/a/c"),
            ("https://h/a/b", "https://other/a/b"),
        ] {
            assert_ne!(identity(one), identity(other), "{one} {other}");
        }
    }
}
