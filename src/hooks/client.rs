//! One call to a host: a connection of its own, HTTP/1.1, no redirects, bounded in time and size.
//!
//! Quay closes the connection after each call anyway. A connection that is kept may break under a POST, of which then
//! nobody knows whether it was carried out; and a hook that is made twice is sent twice.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

use super::Refusal;
use super::endpoint::Endpoint;
use super::network::{BadSetup, Network, ProxyTo};
use super::pace::Pace;
use crate::domain::secret::Secret;

/// How long a connection may take. A host that drops packets must not hold up the others.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a whole call may take, after its turn has come. Quay itself gives its database 10 s and more.
const CALL: Duration = Duration::from_secs(30);
/// Longest answer. Quay lists all hooks of a repository at once, each of less than 1 KiB, and 100 repositories a page.
const LONGEST_ANSWER: usize = 1 << 20;
/// Longest head of an answer.
const LONGEST_HEAD: usize = 64 << 10;
/// Longest text about a failure on the way.
const LONGEST_TEXT: usize = 300;

/// Calls one host with one token.
pub(super) struct Client {
    endpoint: Endpoint,
    uri: Uri,
    authorization: HeaderValue,
    /// `None` where the endpoint is reached without.
    tls: Option<Arc<ClientConfig>>,
    proxy: Option<ProxyTo>,
    pace: Arc<Pace>,
}

/// What a host has answered.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Client {
    /// A client that sends the token in the given scheme.
    pub(super) fn new(
        network: &Network,
        endpoint: Endpoint,
        scheme: &str,
        token: &Secret,
        ca_bundle: Option<&[u8]>,
    ) -> Result<Self, BadSetup> {
        let token = token.expose().trim_ascii();
        let mut authorization = HeaderValue::from_bytes(&[scheme.as_bytes(), b" ", token].concat())
            .ok()
            .filter(|_| !token.is_empty() && token.iter().all(u8::is_ascii_graphic))
            .ok_or(BadSetup::Token)?;
        authorization.set_sensitive(true);
        // A bundle that cannot be used is refused even where it is not needed.
        let needs_tls = endpoint.is_encrypted() || ca_bundle.is_some();
        let tls = needs_tls.then(|| network.tls(ca_bundle)).transpose()?.filter(|_| endpoint.is_encrypted());
        let uri = endpoint.uri().unwrap_or_default();
        let (proxy, pace) = (network.proxy(&uri), network.pace(&endpoint));
        Ok(Self { endpoint, uri, authorization, tls, proxy, pace })
    }

    /// Calls a path of the API, when its turn has come. An answer of any status is an answer, except one that says that
    /// it is too much.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Refusal> {
        self.pace.turn().await;
        let request = self.request(method, path, body)?;
        let (status, headers, body) = tokio::time::timeout(CALL, self.exchange(request))
            .await
            .map_err(|_| Refusal::Unreachable("no answer in time".to_owned()))??;
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.pace.throttled(retry_after(&headers));
            return Err(Refusal::Throttled);
        }
        Ok(Reply { status, body })
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Request<Full<Bytes>>, Refusal> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.endpoint.target(path))
            .header(header::HOST, self.endpoint.authority())
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::ACCEPT, "application/json")
            // Quay refuses what looks like a browser.
            .header(header::USER_AGENT, concat!("quayside/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        request.body(Full::from(body)).map_err(|_| Refusal::BadName)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, HeaderMap, Bytes), Refusal> {
        let stream = TokioIo::new(self.connect().await?);
        let mut builder = http1::Builder::new();
        builder.max_buf_size(LONGEST_HEAD);
        let (mut sender, connection) = builder.handshake(stream).await.map_err(unreachable)?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        let (head, body) = sender.send_request(request).await.map_err(unreachable)?.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await.map_err(|error| {
            let is_too_long = error.is::<LengthLimitError>();
            if is_too_long { Refusal::NotTheApi { status: head.status.as_u16() } } else { unreachable(error) }
        })?;
        Ok((head.status, head.headers, body.to_bytes()))
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Refusal> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        let stream = match &self.proxy {
            None => connector.oneshot(self.uri.clone()).await.map_err(unreachable)?,
            Some(proxy) => tunnel(proxy, connector, &self.endpoint, &self.uri).await?,
        };
        let stream = stream.into_inner();
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(self.endpoint.host().to_owned()).map_err(unreachable)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(unreachable)?;
        Ok(Box::new(stream))
    }
}

/// Connects through a proxy, also where the host is reached without TLS.
async fn tunnel(
    proxy: &ProxyTo,
    connector: HttpConnector,
    endpoint: &Endpoint,
    uri: &Uri,
) -> Result<TokioIo<TcpStream>, Refusal> {
    if proxy.uri.scheme_str() != Some("http") {
        return Err(Refusal::Unreachable("only proxies with http:// can be used".to_owned()));
    }
    let scheme = if endpoint.is_encrypted() { "https" } else { "http" };
    // The tunnel takes 443 where no port is given.
    let authority = uri.authority().map_or("", |authority| authority.host());
    let target = format!("{scheme}://{authority}:{}", endpoint.port()).parse::<Uri>().map_err(unreachable)?;
    let mut tunnel = Tunnel::new(proxy.uri.clone(), connector);
    if let Some(authorization) = &proxy.authorization {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    tunnel.oneshot(target).await.map_err(|error| {
        let Refusal::Unreachable(text) = unreachable(error) else { return Refusal::BadName };
        Refusal::Unreachable(bounded(&format!("the proxy: {text}")))
    })
}

/// The causes of a failure on the way, none of which names the token or a path.
fn unreachable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Refusal {
    let error = error.into();
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    Refusal::Unreachable(bounded(&text))
}

fn bounded(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_TEXT).collect()
}

/// How long the host asks to wait, if it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
