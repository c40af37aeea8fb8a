//! A proxy in front of the API server that understands HTTP, so that it can be as unkind as an API server or a network
//! in trouble. The way to it is plain HTTP, the way behind it TLS; [`super::Proxy`] passes bytes on without a look.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, thread};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::Config;
use kube::client::ConfigExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How long a connection that was frozen is kept: longer than anybody may wait for it.
const FROZEN: Duration = Duration::from_secs(600);

/// What is wrong with the API server, or the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Every call takes so much longer.
    Slow(Duration),
    /// Every call is answered with this status, and how many seconds to wait.
    Status(u16, Option<u32>),
    /// Calls are carried out, but their answers are lost.
    LostAnswers,
    /// All connections are reset, and so are new ones.
    Reset,
    /// All connections stay silent for good, and so do new ones.
    HalfOpen,
    /// All watches end, and an attempt to resume one is answered that it is too late for that.
    ExpiredWatches,
    /// All watches end, and those that begin break off after a second.
    CutWatches,
    /// Reads of a single Secret are answered with this status.
    SecretReads(u16),
    /// Reads of a single Secret are not answered.
    SilentSecretReads,
    /// Calls about an object whose path contains this text are answered with 503.
    Unavailable(&'static str),
}

pub(crate) struct FaultProxy {
    state: Arc<watch::Sender<State>>,
    counts: Arc<Counts>,
    kubeconfig: PathBuf,
}

#[derive(Clone, Copy)]
struct State {
    fault: Fault,
    /// How often all connections were reset, and frozen.
    resets: u32,
    freezes: u32,
}

#[derive(Default)]
struct Counts {
    patches: AtomicUsize,
    watches: AtomicUsize,
    lists: AtomicUsize,
}

type Upstream = Client<HttpsConnector<HttpConnector>, Incoming>;
type Body = BoxBody<Bytes, io::Error>;

/// What a connection needs.
#[derive(Clone)]
struct Way {
    upstream: Upstream,
    target: Arc<str>,
    counts: Arc<Counts>,
    state: watch::Receiver<State>,
}

impl FaultProxy {
    /// A proxy to the API server of a kubeconfig. Nothing is wrong yet.
    pub(crate) fn to_server_of(kubeconfig: &Path) -> Self {
        let text = std::fs::read_to_string(kubeconfig).unwrap();
        let server = text.lines().find_map(|line| line.trim().strip_prefix("server: ")).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let here: SocketAddr = listener.local_addr().unwrap();
        let through = kubeconfig.with_extension(format!("through-{}", here.port()));
        std::fs::write(&through, text.replace(&server, &format!("http://{here}"))).unwrap();
        let (state, seen) = watch::channel(State { fault: Fault::None, resets: 0, freezes: 0 });
        let (state, counts) = (Arc::new(state), Arc::new(Counts::default()));
        let kubeconfig = Kubeconfig::from_yaml(&text).unwrap();
        let counting = Arc::clone(&counts);
        // A runtime of its own, since a test blocks its own while it waits for an answer.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async move {
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
                let connector = config.rustls_https_connector().unwrap();
                let upstream = Client::builder(TokioExecutor::new()).build(connector);
                let way = Way { upstream, target: server.into(), counts: counting, state: seen };
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(way.clone().connection(stream));
                }
            });
        });
        Self { state, counts, kubeconfig: through }
    }

    /// The kubeconfig whose connections come this way.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// From now on this is wrong, and nothing else.
    pub(crate) fn set(&self, fault: Fault) {
        self.state.send_modify(|state| {
            state.fault = fault;
            state.resets += u32::from(matches!(fault, Fault::Reset | Fault::ExpiredWatches | Fault::CutWatches));
            state.freezes += u32::from(fault == Fault::HalfOpen);
        });
    }

    /// PATCHes of refreshes that arrived here. Those of statuses are not counted, because the leader also writes them
    /// for the objects of other tests on the same control plane.
    pub(crate) fn patches(&self) -> usize {
        self.counts.patches.load(Ordering::Relaxed)
    }

    /// Watches that were asked for.
    pub(crate) fn watches(&self) -> usize {
        self.counts.watches.load(Ordering::Relaxed)
    }

    /// Lists that were asked for.
    pub(crate) fn lists(&self) -> usize {
        self.counts.lists.load(Ordering::Relaxed)
    }
}

