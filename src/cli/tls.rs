//! The flags of TLS.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::duration;
use crate::domain::client_cert::Fingerprint;
use crate::http::tls::Files;

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

    /// How often the TLS files are looked at.
    #[arg(long, env = "QUAYSIDE_TLS_RELOAD_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(super) tls_reload_interval: Duration,
}

impl Tls {
    /// The files, if TLS is asked for.
    pub(super) fn files(self) -> anyhow::Result<Option<Files>> {
        let kargo = Kargo {
            enabled: std::env::var_os("TLS_ENABLED"),
            certificate: std::env::var_os("TLS_CERT_PATH"),
            key: std::env::var_os("TLS_KEY_PATH"),
        };
        self.files_or(kargo)
    }

    fn files_or(self, kargo: Kargo) -> anyhow::Result<Option<Files>> {
        let (certificate, key) = match (self.tls_cert, self.tls_key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (Some(_), None) => bail!("--tls-cert is given without --tls-key: give the file of the private key, too"),
            (None, Some(_)) => bail!("--tls-key is given without --tls-cert: give the file of the certificate, too"),
            (None, None) => match kargo.files()? {
                Some(files) => files,
                None if self.tls_client_ca.is_some() || !self.tls_client_fingerprints.is_empty() => {
                    bail!("client certificates need TLS: give --tls-cert and --tls-key, too")
                }
                None => return Ok(None),
            },
        };
        let (client_ca, client_fingerprints) = (self.tls_client_ca, self.tls_client_fingerprints);
        Ok(Some(Files { certificate, key, client_ca, client_fingerprints }))
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
    fn files(self) -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
        let enabled = self.enabled.unwrap_or_default();
        match enabled.to_str() {
            Some("1" | "t" | "T" | "true" | "True" | "TRUE") => {
                let certificate = self.certificate.context("TLS_ENABLED is true, but TLS_CERT_PATH is not set")?;
                let key = self.key.context("TLS_ENABLED is true, but TLS_KEY_PATH is not set")?;
                Ok(Some((certificate.into(), key.into())))
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
        let found = files(&["--tls-client-ca", "ca"], kargo("true")).unwrap().unwrap();
        assert_eq!((found.certificate, found.key, found.client_ca), ("c".into(), "k".into(), Some("ca".into())));
        let found = files(&["--tls-cert", "a", "--tls-key", "b"], kargo("true")).unwrap().unwrap();
        assert_eq!((found.certificate, found.key), ("a".into(), "b".into()));
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
}
