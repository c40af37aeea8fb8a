//! One connection: whose turn it is, until when, and what ends it.
//!
//! ```text
//!  Handshake ─▶ Head ─▶ Body ─▶ Work ─▶ Idle ─▶ Rest
//!               ▲                         │ first byte of the next request
//!               └─────────────────────────┘
//! ```
//!
//! hyper has one time limit for "a head is awaited" and "a head is being read"; here they differ, because proxies keep
//! idle connections for minutes. The time of the body, and of the work, is the handler's.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::crowd::Place;
use super::heads::Heads;
use super::limits::{
    HANDSHAKE_TIMEOUT, HEADER_TIMEOUT, IDLE_TIMEOUT, REST_AFTER, SMALL_HEAD_BYTES, STRANGER_IDLE_TIMEOUT,
};

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
    /// The same, for so long that the buffers of the connection have been given back.
    Rest,
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
    /// Other connections with a large head needed its memory, and it had been at its request longest.
    LargeHead,
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
            Self::LargeHead => "large_head",
            Self::Idle => "idle",
        }
    }
}

/// What happens when a stage takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// The connection gives its buffers back and stays.
    Rest,
    /// The connection ends.
    End(Reason),
}

#[derive(Clone, Copy)]
struct Pace {
    stage: Stage,
    since: Instant,
    /// Whether a request on this connection has reached a receiver.
    met_receiver: bool,
    /// Whether the client expects the connection to stay after the last answer.
    stays: bool,
    /// What has arrived of the head.
    head_bytes: usize,
    /// Whether the head has begun without a new turn among those that wait: most heads are complete at once.
    has_begun: bool,
    /// Its number among the large heads, while its request is not complete.
    large_head: Option<u64>,
}

impl Pace {
    /// How long the stage may take, and what happens then; `None` where the handler watches the time.
    const fn limit(self) -> Option<(Duration, Due)> {
        match self.stage {
            Stage::Handshake => Some((HANDSHAKE_TIMEOUT, Due::End(Reason::SlowHandshake))),
            Stage::Head => Some((HEADER_TIMEOUT, Due::End(Reason::SlowHead))),
            Stage::Idle if self.stays && self.head_bytes > SMALL_HEAD_BYTES => Some((Duration::ZERO, Due::Rest)),
            Stage::Idle if self.stays => Some((REST_AFTER, Due::Rest)),
            Stage::Idle | Stage::Rest if self.met_receiver => Some((IDLE_TIMEOUT, Due::End(Reason::Idle))),
            Stage::Idle | Stage::Rest => Some((STRANGER_IDLE_TIMEOUT, Due::End(Reason::Idle))),
            Stage::Body | Stage::Work => None,
        }
    }
}

/// The state of a connection, shared by what reads from it and what answers on it.
pub(super) struct Talk {
    place: Place,
    pace: Mutex<Pace>,
    heads: Arc<Heads>,
    /// Called when its large head has to go.
    outgrown: Arc<Notify>,
}

impl Talk {
    /// Of a connection that has just been accepted.
    #[must_use]
    pub(super) fn new(place: Place, stage: Stage, heads: Arc<Heads>) -> Arc<Self> {
        let since = Instant::now();
        let pace =
            Pace { stage, since, met_receiver: false, stays: false, head_bytes: 0, has_begun: false, large_head: None };
        Arc::new(Self { place, pace: Mutex::new(pace), heads, outgrown: Arc::default() })
    }

    /// Begins a stage.
    pub(super) fn enters(&self, stage: Stage) {
        {
            let mut pace = self.pace.lock();
            (pace.stage, pace.since, pace.has_begun) = (stage, Instant::now(), false);
            if stage == Stage::Work
                && let Some(number) = pace.large_head.take()
            {
                self.heads.remove(number);
            }
        }
        if stage == Stage::Work { self.place.works() } else { self.place.waits() }
    }

