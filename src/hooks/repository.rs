//! Names of repositories as parts of paths.

use crate::domain::percent;

/// Longer names are refused; Quay's have at most 255 characters for each of namespace and name.
const LONGEST: usize = 512;

/// Whether a text can be the name of a repository, such as `northwind/storefront`: at least two parts, none of which is
/// empty, `.` or `..`, without control characters.
#[must_use]
pub fn is_repository(name: &str) -> bool {
    name.contains('/') && is_path(name)
}

fn is_path(name: &str) -> bool {
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(char::is_control);
    name.len() <= LONGEST && name.split('/').all(is_part)
}

/// A name as it stands in a path: the slashes as they are, everything else escaped. `None` if it is none.
pub(super) fn escaped(repository: &str) -> Option<String> {
    is_repository(repository).then(|| repository.split('/').map(part).collect::<Vec<_>>().join("/"))
}

/// One part of a path.
pub(super) fn part(text: &str) -> String {
    percent::escaped(text.as_bytes())
}

/// Whether what a host calls an id can be part of a path.
pub(super) fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_keep_their_slashes() {
        assert_eq!(escaped("northwind/team-a/apps/web_1.0").unwrap(), "northwind/team-a/apps/web_1.0");
        assert_eq!(escaped("Northwind/a b?c#d%").unwrap(), "Northwind/a%20b%3Fc%23d%25");
        for name in ["", "northwind", "/x", "x/", "a//b", "a/../b", "./b", "a/\r\n", &format!("a/{}", "b".repeat(600))]
        {
            assert_eq!(escaped(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_leads_out_of_its_path(name in "\\PC{0,40}", id in "\\PC{0,40}") {
            if let Some(escaped) = escaped(&name) {
                prop_assert!(escaped.is_ascii() && !escaped.contains(['?', '#', ' ', '\r', '\n', '\\']));
                prop_assert!(escaped.split('/').all(|part| !matches!(part, "" | "." | "..")));
                prop_assert_eq!(escaped.matches('/').count(), name.matches('/').count());
            }
            prop_assert!(!is_id(&id) || part(&id) == id);
        }
    }
}
