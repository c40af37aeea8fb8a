//! Why a call to a host did not do what was asked.

use thiserror::Error;

/// Why a host did not do what was asked, with what to do about it. No text holds a URL, a token or an id of a hook.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// 401, and Quay's 403 with a text about CSRF.
    #[error(
        "the host does not accept the token: it is unknown, expired or revoked; make a new one and put it into its place"
    )]
    TokenUnusable,
    /// 403.
    #[error(
        "the token has no admin right here: it needs the scope for it (Quay: repo:admin; Gitea: write:repository), and its user the right admin on the repository; where the name is misspelt, case included, the host says the same"
    )]
    Forbidden,
    /// 404 for a repository.
    #[error("the repository does not exist on the host: it was deleted or renamed, or its name is misspelt")]
    RepositoryGone,
    /// There is no such hook.
    #[error("the webhook does not exist on the host any more: it was removed there; it can be registered again")]
    HookGone,
    /// Quay's 400 for a URL with a host that it blocks, or a 422 of Gitea's.
    #[error(
        "the host refuses the webhook's URL: Quay takes neither localhost nor 127.0.0.1 nor a blocked host name; see --base-url"
    )]
    UrlRefused,
    /// 503 with `is_readonly`.
    #[error("the host is in read-only mode: nothing can be changed until its administrators end it")]
    ReadOnly,
    /// 429.
    #[error("the host asks for fewer calls; the next ones wait and are slower")]
    Throttled,
    /// Another status of 5xx.
    #[error("the host has an error of its own (status {status}); see its log if it lasts")]
    HostFault {
        /// The status.
        status: u16,
    },
    /// No answer, or none that ends.
    #[error("the host cannot be reached: {0}")]
    Unreachable(String),
    /// 3xx. None is followed, because the token would go wherever it leads.
    #[error(
        "the host redirects the call (status {status}): give the endpoint exactly as it is served, with https and the final host, and the repository by its present name"
    )]
    Redirected {
        /// The status.
        status: u16,
    },
    /// An answer that no API of this kind gives.
    #[error(
        "the endpoint answers, but not as the API of this host (status {status}): check the endpoint, and proxies in between"
    )]
    NotTheApi {
        /// The status.
        status: u16,
    },
    /// The name of a repository or namespace cannot be one, and nothing was called.
    #[error("the name cannot be that of a repository: write NAMESPACE/NAME as in the host's own URLs")]
    BadName,
}

impl Refusal {
    /// One word, for a condition's reason, a metric's label or a script.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TokenUnusable => "TokenUnusable",
            Self::Forbidden => "Forbidden",
            Self::RepositoryGone => "RepositoryGone",
            Self::HookGone => "HookGone",
            Self::UrlRefused => "UrlRefused",
            Self::ReadOnly => "ReadOnly",
            Self::Throttled => "Throttled",
            Self::HostFault { .. } => "HostFault",
            Self::Unreachable(_) => "Unreachable",
            Self::Redirected { .. } => "Redirected",
            Self::NotTheApi { .. } => "NotTheApi",
            Self::BadName => "BadName",
        }
    }

    /// Whether it concerns the whole host or the token, so that no other repository fares better.
    #[must_use]
    pub const fn concerns_all(&self) -> bool {
        match self {
            Self::TokenUnusable | Self::ReadOnly | Self::Throttled | Self::Unreachable(_) => true,
            Self::Forbidden
            | Self::RepositoryGone
            | Self::HookGone
            | Self::UrlRefused
            | Self::HostFault { .. }
            | Self::Redirected { .. }
            | Self::NotTheApi { .. }
            | Self::BadName => false,
        }
    }
}
