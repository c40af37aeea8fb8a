//! From the files to what a handshake needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use zeroize::Zeroizing;

use super::trust::{Trust, Verifier};
use crate::domain::client_cert::Fingerprint;

/// Where everything is, and which client certificates are trusted by themselves.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate that is served; `None` where TLS ends at a proxy in front.
    pub pair: Option<Pair>,
    /// The authorities of client certificates, in PEM.
    pub client_ca: Option<PathBuf>,
    /// Client certificates that need no authority.
    pub client_fingerprints: Vec<Fingerprint>,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate and its intermediates, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
}

/// What is in the files.
#[derive(PartialEq, Eq)]
pub(super) struct Content {
    pair: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    client_ca: Option<Vec<u8>>,
}

impl Content {
    /// Reads all files until they stay the same from the first to the last: between two of them, the kubelet may swap
    /// the folder.
    pub(super) fn read(files: &Files) -> anyhow::Result<Self> {
        let mut content = Self::read_once(files)?;
        for _ in 0..3 {
            let again = Self::read_once(files)?;
            if again == content {
                return Ok(content);
            }
            content = again;
        }
        let named = files.pair.as_ref().map(|pair| &pair.certificate).or(files.client_ca.as_ref());
        bail!(
            "{} and its neighbours change all the time",
            named.map_or_else(String::new, |path| path.display().to_string())
        )
    }

    fn read_once(files: &Files) -> anyhow::Result<Self> {
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("failed to read {}", path.display()));
        let both = |pair: &Pair| Ok::<_, anyhow::Error>((read(&pair.certificate)?, Zeroizing::new(read(&pair.key)?)));
        Ok(Self {
            pair: files.pair.as_ref().map(both).transpose()?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    /// Tells one content from another, without keeping the key.
    pub(super) fn digest(&self) -> [u8; 32] {
        let pair =
            self.pair.as_ref().map(|(certificate, key)| [certificate.as_slice(), key.as_slice()]).unwrap_or_default();
        let mut digest = Sha256::new();
        for part in pair.into_iter().chain(self.client_ca.as_deref()) {
            digest.update(Sha256::digest(part));
        }
        digest.finalize().into()
    }
}

/// What a handshake needs.
pub(super) struct Material {
    /// `None` where TLS ends at a proxy in front.
    pub(super) config: Option<Arc<ServerConfig>>,
    pub(super) trust: Trust,
    /// When the certificate expires, in seconds since 1970.
    pub(super) not_after: Option<i64>,
    /// Of the files it was made from.
    pub(super) digest: [u8; 32],
}

impl Material {
    /// Makes it from the files' content.
    pub(super) fn new(files: &Files, content: &Content) -> anyhow::Result<Self> {
        let client_ca = files.client_ca.as_deref().zip(content.client_ca.as_deref());
        let trust = trust(client_ca, files.client_fingerprints.clone())?;
        let pair = files.pair.as_ref().zip(content.pair.as_ref());
        let served = pair.map(|(files, (certificate, key))| serve(files, certificate, key, &trust)).transpose()?;
        let (config, not_after) = served.unzip();
        Ok(Self { config: config.map(Arc::new), trust, not_after, digest: content.digest() })
    }

    pub(super) fn has_expired(&self, now: UnixTime) -> bool {
        let not_after = self.not_after.and_then(|not_after| u64::try_from(not_after).ok());
        not_after.is_some_and(|not_after| not_after <= now.as_secs())
    }
}

/// How a pair is served, and when its certificate expires.
fn serve(files: &Pair, certificate: &[u8], key: &[u8], trust: &Trust) -> anyhow::Result<(ServerConfig, i64)> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let chain = certificates(&files.certificate, certificate)?;
    let not_after = not_after(&chain[0])
        .with_context(|| format!("{} holds an unusable certificate", files.certificate.display()))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .with_context(|| format!("{} holds no private key in PEM", files.key.display()))?;
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match trust.is_empty() {
        true => builder.with_no_client_auth(),
        false => builder.with_client_cert_verifier(Arc::new(Verifier(algorithms))),
    };
    let mut config = builder.with_single_cert(chain, key).with_context(|| {
        format!("{} and {} are not a usable pair", files.certificate.display(), files.key.display())
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok((config, not_after))
}

/// All certificates of a PEM file; there is at least one.
fn certificates(path: &Path, pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.with_context(|| format!("{} is not a PEM file", path.display()))?;
    if found.is_empty() {
        bail!("{} holds no certificate in PEM", path.display());
    }
    Ok(found)
}

/// What is trusted: the authorities in a PEM file, and pinned certificates.
pub(super) fn trust(client_ca: Option<(&Path, &[u8])>, pinned: Vec<Fingerprint>) -> anyhow::Result<Trust> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    let authorities = client_ca.map(|(path, pem)| authorities(path, pem)).transpose()?;
    Ok(Trust { authorities: authorities.unwrap_or_else(RootCertStore::empty), pinned, algorithms })
}

fn authorities(path: &Path, pem: &[u8]) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        roots.add(certificate).with_context(|| format!("{} holds an unusable certificate", path.display()))?;
    }
    Ok(roots)
}

fn not_after(certificate: &CertificateDer<'_>) -> anyhow::Result<i64> {
    let validity = *Certificate::from_der(certificate)?.tbs_certificate().validity();
    Ok(i64::try_from(validity.not_after.to_unix_duration().as_secs())?)
}
