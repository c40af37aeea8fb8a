//! Handshakes over real sockets, with certificates of every sort.

use std::fs;
use std::future::poll_fn;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::pin::Pin;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::AsyncWrite;
use tokio::net::TcpListener;

use super::*;
use crate::domain::client_cert::Fingerprint;

const HOST: &str = "hooks.example.com";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::new([]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
struct Pair {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
}

impl Pair {
    fn issued(by: &Authority, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut parameters, key) = (CertificateParams::new([HOST.to_owned()]).unwrap(), KeyPair::generate().unwrap());
        change(&mut parameters);
        let certificate = parameters.signed_by(&key, by).unwrap();
        Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    fn self_signed() -> Self {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        Self {
            certificate: made.cert.der().clone(),
            certificate_pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
        }
    }

    /// As `openssl x509 -signkey` makes them, which webpki cannot read.
    fn of_version_1() -> Self {
        let certificate_pem = include_str!("../../../tests/fixtures/tls/v1.crt").to_owned();
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).unwrap();
        let key_pem = include_str!("../../../tests/fixtures/tls/v1.key").to_owned();
        Self { certificate, certificate_pem, key_pem }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    fn verified(&self) -> ClientIdentity {
        ClientIdentity::Verified { fingerprint: self.fingerprint() }
    }

    fn unverified(&self) -> ClientIdentity {
        ClientIdentity::Unverified { fingerprint: self.fingerprint() }
    }

    fn write(&self, folder: &Path) {
        fs::write(folder.join("tls.crt"), &self.certificate_pem).unwrap();
        fs::write(folder.join("tls.key"), &self.key_pem).unwrap();
    }
}

/// A listener's side, with its files in a folder.
struct Server {
    tls: Arc<Tls>,
    folder: TempDir,
    authority: Authority,
}

impl Server {
    /// One that asks for certificates of that authority, or of those pinned.
    fn new(client_ca: Option<&Authority>, pinned: &[&Pair]) -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), authority());
        Pair::issued(&authority, |_| ()).write(folder.path());
        let ca = folder.path().join("ca.crt");
        if let Some(client_ca) = client_ca {
            fs::write(&ca, client_ca.pem()).unwrap();
        }
        let files = Files {
            pair: Some(super::Pair { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") }),
            client_ca: client_ca.map(|_| ca),
            client_fingerprints: pinned.iter().map(|pair| pair.fingerprint()).collect(),
        };
        let tls = Arc::new(Tls::load(files, TlsMetrics::default()).unwrap());
        Self { tls, folder, authority }
    }

    /// A client that trusts the server, and shows that certificate if it is asked.
    fn client(&self, own: Option<&Pair>, version: &'static SupportedProtocolVersion) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some(pair) => builder.with_client_cert_resolver(Arc::new(Shows::new(pair, pair))),
        }
    }

    /// A whole handshake, and a byte for the client: in TLS 1.3 it hears only then that it was refused. Gives back both
    /// sides' view.
    async fn shake(&self, client: &Arc<ClientConfig>) -> io::Result<(Option<Client>, HandshakeKind, Vec<u8>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, client) = (listener.local_addr()?, Arc::clone(client));
        let theirs = tokio::task::spawn_blocking(move || {
            let session = ClientConnection::new(client, ServerName::try_from(HOST).unwrap()).unwrap();
            let mut stream = StreamOwned::new(session, std::net::TcpStream::connect(address)?);
            stream.read_exact(&mut [0])?;
            let alpn = stream.conn.alpn_protocol().unwrap_or_default().to_vec();
            Ok((stream.conn.handshake_kind().unwrap(), alpn))
        });
        let (stream, _) = listener.accept().await?;
        let accepted = self.tls.accept(stream).await;
        let ours = match accepted {
            Some((mut stream, client)) => {
                poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, b"!")).await?;
                poll_fn(|cx| Pin::new(&mut stream).poll_flush(cx)).await?;
                Some(client)
            }
            None => None,
        };
        let (kind, alpn) = theirs.await?.map_err(|error: io::Error| error)?;
        Ok((ours, kind, alpn))
    }

    /// What a client with that certificate turns out to be, in either version of TLS.
    async fn identify(&self, own: Option<&Pair>) -> ClientIdentity {
        let mut found = Vec::new();
        for version in VERSIONS {
            let (client, ..) = self.shake(&Arc::new(self.client(own, version))).await.unwrap();
            found.push(client.expect("the handshake").identity());
        }
        assert_eq!(found[0], found[1], "TLS 1.2 and 1.3");
        found[0]
    }
}

