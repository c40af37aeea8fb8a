//! By what the spellings of a pull request's address are recognised as the same. This is the project's own; Kargo
//! compares the texts.
//!
//! Two addresses with one identity are taken for one pull request. Where that is mistaken, the price is a refresh too
//! many, never one too few.

use super::git::normalize_git;
use super::identity::git_identity;

/// What the spellings of the address of one pull request have in common: host and path in the form that
/// [`git_identity`] gives to repositories, without the fragment and the query, which say only
/// which view of the pull request is shown. An address that cannot be read is its own identity.
#[must_use]
pub fn pull_request_identity(address: &str) -> String {
    let address = address.trim();
    let page = address.split(['#', '?']).next().unwrap_or_default();
    // The address of a repository can have a canonical form only without what follows it.
    let lower = page.to_ascii_lowercase();
    let (repository, rest) = match lower.find("/pullrequest/") {
        Some(end) if lower[..end].contains("/_git/") => page.split_at(end),
        _ => (page, ""),
    };
    match git_identity(&normalize_git(repository.trim_end_matches('/'))) {
        Some(identity) => format!("{identity}{}", rest.trim_end_matches('/').to_ascii_lowercase()),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::pull_request_identity;

    #[test]
    fn all_spellings_of_a_pull_request_have_one_identity() {
        for (one, other) in [
            ("https://github.com/a/b/pull/7", "https://GitHub.com/a/b/pull/7#issuecomment-1"),
            ("https://github.com/a/b/pull/7", "http://github.com/a/b/pull/7/"),
            ("https://github.com/Org/Repo/pull/7", "https://github.com/org/repo/pull/7?diff=split"),
            ("https://git.example.com:8443/a/b/pulls/7", "https://git.example.com/a/b/pulls/7"),
            ("https://h/projects/NW/repos/web/pull-requests/7", "https://h/projects/nw/repos/web/pull-requests/7/"),
            (
                "https://dev.azure.com/org/shop/_git/web/pullrequest/7",
                "https://org@dev.azure.com/org/shop/_git/web/pullrequest/7",
            ),
            (
                "https://dev.azure.com/org/shop/_git/web/pullrequest/7",
                "https://org.visualstudio.com/shop/_git/web/pullrequest/7",
            ),
            (
                "https://dev.azure.com/org/My%20Shop/_git/web/pullrequest/7",
                "https://Org.VisualStudio.com/DefaultCollection/My%20Shop/_git/web/pullRequest/7?_a=overview#view=discussion",
            ),
            (
                "https://dev.azure.com/org/web/_git/web/pullrequest/7",
                "https://dev.azure.com/org/_git/web/pullrequest/7/",
            ),
            (
                "https://tfs.example.com/tfs/C/_git/doc/pullrequest/7",
                "https://tfs.example.com/tfs/C/_git/doc/pullrequest/7#x",
            ),
        ] {
            assert_eq!(pull_request_identity(one), pull_request_identity(other), "{one} {other}");
        }
    }

    #[test]
    fn other_pull_requests_have_other_identities() {
        for (one, other) in [
            ("https://github.com/a/b/pull/7", "https://github.com/a/b/pull/77"),
            ("https://github.com/a/b/pull/7", "https://github.com/a/b/issues/7"),
            ("https://github.com/a/b/pull/7", "https://github.com/a/c/pull/7"),
            ("https://github.com/a/b/pull/7", "https://github.example.com/a/b/pull/7"),
            (
                "https://dev.azure.com/org/shop/_git/web/pullrequest/7",
                "https://dev.azure.com/org/shop/_git/web/pullrequest/8",
            ),
            (
                "https://dev.azure.com/org/shop/_git/web/pullrequest/7",
                "https://other.visualstudio.com/shop/_git/web/pullrequest/7",
            ),
            ("u", "v"),
        ] {
            assert_ne!(pull_request_identity(one), pull_request_identity(other), "{one} {other}");
        }
    }
}
