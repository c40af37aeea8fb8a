//! Client certificates: which are trusted, and the identity they prove.
//!
//! A certificate that no authority vouches for does not fail the handshake. Quay presents its own server certificate to
//! every server that asks, and a failed handshake would switch its hooks off, also those to receivers that demand no
//! certificate. Only the proof that the client holds the private key is always demanded.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, RootCertStore, SignatureScheme,
};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RawPublicKeyEntity,
    RequiredEkuNotFoundContext,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use crate::domain::client_cert::{ClientIdentity, Fingerprint};

/// The authorities and certificates that the operator named.
pub(super) struct Trust {
    pub(super) authorities: RootCertStore,
    pub(super) pinned: Vec<Fingerprint>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    /// Whether there is any reason to ask for certificates.
    pub(super) fn is_empty(&self) -> bool {
        self.authorities.is_empty() && self.pinned.is_empty()
    }

    /// The identity that the certificates of a client prove, its own first.
    pub(super) fn identify(&self, certificates: &[CertificateDer<'_>], now: UnixTime) -> ClientIdentity {
        let Some((own, intermediates)) = certificates.split_first() else {
            return ClientIdentity::None;
        };
        let fingerprint = Fingerprint::of(own);
        match self.pinned.contains(&fingerprint) || self.is_issued(own, intermediates, now) {
            true => ClientIdentity::Verified { fingerprint },
            false => ClientIdentity::Unverified { fingerprint },
        }
    }

    fn is_issued(&self, own: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], now: UnixTime) -> bool {
        EndEntityCert::try_from(own).is_ok_and(|own| {
            let (algorithms, roots) = (self.algorithms.all, &self.authorities.roots);
            own.verify_for_usage(algorithms, roots, intermediates, now, ClientOrServer, None, None).is_ok()
        })
    }
}

/// A certificate for clients, for servers (Quay's), or without a restriction.
struct ClientOrServer;

impl ExtendedKeyUsageValidator for ClientOrServer {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut present = Vec::new();
        for purpose in purposes {
            let purpose = purpose?.to_decoded_oid();
            if purpose == KeyUsage::CLIENT_AUTH_REPR || purpose == KeyUsage::SERVER_AUTH_REPR {
                return Ok(());
            }
            present.push(purpose);
        }
        if present.is_empty() {
            return Ok(());
        }
        let required = KeyUsage::client_auth();
        Err(webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required, present }))
    }
}

/// Asks for a certificate without insisting on one.
#[derive(Debug)]
pub(super) struct Verifier(pub(super) WebPkiSupportedAlgorithms);

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: some clients would keep back a certificate of another authority, which may be one that is pinned.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// [`Trust::identify`] judges after the handshake.
    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = public_key(certificate)?;
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| CertificateError::BadEncoding)?;
        let (_, algorithms) = self
            .0
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == signed.scheme)
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        // In TLS 1.2 the scheme does not say which curve the key is on.
        let valid = algorithms.iter().any(|one| key.verify_signature(*one, message, signed.signature()).is_ok());
        if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(message, &public_key(certificate)?, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// The key of a certificate that may be of any kind: webpki's parser refuses those of version 1, as `openssl x509
/// -signkey` makes them.
fn public_key(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let key = Certificate::from_der(certificate).and_then(|parsed| {
        let key = parsed.tbs_certificate().subject_public_key_info().to_der()?;
        Ok(SubjectPublicKeyInfoDer::from(key))
    });
    key.map_err(|_| CertificateError::BadEncoding.into())
}
