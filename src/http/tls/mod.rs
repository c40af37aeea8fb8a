//! TLS on the webhook port: the certificate, the identity that a sender proves, and new files without a restart. Where
//! TLS ends at a proxy in front, the identity alone.
//!
//! One immutable `Material` is in force; a handshake takes it once and uses nothing else. Files that cannot be used
//! change nothing. Sessions are never resumed, so no handshake relies on an authority that is no longer trusted; that
//! costs nothing, because Quay begins a session for each delivery.

mod material;
mod trust;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use self::material::{Content, Material};
pub use self::material::{Files, Pair};
use crate::domain::client_cert::{ClientIdentity, Fingerprint};
use crate::metrics::tls::{Reload, TlsMetrics};

/// The identity that certificates prove, its owner's first, to a server that trusts these authorities and fingerprints.
///
/// # Errors
/// When the file of the authorities, given with its content, cannot be used.
pub fn identify(
    certificates: &[CertificateDer<'_>],
    client_ca: Option<(&Path, &[u8])>,
    pinned: Vec<Fingerprint>,
) -> anyhow::Result<ClientIdentity> {
    Ok(material::trust(client_ca, pinned)?.identify(certificates, UnixTime::now()))
}

/// What TLS needs, as it is now.
pub struct Tls {
    files: Files,
    current: RwLock<Arc<Material>>,
    metrics: TlsMetrics,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used; the text says which and why. An expired certificate is used with a warning: no better
    /// one is at hand, and a proxy in front may accept it.
    pub fn load(files: Files, metrics: TlsMetrics) -> anyhow::Result<Self> {
        let material = Material::new(&files, &Content::read(&files)?)?;
        if material.has_expired(UnixTime::now()) {
            tracing::warn!("the TLS certificate has expired, and senders refuse it; put a new one into its place");
        }
        metrics.begin();
        if let Some(not_after) = material.not_after {
            metrics.expires(not_after);
        }
        Ok(Self { files, current: RwLock::new(Arc::new(material)), metrics })
    }

    fn current(&self) -> Arc<Material> {
        Arc::clone(&self.current.read())
    }

    /// Whether there is a certificate to serve. Otherwise it only judges certificates that a proxy passes on.
    #[must_use]
    pub const fn is_served(&self) -> bool {
        self.files.pair.is_some()
    }

    /// The identity that certificates prove by what is trusted now, for a sender that is known to hold the key.
    pub(super) fn identify(&self, certificates: &[CertificateDer<'_>]) -> ClientIdentity {
        self.current().trust.identify(certificates, UnixTime::now())
    }

    /// The handshake; `None` when it failed. The caller limits its time.
    pub(super) async fn accept(self: &Arc<Self>, stream: TcpStream) -> Option<(TlsStream<TcpStream>, Client)> {
        let material = self.current();
        let config = material.config.as_ref().map(Arc::clone)?;
        match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => {
                let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                let certificates = certificates.iter().map(|certificate| certificate.clone().into_owned()).collect();
                let client = Client::new(Arc::clone(self), material, certificates);
                self.metrics.shaken(client.handshake().as_str());
                Some((stream, client))
            }
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                self.metrics.shaken(Handshake::Failed.as_str());
                None
            }
        }
    }

    /// Looks at the files periodically until `stop`, and uses what has changed. Their content is compared, because the
    /// kubelet replaces a Secret by swapping a symbolic link to its folder.
    pub async fn follow(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut seen = Ok(self.current().digest);
        while stop.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
            let files = self.files.clone();
            let Ok(content) = tokio::task::spawn_blocking(move || Content::read(&files)).await else {
                continue;
            };
            let found = content.as_ref().map(Content::digest).map_err(ToString::to_string);
            if found != seen {
                seen = found;
                self.replace(content);
            }
        }
    }

    fn replace(&self, content: anyhow::Result<Content>) {
        let material = content.and_then(|content| Material::new(&self.files, &content));
        let usable = material.and_then(|material| match &self.files.pair {
            Some(pair) if material.has_expired(UnixTime::now()) => {
                anyhow::bail!("the certificate in {} has expired", pair.certificate.display())
            }
            Some(_) | None => Ok(material),
        });
        match usable {
            Ok(material) => {
                self.metrics.reloaded(Reload::Loaded);
                if let Some(not_after) = material.not_after {
                    self.metrics.expires(not_after);
                }
                tracing::info!(not_after = material.not_after, "the TLS files have changed and are in force");
                *self.current.write() = Arc::new(material);
            }
            Err(error) => {
                self.metrics.reloaded(Reload::Failed);
                tracing::error!(
                    error = format!("{error:#}"),
                    "the TLS files have changed and cannot be used, so the last good ones stay in force; correct the files"
                );
            }
        }
    }
}

/// The client at the other end of a connection.
pub(super) struct Client {
    tls: Arc<Tls>,
    /// Its own first; empty if it presented none.
    certificates: Vec<CertificateDer<'static>>,
    /// The identity that they prove, and by which material.
    judged: Mutex<(Arc<Material>, ClientIdentity)>,
}

impl Client {
    fn new(tls: Arc<Tls>, material: Arc<Material>, certificates: Vec<CertificateDer<'static>>) -> Self {
        let identity = material.trust.identify(&certificates, UnixTime::now());
        Self { tls, certificates, judged: Mutex::new((material, identity)) }
    }

    /// The identity that the client has proved, by what is trusted now: the connection may be older than that.
    pub(super) fn identity(&self) -> ClientIdentity {
        let material = self.tls.current();
        let mut judged = self.judged.lock();
        if !Arc::ptr_eq(&judged.0, &material) {
            let identity = material.trust.identify(&self.certificates, UnixTime::now());
            *judged = (material, identity);
        }
        judged.1
    }

    fn handshake(&self) -> Handshake {
        match self.judged.lock().1 {
            ClientIdentity::Verified { fingerprint } => {
                tracing::debug!(%fingerprint, "a client presented a certificate that is trusted");
                Handshake::Verified
            }
            ClientIdentity::Unverified { fingerprint } => {
                tracing::debug!(%fingerprint, "a client presented a certificate that no authority vouches for");
                Handshake::Unverified
            }
            ClientIdentity::None => Handshake::Anonymous,
        }
    }
}

/// How a handshake ended.
#[derive(Clone, Copy)]
enum Handshake {
    /// It did not succeed.
    Failed,
    /// The client presented no certificate.
    Anonymous,
    /// The client presented a certificate that is not trusted.
    Unverified,
    /// The client presented a certificate that is trusted.
    Verified,
}

impl Handshake {
    /// The metric label.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Anonymous => "anonymous",
            Self::Unverified => "unverified",
            Self::Verified => "verified",
        }
    }
}

#[cfg(test)]
mod tests;
