//! What the clients of one process share: certificates, proxies, and the pace for each endpoint.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use http::{HeaderValue, Uri};
use hyper_rustls::ConfigBuilderExt;
use hyper_util::client::proxy::matcher::Matcher;
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;

use super::endpoint::Endpoint;
use super::pace::Pace;

/// What all clients of this process share.
pub struct Network {
    proxies: Matcher,
    /// The configuration of TLS with the system's authorities, once it was needed.
    public: OnceLock<Arc<ClientConfig>>,
    /// By host and port: all clients of one host share its patience.
    paces: Mutex<HashMap<(String, u16), Arc<Pace>>>,
}

/// A client cannot be set up as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadSetup {
    /// The authorities.
    #[error(
        "the CA bundle holds no usable certificate in PEM: give the certificate of the authority that issued the host's"
    )]
    CaBundle,
    /// The token.
    #[error("the token is empty, or holds characters that a token cannot have, such as a line break in its middle")]
    Token,
}

/// Where to connect instead of the host itself.
pub(super) struct ProxyTo {
    pub(super) uri: Uri,
    pub(super) authorization: Option<HeaderValue>,
}

impl Network {
    /// With the proxies that `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name.
    #[must_use]
    pub fn from_env() -> Self {
        Self::with(Matcher::from_env())
    }

    /// Without any proxy, whatever the environment says.
    #[must_use]
    pub fn direct() -> Self {
        Self::with(Matcher::builder().build())
    }

    fn with(proxies: Matcher) -> Self {
        Self { proxies, public: OnceLock::new(), paces: Mutex::default() }
    }

    /// The pace of an endpoint.
    pub(super) fn pace(&self, endpoint: &Endpoint) -> Arc<Pace> {
        let key = (endpoint.host().to_owned(), endpoint.port());
        Arc::clone(self.paces.lock().entry(key).or_insert_with(|| Arc::new(Pace::of(endpoint.host()))))
    }

    /// The proxy on the way to an endpoint, if there is one.
    pub(super) fn proxy(&self, endpoint: &Uri) -> Option<ProxyTo> {
        let found = self.proxies.intercept(endpoint)?;
        Some(ProxyTo { uri: found.uri().clone(), authorization: found.basic_auth().cloned() })
    }

    /// How to speak TLS: trusting these authorities alone, or else the system's, or else Mozilla's, which are built in
    /// because the image has no files.
    ///
    /// # Errors
    /// When the bundle holds no usable certificate.
    pub(super) fn tls(&self, ca_bundle: Option<&[u8]>) -> Result<Arc<ClientConfig>, BadSetup> {
        let Some(pem) = ca_bundle else {
            return Ok(Arc::clone(self.public.get_or_init(public)));
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|_| BadSetup::CaBundle)?).map_err(|_| BadSetup::CaBundle)?;
        }
        if roots.is_empty() {
            return Err(BadSetup::CaBundle);
        }
        Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
    }
}

fn public() -> Arc<ClientConfig> {
    let config = match ClientConfig::builder().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(_) => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
        }
    };
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_a_usable_certificate_is_refused() {
        let network = Network::direct();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "no PEM", broken] {
            assert_eq!(network.tls(Some(pem.as_bytes())).err(), Some(BadSetup::CaBundle), "{pem:?}");
        }
        let authority = rcgen::generate_simple_self_signed(["quay.example.com".to_owned()]).unwrap();
        assert!(network.tls(Some(authority.cert.pem().as_bytes())).is_ok());
    }

    #[test]
    fn clients_of_one_host_share_its_pace_however_it_is_written() {
        let network = Network::direct();
        let pace = |text: &str| network.pace(&Endpoint::parse(text).unwrap());
        assert!(Arc::ptr_eq(&pace("https://quay.io"), &pace("https://QUAY.IO:443/x")));
        assert!(!Arc::ptr_eq(&pace("https://quay.io"), &pace("https://quay.example.com")));
    }

    #[test]
    fn a_proxy_is_used_with_its_password_but_not_for_what_is_exempt() {
        let proxies = Matcher::builder().https("http://mira:pw@proxy.example:3128").no("quay.corp.example").build();
        let network = Network::with(proxies);
        let proxy = |uri: &'static str| network.proxy(&Uri::from_static(uri));
        let found = proxy("https://quay.io").unwrap();
        assert_eq!(found.uri.authority().unwrap().as_str().rsplit('@').next(), Some("proxy.example:3128"));
        assert_eq!(found.authorization.unwrap(), "Basic bWlyYTpwdw==");
        assert!(proxy("https://quay.corp.example").is_none());
        assert!(proxy("http://quay.io").is_none());
    }
}