impl Way {
    async fn connection(self, stream: TcpStream) {
        drop(stream.set_nodelay(true));
        let mut state = self.state.clone();
        let State { fault, resets, freezes } = *state.borrow();
        match fault {
            Fault::Reset => return drop(stream.set_zero_linger()),
            Fault::HalfOpen => return tokio::time::sleep(FROZEN).await,
            _ => {}
        }
        let answer = service_fn(|request| self.clone().answer(request));
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
        loop {
            tokio::select! {
                _ = &mut connection => return,
                changed = state.changed() => {
                    let now = *state.borrow_and_update();
                    if now.freezes != freezes {
                        // It stays open and is not read any more.
                        return tokio::time::sleep(FROZEN).await;
                    }
                    if now.resets != resets || changed.is_err() {
                        return drop(connection.into_parts().io.into_inner().set_zero_linger());
                    }
                }
            }
        }
    }

    async fn answer(self, mut request: Request<Incoming>) -> io::Result<Response<Body>> {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch="));
        let count = match *request.method() {
            Method::PATCH if request.uri().path().ends_with("/status") => None,
            Method::PATCH => Some(&self.counts.patches),
            _ if is_watch => Some(&self.counts.watches),
            _ => Some(&self.counts.lists),
        };
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let fault = self.state.borrow().fault;
        match fault {
            Fault::Slow(pause) => tokio::time::sleep(pause).await,
            Fault::Status(code, retry_after) => return Ok(injected(code, retry_after)),
            Fault::ExpiredWatches if is_watch => return Ok(expired()),
            Fault::SecretReads(code) if is_secret(&request) => return Ok(injected(code, None)),
            Fault::SilentSecretReads if is_secret(&request) => tokio::time::sleep(FROZEN).await,
            Fault::Unavailable(part) if request.uri().path().contains(part) => return Ok(injected(503, None)),
            _ => {}
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{}{path}", self.target).parse().map_err(io::Error::other)?;
        request.headers_mut().remove(header::HOST);
        let response = self.upstream.request(request).await.map_err(io::Error::other)?;
        if fault == Fault::LostAnswers {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let response = response.map(|body| body.map_err(io::Error::other).boxed());
        if fault == Fault::CutWatches && is_watch {
            return Ok(response.map(|body| cut_after(body, Duration::from_secs(1))));
        }
        Ok(response)
    }
}

/// Whether one Secret is read, by its name.
fn is_secret(request: &Request<Incoming>) -> bool {
    *request.method() == Method::GET && request.uri().path().contains("/secrets/")
}

/// A body that breaks off after that time, as a load balancer cuts a connection.
fn cut_after(body: Body, time: Duration) -> Body {
    let until = Box::pin(tokio::time::sleep(time));
    let broken = futures::stream::once(async { Err(io::Error::from(io::ErrorKind::ConnectionAborted)) });
    BodyExt::boxed(StreamBody::new(body.into_data_stream().map_ok(Frame::data).take_until(until).chain(broken)))
}

/// As the API server, or a load balancer in front of it, answers.
fn injected(code: u16, retry_after: Option<u32>) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "injected", "code": code,
    });
    let mut response = Response::new(full(status.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The only event of a watch that was asked for too late.
fn expired() -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410,
        "message": "too old resource version: 1 (2)",
    });
    let mut response = Response::new(full(format!("{}\n", json!({"type": "ERROR", "object": status}))));
    response.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    response
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed()
}
