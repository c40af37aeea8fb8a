//! The flags of TLS, and of proxies that end it in front.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http::HeaderName;
use ipnet::IpNet;

use super::duration;
use crate::domain::client_cert::Fingerprint;
use crate::http::entrance::Trusted;
use crate::http::tls::{Files, Pair};

/// TLS on the port for senders.
#[derive(Debug, Args)]
pub(super) struct Tls {
    /// Serve senders with TLS, with the certificate (and its intermediates) in this PEM file.
    ///
    /// A new one that takes its place is used within the reload interval, for new connections. Default: TLS_CERT_PATH,
    /// if TLS_ENABLED is true.
    #[arg(long, env = "QUAYSIDE_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,

    /// The private key of the certificate, in PEM. Default: TLS_KEY_PATH, if TLS_ENABLED is true.
    #[arg(long, env = "QUAYSIDE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// Ask senders for a client certificate, and trust those that were issued by an authority in this PEM file.
    ///
    /// A connection without one, or with another one, is still accepted; a receiver can demand one in its Secret.
    #[arg(long, env = "QUAYSIDE_TLS_CLIENT_CA", value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,

    /// Ask senders for a client certificate, and trust the one with this SHA-256 fingerprint, regardless of its issuer.
    ///
    /// Can be given several times; in the environment, separated by commas.
    #[arg(
        long = "tls-client-fingerprint",
        env = "QUAYSIDE_TLS_CLIENT_FINGERPRINT",
        value_name = "SHA256",
        value_delimiter = ','
    )]
    tls_client_fingerprints: Vec<Fingerprint>,

    /// Where a proxy ends TLS: the header in which it passes on the sender's client certificate.
    ///
    /// It counts only from `--trusted-proxies`, and is ignored and removed from all others. Quayside itself verifies
    /// the certificate, as if it had been presented here. PEM (percent-encoded) and DER (in base64) are read, Envoy's
    /// `X-Forwarded-Client-Cert`, and RFC 9440. Default: none, so no header counts.
    #[arg(long, env = "QUAYSIDE_CLIENT_CERT_HEADER", value_name = "NAME")]
    client_cert_header: Option<HeaderName>,

    /// The networks or addresses of the proxies that set `--client-cert-header`.
    ///
    /// Every program that can connect from there can present any certificate that it has seen, without its key. Can be
    /// given several times, or separated by commas.
    #[arg(long, env = "QUAYSIDE_TRUSTED_PROXIES", value_name = "CIDR", value_delimiter = ',', value_parser = network)]
    trusted_proxies: Vec<IpNet>,

    /// How often the TLS files are looked at.
    #[arg(long, env = "QUAYSIDE_TLS_RELOAD_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) tls_reload_interval: Duration,
}

/// Reads a network, or the address of a single proxy.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.trim().parse().or_else(|_| text.trim().parse::<IpAddr>().map(IpNet::from));
    let network: IpNet = network.map_err(|_| "write a network such as 10.244.0.0/16, or an address".to_owned())?;
    match network.prefix_len() {
        0 => Err("it would trust every address, and so every sender; give the networks of the proxies".to_owned()),
        _ => Ok(network),
    }
}

impl Tls {
    /// The files, if TLS is asked for, or a proxy that ends it is trusted.
    pub(super) fn files(self) -> anyhow::Result<Option<Files>> {
        let kargo = Kargo {
            enabled: std::env::var_os("TLS_ENABLED"),
            certificate: std::env::var_os("TLS_CERT_PATH"),
            key: std::env::var_os("TLS_KEY_PATH"),
        };
        self.files_or(kargo)
    }

    /// The proxies that are trusted to pass on client certificates, if any are.
    pub(super) fn trusted(&self) -> anyhow::Result<Option<Trusted>> {
        match (&self.client_cert_header, self.trusted_proxies.as_slice()) {
            (None, []) => Ok(None),
            (Some(header), networks @ [_, ..]) => {
                Ok(Some(Trusted { header: header.clone(), networks: networks.to_vec() }))
            }
            (Some(_), []) => bail!(
                "--client-cert-header is given without --trusted-proxies: name the networks of the proxies that set the \
                 header, such as 10.244.0.0/16, because anybody else could write it as well"
            ),
            (None, [_, ..]) => bail!(
                "--trusted-proxies is given without --client-cert-header: name the header in which the proxies pass on \
                 client certificates, such as X-SSL-Client-Cert"
            ),
        }
    }

    fn files_or(self, kargo: Kargo) -> anyhow::Result<Option<Files>> {
        let pair = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Pair { certificate, key }),
            (Some(_), None) => bail!("--tls-cert is given without --tls-key: give the file of the private key, too"),
            (None, Some(_)) => bail!("--tls-key is given without --tls-cert: give the file of the certificate, too"),
            (None, None) => match kargo.files()? {
                Some(pair) => Some(pair),
                None if self.client_cert_header.is_some() => None,
                None if self.tls_client_ca.is_some() || !self.tls_client_fingerprints.is_empty() => bail!(
                    "client certificates need TLS: give --tls-cert and --tls-key, too, or --client-cert-header where a \
                     proxy ends TLS"
                ),
                None => return Ok(None),
            },
        };
        let (client_ca, client_fingerprints) = (self.tls_client_ca, self.tls_client_fingerprints);
        Ok(Some(Files { pair, client_ca, client_fingerprints }))
    }
}

