//! The accept loop of both ports, on hyper's HTTP/1 connection builder.
//!
//! `axum::serve` and the auto-detecting builder set no header timeout on a silent connection, so a handful of senders
//! that never send could hold every connection for ever.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, Request, StatusCode, Version, header};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use prometheus_client::metrics::counter::Counter;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::answer::DELIVERY_HEADER;
use super::connection::{Heard, HeardBody, Reason, Stage, Talk, supervise};
use super::crowd::Crowd;
use super::entrance::Entrance;
use super::limits::{ACCEPT_PAUSE, BACKLOG, MAX_HEAD_BYTES, MAX_HEADERS, OTHER_FILES};
use super::memory::Memory;
use super::tls::Client;
use crate::metrics::connection::ConnectionMetrics;

/// A thread that serves, and what it serves.
pub type Lane = (Handle, Router);

/// Opens a port. It takes connections from now on, even before they are served.
///
/// # Errors
/// When the operating system refuses, mostly because another process has the port.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart need not wait for the connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many connections a port takes: fewer than wanted where the operating system grants few open files.
fn places(wanted: usize) -> usize {
    // No limit is none.
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let granted = usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES).max(1);
    if granted < wanted {
        tracing::warn!(connections = granted, "few open files are allowed (ulimit -n), so fewer connections are taken");
    }
    granted.min(wanted)
}

/// Serves until `stop` is cancelled or nothing can be accepted any more, then lets the requests in flight finish, at
/// most for `drain_limit`. Returns how many connections were cut off.
pub async fn serve(
    listener: TcpListener,
    entrance: Entrance,
    lanes: Vec<Lane>,
    memory: Memory,
    metrics: ConnectionMetrics,
    stop: CancellationToken,
    drain_limit: Duration,
) -> usize {
    let (open, draining) = (TaskTracker::new(), CancellationToken::new());
    let crowd = Crowd::new(places(memory.connections));
    for (lane, router) in lanes.iter().cycle() {
        let (stream, peer) = match stop.run_until_cancelled(accept(&listener)).await {
            Some(Ok(accepted)) => accepted,
            Some(Err(error)) => {
                tracing::error!(%error, "connections can no longer be accepted on this port");
                break;
            }
            None => break,
        };
        let admitted = crowd.admit(|| metrics.closed(Reason::Crowded.as_str()));
        let Some(place) = stop.run_until_cancelled(admitted).await else {
            break;
        };
        let stage = if entrance.tls.is_some() { Stage::Handshake } else { Stage::Head };
        let talk = Talk::new(place, stage, Arc::clone(&memory.heads));
        let metrics = metrics.clone();
        let connection = Connection {
            talk,
            entrance: entrance.clone(),
            peer: peer.ip(),
            router: router.clone(),
            metrics: metrics.clone(),
            draining: draining.clone(),
        };
        lane.spawn(open.track_future(async move {
            let _open = metrics.opened();
            // What a connection does not need while it rests is boxed.
            if let Some(reason @ (Reason::SlowHandshake | Reason::SlowHead | Reason::LargeHead | Reason::Idle)) =
                connection.run(stream).await
            {
                metrics.closed(reason.as_str());
            }
        }));
    }
    drop(listener);
    open.close();
    draining.cancel();
    match tokio::time::timeout(drain_limit, open.wait()).await {
        Ok(()) => 0,
        Err(_) => open.len(),
    }
}

/// The next connection, and where it comes from.
///
/// # Errors
/// When the listener itself is broken, so that waiting cannot help.
async fn accept(listener: &TcpListener) -> io::Result<(std::net::TcpStream, SocketAddr)> {
    loop {
        let accepted = listener.accept().await.and_then(|(stream, peer)| {
            // Answers are a few hundred bytes; waiting for more to send would only delay them. A failure costs a little
            // latency.
            drop(stream.set_nodelay(true));
            // It is registered again with the runtime of the thread that serves it.
            Ok((stream.into_std()?, peer))
        });
        match accepted {
            Err(error) if !is_fatal(&error) => tokio::time::sleep(ACCEPT_PAUSE).await,
            accepted => return accepted,
        }
    }
}

/// Whether an error of `accept` is about the listener. All others are about one connection, or pass.
fn is_fatal(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP | Errno::FAULT)
    )
}

