//! The way from here to the receivers: name, TLS, redirects, prefix, and whether the answer is ours.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::CertificateError;

use crate::views::model::{Check, Group};

/// How long the way in may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A path that has the form of a receiver's and is nobody's.
const NOBODY: &str = "quay/0000000000000000000000000000000000000000000000000000000000000000";

/// Asks for a path of nobody below the base URL, as a sender would.
pub(super) async fn findings(base: &str) -> Vec<Check> {
    let base = base.trim_end_matches('/');
    let mut findings = Vec::new();
    match ask(Method::POST, &format!("{base}/{NOBODY}")).await {
        Err(error) => findings.push(unreachable(base, &error)),
        Ok(answer) => findings.push(judge(&answer)),
    }
    match ask(Method::GET, &format!("{base}/{NOBODY}")).await {
        Ok((status, _)) if status.is_success() => findings.push(Check::warning(
            Group::WayIn,
            "get",
            format!("GET on a receiver's path is answered {status} by something in front of Quayside"),
            "Route the whole path below the base URL to Quayside; otherwise a check of the sender succeeds and its pushes are lost.",
        )),
        Ok(_) => findings.push(Check::passed(Group::WayIn, "get", "GET is not answered by something else")),
        Err(_) => {}
    }
    findings
}

/// Why there is no answer. A sender sees the same, and its message is rarely plainer.
fn unreachable(base: &str, error: &anyhow::Error) -> Check {
    let fail = |check, what: &str, remedy| {
        Check::failed(Group::WayIn, check, format!("{base}: {what}: {}", error.root_cause()), remedy)
    };
    match certificate_error(error) {
        Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => fail(
            "certificate",
            "the certificate does not name this host",
            "Give the ingress a certificate for the host of the base URL.",
        ),
        // A bad signature is that of an authority which has the name of a trusted one.
        Some(CertificateError::UnknownIssuer | CertificateError::BadSignature) => fail(
            "certificate",
            "the certificate is issued by an authority that this machine does not trust",
            "Use an authority that the senders trust, or make them trust this one; serve the intermediate certificates, too.",
        ),
        Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            fail("certificate", "the certificate has expired", "Renew the certificate of the ingress.")
        }
        Some(_) => fail("certificate", "the certificate is refused", "Mend the certificate of the ingress."),
        None => fail(
            "reachable",
            "no answer",
            "See that the name resolves to the ingress, and that nothing in between refuses the connection.",
        ),
    }
}

/// What is wrong with a certificate, if that is what is wrong.
fn certificate_error(error: &anyhow::Error) -> Option<&CertificateError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(certificate)) = error.downcast_ref() {
            return Some(certificate);
        }
        // An I/O error shows the source of what it wraps, and not that itself.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn judge((status, body): &(StatusCode, Bytes)) -> Check {
    if status.is_redirection() {
        return Check::failed(
            Group::WayIn,
            "redirect",
            format!("a POST is redirected ({status}), and senders do not follow"),
            "Give the base URL exactly as it is served: with https, the final host, and no redirect for the path.",
        );
    }
    // Quayside's constant answer to a path of nobody.
    if *status == StatusCode::NOT_FOUND && body.trim_ascii() == b"{}" {
        return Check::passed(Group::WayIn, "answer", "a POST below the base URL reaches Quayside");
    }
    Check::failed(
        Group::WayIn,
        "answer",
        format!("a POST below the base URL is answered {status} by something that is not Quayside"),
        "Route the path of the base URL to Quayside's Service; Quayside accepts it with the prefix and without.",
    )
}

async fn ask(method: Method, url: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let uri: Uri = url.parse().context("the base URL is not a URL")?;
    let connector = HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request =
        Request::builder().method(method).uri(uri).header(header::USER_AGENT, "quayside-check").body(Empty::new())?;
    let exchange = async {
        let response = client.request(request).await.context("no answer")?;
        let status = response.status();
        let body = http_body_util::Limited::new(response.into_body(), 64 << 10).collect().await;
        anyhow::Ok((status, body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
    };
    tokio::time::timeout(TIMEOUT, exchange).await.context("no answer in time")?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::model::Verdict;

    #[test]
    fn only_quaysides_own_answer_passes() {
        let verdict = |status: u16, body: &'static str| {
            let finding = judge(&(StatusCode::from_u16(status).unwrap(), Bytes::from_static(body.as_bytes())));
            (finding.verdict, finding.check.clone())
        };
        assert_eq!(verdict(404, "{}\n"), (Verdict::Passed, "answer".to_owned()));
        assert_eq!(verdict(404, "<html>nginx</html>"), (Verdict::Failed, "answer".to_owned()));
        assert_eq!(verdict(200, "{}"), (Verdict::Failed, "answer".to_owned()));
        assert_eq!(verdict(308, ""), (Verdict::Failed, "redirect".to_owned()));
    }
}