/// The variables by which Kargo's own server turns on TLS.
#[derive(Default)]
struct Kargo {
    enabled: Option<OsString>,
    certificate: Option<OsString>,
    key: Option<OsString>,
}

impl Kargo {
    fn files(self) -> anyhow::Result<Option<Pair>> {
        let enabled = self.enabled.unwrap_or_default();
        match enabled.to_str() {
            Some("1" | "t" | "T" | "true" | "True" | "TRUE") => {
                let certificate = self.certificate.context("TLS_ENABLED is true, but TLS_CERT_PATH is not set")?;
                let key = self.key.context("TLS_ENABLED is true, but TLS_KEY_PATH is not set")?;
                Ok(Some(Pair { certificate: certificate.into(), key: key.into() }))
            }
            Some("" | "0" | "f" | "F" | "false" | "False" | "FALSE") => Ok(None),
            _ => bail!("TLS_ENABLED is neither true nor false"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        tls: Tls,
    }

    fn files(flags: &[&str], kargo: Kargo) -> anyhow::Result<Option<Files>> {
        let flags = Flags::try_parse_from([&["test"], flags].concat()).unwrap();
        flags.tls.files_or(kargo)
    }

    fn kargo(enabled: &str) -> Kargo {
        Kargo { enabled: Some(enabled.into()), certificate: Some("c".into()), key: Some("k".into()) }
    }

    fn complaint(flags: &[&str], kargo: Kargo) -> String {
        files(flags, kargo).unwrap_err().to_string()
    }

    #[test]
    fn tls_is_off_unless_asked_for() {
        assert!(files(&[], Kargo::default()).unwrap().is_none());
        assert!(files(&[], kargo("false")).unwrap().is_none());
        assert!(files(&["--tls-cert", "a", "--tls-key", "b"], Kargo::default()).unwrap().is_some());
    }

    #[test]
    fn kargos_variables_count_where_there_are_no_flags() {
        let paths = |flags: &[&str]| {
            let found = files(flags, kargo("true")).unwrap().unwrap();
            let pair = found.pair.unwrap();
            (pair.certificate, pair.key, found.client_ca)
        };
        assert_eq!(paths(&["--tls-client-ca", "ca"]), ("c".into(), "k".into(), Some("ca".into())));
        assert_eq!(paths(&["--tls-cert", "a", "--tls-key", "b"]), ("a".into(), "b".into(), None));
        assert!(complaint(&[], kargo("yes")).contains("neither true nor false"));
        let half = Kargo { key: None, ..kargo("1") };
        assert!(complaint(&[], half).contains("TLS_KEY_PATH is not set"));
    }

    #[test]
    fn half_a_setup_is_refused_with_what_is_missing() {
        assert!(complaint(&["--tls-cert", "a"], Kargo::default()).contains("--tls-key"));
        assert!(complaint(&["--tls-key", "a"], Kargo::default()).contains("--tls-cert"));
        let fingerprint = "00".repeat(32);
        for flags in [["--tls-client-ca", "a"], ["--tls-client-fingerprint", &fingerprint]] {
            assert!(complaint(&flags, Kargo::default()).contains("client certificates need TLS"));
        }
        assert!(Flags::try_parse_from(["test", "--tls-client-fingerprint", "abc"]).is_err());
    }

    #[test]
    fn proxies_are_trusted_only_with_a_header_and_networks() {
        let trusted = |flags: &[&str]| {
            let flags = Flags::try_parse_from([&["test"], flags].concat()).map_err(|error| error.to_string())?;
            flags.tls.trusted().map_err(|error| error.to_string())
        };
        assert!(trusted(&[]).unwrap().is_none());
        let header = ["--client-cert-header", "X-SSL-Client-Cert"];
        let networks = ["--trusted-proxies", "10.244.0.0/16, fd00::7", "--trusted-proxies", "192.0.2.1"];
        let found =
            trusted(&[header, [networks[0], networks[1]], [networks[2], networks[3]]].concat()).unwrap().unwrap();
        assert_eq!(found.header, "x-ssl-client-cert");
        let found: Vec<_> = found.networks.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.244.0.0/16", "fd00::7/128", "192.0.2.1/32"]);

        assert!(trusted(&header).unwrap_err().contains("given without --trusted-proxies"));
        assert!(trusted(&networks).unwrap_err().contains("given without --client-cert-header"));
        for network in ["0.0.0.0/0", "::/0"] {
            assert!(trusted(&["--trusted-proxies", network]).unwrap_err().contains("every sender"), "{network}");
        }
        assert!(trusted(&["--trusted-proxies", "proxy.example.com"]).unwrap_err().contains("write a network"));

        let flags = [&header[..], &networks, &["--tls-client-ca", "ca"]].concat();
        let found = files(&flags, Kargo::default()).unwrap().unwrap();
        assert!(found.pair.is_none(), "plain HTTP");
        assert_eq!(found.client_ca, Some("ca".into()));
    }
}
