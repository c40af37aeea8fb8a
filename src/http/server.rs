//! The accept loop of both ports, on hyper's HTTP/1 connection builder.
//!
//! `axum::serve` and the auto-detecting builder set no header timeout on a silent connection, so a handful of senders that
//! never send could hold every connection for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::limits::{ACCEPT_PAUSE, HEADER_TIMEOUT, MAX_CONNECTIONS, MAX_HEAD_BYTES, MAX_HEADERS};

/// A thread that serves, and what it serves.
pub type Lane = (Handle, Router);

/// Serves until `stop` is cancelled, then stops accepting and lets the requests in flight finish, at most for
/// `drain_limit`. Returns how many connections were cut off.
pub async fn serve(
    listener: TcpListener,
    lanes: Vec<Lane>,
    open: Gauge,
    stop: CancellationToken,
    drain_limit: Duration,
) -> usize {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut turns = lanes.iter().cycle();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let Some((stream, permit)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Some((lane, router)) = turns.next() else {
            break;
        };
        let (watcher, router, open) = (graceful.watcher(), router.clone(), open.clone());
        lane.spawn(async move {
            open.inc();
            if let Ok(stream) = TcpStream::from_std(stream) {
                let service = TowerToHyperService::new(router);
                // A broken connection concerns its sender only.
                drop(watcher.watch(builder().serve_connection(TokioIo::new(stream), service)).await);
            }
            open.dec();
            drop(permit);
        });
    }
    drop(listener);
    let busy = graceful.count();
    match tokio::time::timeout(drain_limit, graceful.shutdown()).await {
        Ok(()) => 0,
        Err(_) => busy,
    }
}

type Permit = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is room for it; `None` when the kernel has none to give.
async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Option<(std::net::TcpStream, Permit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    // Answers are a few hundred bytes; waiting for more to send would only delay them. A failure costs a little latency.
    drop(stream.set_nodelay(true));
    // It is registered anew with the runtime of the thread that serves it.
    Some((stream.into_std().ok()?, permit))
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    builder
}
