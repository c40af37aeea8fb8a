//! The URL that a webhook is sent to: a credential.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::domain::path::ReceiverPath;

/// Longer URLs are refused; Quay takes at least 5000 characters.
const LONGEST: usize = 8 * 1024;

/// Where a webhook is sent. It cannot be printed: its `Debug` shows the fingerprint.
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl(Zeroizing<String>);

/// The text is no URL of a webhook. The error does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the webhook's URL must begin with http:// or https:// and a host; copy it from status.webhookReceivers[].url")]
pub struct BadUrl;

impl HookUrl {
    /// Reads a URL that is to be registered.
    ///
    /// # Errors
    /// When it is no absolute `http` or `https` URL.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let text = text.trim();
        let uri: http::Uri = text.parse().map_err(|_| BadUrl)?;
        let is_absolute =
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|h| !h.is_empty());
        if !is_absolute || text.len() > LONGEST {
            return Err(BadUrl);
        }
        Ok(Self::of_host(text.to_owned()))
    }

    /// Whatever a host says the URL of a hook is.
    pub(super) fn of_host(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The URL itself, to be sent to a host. A credential: never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Eight hexadecimal digits that tell URLs apart and reveal nothing of them. For the URL of a receiver they are the
    /// ones that stand in the log.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        ReceiverPath::in_url(&self.0).map_or_else(
            || hex::encode(&Sha256::new().chain_update("quayside hook").chain_update(&**self.0).finalize()[..4]),
            |path| path.fingerprint(),
        )
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HookUrl({})", self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_cannot_be_printed() {
        let url = HookUrl::parse("https://hooks.example.com/quay/abcdef0123456789").unwrap();
        assert_eq!(format!("{url:?}"), format!("HookUrl({})", url.fingerprint()));
        assert!(!format!("{url:?}").contains("abcdef"));
    }

    #[test]
    fn the_fingerprint_of_a_receiver_is_the_one_in_the_log_whatever_the_host() {
        let path = format!("/quay/{}", "ab".repeat(32));
        let fingerprint = |url: String| HookUrl::parse(&url).unwrap().fingerprint();
        let expected = ReceiverPath::in_url(&path).unwrap().fingerprint();
        assert_eq!(fingerprint(format!("https://h/hooks{path}")), expected);
        assert_eq!(fingerprint(format!("http://other.example:8080{path}?event=x#y")), expected);
        assert_ne!(fingerprint("https://h/elsewhere".to_owned()), fingerprint("https://h/somewhere".to_owned()));
    }

    #[test]
    fn what_is_no_url_is_refused_without_repeating_it() {
        let long = format!("https://h/{}", "x".repeat(LONGEST));
        for text in ["", "hooks.example.com/secret", "ftp://h/secret", "http:///secret", "https://h/a secret", &long] {
            assert!(!HookUrl::parse(text).unwrap_err().to_string().contains("secret"), "{text}");
        }
        assert!(HookUrl::parse(" http://[::1]:8080/x\n").is_ok());
    }
}
