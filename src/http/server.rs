//! The accept loop of both ports, on hyper's HTTP/1 connection builder.
//!
//! `axum::serve` and the auto-detecting builder set no header timeout on a silent connection, so a handful of senders that
//! never send could hold every connection for ever.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::connection::{Heard, HeardBody, Reason, Stage, Talk, supervise};
use super::crowd::Crowd;
use super::limits::{ACCEPT_PAUSE, BACKLOG, MAX_CONNECTIONS, MAX_HEAD_BYTES, MAX_HEADERS, OTHER_FILES};
use super::tls::{Client, Tls};
use crate::metrics::connection::ConnectionMetrics;

/// A thread that serves, and what it serves.
pub type Lane = (Handle, Router);

/// Opens a port. It takes connections from now on, also while nobody serves them yet.
///
/// # Errors
/// When the operating system refuses, mostly because somebody else has the port.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait for the connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections a port takes: fewer than wanted where the operating system grants few open files.
fn places() -> usize {
    // No limit is none.
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let granted = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES).max(1);
    if granted < MAX_CONNECTIONS {
        tracing::warn!(connections = granted, "few open files are allowed (ulimit -n), so fewer connections are taken");
    }
    granted.min(MAX_CONNECTIONS)
}

/// Serves until `stop` is cancelled, then stops accepting and lets the requests in flight finish, at most for
/// `drain_limit`. Returns how many connections were cut off.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    lanes: Vec<Lane>,
    metrics: ConnectionMetrics,
    stop: CancellationToken,
    drain_limit: Duration,
) -> usize {
    let graceful = GracefulShutdown::new();
    let crowd = Crowd::new(places());
    for (lane, router) in lanes.iter().cycle() {
        let Some(stream) = stop.run_until_cancelled(accept(&listener)).await else {
            break;
        };
        let admitted = crowd.admit(|| metrics.closed(Reason::Crowded.as_str()));
        let Some(place) = stop.run_until_cancelled(admitted).await else {
            break;
        };
        let talk = Talk::new(place, if tls.is_some() { Stage::Handshake } else { Stage::Head });
        let connection = Connection { talk, tls: tls.clone(), router: router.clone(), watcher: graceful.watcher() };
        let metrics = metrics.clone();
        lane.spawn(async move {
            metrics.open.inc();
            if let Some(reason @ (Reason::SlowHandshake | Reason::SlowHead | Reason::Idle)) =
                connection.run(stream).await
            {
                metrics.closed(reason.as_str());
            }
            metrics.open.dec();
        });
    }
    drop(listener);
    let busy = graceful.count();
    match tokio::time::timeout(drain_limit, graceful.shutdown()).await {
        Ok(()) => 0,
        Err(_) => busy,
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> std::net::TcpStream {
    loop {
        if let Ok(stream) = listener.accept().await.and_then(|(stream, _)| {
            // Answers are a few hundred bytes; waiting for more to send would only delay them. A failure costs a little
            // latency.
            drop(stream.set_nodelay(true));
            // It is registered anew with the runtime of the thread that serves it.
            stream.into_std()
        }) {
            return stream;
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// A connection that has a place.
struct Connection {
    talk: Arc<Talk>,
    tls: Option<Arc<Tls>>,
    router: Router,
    watcher: Watcher,
}

impl Connection {
    async fn run(self, stream: std::net::TcpStream) -> Option<Reason> {
        let talk = Arc::clone(&self.talk);
        let stream = TcpStream::from_std(stream).ok()?;
        supervise(&talk, async move {
            match &self.tls {
                None => self.converse(stream, None).await,
                Some(tls) => {
                    if let Some((stream, client)) = tls.accept(stream).await {
                        self.talk.enters(Stage::Head);
                        self.converse(stream, Some(client)).await;
                    }
                }
            }
        })
        .await
    }

    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, client: Option<Client>) {
        let Self { talk, router, watcher, .. } = self;
        let stream = TokioIo::new(Heard { stream, talk: Arc::clone(&talk) });
        let service = service_fn(move |request: Request<Incoming>| {
            talk.enters(if request.body().is_end_stream() { Stage::Work } else { Stage::Body });
            let mut request = request.map(|body| HeardBody { body, talk: Arc::clone(&talk) });
            if let Some(client) = &client {
                request.extensions_mut().insert(client.identity());
            }
            let (answer, talk) = (router.clone().call(request), Arc::clone(&talk));
            async move {
                let answer = answer.await;
                talk.enters(Stage::Idle);
                answer
            }
        });
        // A broken connection concerns its sender only.
        drop(watcher.watch(builder().serve_connection(stream, service)).await);
    }
}

/// Time limits are not hyper's: see [`super::connection`].
fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // Some senders close their half once they have sent everything.
        .half_close(true)
        // The first bounds the memory, in steps; the second is exact.
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    builder
}
