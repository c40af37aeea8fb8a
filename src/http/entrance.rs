//! Who sends a request: the client of the connection, or, where a trusted proxy ends TLS, the client of the proxy.
//!
//! A proxy that is trusted vouches for one thing, that its client holds the key of the certificate in the header.
//! Whether the certificate is genuine is judged here, with the same code as for a client of our own TLS. The header of
//! any other peer is taken out, and the certificate of the proxy itself never counts as its clients'.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;

use super::tls::{Client, Tls};
use crate::domain::client_cert::ClientIdentity;
use crate::domain::client_cert::passed_on::{Malformed, certificates};
use crate::metrics::tls::{PassedOn, TlsMetrics};

/// What a port knows of those who connect. By default it has no TLS and trusts no proxy.
#[derive(Clone, Default)]
pub struct Entrance {
    /// TLS of its own.
    pub tls: Option<Arc<Tls>>,
    /// Proxies that pass on client certificates.
    pub proxies: Option<Arc<Proxies>>,
}

/// Who may pass on client certificates, and how.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The header that holds the certificate.
    pub header: HeaderName,
    /// Where the proxies are.
    pub networks: Vec<IpNet>,
}

/// Proxies that pass on client certificates.
pub struct Proxies {
    trusted: Trusted,
    /// Judges the certificates.
    tls: Arc<Tls>,
    metrics: TlsMetrics,
    /// Whether a header of a stranger, and one that cannot be read, has been logged.
    has_logged: [AtomicBool; 2],
}

/// Who sends a request; in its extensions.
#[derive(Clone)]
enum Sender {
    /// The client of the connection.
    Connected(ClientIdentity),
    /// The client of a trusted proxy, with every value of the header.
    PassedOn(Arc<Proxies>, Vec<HeaderValue>),
}

impl Entrance {
    /// Notes who sends a request that came on a connection of `client`, from the address of `peer`.
    pub(super) fn note_sender(&self, peer: IpAddr, client: Option<&Client>, request: &mut http::Request<impl Sized>) {
        let values = self.proxies.as_ref().and_then(|proxies| {
            let values = proxies.take(peer, request.headers_mut())?;
            Some(Sender::PassedOn(Arc::clone(proxies), values))
        });
        if let Some(sender) = values.or_else(|| client.map(|client| Sender::Connected(client.identity()))) {
            request.extensions_mut().insert(sender);
        }
    }
}

/// What the sender of a request has proved. A certificate that was passed on is verified only now, so that requests to
/// unknown paths do not cost that much.
pub(super) fn identity(extensions: &Extensions) -> ClientIdentity {
    match extensions.get() {
        Some(Sender::Connected(identity)) => *identity,
        Some(Sender::PassedOn(proxies, values)) => proxies.identify(values),
        None => ClientIdentity::None,
    }
}

impl Proxies {
    /// Those that are trusted; `tls` judges what they pass on.
    #[must_use]
    pub fn new(trusted: Trusted, tls: Arc<Tls>, metrics: TlsMetrics) -> Self {
        Self { trusted, tls, metrics, has_logged: Default::default() }
    }

