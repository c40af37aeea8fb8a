//! Keeps the receiver paths that are served for the next start, when nobody can tell yet which they are.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::readiness::Readiness;
use crate::spool::{Keep, Spool};
use crate::tables::routes::RouteTable;

/// How often the table is looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Remembers the paths from when the tables are filled until `stop` is cancelled.
pub async fn remember(spool: Spool, routes: Arc<RouteTable>, readiness: Arc<Readiness>, stop: CancellationToken) {
    let all = async {
        readiness.wait_for_tables().await;
        let (mut is_failing, mut written) = (false, None);
        loop {
            let now = (routes.version(), routes.unresolved());
            if written == Some(now) {
                tokio::time::sleep(EVERY).await;
                continue;
            }
            // A receiver whose Secret cannot be read has no path for the moment, and keeps the one that it had.
            let keep = if now.1 > 0 { Keep::Old } else { Keep::Nothing };
            let remembered = spool.remember(routes.expose_paths(), keep).await;
            written = remembered.is_ok().then_some(now);
            if let Err(error) = &remembered
                && !is_failing
            {
                tracing::warn!(reason = error.reason(), "the receivers for the next start cannot be kept: {error}");
            }
            is_failing = remembered.is_err();
            tokio::time::sleep(EVERY).await;
        }
    };
    stop.run_until_cancelled(all).await;
}
