//! Certificates, and a volume as the kubelet mounts a Secret.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Issues certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new([]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate for self-signed that has the name of its issuer.
        parameters.distinguished_name.push(DnType::CommonName, "an authority of the tests");
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on this machine, and for nothing else, as Quay's is.
    pub(crate) fn issue(&self) -> Pair {
        let mut parameters = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// A client that trusts it, and shows a certificate if it has one.
    pub(crate) fn client(&self, own: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        Arc::new(match own {
            Some(pair) => builder.with_client_auth_cert(vec![pair.der()], pair.key_der()).unwrap(),
            None => builder.with_no_client_auth(),
        })
    }
}

impl Pair {
    pub(crate) fn self_signed() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }

    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap()
    }

    pub(crate) fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.der()))
    }
}

/// A folder whose files are links through `..data`, which is swapped when the content changes.
pub(crate) struct Volume {
    folder: TempDir,
    generation: AtomicU32,
}

impl Volume {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let volume = Self { folder: tempfile::tempdir().unwrap(), generation: AtomicU32::new(0) };
        volume.swap(files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), volume.path(name)).unwrap();
        }
        volume
    }

    /// A certificate and its key, under the names that they have in a Secret.
    pub(crate) fn of(pair: &Pair) -> Self {
        Self::new(&[("tls.crt", &pair.certificate), ("tls.key", &pair.key)])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces all files at once.
    pub(crate) fn swap(&self, files: &[(&str, &str)]) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        let name = format!("..generation-{generation}");
        fs::create_dir(self.path(&name)).unwrap();
        for (file, content) in files {
            fs::write(self.path(&name).join(file), content).unwrap();
        }
        symlink(&name, self.path("..data_tmp")).unwrap();
        fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
        if let Some(last) = generation.checked_sub(1) {
            fs::remove_dir_all(self.path(&format!("..generation-{last}"))).unwrap();
        }
    }

    pub(crate) fn swap_pair(&self, pair: &Pair) {
        self.swap(&[("tls.crt", &pair.certificate), ("tls.key", &pair.key)]);
    }
}
