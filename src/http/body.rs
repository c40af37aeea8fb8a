//! Reads request bodies within their limits.

use std::ops::Deref;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header;
use http::request::Parts;
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::Answer;
use super::limits::{BODY_TIMEOUT, MAX_BODY_BYTES, MAX_DISCARDED_BYTES, MAX_LARGE_BODIES, SMALL_BODY_BYTES};

/// One for the process, whose memory it bounds.
static LARGE_BODIES: Semaphore = Semaphore::const_new(MAX_LARGE_BODIES);

/// A complete body.
pub(super) struct Content {
    bytes: Bytes,
    /// Held while the bytes are in memory.
    _turn: Option<SemaphorePermit<'static>>,
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It exceeds the limit.
    TooLarge,
    /// It did not arrive in time, or the connection broke.
    TooSlow,
}

impl Unreadable {
    /// What to answer.
    #[must_use]
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::TooLarge => Answer::too_large(),
            Self::TooSlow => Answer::too_slow(),
        }
    }
}

/// Reads a body within its limits of size and time.
///
/// # Errors
/// When it is too large or too slow.
pub(super) async fn read(head: &Parts, body: Body) -> Result<Content, Unreadable> {
    tokio::time::timeout(BODY_TIMEOUT, read_all(head, body)).await.unwrap_or(Err(Unreadable::TooSlow))
}

async fn read_all(head: &Parts, mut body: Body) -> Result<Content, Unreadable> {
    let announced =
        head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let waits_for_permission = head.headers.contains_key(header::EXPECT);
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) {
        if !waits_for_permission {
            discard(body, MAX_DISCARDED_BYTES).await;
        }
        return Err(Unreadable::TooLarge);
    }
    let (mut bytes, mut turn) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| Unreadable::TooSlow)?.into_data().unwrap_or_default();
        let length = bytes.len() + data.len();
        if length > MAX_BODY_BYTES {
            discard(body, MAX_DISCARDED_BYTES).await;
            return Err(Unreadable::TooLarge);
        }
        if length > SMALL_BODY_BYTES && turn.is_none() {
            // It is never closed.
            turn = LARGE_BODIES.acquire().await.ok();
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Content { bytes: bytes.freeze(), _turn: turn })
}

/// Reads and forgets what is left of a body.
async fn discard(mut body: Body, limit: usize) {
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > limit {
            return;
        }
    }
}
