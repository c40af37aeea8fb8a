//! Other names of registries.
//!
//! A sender names its registry as it is configured there; clusters may pull under another name: an internal host, a
//! mirror, a pull-through cache. An alias says that what was pushed under the one name can be pulled under the other.
//!
//! Registries only: no alias applies to a URL with a scheme, as those of Git and of classic chart repositories are.

use std::sync::LazyLock;

use regex::Regex;
use thiserror::Error;

use super::repo::{DOCKER_HUB_NAMES, full_image_name, normalize_image};

/// What counts as a registry in an image reference: a host with a dot or a port, or `localhost`; then folders.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    let host = r"localhost|[a-z0-9_-]+(?:\.[a-z0-9_-]+)+|(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):[0-9]{1,5}";
    Regex::new(&format!("^({host})((?:/[a-z0-9._-]+)*)$")).expect("the pattern is a constant that compiles")
});

/// Any number of aliases. They are not followed: each applies to what the sender names, not to what another makes of
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAliases(Vec<Alias>);

/// Either side is a registry, perhaps with the beginning of a path: `registry.example.com:8443/mirror`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Alias {
    pushed: String,
    pulled: String,
}

/// Why a text is not an alias, and what to write.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AliasError {
    /// There is not exactly one `=`.
    #[error("{0:?} is not an alias: write PUSHED=PULLED, such as registry.internal:8443=registry.example.com")]
    Form(String),
    /// One of the sides is not a registry.
    #[error(
        "{0:?} is not a registry: write a host that has a dot or a port, and perhaps the beginning of a path, but no scheme, \
         such as registry.example.com:8443 or docker.io or registry.example.com/mirror"
    )]
    Registry(String),
    /// Both sides are the same.
    #[error(
        "{0:?} names one registry twice: write the name that the sender uses, =, and the one that clusters pull from"
    )]
    Same(String),
}

