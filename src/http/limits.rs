//! Every limit of the webhook port, each with its reason.

use std::time::Duration;

/// Kargo's limit for every kind of receiver; a body of exactly this size is accepted.
pub(super) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// An oversize body is read to its end up to this size, so that a sender which writes before it reads sees the 413
/// instead of a broken connection.
pub(super) const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// A body up to this size needs no turn. Registries send a few hundred bytes, Git hosts mostly a few KiB; with all
/// connections at it, that is 64 MiB.
pub(super) const SMALL_BODY_BYTES: usize = 16 * 1024;

/// Larger bodies in memory at a time; the others wait for their turn, within [`BODY_TIMEOUT`]. Together at most 64 MiB, where
/// all connections at it would be 8 GiB.
pub(super) const MAX_LARGE_BODIES: usize = 32;

/// Time for the TLS handshake. It takes two round trips and a millisecond of work.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a complete request head, from its first byte or, on a new connection, from the beginning. Quay opens one
/// connection per delivery and sends at once.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept between two requests. Longer than proxies keep theirs (nginx 60 s, Traefik 90 s, Google's
/// load balancers 600 s), so that it is they who close: a request that crosses our closing is answered by the proxy with a
/// 502, and that counts as a failure of the hook. It costs little, for a full port closes idle connections first.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(620);

/// Time for a complete body once its head is there. Quay gives up after 10 s without an answer.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Memory for one request head. GitHub's are about 1 KiB; proxies add some.
pub(super) const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Header fields of one request.
pub(super) const MAX_HEADERS: usize = 100;

/// Open connections. Each costs a few KiB while idle. When all are taken, a new one gets the place of the one that has kept
/// us waiting longest (see `crowd`). There is no limit per address: behind an Ingress all senders have the same one.
pub(super) const MAX_CONNECTIONS: usize = 4096;

/// Files that are not connections of senders: the API server, the admin port, logs. [`MAX_CONNECTIONS`] is lowered where the
/// operating system grants fewer than both together.
pub(super) const OTHER_FILES: usize = 256;

/// Connections that the kernel completes while we are busy; beyond it, it drops their first packet, and the sender tries
/// again after a second. The kernel lowers it to `net.core.somaxconn`.
pub(super) const BACKLOG: u32 = 4096;

/// Pause after a failed accept, which is what running out of file descriptors looks like.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