/// Shows one certificate and signs with the key of another one.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl Shows {
    fn new(certificate: &Pair, key: &Pair) -> Self {
        let key = PrivateKeyDer::from_pem_slice(key.key_pem.as_bytes()).unwrap();
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Self(Arc::new(CertifiedKey::new(vec![certificate.certificate.clone()], key)))
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn purposes(purposes: &'static [ExtendedKeyUsagePurpose]) -> impl FnOnce(&mut CertificateParams) {
    |parameters| parameters.extended_key_usages = purposes.to_vec()
}

#[tokio::test]
async fn a_certificate_of_the_authority_is_verified_also_one_for_servers_as_quays() {
    let authority = authority();
    let server = Server::new(Some(&authority), &[]);
    for allowed in [
        &[][..],
        &[ExtendedKeyUsagePurpose::ClientAuth],
        &[ExtendedKeyUsagePurpose::ServerAuth],
        &[ExtendedKeyUsagePurpose::CodeSigning, ExtendedKeyUsagePurpose::ServerAuth],
    ] {
        let pair = Pair::issued(&authority, purposes(allowed));
        assert_eq!(server.identify(Some(&pair)).await, pair.verified(), "{allowed:?}");
    }
}

#[tokio::test]
async fn what_nobody_vouches_for_connects_and_is_unverified() {
    let trusted = authority();
    let server = Server::new(Some(&trusted), &[]);
    let expired = |parameters: &mut CertificateParams| parameters.not_after = date_time_ymd(2020, 1, 1);
    for (what, pair) in [
        ("another authority", Pair::issued(&authority(), |_| ())),
        ("self-signed", Pair::self_signed()),
        ("version 1", Pair::of_version_1()),
        ("expired", Pair::issued(&trusted, expired)),
        ("for signing code", Pair::issued(&trusted, purposes(&[ExtendedKeyUsagePurpose::CodeSigning]))),
    ] {
        assert_eq!(server.identify(Some(&pair)).await, pair.unverified(), "{what}");
    }
    assert_eq!(server.identify(None).await, ClientIdentity::None);
}

#[tokio::test]
async fn a_pinned_certificate_is_verified_whoever_issued_it() {
    let (own, old) = (Pair::self_signed(), Pair::of_version_1());
    let server = Server::new(None, &[&own, &old]);
    assert_eq!(server.identify(Some(&own)).await, own.verified());
    assert_eq!(server.identify(Some(&old)).await, old.verified());
    let other = Pair::self_signed();
    assert_eq!(server.identify(Some(&other)).await, other.unverified());
}

#[tokio::test]
async fn a_certificate_without_its_key_does_not_get_in() {
    let (authority, pinned, old) = (authority(), Pair::self_signed(), Pair::of_version_1());
    let server = Server::new(Some(&authority), &[&pinned]);
    let (issued, thief) = (Pair::issued(&authority, |_| ()), Pair::self_signed());
    for shown in [&issued, &pinned, &old] {
        for version in VERSIONS {
            let mut client = server.client(None, version);
            client.client_auth_cert_resolver = Arc::new(Shows::new(shown, &thief));
            let met = server.shake(&Arc::new(client)).await;
            assert!(
                met.as_ref().is_err_and(|error| error.to_string().contains("alert")),
                "{version:?}: {:?}",
                met.err()
            );
        }
    }
}

#[tokio::test]
async fn nobody_is_asked_where_nobody_is_trusted() {
    let server = Server::new(None, &[]);
    assert_eq!(server.identify(Some(&Pair::self_signed())).await, ClientIdentity::None);
}

#[tokio::test]
async fn sessions_are_never_resumed() {
    let authority = authority();
    let server = Server::new(Some(&authority), &[]);
    let pair = Pair::issued(&authority, |_| ());
    for version in VERSIONS {
        let client = Arc::new(server.client(Some(&pair), version));
        for _ in 0..3 {
            let (_, kind, _) = server.shake(&client).await.unwrap();
            assert_eq!(kind, HandshakeKind::Full, "{version:?}");
        }
    }
}

#[tokio::test]
async fn only_http_1_is_spoken() {
    let server = Server::new(None, &[]);
    let mut client = server.client(None, &TLS13);
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(server.shake(&Arc::new(client.clone())).await.unwrap().2, b"http/1.1");
    client.alpn_protocols = vec![b"h2".to_vec()];
    assert!(server.shake(&Arc::new(client)).await.is_err());
}

#[tokio::test]
async fn a_changed_authority_counts_at_once_also_on_a_connection_that_is_open() {
    let (before, after) = (authority(), authority());
    let server = Server::new(Some(&before), &[]);
    let pair = Pair::issued(&before, |_| ());
    let (client, ..) = server.shake(&Arc::new(server.client(Some(&pair), &TLS13))).await.unwrap();
    let client = client.unwrap();
    assert_eq!(client.identity(), pair.verified());
    fs::write(server.folder.path().join("ca.crt"), after.pem()).unwrap();
    server.tls.replace(Content::read(&server.tls.files));
    assert_eq!(client.identity(), pair.unverified());
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing() {
    let server = Server::new(Some(&authority()), &[]);
    let (before, folder) = (server.tls.current(), server.folder.path());
    let other = Pair::issued(&server.authority, |_| ());
    let expired = Pair::issued(&server.authority, |parameters| parameters.not_after = date_time_ymd(2020, 1, 1));
    let good = |name: &str| fs::read(folder.join(name)).unwrap();
    let (certificate, key, ca) = (good("tls.crt"), good("tls.key"), good("ca.crt"));
    let restore = || {
        fs::write(folder.join("tls.crt"), &certificate).unwrap();
        fs::write(folder.join("tls.key"), &key).unwrap();
        fs::write(folder.join("ca.crt"), &ca).unwrap();
    };
    let spoil: [(&str, &dyn Fn()); 8] = [
        ("the key belongs to another certificate", &|| fs::write(folder.join("tls.key"), &other.key_pem).unwrap()),
        ("the certificate belongs to another key", &|| {
            fs::write(folder.join("tls.crt"), &other.certificate_pem).unwrap()
        }),
        ("the certificate has expired", &|| expired.write(folder)),
        ("no certificate", &|| fs::write(folder.join("tls.crt"), "").unwrap()),
        ("no key", &|| fs::write(folder.join("tls.key"), &certificate).unwrap()),
        ("broken PEM", &|| fs::write(folder.join("tls.crt"), &certificate[..certificate.len() / 2]).unwrap()),
        ("no authority", &|| fs::write(folder.join("ca.crt"), "nothing").unwrap()),
        ("a missing file", &|| fs::remove_file(folder.join("tls.key")).unwrap()),
    ];
    for (what, spoil) in spoil {
        spoil();
        server.tls.replace(Content::read(&server.tls.files));
        assert!(Arc::ptr_eq(&before, &server.tls.current()), "{what}");
        restore();
    }
    server.tls.replace(Content::read(&server.tls.files));
    assert!(!Arc::ptr_eq(&before, &server.tls.current()));
}

#[tokio::test]
async fn files_that_cannot_be_used_at_the_start_are_named() {
    let server = Server::new(None, &[]);
    let complaint = |change: &dyn Fn(&mut super::Pair, &mut Option<PathBuf>)| {
        let mut files = server.tls.files.clone();
        change(files.pair.as_mut().unwrap(), &mut files.client_ca);
        let Err(error) = Tls::load(files, TlsMetrics::default()) else { panic!("accepted") };
        format!("{error:#}")
    };
    let missing = complaint(&|pair, _| pair.key = "/nonexistent/tls.key".into());
    assert!(missing.starts_with("failed to read /nonexistent/tls.key"), "{missing}");
    let swapped = complaint(&|pair, _| std::mem::swap(&mut pair.key, &mut pair.certificate));
    assert!(swapped.ends_with("tls.key holds no certificate in PEM"), "{swapped}");
    let no_ca = complaint(&|pair, client_ca| *client_ca = Some(pair.key.clone()));
    assert!(no_ca.ends_with("tls.key holds no certificate in PEM"), "{no_ca}");
}
