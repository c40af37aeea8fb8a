//! Every limit of the webhook port, each with its reason.

use std::time::Duration;

/// Kargo's limit for every kind of receiver; a body of exactly this size is accepted.
pub(super) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// A body that is not wanted is read to its end up to this size, so that a sender which writes before it reads sees the
/// answer instead of a broken connection.
pub(super) const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// A body up to this size needs no turn (see `pool`). Registries send a few hundred bytes, Git hosts mostly a few KiB.
pub(super) const SMALL_BODY_BYTES: usize = 16 * 1024;

/// A sender that has waited this long for memory may take that of one that trickles: well below the 10 s that Quay
/// waits, and longer than a body takes that is on its way already.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// What a connection costs at most besides a large head and a large body: hyper's first buffer of 8 KiB and a small
/// body.
pub(super) const CONNECTION_BYTES: usize = 8 * 1024 + SMALL_BODY_BYTES;

/// The part of the memory budget that all connections together may take: three eighths, so that the chart's
/// 256 MiB are enough for [`MAX_CONNECTIONS`].
pub(super) const CONNECTIONS_SHARE: (usize, usize) = (3, 8);

/// The part of the connections on which requests of one receiver may wait for their refreshes: a quarter. Quay sends
/// one request of a repository at a time, so 1,024 are the flood of a sender that is out of control.
pub(super) const WAITS_SHARE: usize = 4;

/// The part for what requests wait for: a thirty-second, 32,768 refreshes with the chart's 256 MiB, of which one
/// receiver may wait for half.
pub(super) const REFRESHES_SHARE: usize = 32;

/// What it costs to wait for one refresh: its target on both sides, and the channel between them.
pub(super) const REFRESH_BYTES: usize = 256;

/// The part for large bodies: an eighth, 32 MiB of the chart's 256, which is 16 of the largest or 160 pushes of 200 KB.
pub(super) const BODIES_SHARE: usize = 8;

/// The part for large heads: a sixteenth, 256 of them with the chart's 256 MiB.
pub(super) const HEADS_SHARE: usize = 16;

/// What a large head costs: the buffer doubles until it holds [`MAX_HEAD_BYTES`] and room for the next read.
pub(super) const LARGE_HEAD_BYTES: usize = 64 * 1024;

/// A head is large beyond hyper's first buffer. GitHub's are about 1 KiB.
pub(super) const SMALL_HEAD_BYTES: usize = 8 * 1024;

/// Time for the TLS handshake. It takes two round trips and a millisecond of work.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a complete request head, from its first byte or, on a new connection, from the beginning. Quay opens one
/// connection per delivery and sends at once.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept between two requests. Longer than proxies keep theirs (nginx 60 s, Traefik 90 s,
/// Google's load balancers 600 s), so that the proxy closes: a request that crosses our closing is answered by the
/// proxy with a 502, and that counts as a failure of the hook. It costs little: see [`REST_AFTER`], and a full port
/// closes idle connections first.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(620);

/// The same for a connection none of whose requests has reached a receiver: a scanner, or a load balancer that asks for
/// `/healthz`, mostly every 5 to 10 s.
pub(super) const STRANGER_IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// An idle connection gives its buffers back after this time. They are 8 to 64 KiB, as large as the largest head so
/// far; to allocate them again costs microseconds, which a connection with more than one request a second does not pay.
pub(super) const REST_AFTER: Duration = Duration::from_secs(1);

/// Time for a complete body once its head is there. Quay gives up after 10 s without an answer.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Memory for one request head. GitHub's are about 1 KiB; proxies add some.
pub(super) const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Header fields of one request.
pub(super) const MAX_HEADERS: usize = 100;

/// Open connections, fewer where the memory budget is small. Each costs a few KiB while idle. When all are taken, a new
/// one gets the place of the one that has kept us waiting longest (see `crowd`). There is no limit per address: behind
/// an Ingress all senders have the same one.
pub(super) const MAX_CONNECTIONS: usize = 4096;

/// Files that are not connections of senders: the API server, the admin port, logs. [`MAX_CONNECTIONS`] is lowered
/// where the operating system grants fewer than both together.
pub(super) const OTHER_FILES: usize = 256;

/// Connections that the kernel completes while we are busy; beyond it, it drops their first packet, and the sender
/// tries again after a second. The kernel lowers it to `net.core.somaxconn`.
pub(super) const BACKLOG: u32 = 4096;

/// Pause after a failed accept, which is what running out of file descriptors looks like.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
