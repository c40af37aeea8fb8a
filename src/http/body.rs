//! Reads request bodies within their limits.

use std::ops::Deref;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header;
use http::request::Parts;
use http_body_util::BodyExt;

use super::answer::Answer;
use super::limits::{BODY_TIMEOUT, MAX_BODY_BYTES, MAX_DISCARDED_BYTES, SMALL_BODY_BYTES};
use super::pool::{Party, Pool, Turn};

/// A complete body.
pub(super) struct Content {
    bytes: Vec<u8>,
    /// Held while the bytes are in memory.
    turn: Option<Turn>,
}

impl Content {
    /// The bytes, and what is to be held while they are in memory.
    pub(super) fn into_parts(self) -> (Bytes, Option<Turn>) {
        (self.bytes.into(), self.turn)
    }
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

/// Reads a body within its limits of size, time and memory.
///
/// # Errors
/// When it is too large or too slow.
pub(super) async fn read(head: &Parts, body: &mut Body, pool: &Arc<Pool>, party: Party) -> Result<Content, Unreadable> {
    tokio::time::timeout(BODY_TIMEOUT, read_all(head, body, pool, party)).await.unwrap_or(Err(Unreadable::TooSlow))
}

async fn read_all(head: &Parts, body: &mut Body, pool: &Arc<Pool>, party: Party) -> Result<Content, Unreadable> {
    let announced =
        head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Unreadable::TooLarge);
    }
    let (mut bytes, mut turn) = (Vec::new(), None);
    while let Some(data) = next(body, turn.as_ref()).await? {
        let length = bytes.len() + data.len();
        if length > MAX_BODY_BYTES {
            return Err(Unreadable::TooLarge);
        }
        if length > SMALL_BODY_BYTES && turn.is_none() {
            let most = announced.unwrap_or(MAX_BODY_BYTES);
            turn = Some(pool.turn(party, most).await);
            // Address space only: the operating system provides the memory as the bytes arrive.
            bytes.reserve_exact(most - bytes.len());
        }
        bytes.extend_from_slice(&data);
        if let Some(turn) = &turn {
            turn.received(data.len());
        }
    }
    Ok(Content { bytes, turn })
}

/// The next bytes of a body; `None` when it is complete.
async fn next(body: &mut Body, turn: Option<&Turn>) -> Result<Option<Bytes>, Unreadable> {
    let revoked = async {
        match turn {
            Some(turn) => turn.revoked().await,
            None => std::future::pending().await,
        }
    };
    let frame = tokio::select! {
        biased;
        frame = body.frame() => frame,
        () = revoked => return Err(Unreadable::TooSlow),
    };
    let data = frame.transpose().map_err(|_| Unreadable::TooSlow)?;
    Ok(data.map(|frame| frame.into_data().unwrap_or_default()))
}

/// Reads and forgets what is left of a body, within the limits of size and time. A connection that is closed while the
/// other side still writes is reset: a sender then does not see the answer, and a proxy takes this replica for broken
/// and sends it nothing for a while.
pub(super) async fn discard(body: &mut Body) {
    let all = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > MAX_DISCARDED_BYTES {
                return;
            }
        }
    };
    // Complete or not, the answer is the same.
    drop(tokio::time::timeout(BODY_TIMEOUT, all).await);
}
