//! What any sender may be required to present, besides knowing the URL.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, header};

use crate::domain::client_cert::{self, ClientIdentity};
use crate::domain::secret::Secret;
use crate::receiver::{Rejection, Request};

/// The key of the Secret with user and password of HTTP basic authentication, `user:password`.
pub const BASIC_AUTH: &str = "basic-auth";
/// The key of the Secret with the token in the body of a Quay POST template.
pub const BODY_TOKEN: &str = "body-token";
/// The key of the Secret with the client certificates that are admitted.
pub const CLIENT_CERTIFICATE: &str = "client-certificate";
/// The key of the Secret with the whole value of the header `Authorization` or `X-Api-Key`.
pub const AUTH_HEADER: &str = "auth-header";

/// What is demanded. Whatever is set has to be presented; every comparison takes constant time.
#[derive(Clone, Default)]
pub struct Credentials {
    /// User and password, `user:password`.
    pub basic_auth: Option<Secret>,
    /// The token in Quay's envelope; looked at by `quay` only.
    pub body_token: Option<Secret>,
    /// The rule for client certificates, see [`client_cert::permits`].
    pub client_certificate: Option<Secret>,
    /// The whole value of the header `Authorization`, or of `X-Api-Key`.
    pub auth_header: Option<Secret>,
}

impl Credentials {
    /// Checks what a sender proved when it connected.
    ///
    /// # Errors
    /// 401 when a client certificate is demanded and none that is admitted was presented.
    pub fn admit_client(&self, identity: &ClientIdentity) -> Result<(), Rejection> {
        match &self.client_certificate {
            Some(rule) if !client_cert::permits(rule.expose(), identity) => {
                Err(Rejection::Unauthorized("missing or unknown client certificate"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Checks the headers of a request.
    ///
    /// # Errors
    /// 401 when one is demanded and is missing or another.
    pub fn admit(&self, request: &Request<'_>) -> Result<(), Rejection> {
        if let Some(wanted) = &self.basic_auth {
            let wanted = Secret::new(format!("Basic {}", BASE64_STANDARD.encode(wanted.expose())).into_bytes());
            demand(request, &[header::AUTHORIZATION], &wanted)?;
        }
        if let Some(wanted) = &self.auth_header {
            demand(request, &[header::AUTHORIZATION, HeaderName::from_static("x-api-key")], wanted)?;
        }
        Ok(())
    }
}

fn demand(request: &Request<'_>, names: &[HeaderName], wanted: &Secret) -> Result<(), Rejection> {
    let mut presented = names.iter().flat_map(|name| request.headers.get_all(name)).peekable();
    if presented.peek().is_none() {
        return Err(Rejection::Unauthorized("missing Authorization header"));
    }
    let is_known = presented.any(|value| wanted.verify_eq(value.as_bytes()));
    if is_known { Ok(()) } else { Err(Rejection::Unauthorized("unauthorized")) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use jiff::Timestamp;

    use super::*;
    use crate::domain::client_cert::Fingerprint;

    fn secret(text: &str) -> Option<Secret> {
        Some(Secret::new(text.as_bytes().to_vec()))
    }

    fn admit(credentials: &Credentials, name: &'static str, value: &str) -> Result<(), Rejection> {
        let mut headers = HeaderMap::new();
        if !name.is_empty() {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        credentials.admit(&Request { headers: &headers, query: None, body: b"", arrived: Timestamp::UNIX_EPOCH })
    }

    #[test]
    fn nothing_is_demanded_unless_it_is_set() {
        assert_eq!(admit(&Credentials::default(), "", ""), Ok(()));
        assert_eq!(Credentials::default().admit_client(&ClientIdentity::None), Ok(()));
    }

    #[test]
    fn user_and_password_of_the_registered_url_are_demanded() {
        let credentials = Credentials { basic_auth: secret("receiver:pw"), ..Credentials::default() };
        // As recorded from Quay.
        assert_eq!(admit(&credentials, "authorization", "Basic cmVjZWl2ZXI6cHc="), Ok(()));
        for wrong in ["Basic cmVjZWl2ZXI6cHg=", "Bearer cmVjZWl2ZXI6cHc=", "cmVjZWl2ZXI6cHc=", ""] {
            assert_eq!(
                admit(&credentials, "authorization", wrong),
                Err(Rejection::Unauthorized("unauthorized")),
                "{wrong}"
            );
        }
        assert_eq!(admit(&credentials, "", ""), Err(Rejection::Unauthorized("missing Authorization header")));
        assert!(admit(&credentials, "x-api-key", "Basic cmVjZWl2ZXI6cHc=").is_err());
    }

    #[test]
    fn a_whole_header_may_be_demanded_under_either_name() {
        let credentials = Credentials { auth_header: secret("Bearer 5f2c"), ..Credentials::default() };
        assert_eq!(admit(&credentials, "authorization", "Bearer 5f2c"), Ok(()));
        assert_eq!(admit(&credentials, "x-api-key", "Bearer 5f2c"), Ok(()));
        assert!(admit(&credentials, "authorization", "Bearer 5f2d").is_err());
    }

    #[test]
    fn a_client_certificate_is_demanded_by_its_fingerprint() {
        let fingerprint = Fingerprint::of(b"certificate");
        let credentials =
            Credentials { client_certificate: secret(&fingerprint.to_string()), ..Credentials::default() };
        assert_eq!(credentials.admit_client(&ClientIdentity::Unverified { fingerprint }), Ok(()));
        assert!(credentials.admit_client(&ClientIdentity::None).is_err());
    }
}
