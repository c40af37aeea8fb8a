//! What a status says about pushes that Kargo does not come across: pure.

use crate::domain::scope::ObjectKey;
use crate::pursuit::{Trouble, Why};

/// Type of the condition. It is there, and false, only while there is something to say.
pub(super) const PUSHES_SEEN: &str = "quayside.dev/PushesSeen";

/// Warehouses that are named; the rest is counted.
const MAX_NAMED: usize = 5;
/// Characters of Kargo's message about each.
const MAX_QUOTED: usize = 200;

/// Reason and message of the condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unseen {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Unseen {
    /// About these Warehouses, which the receivers of the object reach; `None` when there are none.
    pub(super) fn of(mut troubles: Vec<(ObjectKey, Trouble)>) -> Option<Self> {
        troubles.sort_by(|(a, one), (b, other)| (one.since, a).cmp(&(other.since, b)));
        let (_, oldest) = troubles.first()?;
        let reason = match oldest.why {
            Why::Unhandled => "RefreshNotHandled",
            Why::Failing => "DiscoveryFailed",
            Why::Unlisted => "PushNotListed",
        };
        let named = troubles.iter().take(MAX_NAMED).map(|(key, trouble)| sentence(key, trouble));
        let mut message = named.collect::<Vec<_>>().join("; ");
        if troubles.len() > MAX_NAMED {
            message.push_str(&format!("; and {} more Warehouses", troubles.len() - MAX_NAMED));
        }
        Some(Self { reason, message })
    }
}

fn sentence(key: &ObjectKey, trouble: &Trouble) -> String {
    let about = format!("Warehouse {key}, since {:.0}", trouble.since);
    match trouble.why {
        Why::Unhandled => {
            format!("{about}: Kargo does not take a refresh up; is its controller for this shard running?")
        }
        Why::Failing if trouble.message.is_empty() => {
            format!("{about}: Kargo took a refresh up and did not look for what was pushed")
        }
        Why::Failing => {
            let quoted: String = trouble.message.chars().take(MAX_QUOTED).collect();
            format!("{about}: Kargo cannot discover what was pushed: {quoted}")
        }
        Why::Unlisted => format!(
            "{about}: Kargo has looked and does not list what was pushed; discoveryLimit, platform or \
             expressionFilter may leave it out"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(name: &str, why: Why, second: i64, message: &str) -> (ObjectKey, Trouble) {
        let since = jiff::Timestamp::from_second(second).unwrap();
        (ObjectKey::new("northwind", name), Trouble { why, since, message: message.to_owned(), discovered: None })
    }

    #[test]
    fn the_oldest_trouble_gives_the_reason_and_a_few_are_named() {
        assert_eq!(Unseen::of(Vec::new()), None);
        let one = Unseen::of(vec![
            trouble("later", Why::Unhandled, 1_800_000_060, ""),
            trouble("storefront", Why::Failing, 1_800_000_000, "503 Service Unavailable"),
        ]);
        let one = one.unwrap();
        assert_eq!(one.reason, "DiscoveryFailed");
        assert_eq!(
            one.message,
            "Warehouse northwind/storefront, since 2027-01-15T08:00:00Z: Kargo cannot discover what was pushed: 503 \
             Service Unavailable; Warehouse northwind/later, since 2027-01-15T08:01:00Z: Kargo does not take a refresh \
             up; is its controller for this shard running?"
        );
        let long = "é".repeat(10_000);
        let many = (0..1_024).map(|n| trouble(&format!("{}{n}", "w".repeat(250)), Why::Failing, n, &long)).collect();
        let many = Unseen::of(many).unwrap();
        assert!(
            many.message.ends_with("; and 1019 more Warehouses") && many.message.len() < 8_192,
            "{}",
            many.message.len()
        );
    }
}