/// A connection that has a place.
struct Connection {
    talk: Arc<Talk>,
    entrance: Entrance,
    peer: IpAddr,
    router: Router,
    metrics: ConnectionMetrics,
    /// No further request is to be awaited.
    draining: CancellationToken,
}

impl Connection {
    async fn run(self, stream: std::net::TcpStream) -> Option<Reason> {
        let talk = Arc::clone(&self.talk);
        let stream = TcpStream::from_std(stream).ok()?;
        supervise(&talk, async move {
            match &self.entrance.tls {
                None => self.converse(stream, None).await,
                Some(tls) => {
                    if let Some((stream, client)) = Box::pin(tls.accept(stream)).await {
                        self.talk.enters(Stage::Head);
                        self.converse(stream, Some(client)).await;
                    }
                }
            }
        })
        .await
    }

    /// Serves one request after the other. Between them, hyper's connection and its buffers last only while the client
    /// is quick.
    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static, client: Option<Client>) {
        let Self { talk, entrance, peer, router, draining, metrics } = &self;
        let mut stream = Heard::new(stream, Arc::clone(talk));
        loop {
            let service = service_fn(|request: Request<Incoming>| {
                talk.enters(if request.body().is_end_stream() { Stage::Work } else { Stage::Body });
                let asked_to_stay = stays(request.version(), request.headers());
                let mut request = request.map(|body| HeardBody { body, talk: Arc::clone(talk) });
                entrance.note_sender(*peer, client.as_ref(), &mut request);
                let (answer, talk, panics) = (router.clone().call(request), Arc::clone(talk), metrics.panics.clone());
                Box::pin(async move {
                    let answer = AssertUnwindSafe(answer).catch_unwind().await;
                    let answer = answer.unwrap_or_else(|_| Ok(panicked(&panics)));
                    answer.inspect(|answer| {
                        let met_receiver = answer.headers().contains_key(DELIVERY_HEADER);
                        talk.answers(met_receiver, asked_to_stay && stays(Version::HTTP_11, answer.headers()));
                    })
                })
            });
            let connection = builder().serve_connection(TokioIo::new(stream), service);
            let Some((rested, ahead)) = Box::pin(serve_until_rest(connection, talk, draining)).await else {
                return;
            };
            stream = rested;
            let resting = metrics.rests();
            if draining.run_until_cancelled(stream.resume(ahead)).await != Some(true) {
                return;
            }
            drop(resting);
        }
    }
}

/// The answer to a request that made us panic; the connection ends. The panic itself is logged where it happened.
fn panicked(panics: &Counter) -> Response {
    panics.inc();
    tracing::error!("a panic while a request was served, which costs that request only; please report it");
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CONNECTION, "close")];
    (StatusCode::INTERNAL_SERVER_ERROR, headers, "{\"error\":\"internal error\"}\n").into_response()
}

/// Whether the headers leave a connection open.
fn stays(version: Version, headers: &HeaderMap) -> bool {
    version == Version::HTTP_11 && !headers.contains_key(header::CONNECTION)
}

/// Serves until the connection ends, or gives its stream back when it is to rest.
async fn serve_until_rest<S, H>(
    mut connection: http1::Connection<TokioIo<Heard<S>>, H>,
    talk: &Talk,
    draining: &CancellationToken,
) -> Option<(Heard<S>, Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: HttpService<Incoming, ResBody = axum::body::Body, Error = Infallible> + Unpin,
    H::Future: Unpin,
{
    let mut drains = pin!(draining.cancelled());
    let mut is_ending = false;
    let rests = poll_fn(|cx| {
        if talk.rests() {
            // Nothing is read or written, so it is done at once.
            Pin::new(&mut connection).graceful_shutdown();
            return connection.poll_without_shutdown(cx).map(|result| result.is_ok());
        }
        if !is_ending && drains.as_mut().poll(cx).is_ready() {
            is_ending = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        // A broken connection concerns its sender only.
        Pin::new(&mut connection).poll(cx).map(|_| false)
    })
    .await;
    rests.then(|| {
        let parts = connection.into_parts();
        (parts.io.into_inner(), parts.read_buf)
    })
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

#[cfg(test)]
mod tests;