impl HostAliases {
    /// Reads aliases, separated by commas; space around them and empty ones do not count.
    ///
    /// # Errors
    /// What is wrong with the first that is none, and what to write.
    pub fn parse(text: &str) -> Result<Self, AliasError> {
        let aliases = text.split(',').map(str::trim).filter(|alias| !alias.is_empty());
        aliases.map(Alias::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The other names of a repository. Both are normalised.
    pub fn of(&self, repository: &str) -> impl Iterator<Item = String> {
        let name = if self.0.is_empty() { None } else { full_image_name(repository) };
        self.0.iter().filter_map(move |alias| alias.apply(name.as_deref()?))
    }

    /// What a repository that is pulled under this name may be pushed as, each with its registry.
    pub fn pushed_as(&self, repository: &str) -> impl Iterator<Item = String> {
        let name = if self.0.is_empty() { None } else { full_image_name(repository) };
        self.0.iter().filter_map(move |alias| {
            let rest = name.as_deref()?.strip_prefix(&alias.pulled).filter(|rest| rest.starts_with('/'))?;
            Some(format!("{}{rest}", alias.pushed))
        })
    }
}

/// Several sets, such as that of the process and that of a receiver, as one.
impl FromIterator<Self> for HostAliases {
    fn from_iter<I: IntoIterator<Item = Self>>(sets: I) -> Self {
        Self(sets.into_iter().flat_map(|set| set.0).collect())
    }
}

impl Alias {
    fn parse(text: &str) -> Result<Self, AliasError> {
        let sides = text.split_once('=').filter(|(_, pulled)| !pulled.contains('='));
        let (pushed, pulled) = sides.ok_or_else(|| AliasError::Form(text.to_owned()))?;
        let (pushed, pulled) = (place(pushed)?, place(pulled)?);
        if pushed == pulled { Err(AliasError::Same(text.to_owned())) } else { Ok(Self { pushed, pulled }) }
    }

    fn apply(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.pushed).filter(|rest| rest.starts_with('/'))?;
        Some(normalize_image(&format!("{}{rest}", self.pulled)))
    }
}

/// A side of an alias, in the spelling of [`full_image_name`].
fn place(text: &str) -> Result<String, AliasError> {
    let lower = text.trim().to_ascii_lowercase();
    let parts = PLACE.captures(&lower).ok_or_else(|| AliasError::Registry(text.trim().to_owned()))?;
    let host = if DOCKER_HUB_NAMES.contains(&&parts[1]) { DOCKER_HUB_NAMES[0] } else { &parts[1] };
    Ok(format!("{host}{}", &parts[2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(aliases: &str, repository: &str) -> Vec<String> {
        HostAliases::parse(aliases).unwrap().of(repository).collect()
    }

    #[test]
    fn an_alias_applies_to_the_whole_registry_and_to_no_other() {
        let alias = "Pushed.example:8443=pulled.example";
        assert_eq!(names(alias, "pushed.example:8443/northwind/storefront"), ["pulled.example/northwind/storefront"]);
        for other in [
            "pushed.example/northwind/storefront",
            "pushed.example:84430/northwind/storefront",
            "pulled.example/northwind/storefront",
            "northwind/pushed.example:8443/storefront",
            "https://pushed.example:8443/northwind/storefront",
            "ssh://git@pushed.example:8443/northwind/storefront",
            "pushed.example:8443",
            "",
        ] {
            assert!(names(alias, other).is_empty(), "{other}");
        }
    }

    #[test]
    fn docker_hub_has_a_name_here_though_its_repositories_name_no_host() {
        for hub in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
            let mirrored = format!("{hub}=mirror.example/hub");
            assert_eq!(names(&mirrored, "northwind/storefront"), ["mirror.example/hub/northwind/storefront"]);
            assert_eq!(names(&mirrored, "busybox"), ["mirror.example/hub/library/busybox"]);
            assert!(names(&mirrored, "quay.io/northwind/storefront").is_empty());
            assert_eq!(names(&format!("pushed.example={hub}"), "pushed.example/a/b"), ["a/b"]);
        }
        assert_eq!(names("mirror.example/hub=docker.io", "mirror.example/hub/library/busybox"), ["busybox"]);
    }

    #[test]
    fn what_is_pulled_under_an_alias_is_found_where_it_is_pushed() {
        let aliases = HostAliases::parse("quay.corp:8443=quay.example.com,docker.io=mirror.example/hub").unwrap();
        let pushed = |repository: &str| aliases.pushed_as(repository).collect::<Vec<_>>();
        assert_eq!(pushed("quay.example.com/northwind/storefront"), ["quay.corp:8443/northwind/storefront"]);
        assert_eq!(pushed("mirror.example/hub/library/busybox"), ["docker.io/library/busybox"]);
        for other in
            ["quay.example.com", "quay.example.community/a/b", "quay.corp:8443/a/b", "https://quay.example.com/a"]
        {
            assert!(pushed(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn a_folder_ends_at_a_slash() {
        let alias = "art.example/docker-local=docker-local.art.example";
        assert_eq!(names(alias, "art.example/docker-local/team/app"), ["docker-local.art.example/team/app"]);
        assert!(names(alias, "art.example/docker-local-2/app").is_empty());
        assert!(names(alias, "art.example/docker-local").is_empty());
    }

    #[test]
    fn aliases_add_up_and_are_not_followed() {
        let several = ["a.example=b.example, a.example=c.example,,", "b.example=d.example", ""];
        let sets = several.map(|text| HostAliases::parse(text).unwrap());
        let aliases: HostAliases = sets.into_iter().collect();
        assert_eq!(aliases.of("a.example/x/y").collect::<Vec<_>>(), ["b.example/x/y", "c.example/x/y"]);
        assert_eq!(HostAliases::parse(" , ").unwrap(), HostAliases::default());
    }

    #[test]
    fn what_is_no_alias_is_refused_with_what_to_write() {
        let error = |text: &str| HostAliases::parse(text).unwrap_err();
        for text in ["a.example", "a.example=b.example=c.example"] {
            assert_eq!(error(text), AliasError::Form(text.to_owned()));
            assert!(error(text).to_string().contains("write PUSHED=PULLED"), "{text}");
        }
        for side in [
            "",
            "registry",
            "https://a.example",
            "a.example/",
            "a.example//b",
            "a.example:port",
            "a.example/B c",
            "a:b@c.example",
        ] {
            assert_eq!(error(&format!("{side}=b.example")), AliasError::Registry(side.to_owned()));
            assert_eq!(error(&format!("b.example={side}")), AliasError::Registry(side.to_owned()));
        }
        assert_eq!(error("docker.io=index.docker.io"), AliasError::Same("docker.io=index.docker.io".to_owned()));
    }
}
