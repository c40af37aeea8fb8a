//! Where a host's API is.

use thiserror::Error;

use crate::domain::path::BaseUrl;

/// The address of a host: `http(s)://host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    is_encrypted: bool,
    /// Host and port as given.
    authority: String,
    /// In lower case; an IPv6 address without its brackets.
    host: String,
    port: u16,
    /// What stands before the path of the API; empty for the root.
    path: String,
}

/// The endpoint is not an address. The text does not repeat it, because it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the endpoint must be http(s)://host[:port][/path], such as https://quay.io, without a user name, query or fragment"
)]
pub struct BadEndpoint;

impl Endpoint {
    /// Reads an endpoint. The path of the API itself (`/api/v1`) may be given or left out.
    ///
    /// # Errors
    /// When it is not `http(s)://host[:port][/path]`.
    pub fn parse(text: &str) -> Result<Self, BadEndpoint> {
        let base = BaseUrl::parse(text.trim()).map_err(|_| BadEndpoint)?;
        let (scheme, authority) = base.origin().split_once("://").ok_or(BadEndpoint)?;
        let is_encrypted = scheme == "https";
        let uri: http::uri::Authority = authority.parse().map_err(|_| BadEndpoint)?;
        let port = uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let host = uri.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let path = base.path().strip_suffix("/api/v1").unwrap_or_else(|| base.path()).to_owned();
        Ok(Self { is_encrypted, authority: authority.to_owned(), host, port, path })
    }

    /// Whether it is reached with TLS. Without it, everybody on the way can read the token and the hooks' URLs: warn.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// The host without its port, in lower case.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and port as given, as they stand in the names of images.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of the web interface, as it stands in the URLs of Git repositories; empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The target of a request to a path of the API.
    pub(super) fn target(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.path)
    }

    /// Where to connect to.
    pub(super) fn uri(&self) -> Option<http::Uri> {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.authority).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_taken_apart() {
        let quay = Endpoint::parse("https://quay.io").unwrap();
        assert_eq!((quay.host(), quay.port(), quay.is_encrypted()), ("quay.io", 443, true));
        assert_eq!(quay.target("/repository"), "/api/v1/repository");
        let own = Endpoint::parse(" http://Quay.Corp.example:8080/registry/ ").unwrap();
        assert_eq!((own.host(), own.port(), own.is_encrypted()), ("quay.corp.example", 8080, false));
        assert_eq!((own.authority(), own.target("/x").as_str()), ("Quay.Corp.example:8080", "/registry/api/v1/x"));
        assert_eq!(Endpoint::parse("http://[::1]:80").unwrap().host(), "::1");
        assert_eq!(Endpoint::parse("https://quay.io/api/v1/"), Endpoint::parse("https://quay.io"));
    }

    #[test]
    fn the_path_of_an_endpoint_is_what_stands_before_the_api() {
        for (endpoint, path) in [
            ("https://git.example.com", ""),
            ("https://git.example.com/", ""),
            ("https://git.example.com/forge/", "/forge"),
            ("https://git.example.com/forge/api/v1", "/forge"),
        ] {
            assert_eq!(Endpoint::parse(endpoint).unwrap().path(), path);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_without_repeating_it() {
        for text in ["quay.io", "", "ftp://quay.io", "https://mira:hunter2@quay.io", "https://quay.io?x", "https://"] {
            let error = Endpoint::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