    /// An answer is about to be written: to a request that reached a receiver, or not, and whether the connection
    /// stays.
    pub(super) fn answers(&self, met_receiver: bool, stays: bool) {
        {
            let mut pace = self.pace.lock();
            pace.met_receiver |= met_receiver;
            pace.stays = stays;
        }
        self.enters(Stage::Idle);
    }

    /// Whether the connection is to give its buffers back.
    pub(super) fn rests(&self) -> bool {
        self.pace.lock().stage == Stage::Rest
    }

    /// The client has sent so many bytes.
    fn heard(&self, bytes: usize) {
        let mut pace = self.pace.lock();
        if matches!(pace.stage, Stage::Idle | Stage::Rest) {
            (pace.stage, pace.since, pace.head_bytes, pace.has_begun) = (Stage::Head, Instant::now(), 0, true);
        }
        if pace.stage == Stage::Head {
            pace.head_bytes += bytes;
            if pace.head_bytes > SMALL_HEAD_BYTES && pace.large_head.is_none() {
                pace.large_head = Some(self.heads.add(Arc::clone(&self.outgrown)));
            }
        }
    }

    /// A head that has begun and is not complete gets its turn among those that wait.
    fn takes_its_turn(&self) {
        if std::mem::take(&mut self.pace.lock().has_begun) {
            self.place.waits();
        }
    }

    fn deadline(&self) -> Option<(Instant, Due)> {
        let pace = *self.pace.lock();
        pace.limit().map(|(limit, due)| (pace.since + limit, due))
    }

    /// What is due now. Otherwise the alarm rings when something may be.
    fn due(&self, mut alarm: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Option<Due> {
        while let Some((deadline, due)) = self.deadline() {
            // The alarm is left alone where it rings early enough: setting it for each stage would cost more.
            if deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            if alarm.as_mut().poll(cx).is_pending() {
                return None;
            }
            if deadline <= Instant::now() {
                return Some(due);
            }
            alarm.as_mut().reset(deadline);
        }
        None
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        if let Some(number) = self.pace.get_mut().large_head.take() {
            self.heads.remove(number);
        }
    }
}

/// Runs a connection until it ends by itself (`None`), or for the reason that is returned.
pub(super) async fn supervise(talk: &Talk, connection: impl Future<Output = ()>) -> Option<Reason> {
    let mut connection = pin!(connection);
    let mut alarm = pin!(sleep_until(Instant::now() + HEADER_TIMEOUT));
    let mut called = pin!(talk.place.called());
    let mut outgrown = pin!(talk.outgrown.notified());
    poll_fn(|cx| {
        loop {
            // First, because it may change the stage.
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            talk.takes_its_turn();
            match talk.due(alarm.as_mut(), cx) {
                // It keeps its turn among those that wait, and its time goes on.
                Some(Due::Rest) => talk.pace.lock().stage = Stage::Rest,
                Some(Due::End(reason)) => return Poll::Ready(Some(reason)),
                None if outgrown.as_mut().poll(cx).is_ready() => return Poll::Ready(Some(Reason::LargeHead)),
                None => return called.as_mut().poll(cx).map(|()| Some(Reason::Crowded)),
            }
        }
    })
    .await
}

/// A stream that reports when something was read.
pub(super) struct Heard<S> {
    /// The stream.
    stream: S,
    /// What was read from it already.
    ahead: Bytes,
    /// To be told.
    talk: Arc<Talk>,
}

impl<S: AsyncRead + Unpin> Heard<S> {
    pub(super) const fn new(stream: S, talk: Arc<Talk>) -> Self {
        Self { stream, ahead: Bytes::new(), talk }
    }

