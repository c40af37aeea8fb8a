//! Every limit of the webhook port, each with its reason.

use std::time::Duration;

/// Kargo's limit for every kind of receiver; a body of exactly this size is accepted.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// An oversize body is read to its end up to this size, so that a sender which writes before it reads sees the 413
/// instead of a broken connection.
pub const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// Time for a complete request head, and for which an idle connection is kept. Quay opens one connection per delivery and
/// sends at once.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for a complete body once its head is there. Quay gives up after 10 s without an answer.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Memory for one request head. GitHub's are about 1 KiB; proxies add some.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Header fields of one request.
pub const MAX_HEADERS: usize = 100;

/// Open connections. Each costs a few KiB while idle; beyond it, new ones wait in the kernel's queue.
pub const MAX_CONNECTIONS: usize = 4096;

/// Pause after a failed accept, which is what running out of file descriptors looks like.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