    /// Takes the header out of a request. Returns its values if the peer may set it.
    fn take(&self, peer: IpAddr, headers: &mut HeaderMap) -> Option<Vec<HeaderValue>> {
        let Trusted { header, networks } = &self.trusted;
        let values: Vec<_> = headers.get_all(header).iter().cloned().collect();
        if !values.is_empty() {
            headers.remove(header);
        }
        let peer = peer.to_canonical();
        if networks.iter().any(|network| network.contains(&peer)) {
            return Some(values);
        }
        if !values.is_empty() {
            self.metrics.passed_on(PassedOn::Untrusted);
            if !self.has_logged[0].swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    %peer, %header,
                    "a client certificate was passed on from an address that is not a trusted proxy's, and does not count; \
                     this is logged once"
                );
            }
        }
        None
    }

    /// The identity that the values of the header prove.
    fn identify(&self, values: &[HeaderValue]) -> ClientIdentity {
        let found = match values {
            [] => Ok(Vec::new()),
            [value] => certificates(value.as_bytes()),
            _ => Err(Malformed::Several),
        };
        let (identity, outcome) = match found {
            Ok(found) => {
                let found: Vec<_> = found.into_iter().map(CertificateDer::from).collect();
                let identity = self.tls.identify(&found);
                let outcome = match identity {
                    ClientIdentity::Verified { .. } => PassedOn::Verified,
                    ClientIdentity::Unverified { .. } => PassedOn::Unverified,
                    ClientIdentity::None => PassedOn::Anonymous,
                };
                (identity, outcome)
            }
            Err(malformed) => {
                if !self.has_logged[1].swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        header = %self.trusted.header, reason = %malformed,
                        "a trusted proxy passed on what cannot be read as a client certificate, and it counts as none; \
                         this is logged once"
                    );
                }
                (ClientIdentity::None, PassedOn::Malformed)
            }
        };
        self.metrics.passed_on(outcome);
        identity
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use http::Request;

    use super::*;
    use crate::domain::client_cert::Fingerprint;
    use crate::http::tls::Files;

    const HEADER: HeaderName = HeaderName::from_static("x-ssl-client-cert");
    const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 2, 3));
    const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 2, 3));

    /// An entrance that trusts proxies in 10.1.0.0/16, a certificate that it trusts, and one that it does not.
    fn entrance() -> (Entrance, TlsMetrics, [Vec<u8>; 2]) {
        let issue = || rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap().cert.der().to_vec();
        let pairs = [issue(), issue()];
        let files = Files { pair: None, client_ca: None, client_fingerprints: vec![Fingerprint::of(&pairs[0])] };
        let metrics = TlsMetrics::default();
        let tls = Arc::new(Tls::load(files, metrics.clone()).unwrap());
        assert!(!tls.is_served());
        let trusted = Trusted { header: HEADER, networks: vec!["10.1.0.0/16".parse().unwrap()] };
        let proxies = Some(Arc::new(Proxies::new(trusted, tls, metrics.clone())));
        (Entrance { tls: None, proxies }, metrics, pairs)
    }

    fn sent(entrance: &Entrance, peer: IpAddr, values: &[&str]) -> ClientIdentity {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append(HEADER, value.parse().unwrap());
        }
        entrance.note_sender(peer, None, &mut request);
        assert!(!request.headers().contains_key(HEADER), "no receiver sees it");
        identity(request.extensions())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_never_that_a_certificate_is_genuine() {
        let (entrance, metrics, pairs) = entrance();
        let fingerprints = pairs.each_ref().map(|der| Fingerprint::of(der));
        let [trusted, other] = pairs.map(|der| BASE64_STANDARD.encode(der));
        let verified = ClientIdentity::Verified { fingerprint: fingerprints[0] };
        assert_eq!(sent(&entrance, PROXY, &[&trusted]), verified);
        let mapped = IpAddr::V6(Ipv4Addr::new(10, 1, 9, 9).to_ipv6_mapped());
        assert_eq!(sent(&entrance, mapped, &[&trusted]), verified);
        let unverified = ClientIdentity::Unverified { fingerprint: fingerprints[1] };
        assert_eq!(sent(&entrance, PROXY, &[&other]), unverified);
        assert_eq!(sent(&entrance, PROXY, &[]), ClientIdentity::None);
        assert_eq!(sent(&entrance, PROXY, &[""]), ClientIdentity::None);
        assert_eq!(sent(&entrance, PROXY, &["nonsense"]), ClientIdentity::None);
        assert_eq!(sent(&entrance, PROXY, &[&trusted, &trusted]), ClientIdentity::None, "one may be the sender's");
        assert_eq!(sent(&entrance, STRANGER, &[&trusted]), ClientIdentity::None);
        assert_eq!(sent(&entrance, STRANGER, &[]), ClientIdentity::None);
        for (outcome, count) in [
            (PassedOn::Verified, 2),
            (PassedOn::Unverified, 1),
            (PassedOn::Anonymous, 2),
            (PassedOn::Malformed, 2),
            (PassedOn::Untrusted, 1),
        ] {
            assert_eq!(metrics.count(outcome), count, "{outcome:?}");
        }
    }

    #[test]
    fn without_trusted_proxies_the_header_is_one_like_any_other() {
        let mut request = Request::new(());
        request.headers_mut().insert(HEADER, HeaderValue::from_static("x"));
        Entrance::default().note_sender(PROXY, None, &mut request);
        assert!(request.headers().contains_key(HEADER));
        assert_eq!(identity(request.extensions()), ClientIdentity::None);
    }
}