    /// Waits for the next bytes without a buffer for them; `ahead` was read already. Returns whether there are any.
    pub(super) async fn resume(&mut self, ahead: Bytes) -> bool {
        // Copied, because it keeps the whole buffer that it is a part of, even where it is empty.
        self.ahead = Bytes::copy_from_slice(&ahead);
        drop(ahead);
        if self.ahead.is_empty() {
            let mut first = [0];
            let mut buf = ReadBuf::new(&mut first);
            let read = poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut buf)).await;
            if read.is_err() || buf.filled().is_empty() {
                return false;
            }
            self.ahead = Bytes::copy_from_slice(buf.filled());
        }
        self.talk.heard(self.ahead.len());
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..length]);
            self.ahead.advance(length);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        let bytes = buf.filled().len() - before;
        if bytes > 0 {
            self.talk.heard(bytes);
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

/// A request body that reports when it is complete.
pub(super) struct HeardBody {
    /// The body.
    pub(super) body: Incoming,
    /// To be told.
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

    use futures::FutureExt;

    use super::*;
    use crate::http::crowd::Crowd;

    /// A connection that entered a stage some time ago.
    async fn talk(stage: Stage, ago: Duration) -> Arc<Talk> {
        let talk = Talk::new(Crowd::new(1).admit(|| ()).await, stage, Heads::new(1));
        talk.pace.lock().since -= ago;
        talk
    }

    /// A client that says nothing.
    struct Silent;

    impl AsyncRead for Silent {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_connection_that_rests_keeps_nothing_of_its_buffer() {
        let buffer: Arc<[u8]> = Arc::from([0; 32]);
        let mut ahead = Bytes::from_owner(Arc::clone(&buffer));
        ahead.advance(32);
        assert!(ahead.is_empty());
        let mut heard = Heard::new(Silent, talk(Stage::Idle, Duration::ZERO).await);
        assert!(heard.resume(ahead).now_or_never().is_none(), "it waits");
        assert_eq!(Arc::strong_count(&buffer), 1);
    }

    #[tokio::test]
    async fn every_stage_that_waits_for_the_client_has_a_limit() {
        for (stage, met_receiver, limit, reason) in [
            (Stage::Handshake, false, HANDSHAKE_TIMEOUT, Reason::SlowHandshake),
            (Stage::Head, false, HEADER_TIMEOUT, Reason::SlowHead),
            (Stage::Idle, true, IDLE_TIMEOUT, Reason::Idle),
            (Stage::Idle, false, STRANGER_IDLE_TIMEOUT, Reason::Idle),
            (Stage::Rest, true, IDLE_TIMEOUT, Reason::Idle),
            (Stage::Rest, false, STRANGER_IDLE_TIMEOUT, Reason::Idle),
        ] {
            let began = Instant::now();
            let talk = talk(stage, limit - Duration::from_millis(100)).await;
            talk.pace.lock().met_receiver = met_receiver;
            assert_eq!(supervise(&talk, pending()).await, Some(reason));
            assert!(began.elapsed() >= Duration::from_millis(90), "{stage:?} took {:?}", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_asked_to_rest_and_its_time_goes_on() {
        let began = Instant::now();
        let talk = talk(Stage::Work, Duration::ZERO).await;
        talk.answers(true, true);
        let rests = poll_fn(|_| if talk.rests() { Poll::Ready(()) } else { Poll::Pending });
        assert_eq!(supervise(&talk, rests).await, None);
        assert_eq!(began.elapsed().as_secs(), REST_AFTER.as_secs());
        assert_eq!(supervise(&talk, pending()).await, Some(Reason::Idle));
        assert_eq!(began.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
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
    async fn the_time_of_a_head_begins_with_its_first_byte_and_is_not_extended_by_others() {
        let talk = talk(Stage::Rest, Duration::from_secs(300)).await;
        talk.heard(1);
        let first = talk.deadline().unwrap();
        assert_eq!(first.1, Due::End(Reason::SlowHead));
        assert!(first.0 <= Instant::now() + HEADER_TIMEOUT);
        talk.heard(1);
        assert_eq!(talk.deadline(), Some(first));
    }
}
