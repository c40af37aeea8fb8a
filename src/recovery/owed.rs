//! What a process takes over from the one before it: the refreshes that are owed on disk.

use std::iter::zip;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::catch_up::CATCH_UP;
use crate::refresh::Refresher;
use crate::refresh::cause::Cause;
use crate::spool::{Owed, Spool};

/// Pause before the disk is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// Asks for every refresh that is owed on disk, and settles it there once it is written: the refresher does that only
/// up to the time of the PATCH, which is too early where the clock was set back.
pub async fn owed(spool: Spool, refresher: Refresher, stop: CancellationToken) {
    let all = async {
        loop {
            match spool.owed().await {
                Ok(owed) if owed.is_empty() => return,
                Ok(owed) => {
                    tracing::info!(refreshes = owed.len(), "refreshes are owed from before the start");
                    let waiters = refresher.request_each(owed.iter().map(|owed| (&owed.target, cause(owed))));
                    let mut waiters: FuturesUnordered<_> =
                        zip(waiters, &owed).map(async |(waiter, owed)| (waiter.await, owed)).collect();
                    while let Some((outcome, Owed { target, last_arrival, .. })) = waiters.next().await {
                        if outcome.is_ok_and(|outcome| outcome.is_done()) {
                            spool.settle(target, *last_arrival);
                        }
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!(reason = error.reason(), "what is owed cannot be read: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(all).await;
}

/// Why it is owed, as far as the disk says: the delivery that came last.
fn cause(owed: &Owed) -> Cause {
    let last = owed.delivery_ids.iter().rev().find(|id| *id != CATCH_UP);
    last.map_or_else(Cause::catch_up, |id| Cause::restored(id))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::scope::ObjectKey;
    use crate::domain::target::Target;

    #[test]
    fn what_the_disk_owes_is_restored_for_its_last_delivery_or_goes_on_with_a_catch_up() {
        let owed = |ids: &[&str]| Owed {
            target: Target::warehouse(ObjectKey::new("northwind", "storefront")),
            first_arrival: Timestamp::UNIX_EPOCH,
            last_arrival: Timestamp::UNIX_EPOCH,
            deliveries: 1,
            delivery_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        assert_eq!(cause(&owed(&["d1", "d2"])), Cause::restored("d2"));
        assert_eq!(cause(&owed(&["d1", CATCH_UP])), Cause::restored("d1"), "a catch-up hides no delivery");
        assert_eq!(cause(&owed(&[CATCH_UP])), Cause::catch_up());
    }
}
