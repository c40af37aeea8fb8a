//! The way from here to the receivers: name, TLS, redirects, prefix, and whether the answer is ours.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::finding::{Finding, Group};

/// How long the way in may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A path that has the form of a receiver's and is nobody's.
const NOBODY: &str = "quay/0000000000000000000000000000000000000000000000000000000000000000";

/// Asks for a path of nobody below the base URL, as a sender would.
pub(super) async fn findings(base: &str) -> Vec<Finding> {
    let base = base.trim_end_matches('/');
    let mut findings = Vec::new();
    match ask(Method::POST, &format!("{base}/{NOBODY}")).await {
        Err(error) => findings.push(Finding::failed(
            Group::WayIn,
            "reachable",
            format!("{base}: {error:#}"),
            "See that the name resolves, and that the ingress has a certificate which names the host and which senders trust.",
        )),
        Ok(answer) => findings.push(judge(&answer)),
    }
    match ask(Method::GET, &format!("{base}/{NOBODY}")).await {
        Ok((status, _)) if status.is_success() => findings.push(Finding::warning(
            Group::WayIn,
            "get",
            format!("GET on a receiver's path is answered {status} by something in front of Quayside"),
            "Route the whole path below the base URL to Quayside; otherwise a check of the sender succeeds and its pushes are lost.",
        )),
        Ok(_) => findings.push(Finding::passed(Group::WayIn, "get", "GET is not answered by something else")),
        Err(_) => {}
    }
    findings
}

fn judge((status, body): &(StatusCode, Bytes)) -> Finding {
    if status.is_redirection() {
        return Finding::failed(
            Group::WayIn,
            "redirect",
            format!("a POST is redirected ({status}), and senders do not follow"),
            "Give the base URL exactly as it is served: with https, the final host, and no redirect for the path.",
        );
    }
    // Quayside's constant answer to a path of nobody.
    if *status == StatusCode::NOT_FOUND && body.trim_ascii() == b"{}" {
        return Finding::passed(Group::WayIn, "answer", "a POST below the base URL reaches Quayside");
    }
    Finding::failed(
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
    use crate::cli::look::check::finding::Verdict;

    #[test]
    fn only_quaysides_own_answer_passes() {
        let verdict = |status: u16, body: &'static str| {
            let finding = judge(&(StatusCode::from_u16(status).unwrap(), Bytes::from_static(body.as_bytes())));
            (finding.verdict, finding.check)
        };
        assert_eq!(verdict(404, "{}\n"), (Verdict::Passed, "answer"));
        assert_eq!(verdict(404, "<html>nginx</html>"), (Verdict::Failed, "answer"));
        assert_eq!(verdict(200, "{}"), (Verdict::Failed, "answer"));
        assert_eq!(verdict(308, ""), (Verdict::Failed, "redirect"));
    }
}
