//! One connection: whose turn it is, until when, and what ends it.
//!
//! ```text
//!  Handshake ─▶ Head ─▶ Body ─▶ Work ─▶ Idle
//!               ▲                         │ first byte of the next request
//!               └─────────────────────────┘
//! ```
//!
//! hyper has one time limit for "a head is awaited" and "a head is being read"; here they differ, because proxies keep idle
//! connections for minutes. The time of the body, and of the work, is the handler's.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::crowd::Place;
use super::limits::{HANDSHAKE_TIMEOUT, HEADER_TIMEOUT, IDLE_TIMEOUT};

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client is to finish the TLS handshake.
    Handshake,
    /// The client is to send a request head.
    Head,
    /// The client is to send the body.
    Body,
    /// We are to answer.
    Work,
    /// The client may send another request.
    Idle,
}

/// Why we closed a connection whose client had not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The port was full, and this connection had kept us waiting longest.
    Crowded,
    /// No handshake in time.
    SlowHandshake,
    /// No request head in time.
    SlowHead,
    /// No further request in time.
    Idle,
}

impl Reason {
    /// The metric label.
    #[must_use]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Crowded => "crowded",
            Self::SlowHandshake => "slow_handshake",
            Self::SlowHead => "slow_head",
            Self::Idle => "idle",
        }
    }
}

impl Stage {
    /// How long it may take, and what ends the connection then; `None` where the handler watches the time.
    const fn limit(self) -> Option<(Duration, Reason)> {
        match self {
            Self::Handshake => Some((HANDSHAKE_TIMEOUT, Reason::SlowHandshake)),
            Self::Head => Some((HEADER_TIMEOUT, Reason::SlowHead)),
            Self::Idle => Some((IDLE_TIMEOUT, Reason::Idle)),
            Self::Body | Self::Work => None,
        }
    }
}

/// The state of a connection, shared by what reads from it and what answers on it.
pub(super) struct Talk {
    place: Place,
    stage: Mutex<(Stage, Instant)>,
}

impl Talk {
    /// Of a connection that has just been accepted.
    #[must_use]
    pub(super) fn new(place: Place, stage: Stage) -> Arc<Self> {
        Arc::new(Self { place, stage: Mutex::new((stage, Instant::now())) })
    }

    /// Begins a stage.
    pub(super) fn enters(&self, stage: Stage) {
        *self.stage.lock() = (stage, Instant::now());
        if stage == Stage::Work { self.place.works() } else { self.place.waits() }
    }

    /// The client has sent something.
    fn heard(&self) {
        if self.stage.lock().0 == Stage::Idle {
            self.enters(Stage::Head);
        }
    }

    fn deadline(&self) -> Option<(Instant, Reason)> {
        let (stage, since) = *self.stage.lock();
        stage.limit().map(|(limit, reason)| (since + limit, reason))
    }
}

/// Runs a connection until it ends by itself (`None`), or for the reason that is returned.
pub(super) async fn supervise(talk: &Talk, connection: impl Future<Output = ()>) -> Option<Reason> {
    let mut connection = pin!(connection);
    let mut alarm = pin!(sleep_until(Instant::now() + HEADER_TIMEOUT));
    let mut called = pin!(talk.place.called());
    std::future::poll_fn(|cx| {
        // First, because it may change the stage.
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        while let Some((deadline, reason)) = talk.deadline() {
            // The alarm is left alone where it rings early enough: setting it for each stage would cost more.
            if deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                break;
            }
            if deadline <= Instant::now() {
                return Poll::Ready(Some(reason));
            }
            alarm.as_mut().reset(deadline);
        }
        called.as_mut().poll(cx).map(|()| Some(Reason::Crowded))
    })
    .await
}

/// A stream that tells when something was read.
pub(super) struct Heard<S> {
    /// Where from.
    pub(super) stream: S,
    /// Whom to tell.
    pub(super) talk: Arc<Talk>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.talk.heard();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A request body that tells when it is complete.
pub(super) struct HeardBody {
    /// The body.
    pub(super) body: Incoming,
    /// Whom to tell.
    pub(super) talk: Arc<Talk>,
}

impl Body for HeardBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(&frame, Poll::Ready(None | Some(Err(_)))) || (frame.is_ready() && self.body.is_end_stream()) {
            self.talk.enters(Stage::Work);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::http::crowd::Crowd;

    /// A connection that entered a stage some time ago.
    async fn talk(stage: Stage, ago: Duration) -> Arc<Talk> {
        let talk = Talk::new(Crowd::new(1).admit(|| ()).await, stage);
        talk.stage.lock().1 -= ago;
        talk
    }

    #[tokio::test]
    async fn every_stage_that_waits_for_the_client_has_a_limit() {
        for (stage, limit, reason) in [
            (Stage::Handshake, HANDSHAKE_TIMEOUT, Reason::SlowHandshake),
            (Stage::Head, HEADER_TIMEOUT, Reason::SlowHead),
            (Stage::Idle, IDLE_TIMEOUT, Reason::Idle),
        ] {
            let began = Instant::now();
            let talk = talk(stage, limit - Duration::from_millis(100)).await;
            assert_eq!(supervise(&talk, pending()).await, Some(reason));
            assert!(began.elapsed() >= Duration::from_millis(90), "{stage:?} took {:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn the_limit_is_that_of_the_stage_it_is_in_now() {
        let talk = talk(Stage::Head, HEADER_TIMEOUT).await;
        let client = async {
            talk.enters(Stage::Work);
            tokio::time::sleep(Duration::from_millis(20)).await;
            talk.enters(Stage::Idle);
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(supervise(&talk, client).await, None);
    }

    #[tokio::test]
    async fn the_time_of_a_head_begins_with_its_first_byte_and_not_anew_with_others() {
        let talk = talk(Stage::Idle, Duration::from_secs(300)).await;
        talk.heard();
        let first = talk.deadline().unwrap();
        assert_eq!(first.1, Reason::SlowHead);
        assert!(first.0 <= Instant::now() + HEADER_TIMEOUT);
        talk.heard();
        assert_eq!(talk.deadline(), Some(first));
    }
}
